/* Results of the analyses that decode images, against the model asked by hand. Whatever draws them needs nothing else, so
 * every number and image that a front end may show is looked at here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "engine.h"
#include "explore/arithmetic.h"
#include "explore/interpolate.h"
#include "explore/manifold.h"
#include "explore/opened_runs.h"
#include "explore/reconstruct.h"
#include "explore/run_density.h"
#include "explore/sample.h"
#include "explore/traverse.h"
#include "explore/vectors.h"
#include "scratch.h"

enum { TRAIN = 300, TEST = 40, D = 784, Z = 3, VAE = 0, AE = 1, SKIP = 2, RUNS = 3 };

static scratch here;
static elbo_dataset data;
static elbo_run runs[RUNS];
static const elbo_job work = {.threads = 2};

static void train(const char *name, const char *text, char *run) {
    char file[32];
    snprintf(file, sizeof file, "%s.yaml", name);
    elbo_recipe r;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, file, text, strlen(text)), NULL, 0, &failure));
    strcpy(run, scratch_path(&here, name));
    elbo_train_result result;
    assert_ok(elbo_train(&result, &r, &data, (elbo_train_options){.run = run}, &failure));
    elbo_recipe_close(&r);
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    static char name[] = "digits", source[] = "built in",
                digits[10][2] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    static char *names[10];
    for (int i = 0; i < 10; i++) names[i] = digits[i];
    data = (elbo_dataset){.name = name, .source = source, .classes = 10, .class_names = names};
    assert_ok(elbo_digits_make(&data.train, false, TRAIN, 1, &failure));
    assert_ok(elbo_digits_make(&data.test, true, TEST, 1, &failure));
    static char path[RUNS][320];
    train("vae",
          "kind: vae\ndata: digits\nlatent: 3\nencoder: [flatten, linear 24, relu]\n"
          "decoder: [linear 784, sigmoid]\ntrain: {epochs: 2, batch: 20}\n",
          path[VAE]);
    train("ae",
          "kind: ae\ndata: digits\nlatent: 3\nimage: {range: [-1, 1]}\nencoder: [flatten, linear 24, relu]\n"
          "decoder: [linear 784, tanh]\nloss: {reconstruction: mse}\ntrain: {epochs: 2, batch: 20}\n",
          path[AE]);
    train("skip",
          "kind: vae\ndata: digits\nlatent: 3\nencoder: [flatten, linear 24, relu, save a]\n"
          "decoder: [linear 24, concat a, linear 784, sigmoid]\ntrain: {epochs: 1, batch: 20}\n",
          path[SKIP]);
    const char *paths[] = {path[VAE], path[AE], path[SKIP]};
    assert_ok(elbo_runs_open(runs, paths, RUNS, NULL, 2, &failure));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_runs_close(runs, RUNS);
    elbo_images_free(&data.train);
    elbo_images_free(&data.test);
    scratch_remove(&here);
    return 0;
}

/* The code of one image and what it decodes to, one by one.  z: (Z) or NULL */
static void by_hand(int run, const elbo_images *images, uint32_t index, float *z, float *decoded) {
    elbo_model *m = runs[run].model;
    float image[D], code[Z];
    elbo_images_to_floats(images, &index, 1, m->recipe.image.low, m->recipe.image.high, image);
    assert_ok(elbo_encode(m, 1, image, code, &failure));
    if (z) memcpy(z, code, sizeof code);
    if (decoded) assert_ok(elbo_decode(m, 1, code, decoded, &failure));
}

#define assert_bits(got, want, n) assert_memory_equal(got, want, (n) * sizeof(float))

/* Keys in their order. */
static void assert_keys(json_t *o, const char *const *keys) {
    const char *key;
    json_t *value;
    assert_non_null(o);
    json_object_foreach(o, key, value) {
        assert_non_null(*keys);
        assert_string_equal(key, *keys++);
    }
    assert_null(*keys);
    json_decref(o);
}
#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_reconstruct(void **state) {
    (void)state;
    const uint32_t index[] = {5, 0, 17};
    elbo_reconstruct_result r;
    assert_ok(elbo_reconstruct(&r, runs, RUNS, &data,
                               &(elbo_reconstruct_options){.count = 3, .index = index, .train = true}, &failure));
    assert_true(r.runs == RUNS && r.count == 3 && r.train && r.format.low == 0 && r.format.high == 1);
    assert_string_equal(r.label[AE], "ae");
    for (size_t i = 0; i < 3; i++) {
        float image[D], decoded[D];
        elbo_images_to_floats(&data.train, &index[i], 1, 0, 1, image);
        assert_bits(r.images + i * D, image, D);
        by_hand(VAE, &data.train, index[i], NULL, decoded);
        assert_bits(r.images + (3 * (1 + VAE) + i) * D, decoded, D);
        by_hand(AE, &data.train, index[i], NULL, decoded); // -1 .. 1, shown in the first run's 0 .. 1
        for (int k = 0; k < D; k++) decoded[k] = 0 + (decoded[k] - -1) * 0.5f;
        assert_bits(r.images + (3 * (1 + AE) + i) * D, decoded, D);
        for (int k = 0; k < D; k++) assert_true(isfinite(r.images[(3 * (1 + SKIP) + i) * D + (size_t)k]));
    }
    assert_keys(elbo_reconstruct_json(&r), KEYS("images"));
    elbo_reconstruct_free(&r);
    assert_ok(elbo_reconstruct(&r, runs, 1, &data, &(elbo_reconstruct_options){0}, &failure)); // one of each class
    assert_int_equal(r.count, 10);
    for (int i = 0; i < 10; i++) assert_int_equal(data.test.labels[r.index[i]], i);
    elbo_reconstruct_free(&r);
}

