/* `elbo serve` as a page uses it: what it answers is what the commands say. */
#include "serve_client.h"

#include "formats/npy.h"

enum { TRAIN = 300, TEST = 60, POINTS = TRAIN + TEST, Z = 20, SIZE = 784 };

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", TRAIN, TEST);
    run_well("train", "mnist-vae", "-o", "runs/vae", "-e", "2", "-q");
    run_well("train", "mnist-ae", "-o", "runs/ae", "-e", "1", "-q");
    run_well("train", "mnist-vae-2d", "-o", "runs/plane", "-e", "1", "-q");
    uint8_t pixels[SIZE] = {0};
    for (int i = 0; i < 28; i++) pixels[28 * i + 14] = (uint8_t)(9 * i);
    char *path = in_scratch("digit.png");
    assert_int_equal(elbo_png_write(path, pixels, 28, 28, 1, NULL), ELBO_OK);
    free(path);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static int serve_runs(void **state) {
    (void)state;
    server_start("runs", "--port", "0");
    return 0;
}

static int end_server(void **state) {
    (void)state;
    server_end();
    return 0;
}

static elbo_array array_of(const char *name) {
    char *path = in_scratch(name);
    elbo_array a;
    elbo_error err;
    if (elbo_npy_read(&a, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    free(path);
    return a;
}

static void write_codes(const char *name, const float *z, size_t n, size_t width) {
    char *path = in_scratch(name);
    size_t shape[] = {n, width};
    assert_int_equal(elbo_npy_write_f32(path, z, 2, shape, NULL), ELBO_OK);
    free(path);
}

static float float_of(const uint8_t *body, size_t i) {
    float v;
    memcpy(&v, body + i * sizeof v, sizeof v);
    return v;
}

static void some_codes(float *z, size_t n) {
    for (size_t i = 0; i < n; i++) z[i] = sinf(0.7f * (float)i);
}

static void test_runs(void **state) {
    (void)state;
    json_t *o = get_json("/api/1/runs"), *runs = json_object_get(o, "runs");
    assert_int_equal(json_array_size(runs), 3);
    assert_string_equal(text(json_array_get(runs, 0), "id"), "ae");
    json_decref(o);
    o = get_json("/api/1/runs/vae");
    assert_string_equal(text(o, "model"), "vae");
    assert_true(number(o, "train") == TRAIN && number(o, "test") == TEST && number(o, "latent") == Z);
    json_t *dims = json_object_get(o, "dimensions");
    assert_int_equal(json_array_size(dims), Z);
    for (size_t i = 1; i < Z; i++)
        assert_true(number(json_array_get(dims, i - 1), "kl") >= number(json_array_get(dims, i), "kl"));
    json_decref(o);
    o = get_json("/api/1/runs/vae/log");
    json_t *epochs = json_object_get(o, "epochs");
    assert_int_equal(json_array_size(epochs), 2);
    assert_true(number(json_object_get(json_array_get(epochs, 1), "test"), "loss") > 0);
    json_decref(o);
    o = get_json("/api/1/runs/vae/doctor");
    assert_true(json_array_size(json_object_get(o, "checks")) > 3);
    json_decref(o);
}

/* Within a grey level of `elbo decode`, and the same bits alone and among others. */
static void test_decode(void **state) {
    (void)state;
    float z[3 * Z];
    some_codes(z, 3 * Z);
    write_codes("z.npy", z, 3, Z);
    run_well("decode", "runs/vae", "z.npy", "-o", "images.npy");
    elbo_array expected = array_of("images.npy");
    reply r = ask_well("POST", "/api/1/runs/vae/decode", z, sizeof z);
    assert_shape(&r, "u8", "3,1,28,28");
    for (size_t i = 0; i < 3 * SIZE; i++)
        if (fabsf((float)r.body[i] - 255 * ((const float *)expected.data)[i]) > 1) fail_msg("value %zu", i);
    reply alone = ask_well("POST", "/api/1/runs/vae/decode", z + Z, Z * sizeof *z);
    assert_memory_equal(alone.body, r.body + SIZE, SIZE);
    reply_free(&alone);
    reply_free(&r);
    elbo_array_free(&expected);
}

static void test_encode(void **state) {
    (void)state;
    run_well("encode", "runs/vae", "digit.png", "-o", "mu.npy", "--logvar", "logvar.npy");
    elbo_array mu = array_of("mu.npy"), logvar = array_of("logvar.npy");
    uint8_t pixels[SIZE] = {0};
    for (int i = 0; i < 28; i++) pixels[28 * i + 14] = (uint8_t)(9 * i);
    json_t *o = json_of_reply(ask_well("POST", "/api/1/runs/vae/encode", pixels, SIZE));
    for (size_t k = 0; k < Z; k++) {
        const json_t *m = json_array_get(json_array_get(json_object_get(o, "mu"), 0), k),
                     *v = json_array_get(json_array_get(json_object_get(o, "logvar"), 0), k);
        assert_true(fabs(json_number_value(m) - (double)((const float *)mu.data)[k]) < 1e-6);
        assert_true(fabs(json_number_value(v) - (double)((const float *)logvar.data)[k]) < 1e-6);
    }
    assert_int_equal(json_array_size(json_array_get(json_object_get(o, "place"), 0)), 2);
    json_decref(o);
    elbo_array_free(&mu);
    elbo_array_free(&logvar);
}

static void test_points(void **state) {
    (void)state;
    static const char points[] = "{\"points\": [0, 5, 300]}"; // train:0, train:5, test:0
    run_well("encode", "runs/vae", "test", "-o", "test.npy");
    elbo_array test = array_of("test.npy");
    reply images = ask_well("POST", "/api/1/runs/vae/images", points, strlen(points)),
          codes = ask_well("POST", "/api/1/runs/vae/codes", points, strlen(points)),
          labels = ask_well("GET", "/api/1/runs/vae/labels", NULL, 0),
          thumbs = ask_well("GET", "/api/1/runs/vae/thumbs?from=300&count=1000", NULL, 0);
    assert_shape(&images, "u8", "3,1,28,28");
    assert_shape(&codes, "f32", "3,40");
    assert_shape(&labels, "u8", "360");
    assert_shape(&thumbs, "u8", "60,1,28,28");
    elbo_images digits;
    assert_int_equal(elbo_digits_make(&digits, true, TEST, 1, NULL), ELBO_OK);
    assert_memory_equal(images.body + 2 * SIZE, digits.bytes, SIZE);
    assert_memory_equal(thumbs.body, digits.bytes, TEST * SIZE);
    assert_memory_equal(labels.body + TRAIN, digits.labels, TEST);
    assert_memory_equal(codes.body + 2 * 2 * Z * sizeof(float), test.data, Z * sizeof(float));
    elbo_images_free(&digits);
    elbo_array_free(&test);
    reply_free(&images);
    reply_free(&codes);
    reply_free(&labels);
    reply_free(&thumbs);
}

/* On the plane a code lies where it was put; PCA keeps what is off its plane. */
static void test_maps(void **state) {
    (void)state;
    reply map = ask_well("GET", "/api/1/runs/vae/map?method=pca", NULL, 0),
          codes = ask_well("POST", "/api/1/runs/vae/codes", "{\"points\": [7]}", 15);
    assert_shape(&map, "f32", "360,2");
    float z[Z], place[2], put[2] = {0.5f, -1};
    memcpy(z, codes.body, sizeof z);
    memcpy(place, map.body + 7 * sizeof place, sizeof place);
    reply placed = ask_well("POST", "/api/1/runs/vae/place?method=pca", z, sizeof z);
    assert_memory_equal(placed.body, place, sizeof place);
    json_t *from = json_array();
    for (size_t k = 0; k < Z; k++) json_array_append_new(from, json_real((double)z[k]));
    json_t *o = send_json("POST", "/api/1/runs/vae/locate?method=pca",
                          json_pack("{s:o, s:[f,f]}", "from", from, "to", (double)put[0], (double)put[1]));
    assert_true(json_is_true(json_object_get(o, "exact")) && number(o, "gap") < 1e-5 && number(o, "off_plane") > 0);
    json_decref(o);
    reply dims = ask_well("GET", "/api/1/runs/vae/map?method=dims&x=3&y=7", NULL, 0);
    assert_memory_equal(dims.body + 7 * sizeof place, &z[3], sizeof(float));
    assert_memory_equal(dims.body + 7 * sizeof place + sizeof(float), &z[7], sizeof(float));
    reply_free(&map);
    reply_free(&codes);
    reply_free(&placed);
    reply_free(&dims);
}

/* Computed in the background, then kept with the run, which the next server reads. */
static void test_tsne(void **state) {
    (void)state;
    char about[1000];
    reply r = {0};
    for (int ms = 0; ms < 60000 && !there("runs/vae/maps/tsne.safetensors"); ms += 50) {
        r = ask_well("GET", "/api/1/runs/vae/map?method=tsne", NULL, 0);
        assert_shape(&r, "f32", "360,2");
        reply_free(&r);
        pause_ms(50);
    }
    r = ask_well("GET", "/api/1/runs/vae/map?method=tsne", NULL, 0);
    assert_non_null(strstr(header_of(&r, "Elbo-Map", about), "\"done\":1.0"));
    server_end();
    server_start("runs/vae", "--port", "0");
    reply kept = ask_well("GET", "/api/1/runs/vae/map?method=tsne", NULL, 0);
    assert_non_null(strstr(header_of(&kept, "Elbo-Map", about), "\"done\":1.0"));
    assert_memory_equal(kept.body, r.body, POINTS * 2 * sizeof(float));
    reply_free(&r);
    reply_free(&kept);
}

/* A lasso's direction is what `elbo arithmetic` adds. */
static void test_vector_of_a_selection(void **state) {
    (void)state;
    uint8_t bits[(POINTS + 7) / 8] = {0};
    for (int i = 0; i < POINTS; i += 3) bits[i / 8] |= (uint8_t)(1 << i % 8);
    json_t *by_bits = json_of_reply(ask_well("POST", "/api/1/runs/vae/select", bits, sizeof bits)),
           *list = json_array();
    for (int i = 0; i < POINTS; i += 3) json_array_append_new(list, json_integer(i));
    json_t *o = send_json("POST", "/api/1/runs/vae/select", json_pack("{s:o}", "points", list));
    assert_true(json_equal(o, by_bits));
    assert_true(number(o, "count") == POINTS / 3 && json_array_size(json_object_get(o, "classes")) == 10);
    json_t *mean = json_object_get(o, "mean");
    json_decref(send_json("PUT", "/api/1/runs/vae/vectors/lasso", json_pack("{s:O}", "z", mean)));
    run_well("arithmetic", "runs/vae", "test:4 + 2 * lasso", "--npy", "sum.npy", "-o", "sum.png");
    run_well("arithmetic", "runs/vae", "test:4", "--npy", "four.npy", "-o", "four.png");
    elbo_array sum = array_of("sum.npy"), four = array_of("four.npy");
    for (size_t k = 0; k < Z; k++) {
        double expected = (double)((const float *)four.data)[k] + 2 * json_number_value(json_array_get(mean, k));
        assert_true(fabs((double)((const float *)sum.data)[k] - expected) < 1e-5);
    }
    json_t *said = send_json("POST", "/api/1/runs/vae/expression", json_pack("{s:s}", "text", "test:4 + 2 * lasso"));
    for (size_t k = 0; k < Z; k++)
        assert_true(fabs(json_number_value(json_array_get(json_object_get(said, "z"), k)) -
                         (double)((const float *)sum.data)[k]) < 1e-5);
    assert_non_null(strstr(text(said, "command"), "elbo arithmetic 'runs/vae' 'test:4 + 2 * lasso'"));
    json_t *vectors = get_json("/api/1/runs/vae/vectors");
    assert_string_equal(text(json_array_get(vectors, 0), "name"), "lasso");
    json_decref(json_of_reply(ask_well("DELETE", "/api/1/runs/vae/vectors/lasso", NULL, 0)));
    assert_false(there("runs/vae/vectors/lasso.safetensors"));
    json_decref(vectors);
    json_decref(said);
    json_decref(o);
    json_decref(by_bits);
    elbo_array_free(&sum);
    elbo_array_free(&four);
}

/* As an expression of images computes it. */
static void test_expression_as_the_command(void **state) {
    (void)state;
    run_well("arithmetic", "runs/vae", "mean(class:3) - class:8 + train:5", "--npy", "e.npy", "-o", "e.png");
    elbo_array e = array_of("e.npy");
    json_t *o = send_json("POST", "/api/1/runs/vae/expression",
                          json_pack("{s:s}", "text", "mean(class:3) - class:8 + train:5"));
    for (size_t k = 0; k < Z; k++)
        assert_true(fabs(json_number_value(json_array_get(json_object_get(o, "z"), k)) -
                         (double)((const float *)e.data)[k]) < 1e-5);
    json_decref(o);
    elbo_array_free(&e);
}

/* A training image's own picture is nearest to itself. */
static void test_nearest_values_and_figures(void **state) {
    (void)state;
    reply codes = ask_well("POST", "/api/1/runs/vae/codes", "{\"points\": [7]}", 15);
    for (int again = 0; again < 2; again++) {
        json_t *o = json_of_reply(ask_well("POST", "/api/1/runs/vae/nearest", codes.body, Z * sizeof(float)));
        json_t *first = json_array_get(json_object_get(o, "nearest"), 0);
        assert_int_equal(json_array_size(json_object_get(first, "points")), 6);
        assert_true(json_is_string(json_array_get(json_object_get(o, "verdict"), 0)));
        json_decref(o);
    }
    reply_free(&codes);
    static const char *const by[] = {"loss", "density", "hole"};
    for (int i = 0; i < 3; i++) {
        char path[100];
        snprintf(path, sizeof path, "/api/1/runs/vae/values?by=%s", by[i]);
        reply r = ask_well("GET", path, NULL, 0);
        assert_shape(&r, "f32", "360");
        reply_free(&r);
    }
    reply figure =
        ask_well("GET", "/api/1/runs/vae/figure?kind=interpolate&from=class:3&to=class:8&format=svg", NULL, 0);
    assert_non_null(strstr((const char *)figure.body, "<svg"));
    reply_free(&figure);
    figure = ask_well("GET", "/api/1/runs/vae/figure?kind=map&format=csv", NULL, 0);
    assert_memory_equal(figure.body, "x,y", 3);
    reply_free(&figure);
}

/* Who has the address after a kill -9 goes on with the next server of the port; nobody else reads the token. */
static void test_token_outlives_the_server(void **state) {
    (void)state;
    struct stat at;
    char *path = in_scratch(".local/state/elbo/serve-token"), before[120], port[12];
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
    snprintf(before, sizeof before, "%s", serve_address);
    snprintf(port, sizeof port, "%d", serve_port);
    kill(serving.pid, SIGKILL);
    program_wait(&serving);
    program_free(&serving);
    server_start("runs", "--port", port);
    assert_string_equal(serve_address, before);
    json_decref(get_json("/api/1/runs"));
    assert_int_equal(chmod(path, 0644), 0); // read by others: not a secret any more
    server_end();
    server_start("runs", "--port", port);
    assert_string_not_equal(serve_address, before);
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
    free(path);
}

static void test_read_only(void **state) {
    (void)state;
    run_well("train", "mnist-vae", "-o", "kept", "-e", "1", "-q");
    server_start("kept", "--port", "0", "--read-only");
    static const char z[] = "{\"z\": [0]}";
    refused_with(ask("PUT", "/api/1/runs/kept/vectors/a", z, strlen(z)), 403);
    refused_with(ask("DELETE", "/api/1/runs/kept/vectors/a", NULL, 0), 403);
    reply map = ask_well("GET", "/api/1/runs/kept/map?method=pca", NULL, 0),
          values = ask_well("GET", "/api/1/runs/kept/values?by=density", NULL, 0);
    reply_free(&map);
    reply_free(&values);
    server_end();
    assert_false(there("kept/codes"));
    assert_false(there("kept/maps"));
    assert_false(there("kept/vectors"));
}

/* An epoch that is kept is decoded as the command decodes its run; maps go through epochs. */
static void test_epochs_that_are_kept(void **state) {
    (void)state;
    run_well("train", "mnist-vae", "-o", "past", "-e", "4", "--set", "train.history=3", "-q");
    server_start("past", "--port", "0");
    json_t *o = get_json("/api/1/runs/past"), *history = json_object_get(o, "history"),
           *expected = json_pack("[i,i,i]", 0, 2, 4);
    assert_true(json_equal(history, expected));
    float z[Z];
    some_codes(z, Z);
    write_codes("z.npy", z, 1, Z);
    run_well("decode", "past/history/00002", "z.npy", "-o", "images.npy");
    elbo_array images = array_of("images.npy");
    reply r = ask_well("POST", "/api/1/runs/past/decode?epoch=2", z, sizeof z),
          last = ask_well("POST", "/api/1/runs/past/decode?epoch=4", z, sizeof z),
          own = ask_well("POST", "/api/1/runs/past/decode", z, sizeof z);
    for (size_t i = 0; i < SIZE; i++) assert_true(fabsf((float)r.body[i] - 255 * ((const float *)images.data)[i]) <= 1);
    assert_memory_equal(last.body, own.body, SIZE);
    assert_memory_not_equal(r.body, own.body, SIZE);
    reply map = ask_well("GET", "/api/1/runs/past/map?method=pca&epoch=0", NULL, 0);
    assert_shape(&map, "f32", "360,2");
    run_well("encode", "past/history/00000", "test", "-o",
             "first.npy"); // codes of that epoch lie where its map has them
    elbo_array first = array_of("first.npy");
    reply placed = ask_well("POST", "/api/1/runs/past/place?method=pca&epoch=0", first.data, 3 * Z * sizeof(float));
    for (size_t i = 0; i < 6; i++)
        assert_true(fabsf(float_of(placed.body, i) - float_of(map.body, 2 * TRAIN + i)) < 1e-4f);
    reply_free(&placed);
    elbo_array_free(&first);
    refused_with(ask("GET", "/api/1/runs/past/map?method=tsne&epoch=0", NULL, 0), 400);
    refused_with(ask("POST", "/api/1/runs/past/decode?epoch=3", z, sizeof z), 404);
    refused_with(ask("POST", "/api/1/runs/past/decode?epoch=-1", z, sizeof z), 400);
    refused_with(ask("GET", "/api/1/runs/past/map?method=dims&epoch=1", NULL, 0), 404);
    server_end();
    reply_free(&r);
    reply_free(&last);
    reply_free(&own);
    reply_free(&map);
    elbo_array_free(&images);
    json_decref(expected);
    json_decref(o);
}

static void test_what_is_no_run(void **state) {
    (void)state;
    refused(1, WORDS("nowhere", "neither a run nor a folder of runs"), "serve", "nowhere", "--no-open", "--port", "0");
    copy_run("runs/vae", "broken");
    scratch_write(&here, "broken/model.safetensors", "damaged", 7);
    refused(1, WORDS("broken/model.safetensors"), "serve", "broken", "--no-open", "--port", "0");
    refused(2, WORDS("--port"), "serve", "runs/vae", "--port", "65536");
    server_start("runs", "--port", "0");
    char port[12];
    snprintf(port, sizeof port, "%d", serve_port);
    refused(1, WORDS("127.0.0.1", port, "in use"), "serve", "runs/vae", "--no-open", "--port", port);
    server_end();
    server_start("broken", "runs", "--port", "0"); // among others it is listed with what is wrong
    json_t *o = get_json("/api/1/runs");
    assert_non_null(strstr(text(json_array_get(json_object_get(o, "runs"), 0), "error"), "broken/model.safetensors"));
    assert_int_equal(json_array_size(json_object_get(o, "runs")), 4);
    json_decref(o);
    refused_with(ask("GET", "/api/1/runs/broken", NULL, 0), 400);
    server_end();
}

/* What needs no data works without. */
static void test_run_whose_data_are_gone(void **state) {
    (void)state;
    write_data("moved", TRAIN, TEST);
    run_well("train", "mnist-vae", "--data", "moved", "-o", "orphan", "-e", "1", "-q");
    char *from = in_scratch("moved"), *to = in_scratch("elsewhere");
    assert_int_equal(rename(from, to), 0);
    server_start("orphan", "--port", "0");
    json_t *o = get_json("/api/1/runs/orphan");
    assert_non_null(strstr(text(o, "data_error"), "moved"));
    assert_int_equal(json_array_size(json_object_get(o, "dimensions")), Z);
    json_decref(o);
    float z[Z] = {0};
    reply r = ask_well("POST", "/api/1/runs/orphan/decode", z, sizeof z);
    reply_free(&r);
    uint8_t black[SIZE] = {0};
    r = ask_well("POST", "/api/1/runs/orphan/encode", black, SIZE);
    reply_free(&r);
    refused_with(ask("GET", "/api/1/runs/orphan/map", NULL, 0), 404);
    server_end();
    free(from);
    free(to);
}

/* Codes that take a while are made beside: another run is served meanwhile, and whoever waits is answered. */
static void test_another_run_while_codes_are_made(void **state) {
    (void)state;
    run_well("train", "mnist-vae", "-o", "pair/one", "-e", "1", "-q");
    run_well("train", "mnist-vae", "-o", "pair/two", "-e", "1", "-q");
    server_start("pair", "--port", "0", "--read-only");
    enum { ASKED = 8 };
    int fd[ASKED];
    char head[400];
    for (int i = 0; i < ASKED; i++) {
        fd[i] = dial();
        int n = snprintf(head, sizeof head,
                         "GET /api/1/runs/one/map HTTP/1.1\r\nHost: localhost:%d\r\nAuthorization: Bearer %s\r\n\r\n",
                         serve_port, serve_token);
        say(fd[i], head, (size_t)n);
    }
    float z[Z] = {0};
    reply r = ask_well("POST", "/api/1/runs/two/decode", z, sizeof z);
    reply_free(&r);
    for (int i = 0; i < ASKED; i++) {
        r = hear(fd[i], SECONDS_TO_LIVE);
        assert_int_equal(r.status, 200);
        assert_shape(&r, "f32", "360,2");
        reply_free(&r);
        close(fd[i]);
    }
    server_end();
}

/* ---- a training beside ---- */

static double wall_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The run appears, and each epoch that is in log.jsonl is told within a second of the quickest. */
static void test_epochs_of_a_training_are_told(void **state) {
    (void)state;
    server_start("runs", "--port", "0");
    int fd = dial();
    reply r = ask_on(fd, "GET", "/api/1/events", "", NULL, 0);
    assert_int_equal(r.status, 200);
    reply_free(&r);
    program training = elbo_start("train", "mnist-vae", "-o", "runs/live", "-e", "30", "-q");
    char *heard = calloc(1, 1 << 20), *log = in_scratch("runs/live/log.jsonl");
    size_t n = 0;
    double quickest = 1e9;
    for (int turns = 0; turns < 6000 && !strstr(heard, "\"epoch\":30"); turns++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 10) <= 0) continue;
        size_t before = n;
        ssize_t got = recv(fd, heard + n, (1 << 20) - n - 1, 0);
        assert_true(got > 0);
        n += (size_t)got;
        struct stat at;
        json_decref(get_json("/api/1/runs")); // a page asks for what is new, which opens the run
        if (!strstr(heard + before, "event: epoch") || stat(log, &at) != 0) continue;
        double late = wall_clock() - ((double)at.st_mtim.tv_sec + 1e-9 * (double)at.st_mtim.tv_nsec);
        quickest = late < quickest ? late : quickest;
    }
    program_wait(&training);
    expect_code(&training, 0);
    program_free(&training);
    if (!strstr(heard, "\"epoch\":30")) fail_msg("heard: %s", heard);
    assert_non_null(strstr(heard, "event: runs"));
    assert_true(quickest < 1);
    free(heard);
    free(log);
    close(fd);
    server_end();
}

