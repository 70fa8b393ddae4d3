/* The public API (elbo/elbo.h): sampling, measuring and training on arrays, its version, its refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "data/data.h"
#include "engine.h"
#include "explore/sample.h"
#include "run/model.h"
#include "scratch.h"

enum { IMAGES = 120, TEST = 20, SIZE = 784, Z = 4 };

static scratch here;
static char recipe[400], run[400], ae[400];
static float *pixels;      // (IMAGES, 1, 28, 28)
static elbo_error refused; // why

#define VAE                                                                                                            \
    "kind: vae\ndata: digits\nlatent: 4\nencoder: [flatten, linear 24, relu]\n"                                        \
    "decoder: [linear 784, sigmoid]\ntrain: {epochs: 2, batch: 20}\n"
#define AE                                                                                                             \
    "kind: ae\ndata: digits\nlatent: 4\nencoder: [flatten, linear 24, relu]\n"                                         \
    "decoder: [linear 784, sigmoid]\ntrain: {epochs: 1, batch: 20}\n"

static elbo_training_options on_array(const char *folder) {
    return (elbo_training_options){.size = sizeof(elbo_training_options),
                                   .recipe = recipe,
                                   .run = folder,
                                   .images = pixels,
                                   .image_count = IMAGES,
                                   .channels = 1,
                                   .height = 28,
                                   .width = 28,
                                   .test_count = TEST};
}

typedef struct seen {
    int calls, epochs, stop_after; // 0: never
    double test_loss;
} seen;

static int listen(void *context, const elbo_training_progress *p) {
    seen *s = context;
    s->calls++;
    assert_int_equal(p->size, sizeof *p);
    assert_int_equal(p->images, IMAGES - TEST);
    if (p->epoch_is_done) {
        s->epochs++;
        s->test_loss = p->test_loss;
    }
    return s->stop_after && s->calls >= s->stop_after;
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    elbo_images digits;
    assert_ok(elbo_digits_make(&digits, false, IMAGES, 1, &failure));
    pixels = malloc(IMAGES * SIZE * sizeof *pixels);
    elbo_images_to_floats(&digits, NULL, IMAGES, 0, 1, pixels);
    elbo_images_free(&digits);
    snprintf(recipe, sizeof recipe, "%s", scratch_write(&here, "vae.yaml", VAE, strlen(VAE)));
    snprintf(run, sizeof run, "%s", scratch_path(&here, "run"));
    snprintf(ae, sizeof ae, "%s", scratch_path(&here, "ae"));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(pixels);
    scratch_remove(&here);
    return 0;
}

/* Trained on the array, told of each epoch; what it then measures is what the last call said. */
static void training_on_an_array(void **state) {
    (void)state;
    seen s = {0};
    elbo_training_options o = on_array(run);
    o.progress = listen;
    o.context = &s;
    assert_ok(elbo_train_model(&o, &failure));
    assert_int_equal(s.epochs, 2);
    assert_true(isfinite(s.test_loss));
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run, 1, &failure));
    elbo_model_scores scores = {.size = sizeof scores};
    assert_ok(elbo_model_evaluate(m, TEST, pixels + (IMAGES - TEST) * SIZE, 0, &scores, &failure));
    assert_true(fabs(scores.loss - scores.reconstruction - scores.kl) < 1e-9 * scores.loss);
    assert_true(scores.kl > 0 && scores.mse > 0 && scores.mse < 1);
    assert_true(fabs(scores.loss - s.test_loss) < 1e-6 * scores.loss);
    elbo_model_scores other = {.size = sizeof other}, shorter = {.size = offsetof(elbo_model_scores, mse), .mse = -1};
    assert_ok(elbo_model_evaluate(m, TEST, pixels + (IMAGES - TEST) * SIZE, 1, &other, &failure));
    assert_true(other.loss != scores.loss && other.kl == scores.kl); // other noise
    assert_ok(elbo_model_evaluate(m, TEST, pixels + (IMAGES - TEST) * SIZE, 0, &shorter, &failure));
    assert_true(shorter.loss == scores.loss && shorter.mse == -1); // a caller of an older library
    float bright[SIZE];
    memcpy(bright, pixels, sizeof bright);
    bright[5] = 2;
    assert_int_equal(elbo_model_evaluate(m, 1, bright, 0, &scores, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "bce", "0 to 1");
    bright[5] = NAN;
    assert_int_equal(elbo_model_evaluate(m, 1, bright, 0, &scores, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "image 0", "value 5");
    elbo_model_close(m);
}

/* The same images as the analysis behind `elbo sample`, each a function of the seed and its number. */
static void samples_from_the_prior(void **state) {
    (void)state;
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run, 1, &failure));
    static float images[40 * SIZE], z[40 * Z], few[3 * SIZE], again[Z];
    assert_ok(elbo_model_sample(m, 40, 9, images, z, &failure));
    assert_ok(elbo_model_sample(m, 3, 9, few, NULL, &failure));
    assert_memory_equal(images, few, sizeof few);
    elbo_sample_options o = elbo_sample_defaults();
    o.count = 40;
    o.seed = 9;
    elbo_sample_result r;
    assert_ok(elbo_sample(&r, m, NULL, &o, &(elbo_job){.threads = 1}, &failure));
    assert_memory_equal(images, r.images, sizeof images);
    elbo_sample_free(&r);
    elbo_random_normal((elbo_stream){.seed = 9, .purpose = ELBO_FOR_PRIOR, .sample = 39}, again, Z);
    assert_memory_equal(z + 39 * Z, again, sizeof again);
    elbo_model_close(m);
}

