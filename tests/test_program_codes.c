/* The program as a user runs it, on good input: codes, images, figures and pages. */
#include "program.h"

#include <libdeflate.h>

#include "formats/npy.h"

/* An AE and a VAE, trained for two epochs on 300 digits that lie where `mnist` is looked for. */
static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, 60);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "2", "-q");
    run_well("train", "mnist-ae", "-o", "ae", "--epochs=2", "--quiet");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

/* ---- codes and images ---- */

/* The test images once more, in the four ways that a .npy may hold them. */
static void write_images(void) {
    elbo_images images;
    enum { N = 30, D = 784 };
    assert_int_equal(elbo_digits_make(&images, true, N, 1, NULL), ELBO_OK);
    float *floats = malloc(N * D * sizeof *floats);
    assert_non_null(floats);
    for (int i = 0; i < N * D; i++) floats[i] = (float)images.bytes[i] / 255.0f;
    const struct {
        const char *name;
        int dims;
        size_t shape[4];
    } ways[] = {{"u4.npy", 4, {N, 1, 28, 28}},
                {"u3.npy", 3, {N, 28, 28}},
                {"u2.npy", 2, {N, D}},
                {"f4.npy", 4, {N, 1, 28, 28}},
                {"f2.npy", 2, {N, D}}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *path = in_scratch(ways[i].name);
        elbo_status status = ways[i].name[0] == 'u'
                                 ? elbo_npy_write_u8(path, images.bytes, ways[i].dims, ways[i].shape, NULL)
                                 : elbo_npy_write_f32(path, floats, ways[i].dims, ways[i].shape, NULL);
        assert_int_equal(status, ELBO_OK);
        free(path);
    }
    char *path = in_scratch("first.png");
    assert_int_equal(elbo_png_write(path, images.bytes, 28, 28, 1, NULL), ELBO_OK);
    free(path);
    free(floats);
    elbo_images_free(&images);
}

