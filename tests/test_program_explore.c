/* Interpolation, arithmetic, traversals and samples as a user makes them, on good and on bad input. */
#include "program.h"

#include <gif_lib.h>

#include "formats/npy.h"
#include "formats/gif.h"
#include "render/render.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, 60);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "2", "-q");
    run_well("train", "mnist-ae", "-o", "ae", "-e", "2", "-q");
    run_well("train", "mnist-vae-2d", "-o", "plane", "-e", "1", "-q");
    uint8_t pixels[784] = {0};
    for (int i = 0; i < 28; i++) pixels[28 * i + 14] = 255;
    char *path = in_scratch("my digit.png");
    assert_int_equal(elbo_png_write(path, pixels, 28, 28, 1, NULL), ELBO_OK);
    free(path);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
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

static void assert_picture(const char *name) {
    char *path = in_scratch(name);
    uint8_t *pixels;
    int width, height;
    elbo_error err;
    if (elbo_png_read(path, 3, &pixels, &width, &height, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_true(width > 100 && height > 50);
    free(pixels);
    free(path);
}

static json_t *said(program p) { return expect_json(&p); }
#define json_of(...) said(elbo(__VA_ARGS__))

/* ---- interpolate ---- */

static void test_interpolate(void **state) {
    (void)state;
    json_t *o = json_of("interpolate", "ae", "vae", "--from", "class:3", "--to", "class:8", "--from", "17", "--to",
                        "my digit.png", "--from", "mean(class:1)", "--to", "mean(class:7) + 0.5 * test:3", "--path",
                        "slerp", "-n", "6", "-o", "walk.png", "--npy", "walks.npy", "--json");
    assert_int_equal(json_array_size(json_object_get(o, "pairs")), 3);
    json_decref(o);
    assert_picture("walk.png");
    elbo_array a = array_of("walks.npy");
    assert_true(a.dims == 6 && a.shape[0] == 3 && a.shape[1] == 2 && a.shape[2] == 6 && a.shape[5] == 28);
    elbo_array_free(&a);
    // the ends of an interpolation are the ends decoded, whatever the path
    run_well("interpolate", "vae", "--from", "test:5", "--to", "test:6", "-n", "3", "--npy", "line.npy", "-o",
             "line.png", "-t", "1");
    run_well("interpolate", "vae", "--from", "test:5", "--to", "test:6", "-n", "3", "--npy", "arc.npy", "-o", "arc.png",
             "--path", "slerp");
    run_well("arithmetic", "vae", "test:5", "--npy", "z.npy", "-o", "five.png");
    run_well("decode", "vae", "z.npy", "-o", "five.npy");
    elbo_array line = array_of("line.npy"), arc = array_of("arc.npy"), five = array_of("five.npy");
    assert_memory_equal(line.data, five.data, 784 * sizeof(float));
    assert_memory_equal(arc.data, five.data, 784 * sizeof(float));
    assert_memory_not_equal((float *)line.data + 784, (float *)arc.data + 784, 784 * sizeof(float));
    elbo_array_free(&line);
    elbo_array_free(&arc);
    elbo_array_free(&five);
    refused(1, WORDS("--from", "column 9", "end of the expression"), "interpolate", "vae", "--from", "test:1 +", "-o",
            "x.png");
    refused(1, WORDS("--from is given 2 times", "--to 1"), "interpolate", "vae", "--from", "1", "--from", "2", "--to",
            "3");
    refused(1, WORDS("class:12", "0, 1, 2"), "interpolate", "vae", "--from", "mean(class:12)");
    refused(1, WORDS("no.png"), "interpolate", "vae", "--to", "no.png");
    refused(2, WORDS("--path round", "slerp"), "interpolate", "vae", "--path", "round");
    refused(2, WORDS("walk.webp", ".gif", "walk.png"), "interpolate", "vae", "-o", "walk.webp");
    assert_false(there("x.png"));
}

/* On digits a bare 3 is a 3, which a line says; the third test image has a name of its own. */
static void test_numbers_that_name_classes(void **state) {
    (void)state;
    run_well("interpolate", "vae", "--from", "class:3", "--to", "class:8", "-n", "3", "--npy", "a.npy", "-o", "a.png");
    program p = elbo("interpolate", "vae", "3", "8", "-n", "3", "--npy", "b.npy", "-o", "b.png");
    expect_code(&p, 0);
    assert_non_null(strstr(p.err, "3, 8: taken as classes"));
    assert_non_null(strstr(p.err, "test:3, test:8"));
    program_free(&p);
    assert_same_bytes("a.npy", "b.npy");
    p = elbo("interpolate", "vae", "--from", "test:3", "--to", "test:8", "-n", "3", "--npy", "c.npy", "-o", "c.png");
    expect_code(&p, 0);
    assert_string_equal(p.err, "");
    program_free(&p);
    assert_false(same_bytes("a.npy", "c.npy"));
    p = elbo("interpolate", "ae", "vae", "17", "my digit.png", "-n", "3", "-o", "d.png"); // there is no class 17
    expect_code(&p, 0);
    assert_string_equal(p.err, "");
    program_free(&p);
    json_t *o = json_of("interpolate", "vae", "3", "17", "-n", "3", "-o", "e.png", "--json");
    char *pairs = json_dumps(json_object_get(o, "pairs"), 0);
    assert_non_null(strstr(pairs, "class:3"));
    assert_non_null(strstr(pairs, "\"17\""));
    free(pairs);
    json_decref(o);
    p = elbo("traverse", "vae", "--at", "4", "-n", "2", "-o", "t.png");
    expect_code(&p, 0);
    assert_non_null(strstr(p.err, "4: taken as class of"));
    program_free(&p);
    p = elbo("reconstruct", "vae", "--images", "3,17", "-o", "r.png");
    expect_code(&p, 0);
    assert_non_null(strstr(p.err, "3: taken as test image 3; the class of that name: class:3"));
    program_free(&p);
    refused(2, WORDS("`8` is one end", "vae 3 8"), "interpolate", "vae", "8");
    refused(2, WORDS("`8` is one end"), "interpolate", "vae", "3", "8", "--to", "9");
    refused(1, WORDS("no-run"), "interpolate", "vae", "no-run", "-o", "x.png");
}

/* A GIF read again: 2 n - 2 frames, the first one the same greys as the frame in a file of its own. */
static void test_animation(void **state) {
    (void)state;
    run_well("interpolate", "ae", "vae", "-n", "5", "-o", "walk.gif", "--frames", "frames");
    assert_there("frames/00004.png");
    assert_false(there("frames/00005.png"));
    refused(1, WORDS("frames/00003.png", "more steps"), "interpolate", "vae", "-n", "3", "--frames", "frames");
    char *path = in_scratch("walk.gif"), *png = in_scratch("frames/00000.png");
    int code, width, height;
    GifFileType *gif = DGifOpenFileName(path, &code);
    assert_non_null(gif);
    assert_int_equal(DGifSlurp(gif), GIF_OK);
    assert_int_equal(gif->ImageCount, 8);
    uint8_t *pixels;
    assert_int_equal(elbo_png_read(png, 1, &pixels, &width, &height, NULL), ELBO_OK);
    assert_true(gif->SWidth == width && gif->SHeight == height && height > 3 * 100); // pixels, ae, vae
    for (int i = 0; i < width * height; i++)
        assert_int_equal(gif->SColorMap->Colors[gif->SavedImages[0].RasterBits[i]].Green, pixels[i]);
    DGifCloseFile(gif, &code);
    free(pixels);
    free(path);
    free(png);
}

/* Colours: of two in each frame none is lost. */
static void test_colours(void **state) {
    (void)state;
    uint8_t red[12 * 3], blue[12 * 3];
    for (int i = 0; i < 12; i++) {
        memcpy(red + 3 * i, i < 6 ? "\xf8\x10\x08" : "\0\0\0", 3);
        memcpy(blue + 3 * i, i < 6 ? "\0\x20\xf0" : "\xff\xff\xff", 3);
    }
    const uint8_t *frames[] = {red, blue};
    const int hundredths[] = {10, 20};
    char *path = in_scratch("colours.gif");
    elbo_error err;
    assert_int_equal(elbo_gif_write(path, frames, hundredths, 2, 4, 3, 3, &err), ELBO_OK);
    int code;
    GifFileType *gif = DGifOpenFileName(path, &code);
    assert_non_null(gif);
    assert_int_equal(DGifSlurp(gif), GIF_OK);
    assert_int_equal(gif->ImageCount, 2);
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < 12; i++) {
            GifColorType c = gif->SColorMap->Colors[gif->SavedImages[f].RasterBits[i]];
            assert_true(abs(c.Red - frames[f][3 * i]) < 9 && abs(c.Green - frames[f][3 * i + 1]) < 9 &&
                        abs(c.Blue - frames[f][3 * i + 2]) < 9);
        }
    DGifCloseFile(gif, &code);
    assert_int_equal(elbo_gif_write(path, frames, hundredths, 0, 4, 3, 3, &err), ELBO_BAD_INPUT);
    free(path);
}

/* ---- arithmetic ---- */

static void test_arithmetic(void **state) {
    (void)state;
    json_t *o = json_of("arithmetic", "vae", "train:5 + mean(class:8) - mean(class:8)", "--json", "--npy", "sum.npy");
    assert_string_equal(text(o, "figure"), "vae/figures/arithmetic.png");
    assert_int_equal(json_array_size(json_object_get(o, "operands")), 2);
    assert_int_equal(json_array_size(json_object_get(o, "code")), 20);
    json_t *nearest = json_object_get(o, "nearest");
    assert_true(number(nearest, "train") == 5 && number(nearest, "distance") < 1e-3); // it is that image again
    assert_int_equal(strlen(text(nearest, "class")), 1);
    json_decref(o);
    assert_picture("vae/figures/arithmetic.png");
    run_well("arithmetic", "ae", "slerp(class:4, \"my digit.png\", 0.5) / 2", "-o", "half.png", "--svg");
    assert_there("half.svg");
    refused(1, WORDS("column 11", "`+`", "test:17"), "arithmetic", "vae", "class:4 + + class:5");
    refused(1, WORDS("column 9", "code times a code"), "arithmetic", "vae", "class:4 * class:5");
    refused(1, WORDS("60 test images"), "arithmetic", "vae", "test:60");
    refused(1, WORDS("frown", "saved"), "arithmetic", "vae", "class:4 + frown");
    refused(1, WORDS("not finite"), "arithmetic", "vae", "class:4 / 0");
}

static void test_vectors(void **state) {
    (void)state;
    copy_run("vae", "named");
    run_well("vector", "save", "slant", "mean(class:1) - mean(class:7)", "named");
    run_well("vector", "save", "twice", "2 * slant", "named");
    json_t *o = json_of("vector", "list", "named", "--json"), *list = json_object_get(o, "vectors");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text(json_array_get(list, 0), "name"), "slant");
    double slant = number(json_array_get(list, 0), "length"), twice = number(json_array_get(list, 1), "length");
    assert_true(slant > 0 && fabs(twice / slant - 2) < 1e-6);
    json_decref(o);
    run_well("arithmetic", "named", "twice - slant - mean(class:1) + mean(class:7) + test:3", "--npy", "a.npy");
    run_well("arithmetic", "named", "test:3", "--npy", "b.npy");
    elbo_array a = array_of("a.npy"), b = array_of("b.npy");
    for (int i = 0; i < 20; i++) assert_true(fabsf(((float *)a.data)[i] - ((float *)b.data)[i]) < 1e-5f);
    elbo_array_free(&a);
    elbo_array_free(&b);
    refused(1, WORDS("mean", "keyword of expressions"), "vector", "save", "mean", "test:1", "named");
    refused(1, WORDS("a-b", "letters"), "vector", "save", "a-b", "test:1", "named");
    refused(1, WORDS("column 5"), "vector", "save", "c", "test", "named");
    refused(2, WORDS("save, list or remove"), "vector", "keep", "named");
    refused(2, WORDS("save NAME EXPR RUN"), "vector", "save", "named");
    run_well("train", "mnist-vae", "-o", "other", "-e", "1", "-s", "1", "-q");
    copy_file("other/model.safetensors", "named/model.safetensors"); // other weights
    refused(1, WORDS("slant", "trained again", "vector save slant"), "arithmetic", "named", "test:3 + slant");
    run_well("vector", "remove", "slant", "named");
    refused(1, WORDS("slant", "twice"), "vector", "remove", "slant", "named");
    scratch_write(&here, "named/vectors/bad.safetensors", "rubbish", 7);
    refused(1, WORDS("bad.safetensors"), "arithmetic", "named", "bad + test:1");
}