static void test_sample(void **state) {
    (void)state;
    elbo_model *m = runs[VAE].model;
    elbo_sample_options o = elbo_sample_defaults();
    elbo_sample_result few, many;
    o.seed = 7;
    o.count = 70;
    o.temperature = 0.5;
    assert_ok(elbo_sample(&many, m, NULL, &o, NULL, &failure));
    o.count = 3;
    o.nearest = true;
    assert_ok(elbo_sample(&few, m, &data, &o, &work, &failure));
    assert_true(few.source == ELBO_SAMPLE_PRIOR && !few.components && few.has_nearest && !many.has_nearest);
    assert_bits(few.images, many.images, 3 * D); // image i depends on the seed and on i alone
    float z[Z], image[D];
    elbo_random_normal((elbo_stream){.seed = 7, .purpose = ELBO_FOR_PRIOR, .sample = 69}, z, Z);
    for (int k = 0; k < Z; k++) z[k] *= 0.5f;
    assert_ok(elbo_decode(m, 1, z, image, &failure));
    assert_bits(many.images + 69 * D, image, D);
    elbo_images_to_floats(&data.train, &few.novelty.nearest[2], 1, 0, 1, image);
    assert_bits(few.neighbours + 2 * D, image, D);
    assert_keys(elbo_sample_json(&many), KEYS("count", "seed", "from", "temperature", "pixels"));
    assert_keys(elbo_sample_json(&few), KEYS("count", "seed", "from", "temperature", "pixels", "nearest"));
    elbo_sample_free(&few);
    elbo_sample_free(&many);
}

static void test_sample_density(void **state) {
    (void)state;
    elbo_model *m = runs[AE].model;
    elbo_density d, kept;
    elbo_sample_options o = elbo_sample_defaults();
    elbo_sample_result r;
    elbo_error err;
    assert_int_equal(elbo_sample(&r, m, NULL, &o, NULL, &err), ELBO_BAD_INPUT);
    assert_says(err.message, KEYS("gmm", "density"));
    assert_false(elbo_run_density_load(&d, m, "", 0));
    assert_ok(elbo_run_density_fit(&d, m, &data.train, 0, &work, &failure));
    assert_ok(elbo_run_density_save(&d, m, "", 0, &failure));
    assert_true(elbo_run_density_load(&kept, m, "", 0));
    elbo_density_free(&kept);
    assert_false(elbo_run_density_load(&kept, m, "", 3)); // of another number of components, of other data
    assert_false(elbo_run_density_load(&kept, m, "fashion-mnist", 0));
    o.density = &d;
    o.count = 5;
    assert_ok(elbo_sample(&r, m, NULL, &o, NULL, &failure));
    assert_true(r.source == ELBO_SAMPLE_GMM && r.components == ELBO_DENSITY_COMPONENTS && r.dims == Z && !r.principal);
    float z[5 * Z], images[5 * D];
    assert_ok(elbo_density_draw(&d, 0, 5, 1, z, &failure));
    assert_ok(elbo_decode(m, 5, z, images, &failure));
    assert_bits(r.images, images, 5 * D);
    assert_keys(elbo_sample_json(&r),
                KEYS("count", "seed", "from", "temperature", "pixels", "components", "log_likelihood"));
    elbo_sample_free(&r);
    o.source = ELBO_SAMPLE_PRIOR;
    assert_ok(elbo_sample(&r, m, NULL, &o, NULL, &failure)); // of an autoencoder: to show that its codes lie elsewhere
    assert_true(r.no_prior && r.source == ELBO_SAMPLE_PRIOR);
    for (uint32_t i = 0; i < 5; i++)
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PRIOR, .sample = i}, z + (size_t)i * Z, Z);
    assert_ok(elbo_decode(m, 5, z, images, &failure));
    assert_bits(r.images, images, 5 * D);
    elbo_sample_free(&r);
    o.source = ELBO_SAMPLE_GMM; // a decoder that reads what the encoder saved: there are no images of these codes
    assert_int_equal(elbo_sample(&r, runs[SKIP].model, NULL, &o, NULL, &err), ELBO_BAD_INPUT);
    assert_says(err.message, KEYS("a code alone"));
    elbo_density_free(&d);
}

