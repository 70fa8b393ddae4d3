/* A conditional and a denoising model as a user has them: trained, looked at, and asked for what they cannot do. */
#include "program.h"

#include <math.h>

#include "formats/npy.h"

enum { TEST = 60 };

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, TEST);
    run_well("train", "mnist-cvae", "-o", "cvae", "-e", "2", "-q", "--set", "latent=3");
    run_well("train", "mnist-ae-2d", "-o", "ae", "-e", "1", "-q");
    run_well("train", "mnist-ae-2d", "-o", "dae", "-e", "2", "-q", "--set", "corrupt=[noise 0.3, mask 0.25]");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static elbo_array array_of(const char *name) {
    elbo_array a;
    elbo_error err;
    char *path = in_scratch(name);
    if (elbo_npy_read(&a, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    free(path);
    return a;
}

static void write_labels(const char *name, size_t rows, size_t columns, const float *v) {
    elbo_error err;
    char *path = in_scratch(name);
    if (elbo_npy_write_f32(path, v, 2, (size_t[]){rows, columns}, &err) != ELBO_OK) fail_msg("%s", err.message);
    free(path);
}

/* A class by number, by a file of numbers and by a file of weights gives the same images. */
static void codes_are_decoded_as_a_class(void **state) {
    (void)state;
    float number_of[TEST], weights[TEST * 10] = {0};
    for (int i = 0; i < TEST; i++) {
        number_of[i] = 4;
        weights[i * 10 + 4] = 1;
    }
    write_labels("numbers.npy", TEST, 1, number_of);
    write_labels("weights.npy", TEST, 10, weights);
    run_well("encode", "cvae", "test", "-o", "z.npy");
    run_well("decode", "cvae", "z.npy", "-o", "a.npy", "--class", "4");
    run_well("decode", "cvae", "z.npy", "-o", "b.npy", "--labels", "numbers.npy");
    run_well("decode", "cvae", "z.npy", "-o", "c.npy", "--labels", "weights.npy");
    run_well("decode", "cvae", "z.npy", "-o", "d.npy", "--class", "5");
    assert_same_bytes("a.npy", "b.npy");
    assert_same_bytes("a.npy", "c.npy");
    assert_false(same_bytes("a.npy", "d.npy"));
}

/* Every analysis of data with labels works; --class changes what is decoded. */
static void analyses_hold_or_change_the_class(void **state) {
    (void)state;
    static const char *const looks[][6] = {{"interpolate", "cvae"}, {"traverse", "cvae"}, {"manifold", "cvae"}};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const char *own[] = {looks[i][0], looks[i][1], "--npy", "own.npy", "-o", "x.png", NULL};
        const char *held[] = {looks[i][0], looks[i][1], "--npy", "held.npy", "-o", "x.png", "--class", "6", NULL};
        program p = program_run(own);
        expect_code(&p, 0);
        program_free(&p);
        p = program_run(held);
        expect_code(&p, 0);
        program_free(&p);
        if (same_bytes("own.npy", "held.npy")) fail_msg("%s: --class changed nothing", looks[i][0]);
        elbo_array a = array_of("held.npy");
        for (size_t k = 0; k < a.count; k++) assert_true(isfinite(((const float *)a.data)[k]));
        elbo_array_free(&a);
    }
    run_well("reconstruct", "cvae", "ae", "-o", "x.png");
    run_well("reconstruct", "cvae", "--class", "8", "-o", "x.png");
    run_well("arithmetic", "cvae", "test:1 + mean(class:8) - mean(class:3)", "-o", "x.png");
    run_well("eval", "cvae", "--all");
    run_well("doctor", "cvae");
    run_well("report", "cvae");
    program p = elbo("sample", "cvae", "--json");
    json_t *o = expect_json(&p);
    assert_int_equal(json_array_size(json_object_get(o, "classes")), 10);
    assert_true(number(o, "count") == 80);
    json_decref(o);
    run_well("sample", "cvae", "--class", "3", "--from", "gmm", "-n", "5", "-o", "three.npy");
}

static void classes_are_refused_in_one_line(void **state) {
    (void)state;
    static const struct {
        const char *words[8];
        const char *says;
    } wrong[] = {
        {{"sample", "cvae", "--class", "10"}, "has classes 0 to 9"},
        {{"sample", "ae", "--class", "1"}, "no layer `concat class`"},
        {{"decode", "cvae", "z.npy", "-o", "x.npy"}, "--class C or --labels L.npy says it"},
        {{"decode", "ae", "z2.npy", "-o", "x.npy", "--class", "1"}, "is not conditional"},
        {{"encode", "cvae", "test", "-o", "x.npy", "--class", "1"}, "have labels of their own"},
        {{"decode", "cvae", "z.npy", "-o", "x.npy", "--labels", "few.npy"}, "has 2 rows; there are 60"},
        {{"eval", "cvae", "--data", "plain.npy"}, "has no labels"},
        {{"train", "mnist-cvae", "--data", "plain.npy", "-o", "y"}, "concat class: plain"},
        {{"denoise", "ae"}, "was trained without `corrupt`"},
        {{"denoise", "dae", "plain.npy"}, "add -o X.npy"},
    };
    const float two[] = {1, 2};
    write_labels("few.npy", 2, 1, two);
    run_well("encode", "cvae", "test", "-o", "z.npy");
    run_well("encode", "ae", "test", "-o", "z2.npy");
    float *images = calloc((size_t)20 * 784, sizeof *images);
    elbo_error err;
    char *path = in_scratch("plain.npy");
    assert_int_equal(elbo_npy_write_f32(path, images, 4, (size_t[]){20, 1, 28, 28}, &err), ELBO_OK);
    free(path);
    free(images);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        program p = program_run(wrong[i].words);
        bool usage = !strcmp(wrong[i].words[0], "denoise") && wrong[i].words[2];
        expect_refusal(&p, usage ? 2 : 1, WORDS(wrong[i].says));
    }
    assert_false(there("y/model.safetensors"));
}

/* What the figure of test images shows is what the model makes of the same noisy images in a file. */
static void noisy_images_are_denoised(void **state) {
    (void)state;
    program p = elbo("denoise", "dae", "-n", "4", "--npy", "shown.npy", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "corrupt"), "noise 0.3, mask 0.25");
    assert_true(number(o, "images") == TEST && json_array_size(json_object_get(o, "shown")) == 4);
    assert_there("dae/figures/denoised.png");
    json_decref(o);
    elbo_array shown = array_of("shown.npy");
    assert_true(shown.dims == 5 && shown.shape[0] == 3 && shown.shape[1] == 4);
    elbo_error err;
    char *path = in_scratch("noisy.npy");
    assert_int_equal(elbo_npy_write_f32(path, shown.data, 4, (size_t[]){4, 1, 28, 28}, &err), ELBO_OK);
    free(path);
    run_well("denoise", "dae", "noisy.npy", "-o", "clean.npy");
    elbo_array clean = array_of("clean.npy");
    assert_memory_equal(clean.data, (const float *)shown.data + clean.count, clean.count * sizeof(float));
    elbo_array_free(&shown);
    elbo_array_free(&clean);
    run_well("denoise", "ae", "noisy.npy", "-o", "clean.png"); // any model will do
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_decoded_as_a_class),
        cmocka_unit_test(analyses_hold_or_change_the_class),
        cmocka_unit_test(classes_are_refused_in_one_line),
        cmocka_unit_test(noisy_images_are_denoised),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