static elbo_array read_array(const char *name) {
    elbo_array a;
    elbo_error err;
    char *path = in_scratch(name);
    if (elbo_npy_read(&a, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    free(path);
    return a;
}

/* A .npy of any dtype and shape. */
static void write_array_file(const char *name, const char *descr, const char *shape, const void *data, size_t bytes) {
    enum { HEADER = 128 };
    char *file = malloc(HEADER + bytes);
    assert_non_null(file);
    memset(file, ' ', HEADER);
    memcpy(file, "\x93NUMPY\x01\x00v\x00", 10);
    int n = snprintf(file + 10, HEADER - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    file[10 + n] = ' ';
    file[HEADER - 1] = '\n';
    memcpy(file + HEADER, data, bytes);
    scratch_write(&here, name, file, HEADER + bytes);
    free(file);
}

/* Two large images, one of them to test with: no memory is taken for 512. */
static void test_large_images(void **state) {
    (void)state;
    enum { SIDE = 1024 };
    uint8_t *images = malloc(2 * SIDE * SIDE);
    assert_non_null(images);
    for (size_t i = 0; i < 2 * SIDE * SIDE; i++) images[i] = (uint8_t)(i * 31 >> 7);
    write_array_file("large.npy", "|u1", "(2, 1024, 1024)", images, 2 * SIDE * SIDE);
    free(images);
    static const char recipe[] = "kind: ae\ndata: large.npy\nlatent: 2\nencoder: [avg_pool2d 64, flatten]\n"
                                 "decoder: [linear 256, unflatten 1 16 16, upsample 64, sigmoid]\n"
                                 "train: {epochs: 1, batch: 1}\n";
    scratch_write(&here, "large.yaml", recipe, strlen(recipe));
    run_well("train", "large.yaml", "-o", "large", "-q");
    run_well("eval", "large");
    struct rusage most; // of any program so far
    getrusage(RUSAGE_CHILDREN, &most);
    if (most.ru_maxrss > 2 << 20) fail_msg("%ld MiB", most.ru_maxrss >> 10);
}

static void test_encode(void **state) {
    (void)state;
    write_images();
    run_well("encode", "vae", "u4.npy", "-o", "z.npy");
    elbo_array z = read_array("z.npy");
    assert_true(z.dtype == ELBO_F32 && z.dims == 2 && z.shape[0] == 30 && z.shape[1] == 20);
    static const char *const others[] = {"u4.npy", "u3.npy", "u2.npy", "f4.npy", "f2.npy"};
    for (int i = 0; i < 5; i++) {
        run_well("encode", "vae", others[i], "-o", "again.npy", "-t", i % 2 ? "1" : "2");
        assert_same_bytes("z.npy", "again.npy");
    }
    // with the channels last, as float64, and as IDX, packed or not
    uint8_t *u = ((elbo_array[]){read_array("u3.npy")})[0].data;
    write_array_file("last.npy", "|u1", "(30, 28, 28, 1)", u, 30 * 784);
    double *wide = malloc(30 * 784 * sizeof *wide);
    elbo_array floats = read_array("f4.npy");
    for (size_t i = 0; i < 30 * 784; i++) wide[i] = (double)((const float *)floats.data)[i];
    write_array_file("wide.npy", "<f8", "(30, 28, 28)", wide, 30 * 784 * sizeof *wide);
    write_array_file("wide-last.npy", "<f8", "(30, 28, 28, 1)", wide, 30 * 784 * sizeof *wide);
    uint8_t idx[16 + 30 * 784];
    static uint8_t packed[40000];
    const uint32_t sizes[] = {0x803, 30, 28, 28};
    for (int i = 0; i < 4; i++) put_big_endian(idx + 4 * i, sizes[i]);
    memcpy(idx + 16, u, 30 * 784);
    scratch_write(&here, "images.idx", idx, sizeof idx);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    scratch_write(&here, "images.gz", packed, libdeflate_gzip_compress(c, idx, sizeof idx, packed, sizeof packed));
    libdeflate_free_compressor(c);
    static const char *const more[] = {"last.npy", "wide.npy", "wide-last.npy", "images.idx", "images.gz"};
    for (int i = 0; i < 5; i++) {
        run_well("encode", "vae", more[i], "-o", "again.npy");
        assert_same_bytes("z.npy", "again.npy");
    }
    free(u);
    free(wide);
    elbo_array_free(&floats);
    refused(1, WORDS("mnist", "test", "--data mnist"), "encode", "vae", "mnist", "-o", "never.npy");
    run_well("encode", "vae", "first.png", "-o", "one.npy", "--logvar", "logvar.npy");
    elbo_array one = read_array("one.npy"), logvar = read_array("logvar.npy");
    assert_true(one.shape[0] == 1 && logvar.shape[0] == 1 && logvar.shape[1] == 20);
    assert_memory_equal(one.data, z.data, 20 * sizeof(float)); // alone or among others
    elbo_array_free(&z);
    elbo_array_free(&one);
    elbo_array_free(&logvar);
    program p = elbo("encode", "vae", "test", "-o", "test.npy", "--json");
    json_t *o = expect_json(&p);
    assert_true(number(o, "images") == 60 && number(o, "latent") == 20);
    json_decref(o);
    run_well("encode", "ae", "train", "-o", "train.npy");
    elbo_array train = read_array("train.npy");
    assert_true(train.shape[0] == 300 && train.shape[1] == 32);
    elbo_array_free(&train);
    refused(1, WORDS("--logvar", "autoencoder"), "encode", "ae", "test", "-o", "x.npy", "--logvar", "y.npy");
    assert_false(there("x.npy"));
}

static void test_decode(void **state) {
    (void)state;
    run_well("encode", "vae", "test", "-o", "codes.npy");
    run_well("decode", "vae", "codes.npy", "-o", "images.npy");
    elbo_array images = read_array("images.npy");
    assert_true(images.dims == 4 && images.shape[0] == 60 && images.shape[1] == 1 && images.shape[2] == 28 &&
                images.shape[3] == 28);
    elbo_array_free(&images);
    run_well("decode", "vae", "codes.npy", "-o", "again.npy", "-t", "1");
    assert_same_bytes("images.npy", "again.npy");
    run_well("encode", "vae", "images.npy", "-o", "codes2.npy");
    elbo_array codes = read_array("codes2.npy");
    assert_true(codes.shape[0] == 60 && codes.shape[1] == 20);
    elbo_array_free(&codes);
    program p = elbo("decode", "vae", "codes.npy", "-o", "folder", "--json");
    json_t *o = expect_json(&p);
    assert_true(number(o, "count") == 60);
    json_decref(o);
    assert_there("folder/00059.png");
    run_well("decode", "vae", "codes.npy", "-o", "folder/"); // once more is no harm
    refused(1, WORDS("folder/00010.png", "earlier set"), "sample", "vae", "-n", "10", "-o", "folder");
    run_well("encode", "vae", "folder", "-o", "from-folder.npy");
    run_well("decode", "vae", "codes.npy", "-o", "grid.png");
    char *path = in_scratch("grid.png");
    uint8_t *pixels;
    int width, height;
    assert_int_equal(elbo_png_read(path, 1, &pixels, &width, &height, NULL), ELBO_OK);
    assert_true(width == 8 * 28 && height == 8 * 28);
    free(pixels);
    free(path);
}

static void test_sample(void **state) {
    (void)state;
    run_well("sample", "vae", "-n", "10", "-o", "ten.npy");
    run_well("sample", "vae", "-n", "3", "-o", "three.npy", "-t", "1");
    run_well("sample", "vae", "-n", "3", "-o", "seeded.npy", "--seed", "7");
    elbo_array ten = read_array("ten.npy"), three = read_array("three.npy"), seeded = read_array("seeded.npy");
    assert_true(ten.shape[0] == 10 && three.count == 3 * 784);
    assert_memory_equal(ten.data, three.data, three.count * sizeof(float));
    assert_memory_not_equal(three.data, seeded.data, three.count * sizeof(float));
    elbo_array_free(&ten);
    elbo_array_free(&three);
    elbo_array_free(&seeded);
    program p = elbo("sample", "vae", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "figure"), "vae/figures/samples.png");
    assert_true(number(o, "count") == 64);
    json_decref(o);
    assert_figure("vae/figures/samples");
    run_well("sample", "vae", "-n", "2", "-o", "two/");
    assert_there("two/00001.png");
    run_well("sample", "ae", "--from", "prior");
    refused(1, WORDS("--count 10001", "-o X.npy"), "sample", "vae", "-n", "10001");
}

/* ---- figures ---- */

static void test_reconstruct(void **state) {
    (void)state;
    program p = elbo("reconstruct", "ae", "vae", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "figure"), "ae/figures/reconstructions.png");
    assert_int_equal(json_array_size(json_object_get(o, "images")), 10);
    json_decref(o);
    assert_figure("ae/figures/reconstructions");
    run_well("reconstruct", "vae", "--images", "3,17,class:8", "-o", "three.png", "--svg");
    assert_figure("three");
    assert_there("three.svg");
    run_well("reconstruct", "vae", "--images", "train:5", "-o", "trained.png");
    run_well("reconstruct", "ae", "vae", "--grid", "2x4", "-o", "grid.png");
    uint8_t *pixels;
    int width, height; // two blocks of three rows of four images, an image 168 pixels wide
    assert_int_equal(elbo_png_read(scratch_path(&here, "grid-pixels.png"), 1, &pixels, &width, &height, NULL), ELBO_OK);
    free(pixels);
    assert_true(height > width * 6 / 4 - 20 && height < width * 6 / 4 + 20);
    refused(2, WORDS("--grid 2", "4x8"), "reconstruct", "vae", "--grid", "2");
    refused(2, WORDS("--grid 20x20", "144"), "reconstruct", "vae", "--grid", "20x20");
    refused(2, WORDS("--grid", "--images"), "reconstruct", "vae", "--grid", "2x2", "-i", "3");
    refused(1, WORDS("one split"), "reconstruct", "vae", "--images", "train:5,test:2");
    refused(1, WORDS("60", "60 test images, 0 to 59"), "reconstruct", "vae", "-i", "60");
    refused(1, WORDS("class:12", "0, 1, 2"), "reconstruct", "vae", "-i", "class:12");
    refused(1, WORDS("cat", "class:3"), "reconstruct", "vae", "-i", "cat");
}

static void test_interpolate(void **state) {
    (void)state;
    write_images();
    program p = elbo("interpolate", "ae", "vae", "--steps", "5", "--npy", "strip.npy", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "from"), "class:3");
    assert_string_equal(text(o, "figure"), "ae/figures/interpolation.png");
    json_decref(o);
    assert_figure("ae/figures/interpolation");
    elbo_array strip = read_array("strip.npy");
    assert_true(strip.dims == 5 && strip.shape[0] == 2 && strip.shape[1] == 5);
    elbo_array_free(&strip);
    run_well("interpolate", "vae", "--from", "17", "--to", "first.png", "-o", "walk");
    assert_figure("walk");
    // without labels the ends are the first two images
    run_well("train", "mnist-ae", "-o", "unlabelled", "-e", "1", "-d", "u4.npy", "-q");
    p = elbo("interpolate", "unlabelled", "--json");
    o = expect_json(&p);
    assert_string_equal(text(o, "from"), "test:0");
    json_decref(o);
    refused(1, WORDS("class:3", "no labels"), "interpolate", "unlabelled", "--from", "class:3");
}