/* ---- directions ---- */

static void test_traverse(void **state) {
    (void)state;
    json_t *o = json_of("traverse", "vae", "--json", "--npy", "rows.npy", "-n", "6", "--steps", "5"),
           *dims = json_object_get(o, "dims");
    assert_int_equal(json_array_size(dims), 6);
    for (size_t i = 1; i < 6; i++)
        assert_true(number(json_array_get(dims, i - 1), "kl") >= number(json_array_get(dims, i), "kl"));
    json_decref(o);
    assert_picture("vae/figures/traversal.png");
    elbo_array rows = array_of("rows.npy");
    assert_true(rows.dims == 5 && rows.shape[0] == 6 && rows.shape[1] == 5);
    const float *v = rows.data; // the middle of each row is the origin
    assert_memory_equal(v + 2 * 784, v + (5 + 2) * 784, 784 * sizeof(float));
    elbo_array_free(&rows);
    o = json_of("traverse", "ae", "--at", "test:17", "--dims", "3,7,12", "--range", "-2..2", "-o", "ae-rows.png",
                "--json");
    assert_int_equal(json_array_size(json_object_get(o, "dims")), 3);
    assert_true(number(json_array_get(json_object_get(o, "dims"), 0), "sd") > 0);
    json_decref(o);
    refused(2, WORDS("--range 3", "-3..3"), "traverse", "vae", "--range", "3");
    refused(2, WORDS("--range 3..-3"), "traverse", "vae", "--range", "3..-3");
    refused(1, WORDS("--dims 3,20", "0 to 19"), "traverse", "vae", "--dims", "3,20");
    refused(1, WORDS("--dims 3,3", "twice"), "traverse", "vae", "--dims", "3,3");
    refused(1, WORDS("--dims x"), "traverse", "vae", "--dims", "x");
    refused(1, WORDS("--at", "column"), "traverse", "vae", "--at", "test:");
}