static void test_interpolate(void **state) {
    (void)state;
    float code[Z], from[D], to[D], faded[D];
    by_hand(VAE, &data.test, 1, code, NULL);
    assert_ok(elbo_vector_save(runs[VAE].model, "kept", "test:1", code, &failure));
    by_hand(AE, &data.test, 1, code, NULL);
    assert_ok(elbo_vector_save(runs[AE].model, "kept", "test:1", code, &failure));
    elbo_expression end[4];
    const char *const text[] = {"4", "train:9", "kept", "test:6"};
    for (int i = 0; i < 4; i++) assert_ok(elbo_expression_parse_end(&end[i], text[i], &failure));
    elbo_interpolate_result r;
    elbo_interpolate_options o = {.end = end, .pairs = 2, .steps = 3, .pixels = true};
    assert_ok(elbo_interpolate(&r, runs, 2, &data, &o, &failure));
    assert_string_equal(r.name[0], "test:4");
    assert_string_equal(r.end[0], "4");
    by_hand(VAE, &data.test, 4, NULL, from);
    by_hand(VAE, &data.train, 9, NULL, to);
    assert_bits(r.images, from, D);
    assert_bits(r.images + 2 * D, to, D);
    by_hand(AE, &data.test, 4, NULL, from); // the second run, in the range of the first
    for (int k = 0; k < D; k++) from[k] = 0 + (from[k] - -1) * 0.5f;
    assert_bits(r.images + 3 * D, from, D);
    by_hand(VAE, &data.test, 1, NULL, from); // the saved code's
    assert_bits(r.images + 2 * 3 * D, from, D);
    elbo_images_to_floats(&data.test, &(uint32_t){4}, 1, 0, 1, from);
    elbo_images_to_floats(&data.train, &(uint32_t){9}, 1, 0, 1, to);
    for (int k = 0; k < D; k++) faded[k] = (float)(0.5 * (double)from[k] + 0.5 * (double)to[k]);
    assert_bits(r.pixels + D, faded, D);
    assert_true(isnan(r.pixels[3 * D])); // a saved code has no pixels
    for (int k = 0; k < 2 * 2 * 3 * D; k++) assert_true(r.images[k] >= 0 && r.images[k] <= 1);
    assert_keys(elbo_interpolate_json(&r), KEYS("from", "to", "steps", "path", "pairs"));
    elbo_interpolate_free(&r);
    for (int i = 0; i < 4; i++) elbo_expression_free(&end[i]);
    elbo_error err;
    assert_ok(elbo_expression_parse_end(&end[0], "my.png", &failure));
    o = (elbo_interpolate_options){.end = (elbo_expression[]){end[0], end[0]}, .pairs = 1};
    assert_int_equal(elbo_interpolate(&r, runs, 1, &data, &o, &err), ELBO_BAD_INPUT); // nobody who reads files
    assert_says(err.message, KEYS("my.png"));
    elbo_expression_free(&end[0]);
}

static void test_arithmetic(void **state) {
    (void)state;
    elbo_expression e;
    assert_ok(elbo_expression_parse(&e, "test:3 - test:5 + test:5", &failure));
    elbo_arithmetic_result r;
    assert_ok(
        elbo_arithmetic(&r, runs[VAE].model, &data, &(elbo_arithmetic_options){.expression = &e}, &work, &failure));
    assert_true(r.operands == 2 && r.latent == Z);
    float three[D], z[Z], best = INFINITY;
    uint32_t nearest = 0;
    by_hand(VAE, &data.test, 3, z, three);
    assert_bits(r.images + 4 * D, three, D); // decoded: the first operand
    for (int k = 0; k < Z; k++) assert_true(fabsf(r.code[k] - z[k]) <= 1e-6f * fabsf(z[k]));
    for (uint32_t i = 0; i < TRAIN; i++) {
        by_hand(VAE, &data.train, i, z, NULL);
        float d = 0;
        for (int k = 0; k < Z; k++) d += (z[k] - r.code[k]) * (z[k] - r.code[k]);
        if (d < best) best = d, nearest = i;
    }
    assert_int_equal(r.nearest, nearest);
    assert_true(fabs(r.distance - sqrt((double)best)) <= 1e-5 * r.distance);
    assert_string_equal(r.class_name, data.class_names[data.train.labels[nearest]]);
    float image[D];
    elbo_images_to_floats(&data.train, &nearest, 1, 0, 1, image);
    assert_bits(r.images + 3 * D, image, D); // pixels: the nearest image
    by_hand(VAE, &data.train, nearest, NULL, image);
    assert_bits(r.images + 7 * D, image, D);
    assert_keys(elbo_arithmetic_json(&r), KEYS("expression", "operands", "nearest", "code"));
    elbo_arithmetic_free(&r);
    elbo_expression_free(&e);
}