static void test_project(void **state) {
    (void)state;
    program p = elbo("project", "vae", "--json", "--npy", "map.npy");
    json_t *o = expect_json(&p), *shares = json_object_get(o, "explained_variance_ratio");
    assert_true(number(o, "points") == 60 && json_array_size(shares) == 2);
    assert_true(json_number_value(json_array_get(shares, 0)) >= json_number_value(json_array_get(shares, 1)));
    json_decref(o);
    assert_figure("vae/figures/pca");
    elbo_array map = read_array("map.npy");
    assert_true(map.dims == 2 && map.shape[0] == 60 && map.shape[1] == 2);
    elbo_array_free(&map);
    run_well("project", "vae", "--split", "train", "--method", "pca", "-o", "train.png");
}

/* A page that needs nothing but itself. */
static void assert_page(const char *name) {
    char *path = in_scratch(name), *page = read_text(path);
    assert_true(strlen(page) > 20000);
    assert_non_null(strstr(page, "</html>"));
    static const char *const outside[] = {"src=\"http", "href=\"http", "src='http", "<script", "<link",
                                          "@import",    "url(",        "file:",     NULL};
    for (int i = 0; outside[i]; i++)
        if (strstr(page, outside[i])) fail_msg("%s holds %s", name, outside[i]);
    for (const char *p = page; (p = strstr(p, "src=")); p += 4)
        if (strncmp(p, "src=\"data:image/png;base64,", 27)) fail_msg("a picture that is not inside: %.60s", p);
    free(page);
    free(path);
}

