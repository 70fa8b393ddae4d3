/* elbo tsne and elbo project --method tsne as a user runs them. */
#include "program.h"

#include "base/random.h"
#include "formats/npy.h"

enum { N = 300, D = 4 };

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, 60);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "1", "-q");
    run_well("train", "mnist-vae-2d", "-o", "flat", "-e", "1", "-q");
    float x[N * D];
    elbo_random_normal((elbo_stream){.seed = 1, .purpose = ELBO_FOR_DIGITS}, x, N * D);
    uint8_t labels[N];
    for (size_t i = 0; i < N; i++) {
        labels[i] = (uint8_t)(i % 3);
        x[i * D + i % 3] += 8;
    }
    elbo_error err;
    char *path = in_scratch("x.npy"), *labels_path = in_scratch("l.npy"), *csv = in_scratch("x.csv"),
         *few = in_scratch("few.npy");
    assert_int_equal(elbo_npy_write_f32(path, x, 2, (size_t[]){N, D}, &err), ELBO_OK);
    assert_int_equal(elbo_npy_write_f32(few, x, 2, (size_t[]){40, D}, &err), ELBO_OK);
    assert_int_equal(elbo_npy_write_u8(labels_path, labels, 1, (size_t[]){N}, &err), ELBO_OK);
    FILE *f = fopen(csv, "w");
    fprintf(f, "a,b,c,d\n");
    for (size_t i = 0; i < N; i++)
        fprintf(f, "%.9g,%.9g,%.9g,%.9g\n", (double)x[D * i], (double)x[D * i + 1], (double)x[D * i + 2],
                (double)x[D * i + 3]);
    fclose(f);
    free(path);
    free(labels_path);
    free(csv);
    free(few);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static elbo_array embedding_of(const char *name, size_t rows) {
    elbo_array a;
    elbo_error err;
    char *path = in_scratch(name);
    if (elbo_npy_read(&a, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_true(a.dims == 2 && a.shape[0] == rows && a.shape[1] == 2);
    free(path);
    return a;
}

static void test_tsne(void **state) {
    (void)state;
    program p =
        elbo("tsne", "x.npy", "-o", "y.npy", "--labels", "l.npy", "--figure", "pictures/y.png", "--json", "-t", "1");
    json_t *o = expect_json(&p);
    assert_true(number(o, "points") == N && number(o, "dims") == D && number(o, "iterations") == 750);
    assert_true(number(o, "kl") > 0 && number(o, "kl") < 1.5 && number(o, "neighbour_recall") == 1);
    assert_string_equal(text(o, "figure"), "pictures/y.png");
    double kl = number(o, "kl");
    json_decref(o);
    assert_there("pictures/y.png");
    assert_there("pictures/y.gp");
    assert_there("pictures/y.csv");
    elbo_array y = embedding_of("y.npy", N); // the three clouds lie apart: a point's nearest is of its own
    const float *at = y.data;
    for (size_t i = 0; i < N; i++) {
        size_t nearest = 0;
        double best = INFINITY;
        for (size_t j = 0; j < N; j++) {
            double d = hypot(at[2 * i] - at[2 * j], at[2 * i + 1] - at[2 * j + 1]);
            if (i == j || d >= best) continue;
            best = d;
            nearest = j;
        }
        assert_int_equal(nearest % 3, i % 3);
    }
    elbo_array_free(&y);
    p = elbo("tsne", "x.npy", "--from", "y.npy", "--iterations", "0", "-o", "same.npy", "--labels", "l.npy", "--scores",
             "--json");
    o = expect_json(&p);
    json_t *scores = json_object_get(o, "scores");
    assert_true(number(scores, "asked") == N && number(scores, "knn_accuracy_map") == 1);
    assert_true(number(scores, "trustworthiness") > 0.8 && number(scores, "trustworthiness") < 1);
    json_decref(o);
    refused(2, WORDS("--labels", "--figure", "--scores"), "tsne", "x.npy", "-o", "y2.npy", "--labels", "l.npy");
    run_well("tsne", "x.csv", "-o", "again.npy", "-t", "2"); // the same points, other threads
    assert_same_bytes("y.npy", "again.npy");
    run_well("tsne", "x.npy", "-o", "y.csv", "--iterations", "20", "--perplexity", "10", "--exaggerated", "10");
    assert_int_equal(count_lines("y.csv"), N);

    p = elbo("tsne", "x.npy", "--from", "y.npy", "--iterations", "100", "-o", "longer.npy", "--json");
    o = expect_json(&p);
    assert_true(number(o, "kl") <= kl + 0.01);
    json_decref(o);
    p = elbo("tsne", "x.npy", "--transform", "few.npy", "--embedding", "y.npy", "-o", "placed.npy", "--json");
    o = expect_json(&p);
    assert_true(number(o, "points") == 40);
    json_decref(o);
    elbo_array placed = embedding_of("placed.npy", 40);
    elbo_array_free(&placed);
}

static void test_lowered_perplexity(void **state) {
    (void)state;
    program p = elbo("tsne", "few.npy", "-o", "few-y.npy", "--json");
    assert_non_null(strstr(p.err, "perplexity lowered from 30 to 13"));
    json_t *o = json_loads(p.out, 0, NULL);
    assert_non_null(o);
    assert_true(number(o, "perplexity") == 13);
    json_decref(o);
    expect_code(&p, 0);
    program_free(&p);
}

static void test_refused(void **state) {
    (void)state;
    scratch_write(&here, "nan.csv", "1,2\n3,nan\n", 10);
    scratch_write(&here, "labels.csv", "1\n2\n3\n", 6);
    refused(2, WORDS("-o Y.npy"), "tsne", "x.npy");
    refused(2, WORDS("--embedding"), "tsne", "x.npy", "-o", "y2.npy", "--transform", "few.npy");
    refused(2, WORDS("--figure"), "tsne", "x.npy", "-o", "y2.npy", "--labels", "l.npy");
    refused(2, WORDS("choose one"), "tsne", "x.npy", "-o", "y2.npy", "--transform", "few.npy", "--map", "y.npy",
            "--from", "y.npy");
    refused(2, WORDS("perplexity", "from 1"), "tsne", "x.npy", "-o", "y2.npy", "--perplexity", "0.5");
    refused(1, WORDS("nan.csv", "2"), "tsne", "nan.csv", "-o", "y2.npy");
    refused(1, WORDS("none.npy"), "tsne", "none.npy", "-o", "y2.npy");
    refused(1, WORDS("few.npy", "300 x 2"), "tsne", "x.npy", "-o", "y2.npy", "--from", "few.npy");
    refused(1, WORDS("labels.csv", "300"), "tsne", "x.npy", "-o", "y2.npy", "--figure", "f.png", "--labels",
            "labels.csv", "-n", "1000000");
    refused(2, WORDS("y2.txt", ".npy or .csv"), "tsne", "x.npy", "-o", "y2.txt", "-n", "1000000"); // before the work
    refused(1, WORDS("no such folder"), "tsne", "x.npy", "-o", "none/y2.npy", "-n", "1000000");
    assert_false(there("y2.npy"));
    refused(1, WORDS("no such folder"), "project", "vae", "-m", "tsne", "-n", "1000000", "--npy", "none/y.npy");
    refused(2, WORDS("--method tsne"), "project", "vae", "--perplexity", "10");
}

static void test_project(void **state) {
    (void)state;
    program p = elbo("project", "vae", "--method", "tsne", "--split", "all", "--npy", "y2d.npy", "--json", "-n", "300");
    json_t *o = expect_json(&p), *scores = json_object_get(o, "scores");
    assert_true(number(o, "points") == 360 && number(o, "iterations") == 300);
    assert_true(number(scores, "trustworthiness") > 0.8 && number(scores, "trustworthiness") <= 1);
    assert_true(number(scores, "knn_accuracy_map") > 0.2);
    json_decref(o);
    assert_there("vae/figures/tsne.png");
    assert_there("vae/figures/tsne.json");
    elbo_array y = embedding_of("y2d.npy", 360);
    elbo_array_free(&y);
    run_well("project", "flat");
    assert_there("flat/figures/latent.png");
    run_well("project", "vae", "--split", "train", "-o", "train.png");
    assert_there("train.json");
}

/* Ctrl-C leaves the embedding as far as it got. The signal may come before the first iteration: then a later one is
 * tried. */
static void test_interrupt(void **state) {
    (void)state;
    for (int wait = 400; !there("cut.npy"); wait *= 2) {
        assert_true(wait < 20000);
        program p = elbo_start("tsne", "x.npy", "-o", "cut.npy", "--iterations", "1000000");
        pause_ms(wait);
        kill(p.pid, SIGINT);
        program_wait(&p);
        if (there("cut.npy")) {
            expect_code(&p, 130);
            assert_non_null(strstr(p.err, "--from cut.npy"));
        }
        program_free(&p);
    }
    elbo_array y = embedding_of("cut.npy", N);
    elbo_array_free(&y);
    run_well("tsne", "x.npy", "--from", "cut.npy", "--iterations", "10", "-o", "cut.npy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tsne),    cmocka_unit_test(test_lowered_perplexity), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_project), cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