/* Two pages that drag at once: each gets its newest, and neither loses to the other. */
static void test_clients_do_not_supersede_each_other(void **state) {
    (void)state;
    enum { EACH = 12 };
    float z[200 * Z];
    some_codes(z, 200 * Z);
    int fd[2][EACH], answered[2] = {0}, dropped[2] = {0};
    char head[400];
    for (int i = 0; i < EACH; i++)
        for (int who = 0; who < 2; who++) {
            fd[who][i] = dial();
            int n =
                snprintf(head, sizeof head,
                         "POST /api/1/runs/vae/decode HTTP/1.1\r\nHost: localhost:%d\r\nAuthorization: Bearer %s\r\n"
                         "Elbo-Client: page-%d\r\nContent-Length: %zu\r\n\r\n",
                         serve_port, serve_token, who, sizeof z);
            say(fd[who][i], head, (size_t)n);
            say(fd[who][i], z, sizeof z);
        }
    for (int who = 0; who < 2; who++)
        for (int i = 0; i < EACH; i++) {
            reply r = hear(fd[who][i], SECONDS_TO_LIVE);
            answered[who] += r.status == 200;
            dropped[who] += r.status == 409;
            if (i == EACH - 1) assert_int_equal(r.status, 200); // the newest is never dropped
            reply_free(&r);
            close(fd[who][i]);
        }
    for (int who = 0; who < 2; who++) assert_int_equal(answered[who] + dropped[who], EACH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_decode, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_encode, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_points, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_maps, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_tsne, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_vector_of_a_selection, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_expression_as_the_command, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_nearest_values_and_figures, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_token_outlives_the_server, serve_runs, end_server),
        cmocka_unit_test_setup_teardown(test_clients_do_not_supersede_each_other, serve_runs, end_server),
        cmocka_unit_test(test_what_is_no_run),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_run_whose_data_are_gone),
        cmocka_unit_test(test_another_run_while_codes_are_made),
        cmocka_unit_test(test_epochs_that_are_kept),
        cmocka_unit_test(test_epochs_of_a_training_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