static void test_manifold(void **state) {
    (void)state;
    json_t *o = json_of("manifold", "plane", "-n", "4", "--npy", "grid.npy", "--json");
    assert_true(fabs(json_number_value(json_array_get(json_object_get(o, "across"), 0)) + 1.1503493803760083) < 1e-7);
    json_decref(o);
    elbo_array grid = array_of("grid.npy");
    assert_true(grid.dims == 5 && grid.shape[0] == 4 && grid.shape[1] == 4);
    elbo_array_free(&grid);
    assert_picture("plane/figures/manifold.png");
    run_well("manifold", "vae", "-n", "5", "-o", "axes.png");
    run_well("manifold", "ae", "-n", "5", "--dims", "3,7", "-o", "two.png");
    refused(1, WORDS("--dims 3", "two"), "manifold", "vae", "--dims", "3");
    refused(1, WORDS("--dims 1,2,3", "at most 2"), "manifold", "vae", "--dims", "1,2,3");
}

/* ---- samples ---- */

static void test_samples(void **state) {
    (void)state;
    json_t *o = json_of("sample", "ae", "-n", "10", "-o", "a.npy", "--json"); // an autoencoder has no prior: a mixture
    assert_string_equal(text(o, "from"), "gmm");
    double likelihood = number(o, "log_likelihood");
    json_decref(o);
    assert_there("ae/codes/gmm.safetensors");
    program p = elbo("sample", "ae", "-n", "10", "-o", "b.npy", "-t", "1");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "saved earlier"));
    program_free(&p);
    assert_same_bytes("a.npy", "b.npy");
    o = json_of("sample", "ae", "-n", "10", "-o", "c.npy", "-k", "3", "--json"); // another number of components
    assert_true(number(o, "components") == 3 && number(o, "log_likelihood") < likelihood);
    json_decref(o);
    assert_false(same_bytes("a.npy", "c.npy"));
    run_well("sample", "vae", "--from", "gaussian", "-n", "4", "-o", "g.png");
    assert_there("vae/codes/gaussian.safetensors");
    run_well("sample", "vae", "-n", "2", "--temperature", "0", "-o", "t.npy");
    elbo_array still = array_of("t.npy");
    assert_memory_equal(still.data, (float *)still.data + 784, 784 * sizeof(float));
    elbo_array_free(&still);
    p = elbo("sample", "ae", "--from", "prior", "-n", "4", "-o", "p.npy"); // it shows why that fails
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "an autoencoder has no prior"));
    program_free(&p);
    o = json_of("sample", "ae", "--from", "prior", "-n", "4", "-o", "p.png", "--json");
    assert_true(json_is_false(json_object_get(o, "trained_with_prior")));
    json_decref(o);
    refused(1, WORDS("--components", "--from gmm"), "sample", "vae", "-k", "3");
    refused(2, WORDS("--components 301", "256"), "sample", "ae", "-k", "301");
    refused(2, WORDS("--from mars", "gmm"), "sample", "vae", "--from", "mars");
    refused(2, WORDS("out.tiff", ".svg or .npy", "a folder"), "sample", "vae", "-o", "out.tiff");
    assert_false(there("out.tiff/00000.png"));
}

