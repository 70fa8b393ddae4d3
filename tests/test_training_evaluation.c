/* Evaluation, encoding and decoding give what plain loops give (oracle.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "elbo/elbo.h"
#include "oracle.h"
#include "training_runs.h"

/* ---- evaluation ---- */

/* The images as the network sees them, in double. */
static double *seen_by(const elbo_recipe *r, const elbo_images *images) {
    size_t n = images->count * elbo_image_size(images->shape);
    double *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = r->image.low + ((double)r->image.high - r->image.low) * images->bytes[i] / 255;
    return x;
}

static double *doubled(const float *v, size_t n) {
    double *d = malloc(n * sizeof *d);
    assert_non_null(d);
    for (size_t i = 0; i < n; i++) d[i] = v[i];
    return d;
}

/* On all images at once, of which there are more than the evaluator takes at a time. */
static void evaluation_is_what_plain_loops_give(void **state) {
    (void)state;
    enum { IMAGES = 530 };
    static const experiment xs[] = {
        {"mnist-vae-2d", {NULL}},
        {"mnist-ae-2d", {"loss.reconstruction=mse", NULL}},
        {"kind: vae\nlatent: 5\nimage: {range: [-1, 1]}\nencoder: [flatten, linear 30, relu, dropout]\n"
         "decoder: [linear 30, tanh, linear 784, tanh]\nloss: {reconstruction: l1, kl: 3}\n",
         {NULL}},
    };
    elbo_images images;
    assert_ok(elbo_digits_make(&images, true, IMAGES, 2, &failure));
    for (size_t i = 0; i < sizeof xs / sizeof *xs; i++)
        for (int how = 0; how < 3; how++) { // given noise, drawn noise, the mean code
            elbo_recipe r = open_recipe(&xs[i]);
            elbo_network n;
            assert_ok(elbo_network_make(&n, &r, images.shape, &failure));
            size_t Z = (size_t)n.graph.latent;
            float *noise = malloc(IMAGES * Z * sizeof *noise);
            for (uint32_t k = 0; k < IMAGES; k++) // drawn as evaluation draws it, or in another way
                elbo_random_normal((elbo_stream){7, how == 1 ? ELBO_FOR_TEST_NOISE : ELBO_FOR_PICKING, 0, k},
                                   noise + k * Z, Z);
            elbo_scores s[3];
            for (int threads = 1; threads <= 3; threads++) {
                elbo_eval_options o = {
                    .threads = threads, .seed = 7, .noise = how == 0 ? noise : NULL, .mean_code = how == 2};
                assert_ok(elbo_evaluate(&s[threads - 1], &n, &r, &images, o, &failure));
            }
            assert_memory_equal(&s[0], &s[1], sizeof s[0]);
            assert_memory_equal(&s[0], &s[2], sizeof s[0]);
            oracle o;
            oracle_open(&o, &n.graph, &r, IMAGES);
            double *params = doubled(n.params, n.graph.param_floats), *wide = doubled(noise, IMAGES * Z),
                   *x = seen_by(&r, &images);
            uint32_t index[IMAGES];
            for (uint32_t k = 0; k < IMAGES; k++) index[k] = k;
            o.params = params, o.noise = how == 2 ? NULL : wide, o.images = x, o.index = index;
            oracle_run(&o);
            assert_int_equal(s[0].images, IMAGES);
            assert_near("reconstruction", i, s[0].reconstruction, o.reconstruction, 2e-6 * o.reconstruction);
            assert_near("kl", i, s[0].kl, o.kl, 2e-6 * (o.kl + 1));
            assert_near("mse", i, s[0].mse, o.squared / 784, 2e-6 * o.squared / 784);
            assert_true(s[0].loss == s[0].reconstruction + s[0].kl);
            assert_near("objective", i, s[0].objective, o.reconstruction + (double)r.loss.kl * o.kl,
                        2e-6 * (o.reconstruction + (double)r.loss.kl * o.kl));
            oracle_close(&o);
            free(params), free(wide), free(x), free(noise);
            elbo_network_free(&n);
            elbo_recipe_close(&r);
        }
    elbo_images_free(&images);
}

/* ---- the public interface ---- */

static float *floats_of(const elbo_images *images, size_t n) {
    float *x = malloc(n * 784 * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n * 784; i++) x[i] = (float)images->bytes[i] / 255;
    return x;
}

typedef struct public_model {
    const char *recipe;
    bool vae;
    int latent, compared; // compared: images that the plain loops take
} public_model;

static const public_model public_models[] = {{"mnist-ae", false, 32, 40},
                                             {"mnist-vae", true, 20, 40},
                                             {"mnist-cae", false, 64 * 7 * 7, 4},
                                             {"mnist-conv-vae", true, 128, 4}};
enum { PUBLIC_MODELS = sizeof public_models / sizeof *public_models };