static void an_autoencoder_has_no_prior(void **state) {
    (void)state;
    elbo_training_options o = on_array(ae);
    char file[400];
    snprintf(file, sizeof file, "%s", scratch_write(&here, "ae.yaml", AE, strlen(AE)));
    o.recipe = file;
    assert_ok(elbo_train_model(&o, &failure));
    elbo_model *m;
    float image[SIZE];
    assert_ok(elbo_model_open(&m, ae, 1, &failure));
    assert_int_equal(elbo_model_sample(m, 1, 0, image, NULL, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "autoencoder", "prior");
    elbo_model_close(m);
}

/* Stopped by its callback, gone on with: the same weights as in one go. */
static void training_stops_and_resumes(void **state) {
    (void)state;
    char folder[400], text[2][32];
    snprintf(folder, sizeof folder, "%s", scratch_path(&here, "stopped"));
    seen s = {.stop_after = 1};
    elbo_training_options o = on_array(folder);
    o.progress = listen;
    o.context = &s;
    assert_int_equal(elbo_train_model(&o, &refused), ELBO_STOPPED);
    assert_true(s.epochs < 2);
    s = (seen){0};
    o.resume = 1;
    o.recipe = NULL;
    assert_ok(elbo_train_model(&o, &failure));
    for (int k = 0; k < 2; k++) {
        elbo_model *m;
        assert_ok(elbo_model_open(&m, k ? folder : run, 1, &failure));
        snprintf(text[k], sizeof text[k], "%s", elbo_model_fingerprint(m));
        assert_int_equal(elbo_model_epoch(m), 2);
        elbo_model_close(m);
    }
    assert_string_equal(text[0], text[1]);
}

static void refuse(elbo_training_options o, const char *said) {
    assert_int_equal(elbo_train_model(&o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, said);
}

static void options_that_make_no_sense(void **state) {
    (void)state;
    elbo_training_options o = on_array("never-made");
    o.size = 0;
    refuse(o, "elbo_training_options.size is 0");
    o = on_array(NULL);
    refuse(o, "run is NULL");
    o = on_array("never-made");
    o.recipe = NULL;
    refuse(o, "recipe is NULL");
    o = on_array("never-made");
    o.data = "digits";
    refuse(o, "both data and images");
    o = on_array("never-made");
    o.test_count = IMAGES;
    refuse(o, "test_count 120 of 120");
    o = on_array("never-made");
    o.width = 0;
    refuse(o, "1x28x0");
    o = on_array("never-made");
    o.device = "gpu";
    refuse(o, "cpu, ref, cuda or auto");
    o = on_array(run);
    refuse(o, "run"); // there already
}

static void the_version_is_the_headers(void **state) {
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", ELBO_VERSION_MAJOR, ELBO_VERSION_MINOR, ELBO_VERSION_PATCH);
    assert_string_equal(elbo_version(), text); // meson.build's, at the top
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_on_an_array),        cmocka_unit_test(samples_from_the_prior),
        cmocka_unit_test(an_autoencoder_has_no_prior), cmocka_unit_test(training_stops_and_resumes),
        cmocka_unit_test(options_that_make_no_sense),  cmocka_unit_test(the_version_is_the_headers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