static void test_novelty(void **state) {
    (void)state;
    json_t *o = json_of("sample", "vae", "--nearest", "-n", "12", "-o", "near.png", "--npy", "near.npy", "--json");
    json_t *nearest = json_object_get(o, "nearest"), *index = json_object_get(nearest, "train"),
           *distance = json_object_get(nearest, "distance");
    assert_true(json_array_size(index) == 12 && number(nearest, "usual_distance") > number(nearest, "rare_distance"));
    assert_picture("near.png");
    elbo_array samples = array_of("near.npy");
    elbo_images train; // by a plain loop
    assert_int_equal(elbo_digits_make(&train, false, 300, 1, NULL), ELBO_OK);
    double mean[784] = {0};
    for (uint32_t j = 0; j < 300; j++)
        for (uint32_t k = 0; k < 784; k++) mean[k] += train.bytes[j * 784 + k] / 255.0 / 300;
    for (size_t i = 0; i < 12; i++) {
        double best = -INFINITY;
        uint32_t at = 0;
        for (uint32_t j = 0; j < 300; j++) {
            double xy = 0, xx = 0, yy = 0;
            for (uint32_t k = 0; k < 784; k++) {
                double x = (double)((float *)samples.data)[i * 784 + k] - mean[k],
                       y = train.bytes[j * 784 + k] / 255.0 - mean[k];
                xy += x * y, xx += x * x, yy += y * y;
            }
            if (xy / sqrt(xx * yy) > best) best = xy / sqrt(xx * yy), at = j;
        }
        assert_int_equal(json_integer_value(json_array_get(index, i)), at);
        assert_true(fabs(json_number_value(json_array_get(distance, i)) - sqrt(2 - 2 * best)) < 1e-4);
    }
    elbo_images_free(&train);
    elbo_array_free(&samples);
    json_decref(o);
    refused(1, WORDS("--count 500", "at most 400"), "sample", "vae", "--nearest", "-n", "500");
}