static void codes_and_images_through_the_public_interface(void **state) {
    (void)state;
    enum { N = 301 };
    for (const public_model *p = public_models; p < public_models + PUBLIC_MODELS; p++) {
        const experiment x = {p->recipe, {"train.batch=64", "train.epochs=1", NULL}};
        const char *run = run_path(p->recipe);
        assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
        float *images = floats_of(&digits.train, N), *first = NULL, *first_images = NULL;
        for (int threads = 1; threads <= 3; threads += 2) {
            elbo_model *m;
            elbo_error err;
            assert_ok(elbo_model_open(&m, run, threads, &failure));
            elbo_model_info info = elbo_model_get_info(m);
            assert_string_equal(info.kind, p->vae ? "vae" : "ae");
            assert_true(info.channels == 1 && info.height == 28 && info.width == 28 && info.low == 0 && info.high == 1);
            assert_int_equal(info.latent, p->latent);
            size_t Z = (size_t)info.latent;
            float *z = malloc(N * Z * sizeof *z), *alone = malloc(Z * sizeof *alone);
            float *back = malloc(N * 784 * sizeof *back), *one = malloc(784 * sizeof *one);
            assert_ok(elbo_encode(m, N, images, z, &failure));
            assert_ok(elbo_decode(m, N, z, back, &failure));
            for (size_t i = 0; i < N; i += 25) { // among 300 others, and alone: the same bits
                assert_ok(elbo_encode(m, 1, images + i * 784, alone, &failure));
                assert_memory_equal(alone, z + i * Z, Z * sizeof *z);
                assert_ok(elbo_decode(m, 1, alone, one, &failure));
                assert_memory_equal(one, back + i * 784, 784 * sizeof *one);
            }
            if (first) {
                assert_memory_equal(first, z, N * Z * sizeof *z);
                assert_memory_equal(first_images, back, N * 784 * sizeof *back);
                free(first), free(first_images);
            }
            if (p->vae) {
                float *mu = malloc(N * Z * sizeof *mu), *logvar = malloc(N * Z * sizeof *logvar);
                assert_ok(elbo_encode_gaussian(m, N, images, mu, logvar, &failure));
                assert_memory_equal(mu, z, N * Z * sizeof *mu);
                assert_memory_not_equal(mu, logvar, N * Z * sizeof *mu);
                free(mu), free(logvar);
            } else {
                assert_int_equal(elbo_encode_gaussian(m, 1, images, alone, alone, &err), ELBO_BAD_INPUT);
            }
            images[784 + 3] = NAN; // what is not a number is refused by place
            assert_int_equal(elbo_encode(m, 2, images, z + 0, &err), ELBO_BAD_INPUT);
            assert_message(err, "image 1", "value 3");
            images[784 + 3] = (float)digits.train.bytes[784 + 3] / 255;
            elbo_model_close(m);
            first = z, first_images = back;
            free(alone), free(one);
        }
        free(first), free(first_images), free(images);
    }
}

/* Against plain loops, with the weights that the test before has trained: the code (mu, logvar) and the decoded image.
 */
static void compare_with_plain_loops(const public_model *p) {
    const experiment x = {p->recipe, {NULL}};
    size_t N = (size_t)p->compared, Z = (size_t)p->latent, width = p->vae ? 2 * Z : Z;
    elbo_recipe r = open_recipe(&x);
    elbo_network n;
    assert_ok(elbo_network_make(&n, &r, digits.train.shape, &failure));
    assert_ok(elbo_model_load(run_path(p->recipe), &n, &failure));
    oracle o;
    oracle_open(&o, &n.graph, &r, p->compared);
    elbo_images some = digits.train;
    some.count = (uint32_t)N;
    double *params = doubled(n.params, n.graph.param_floats), *seen = seen_by(&r, &some);
    uint32_t *index = calloc(N, sizeof *index);
    o.params = params, o.images = seen, o.index = index;
    oracle_run(&o);
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run_path(p->recipe), 2, &failure));
    float *images = floats_of(&digits.train, N), *mu = malloc(N * Z * sizeof *mu),
          *logvar = malloc(N * Z * sizeof *logvar);
    float *back = malloc(N * 784 * sizeof *back);
    assert_ok(elbo_encode_gaussian(m, N, images, mu, p->vae ? logvar : NULL, &failure));
    assert_ok(elbo_decode(m, N, mu, back, &failure));
    for (size_t i = 0; i < N; i++) {
        const double *code = o.output[n.graph.at.code] + i * width;
        assert_tensors_near("mu", mu + i * Z, code, Z, 2e-6);
        if (p->vae) assert_tensors_near("logvar", logvar + i * Z, code + Z, Z, 2e-6);
    }
    assert_tensors_near("decoded", back, o.output[n.graph.at.output], N * 784, 2e-6);
    elbo_model_close(m);
    oracle_close(&o);
    free(params), free(seen), free(index), free(images), free(mu), free(logvar), free(back);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

static void codes_and_images_are_what_plain_loops_give(void **state) {
    (void)state;
    for (int i = 0; i < PUBLIC_MODELS; i++) compare_with_plain_loops(&public_models[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_is_what_plain_loops_give),
        cmocka_unit_test(codes_and_images_through_the_public_interface),
        cmocka_unit_test(codes_and_images_are_what_plain_loops_give),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