static void test_report(void **state) {
    (void)state;
    program p = elbo("report", "ae", "vae", "-o", "page.html");
    expect_code(&p, 0);
    assert_string_equal(p.out, "page.html\n");
    program_free(&p);
    assert_page("page.html");
    p = elbo("report", "vae", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "report"), "vae/report.html");
    json_decref(o);
    assert_page("vae/report.html");
}

/* One file in which everything is: scripts, weights, images. tests/browser/static.test.js looks at what it computes. */
static void test_explorer(void **state) {
    (void)state;
    program p = elbo("report", "vae", "--explore", "--points", "50", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "explorer"), "vae/explore.html");
    json_decref(o);
    char *path = in_scratch("vae/explore.html"), *page = read_text(path);
    static const char *const inside[] = {"id=\"elbo-weights\"", "id=\"elbo-thumbs\"", "\"points\":50", "</html>", NULL},
                             *const outside[] = {"src=", "<link", "\nimport ", "\nexport ", "url(", NULL};
    for (int i = 0; inside[i]; i++)
        if (!strstr(page, inside[i])) fail_msg("the page has no %s", inside[i]);
    for (int i = 0; outside[i]; i++)
        if (strstr(page, outside[i])) fail_msg("the page holds %s", outside[i]);
    free(page);
    free(path);
    refused(1, WORDS("--explore takes one run, not 2"), "report", "ae", "vae", "--explore");
    run_well("train", "mnist-vae", "-o", "wide", "-e", "1", "-q", "--set",
             "decoder=[linear 11000, relu, linear 784, sigmoid]");
    refused(1, WORDS("8.9 million weights", "takes 8 and 64 million"), "report", "wide", "--explore");
}

/* Ten classes, of which the test split has no 3: no figure that is drawn without being asked needs one. */
static void test_class_without_test_images(void **state) {
    (void)state;
    write_data("no3", 200, 60);
    size_t n;
    uint8_t *labels = bytes_of("no3/t10k-labels-idx1-ubyte", &n);
    for (size_t i = 8; i < n; i++)
        if (labels[i] == 3) labels[i] = 4;
    scratch_write(&here, "no3/t10k-labels-idx1-ubyte", labels, n);
    free(labels);
    run_well("train", "mnist-vae", "--data", "no3", "-o", "no-threes", "-e", "1", "-q");
    run_well("report", "no-threes", "-o", "no-threes.html");
    assert_page("no-threes.html");
    run_well("interpolate", "no-threes");
    run_well("reconstruct", "no-threes");
    refused(1, WORDS("class:3: no test image is of it"), "interpolate", "no-threes", "--from", "class:3");
}

static void test_demo(void **state) {
    (void)state;
    program p = elbo("demo", "-o", "demo", "-e", "1");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "report: demo/report.html\n"));
    assert_non_null(strstr(p.out, "mnist-vae"));
    program_free(&p);
    assert_page("demo/report.html");
    p = elbo("demo", "-o", "demo", "-e", "1", "--json", "-s", "1"); // an earlier one is replaced
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "report"), "demo/report.html");
    assert_int_equal(json_array_size(json_object_get(o, "runs")), 4);
    json_decref(o);
    run_well("eval", "demo/mnist-vae-2d");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_images), cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),       cmocka_unit_test(test_sample),
        cmocka_unit_test(test_reconstruct),  cmocka_unit_test(test_interpolate),
        cmocka_unit_test(test_project),      cmocka_unit_test(test_report),
        cmocka_unit_test(test_explorer),     cmocka_unit_test(test_class_without_test_images),
        cmocka_unit_test(test_demo),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