/* ---- outliers ---- */

static void test_outliers(void **state) {
    (void)state;
    json_t *o = json_of("outliers", "vae", "--anomaly", "class:8", "-o", "worst.png", "-n", "5", "--json");
    assert_int_equal(json_array_size(json_object_get(o, "order")), 60);
    double auroc = number(json_object_get(json_object_get(o, "anomaly"), "negative_elbo"), "auroc");
    assert_true(auroc > 0 && auroc < 1);
    json_decref(o);
    assert_picture("worst.png");
    run_well("outliers", "ae", "train", "-o", "scores.csv", "--duplicates");
    assert_int_equal(count_lines("scores.csv"), 301);
    assert_picture("ae/figures/outliers.png");
    char *path = in_scratch("scores.csv"), *csv = read_text(path);
    assert_non_null(strstr(csv, "image,class,reconstruction\ntrain:0,"));
    free(csv);
    free(path);
    program p = elbo("outliers", "vae", "my digit.png");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "-ELBO"));
    program_free(&p);
    refused(1, WORDS("class:12", "0, 1, 2"), "outliers", "vae", "--anomaly", "class:12");
    refused(1, WORDS("no labels"), "outliers", "vae", "my digit.png", "--anomaly", "class:8");
    refused(1, WORDS("autoencoder"), "outliers", "ae", "-k", "3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpolate), cmocka_unit_test(test_numbers_that_name_classes),
        cmocka_unit_test(test_outliers),    cmocka_unit_test(test_animation),
        cmocka_unit_test(test_colours),     cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_vectors),     cmocka_unit_test(test_traverse),
        cmocka_unit_test(test_manifold),    cmocka_unit_test(test_samples),
        cmocka_unit_test(test_novelty),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
