/* Global contrast normalisation: Ruff et al.'s formula, constants of the training images that the run keeps, the same from every door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "close.h"
#include "data/contrast.h"
#include "engine.h"
#include "run/model.h"
#include "scratch.h"

enum { TRAIN = 200, TEST = 20, D = 784 };

static scratch here;
static elbo_dataset data;

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    static char name[] = "digits", source[] = "built in";
    data = (elbo_dataset){.name = name, .source = source, .classes = 10};
    assert_ok(elbo_digits_make(&data.train, false, TRAIN, 1, &failure));
    assert_ok(elbo_digits_make(&data.test, true, TEST, 1, &failure));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_images_free(&data.train);
    elbo_images_free(&data.test);
    scratch_remove(&here);
    return 0;
}

/* x - mean(x), over mean(|x - mean(x)|), as preprocessing.py of Deep-SVDD has it. */
static void normalised(double *out, const uint8_t *bytes) {
    double mean = 0, deviation = 0;
    for (int i = 0; i < D; i++) mean += bytes[i] / 255.0 / D;
    for (int i = 0; i < D; i++) deviation += fabs(bytes[i] / 255.0 - mean) / D;
    for (int i = 0; i < D; i++) out[i] = (bytes[i] / 255.0 - mean) / deviation;
}

static void the_formula(void **state) {
    (void)state;
    double x[D], least = INFINITY, most = -INFINITY;
    float out[D], again[D];
    elbo_contrast c;
    assert_ok(elbo_contrast_measure(&c, &data.train, &failure));
    for (int i = 0; i < TRAIN; i++) {
        normalised(x, data.train.bytes + i * D);
        for (int k = 0; k < D; k++) least = fmin(least, x[k]), most = fmax(most, x[k]);
    }
    assert_near("least", 0, c.least, least, 1e-5);
    assert_near("most", 0, c.most, most, 1e-5);
    elbo_images images = data.test;
    images.contrast = c;
    for (uint32_t i = 0; i < TEST; i++) {
        elbo_images_to_floats(&images, &i, 1, -1, 1, out);
        normalised(x, data.test.bytes + i * D);
        for (size_t k = 0; k < D; k++) assert_near("value", k, out[k], -1 + 2 * (x[k] - least) / (most - least), 1e-5);
        memcpy(again, out, sizeof out); // of normalised images the same
        elbo_contrast_apply(&c, again, D, -1, 1);
        for (size_t k = 0; k < D; k++) assert_near("again", k, again[k], out[k], 1e-5);
    }
    static uint8_t flat[3 * D];
    memset(flat, 7, sizeof flat);
    elbo_images grey = {.shape = {1, 28, 28}, .count = 3, .bytes = flat};
    elbo_error err;
    assert_int_equal(elbo_contrast_measure(&c, &grey, &err), ELBO_BAD_INPUT);
    grey.contrast = images.contrast;
    elbo_images_to_floats(&grey, NULL, 1, 0, 1, out);
    for (int k = 0; k < D; k++) assert_true(out[k] == out[0] && isfinite(out[k]));
}

/* A run keeps the constants; its codes are those of floats that were normalised by hand. */
static void a_run(void **state) {
    (void)state;
    static const char text[] =
        "kind: ae\ndata: digits\nlatent: 3\nimage: {normalize: gcn}\nencoder: [flatten, linear 9, tanh]\n"
        "decoder: [linear 784]\nloss: {reconstruction: mse}\ntrain: {epochs: 2, batch: 20}\n";
    elbo_recipe r;
    elbo_train_result result;
    elbo_model *m;
    const char *run = scratch_path(&here, "run");
    char *folder = strdup(run);
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, "r.yaml", text, sizeof text - 1), NULL, 0, &failure));
    assert_ok(elbo_train(&result, &r, &data, (elbo_train_options){.run = folder}, &failure));
    assert_false(elbo_contrast_is_on(&data.train.contrast)); // the caller's data stay as they are
    elbo_recipe_close(&r);
    assert_ok(elbo_model_open(&m, folder, 1, &failure));
    elbo_contrast c;
    assert_ok(elbo_contrast_measure(&c, &data.train, &failure));
    assert_true(m->recipe.image.contrast.least == c.least && m->recipe.image.contrast.most == c.most);
    static float floats[TEST * D];
    float codes[TEST * 3], want[TEST * 3];
    elbo_images images = data.test;
    elbo_model_see(m, &images);
    elbo_images_to_floats(&images, NULL, TEST, 0, 1, floats);
    assert_ok(elbo_encode(m, TEST, floats, want, &failure));
    assert_ok(elbo_model_encode_images(m, &images, NULL, TEST, codes, NULL, &failure));
    for (size_t i = 0; i < TEST * 3; i++) assert_near("code", i, codes[i], want[i], 1e-5);
    assert_ok(elbo_model_encode_images(m, &data.test, NULL, TEST, codes, NULL, &failure));
    assert_true(fabsf(codes[0] - want[0]) > 1e-3f); // not without it
    elbo_model_close(m);
    free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_formula), cmocka_unit_test(a_run)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