static void test_traverse(void **state) {
    (void)state;
    elbo_traverse_result r;
    assert_ok(elbo_traverse(&r, runs[VAE].model, &data, &(elbo_traverse_options){.steps = 5}, &failure));
    assert_true(r.vae && r.rows == Z && r.from == -3 && r.to == 3 && r.value[1] == -1.5);
    assert_true(r.score[0] >= r.score[1] && r.score[1] >= r.score[2]);
    float z[Z] = {0}, image[D];
    z[r.dim[1]] = 1.5f;
    assert_ok(elbo_decode(runs[VAE].model, 1, z, image, &failure));
    assert_bits(r.images + (5 + 3) * D, image, D);
    assert_keys(elbo_traverse_json(&r), KEYS("range", "steps", "dims"));
    elbo_traverse_free(&r);
    elbo_expression at;
    const int dims[] = {2};
    assert_ok(elbo_expression_parse_end(&at, "8", &failure));
    elbo_traverse_options o = {.dims = dims, .dim_count = 1, .steps = 3, .from = -1, .to = 1, .at = &at};
    assert_ok(elbo_traverse(&r, runs[AE].model, &data, &o, &failure));
    assert_true(!r.vae && r.rows == 1 && r.dim[0] == 2);
    double mean = 0;
    for (uint32_t i = 0; i < TEST; i++) {
        by_hand(AE, &data.test, i, z, NULL);
        mean += (double)z[2] / TEST;
    }
    by_hand(AE, &data.test, 8, z, NULL);
    z[2] = (float)mean; // no deviation from the mean of the codes
    assert_ok(elbo_decode(runs[AE].model, 1, z, image, &failure));
    for (int k = 0; k < D; k++) assert_true(fabsf(r.images[D + k] - image[k]) <= 1e-5f);
    elbo_traverse_free(&r);
    elbo_expression_free(&at);
}

static void test_manifold(void **state) {
    (void)state;
    elbo_manifold_result r;
    assert_ok(
        elbo_manifold(&r, runs[VAE].model, &data, &(elbo_manifold_options){.dims = {2, 0}, .steps = 4}, &failure));
    assert_true(r.prior && !r.principal && r.rows == 4 && r.dims[0] == 2 && r.dims[1] == 0);
    float z[Z] = {(float)r.at[1][3], 0, (float)r.at[0][1]}, image[D]; // the uppermost row, the second column
    assert_ok(elbo_decode(runs[VAE].model, 1, z, image, &failure));
    assert_bits(r.images + D, image, D);
    assert_true(fabs(0.5 * erfc(-r.at[0][1] * M_SQRT1_2) - 1.5 / 4) <= 1e-12); // a quantile of the prior
    assert_keys(elbo_manifold_json(&r), KEYS("steps", "across", "up", "dims"));
    elbo_manifold_free(&r);
    assert_ok(elbo_manifold(&r, runs[AE].model, &data, &(elbo_manifold_options){.dims = {2, 0}, .steps = 4}, &failure));
    for (int step = 0; step < 4; step++) { // quantiles of the training codes: a share of these lies below
        int across = 0, up = 0;
        for (uint32_t i = 0; i < TRAIN; i++) {
            by_hand(AE, &data.train, i, z, NULL);
            across += (double)z[2] < r.at[0][step];
            up += (double)z[0] < r.at[1][step];
        }
        assert_true(abs(across - (2 * step + 1) * TRAIN / 8) <= 1 && abs(up - (2 * step + 1) * TRAIN / 8) <= 1);
    }
    elbo_manifold_free(&r);
    assert_ok(elbo_manifold(&r, runs[AE].model, &data, &(elbo_manifold_options){0}, &failure));
    assert_true(r.principal && !r.prior && r.steps == ELBO_MANIFOLD_STEPS && r.explained[0] >= r.explained[1]);
    assert_keys(elbo_manifold_json(&r), KEYS("steps", "across", "up", "explained_variance_ratio"));
    elbo_manifold_free(&r);
    elbo_error err;
    assert_int_equal(elbo_manifold(&r, runs[SKIP].model, &data, &(elbo_manifold_options){0}, &err), ELBO_BAD_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reconstruct), cmocka_unit_test(test_sample),     cmocka_unit_test(test_sample_density),
        cmocka_unit_test(test_interpolate), cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_traverse),
        cmocka_unit_test(test_manifold),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
