/* Scores against plain loops, on a small model that each test may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "close.h"
#include "engine.h"
#include "explore/diagnostics/checks.h"
#include "explore/nearest_image.h"
#include "explore/metrics/quality.h"
#include "stats/probe.h"
#include "scratch.h"

enum { TRAIN = 400, TEST = 37, D = 784, Z = 3 };

static scratch here;
static elbo_dataset data;
static elbo_model *bernoulli, *gaussian;
static const elbo_job work = {.threads = 2};

static elbo_model *train(const char *name, const char *text) {
    char file[32], *run;
    snprintf(file, sizeof file, "%s.yaml", name);
    elbo_recipe r;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, file, text, strlen(text)), NULL, 0, &failure));
    run = strdup(scratch_path(&here, name));
    elbo_train_result result;
    assert_ok(elbo_train(&result, &r, &data, (elbo_train_options){.run = run}, &failure));
    elbo_recipe_close(&r);
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run, 2, &failure));
    free(run);
    return m;
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    static char name[] = "digits", source[] = "built in";
    data = (elbo_dataset){.name = name, .source = source, .classes = 10};
    assert_ok(elbo_digits_make(&data.train, false, TRAIN, 1, &failure));
    assert_ok(elbo_digits_make(&data.test, true, TEST, 1, &failure));
    bernoulli = train("bernoulli", "kind: vae\ndata: digits\nlatent: 3\nencoder: [flatten, linear 24, relu]\n"
                                   "decoder: [linear 784, sigmoid]\ntrain: {epochs: 4, batch: 20}\n");
    gaussian = train("gaussian", "kind: vae\ndata: digits\nlatent: 3\nencoder: [flatten, linear 24, relu]\n"
                                 "decoder: [linear 784]\nloss: {reconstruction: mse}\ntrain: {epochs: 4, batch: 20}\n");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_model_close(bernoulli);
    elbo_model_close(gaussian);
    elbo_images_free(&data.train);
    elbo_images_free(&data.test);
    scratch_remove(&here);
    return 0;
}

static void encode(elbo_model *m, float *mu, float *logvar) {
    assert_int_equal(elbo_model_encode_images(m, &data.test, NULL, TEST, mu, logvar, NULL), ELBO_OK);
}

/* -log p(x | z) by decoding to pixels: not from logits, and in double. */
static double plain_loss(elbo_model *m, const float *z, const uint8_t *bytes) {
    float y[D];
    double sum = 0;
    assert_ok(elbo_decode(m, 1, z, y, &failure));
    for (int i = 0; i < D; i++) {
        double x = bytes[i] / 255.0, p = y[i];
        sum += m == bernoulli ? -x * log(p) - (1 - x) * log(1 - p) : (p - x) * (p - x) + 0.5 * log(M_PI);
    }
    return sum;
}

static void check_likelihood(elbo_model *m, int k) {
    float mu[TEST * Z], logvar[TEST * Z];
    double each[TEST], again[TEST], sum = 0, squares = 0;
    elbo_likelihood l, other;
    encode(m, mu, logvar);
    assert_ok(elbo_likelihood_estimate(&l, m, &data.test, mu, logvar, &(elbo_likelihood_options){k, 5, each}, &work,
                                       &failure));
    assert_ok(elbo_likelihood_estimate(&other, m, &data.test, mu, logvar, &(elbo_likelihood_options){k, 6, again},
                                       &work, &failure));
    assert_true(l.log_p != other.log_p); // another seed, other samples
    for (int i = 0; i < TEST; i++) {
        double mean = 0;
        for (int j = 0; j < k; j++) {
            float eps[Z], z[Z];
            elbo_random_normal((elbo_stream){5, ELBO_FOR_LIKELIHOOD, (uint32_t)j, (uint32_t)i}, eps, Z);
            double log_prior = 0, log_posterior = 0;
            for (int d = 0; d < Z; d++) {
                double deviation = exp(0.5 * logvar[i * Z + d]);
                z[d] = (float)(mu[i * Z + d] + eps[d] * deviation);
                log_prior -= 0.5 * (log(2 * M_PI) + z[d] * z[d]);
                log_posterior -= 0.5 * (log(2 * M_PI) + eps[d] * eps[d]) + log(deviation);
            }
            // held near the estimate so that exp stays within range
            mean += exp(log_prior - log_posterior - plain_loss(m, z, data.test.bytes + i * D) - each[i]) / k;
        }
        assert_near("log p", (size_t)i, each[i] + log(mean), each[i], 2e-3);
        sum += each[i] / TEST;
    }
    for (int i = 0; i < TEST; i++) squares += (each[i] - sum) * (each[i] - sum);
    assert_near("mean", 0, l.log_p, sum, 1e-9);
    assert_near("standard error", 0, l.error, sqrt(squares / (TEST - 1)) / sqrt(TEST), 1e-9);
}

static void test_likelihood(void **state) {
    (void)state;
    check_likelihood(bernoulli, 1);
    check_likelihood(bernoulli, 9); // rows of one image in two batches
    check_likelihood(gaussian, 4);
    float mu[TEST * Z], logvar[TEST * Z];
    encode(bernoulli, mu, logvar);
    elbo_likelihood few, many;
    assert_ok(elbo_likelihood_estimate(&few, bernoulli, &data.test, mu, logvar, &(elbo_likelihood_options){1, 0, NULL},
                                       &work, &failure));
    assert_ok(elbo_likelihood_estimate(&many, bernoulli, &data.test, mu, logvar,
                                       &(elbo_likelihood_options){200, 0, NULL}, &work, &failure));
    assert_true(many.log_p > few.log_p); // the bound rises
    // the integral of exp(-d^2) over all values of a pixel
    double integral = 0;
    for (double d = -10; d < 10; d += 1e-3) integral += exp(-d * d) * 1e-3;
    assert_near("constant", 0, gaussian->observation.constant, D * log(integral), 1e-6);
    assert_true(bernoulli->observation.constant == 0 && bernoulli->observation.factor == 1);
}

static void test_codes_scored(void **state) {
    (void)state;
    float mu[TEST * Z], loss[TEST];
    uint32_t other[TEST];
    encode(bernoulli, mu, NULL);
    for (uint32_t i = 0; i < TEST; i++) other[i] = (i * 5 + 2) % TEST;
    assert_ok(elbo_score_codes(bernoulli, &data.test, mu, other, loss, &failure));
    for (uint32_t i = 0; i < TEST; i++)
        assert_near("loss", i, loss[i], plain_loss(bernoulli, mu + other[i] * Z, data.test.bytes + i * D), 2e-3);
}

static void test_latent(void **state) {
    (void)state;
    // two dimensions, three images: the second one carries nothing
    const float mu[] = {0, 0.05f, 1, 0.05f, 2, 0.2f}, logvar[] = {0, 0, 0, 0, -1, 0};
    elbo_latent_scores s;
    assert_ok(elbo_latent_score(&s, mu, logvar, 3, 2, &failure));
    assert_near("variance", 0, s.variance[0], 1, 1e-12);
    assert_near("variance", 1, s.variance[1], 0.0075, 1e-8);
    assert_near("mean", 1, s.mean[1], 0.1, 1e-8);
    assert_int_equal(s.active, 1);
    assert_near("kl", 0, s.kl[0], (0 + 0.5 + 0.5 * (4 + exp(-1) - 1 + 1)) / 3, 1e-12);
    elbo_latent_scores_free(&s);
    // an autoencoder's code has no unit: what counts is its widest dimension
    const float tiny[] = {0, 0.05f, 0.001f, 0.05f, 0.002f, 0.2f}, wide[] = {0, 0.05f, 100, 0.05f, 200, 0.2f};
    assert_ok(elbo_latent_score(&s, tiny, NULL, 3, 2, &failure));
    assert_int_equal(s.active, 2);
    elbo_latent_scores_free(&s);
    assert_ok(elbo_latent_score(&s, wide, NULL, 3, 2, &failure));
    assert_int_equal(s.active, 1);
    elbo_latent_scores_free(&s);
}

/* Window by window and pixel by pixel, as the paper has it. */
static double plain_ssim(const float *a, const float *b, int H, int W) {
    double w[11][11], total = 0, sum = 0;
    for (int i = 0; i < 11; i++)
        for (int j = 0; j < 11; j++) total += w[i][j] = exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / (2 * 1.5 * 1.5));
    for (int y = 0; y <= H - 11; y++)
        for (int x = 0; x <= W - 11; x++) {
            double ma = 0, mb = 0, va = 0, vb = 0, c = 0;
            for (int i = 0; i < 121; i++) {
                int at = (y + i / 11) * W + x + i % 11;
                ma += w[i / 11][i % 11] / total * a[at];
                mb += w[i / 11][i % 11] / total * b[at];
            }
            for (int i = 0; i < 121; i++) {
                int at = (y + i / 11) * W + x + i % 11;
                double weight = w[i / 11][i % 11] / total;
                va += weight * (a[at] - ma) * (a[at] - ma);
                vb += weight * (b[at] - mb) * (b[at] - mb);
                c += weight * (a[at] - ma) * (b[at] - mb);
            }
            sum += (2 * ma * mb + 1e-4) * (2 * c + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
        }
    return sum / ((H - 10) * (W - 10));
}

static void test_pictures(void **state) {
    (void)state;
    static float a[3 * 20 * 31], b[3 * 20 * 31];
    elbo_random_uniform((elbo_stream){.seed = 1}, a, 3 * 20 * 31);
    elbo_random_uniform((elbo_stream){.seed = 2}, b, 3 * 20 * 31);
    for (int i = 0; i < 3 * 20 * 31; i++) b[i] = 0.7f * a[i] + 0.3f * b[i];
    double planes = 0;
    for (int c = 0; c < 3; c++) planes += plain_ssim(a + c * 620, b + c * 620, 20, 31) / 3;
    assert_near("ssim", 0, elbo_ssim(a, b, (elbo_image_shape){3, 20, 31}), planes, 1e-9);
    assert_near("ssim", 1, elbo_ssim(a, a, (elbo_image_shape){1, 20, 31}), 1, 1e-12);
    assert_near("ssim", 2, elbo_ssim(a, a, (elbo_image_shape){1, 5, 4}), 1, 1e-12); // smaller than a window
    double least = 2;
    for (int i = 0; i < 9; i++) least = fmin(least, elbo_ssim(a, b + i, (elbo_image_shape){1, 1, 1}));
    assert_true(least < 1);

    float mu[TEST * Z], x[D], y[D];
    double psnr = 0, ssim = 0;
    elbo_picture_scores s;
    encode(gaussian, mu, NULL);
    assert_ok(elbo_picture_score(&s, gaussian, &data.test, mu, &work, &failure));
    for (int i = 0; i < TEST; i++) {
        double squares = 0;
        assert_ok(elbo_decode(gaussian, 1, mu + i * Z, y, &failure));
        for (int k = 0; k < D; k++) {
            x[k] = (float)data.test.bytes[i * D + k] / 255;
            y[k] = y[k] < 0 ? 0 : y[k] > 1 ? 1 : y[k];
            squares += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
        }
        psnr += 10 * log10(D / squares) / TEST;
        ssim += plain_ssim(x, y, 28, 28) / TEST;
    }
    assert_near("psnr", 0, s.psnr, psnr, 1e-4);
    assert_near("ssim", 3, s.ssim, ssim, 1e-5);
}

/* Three clouds that overlap, one dimension of another size and one that is constant. */
static void make_clouds(float *x, uint8_t *labels, int n, uint64_t seed) {
    elbo_random_normal((elbo_stream){.seed = seed}, x, (size_t)n * 4);
    for (int i = 0; i < n; i++) {
        labels[i] = (uint8_t)(i % 3);
        x[i * 4] += (float)(i % 3 == 1) * 1.5f;
        x[i * 4 + 1] = (x[i * 4 + 1] + (float)(i % 3 == 2) * 2) * 100;
        x[i * 4 + 3] = 7;
    }
}

static void test_probe(void **state) {
    (void)state;
    enum { N = 1500, M = 900 };
    static float train_codes[N * 4], test_codes[M * 4];
    static uint8_t train_labels[N], test_labels[M];
    make_clouds(train_codes, train_labels, N, 3);
    make_clouds(test_codes, test_labels, M, 4);
    const elbo_labelled_codes codes = {.train = train_codes,
                                       .train_labels = train_labels,
                                       .n = N,
                                       .test = test_codes,
                                       .test_labels = test_labels,
                                       .m = M,
                                       .dims = 4};
    double accuracy, again;
    assert_ok(elbo_probe_accuracy(&accuracy, &codes, 3, &work, &failure));
    assert_near("accuracy", 0, accuracy, 0.722222,
                0.003); // scikit-learn's LogisticRegression on the same, standardised
    assert_ok(elbo_probe_accuracy(&again, &codes, 3, &(elbo_job){.threads = 3}, &failure));
    assert_true(accuracy == again);
}

static void test_nearest(void **state) {
    (void)state;
    enum { M = 5 };
    static float queries[M * D], x[D];
    uint32_t index[300];
    float found[M];
    uint32_t nearest[M];
    elbo_random_uniform((elbo_stream){.seed = 9}, queries, M * D);
    for (uint32_t i = 0; i < 300; i++) index[i] = i + 50;
    elbo_images_to_floats(&data.train, index + 280, 1, 0, 1, queries); // one is there itself
    elbo_image_choice train = {.images = &data.train, .which = index, .n = 300, .low = 0, .high = 1};
    assert_ok(elbo_nearest_image(nearest, found, queries, M, &train, &(elbo_job){0}, &failure));
    assert_int_equal(nearest[0], index[280]);
    double mean[D] = {0};
    for (int i = 0; i < 300; i++) {
        elbo_images_to_floats(&data.train, index + i, 1, 0, 1, x);
        for (int k = 0; k < D; k++) mean[k] += (double)x[k] / 300;
    }
    for (int q = 0; q < M; q++) {
        double most = -INFINITY; // correlation
        for (int i = 0; i < 300; i++) {
            double xy = 0, xx = 0, yy = 0;
            elbo_images_to_floats(&data.train, index + i, 1, 0, 1, x);
            for (int k = 0; k < D; k++) {
                double a = x[k] - mean[k], b = queries[q * D + k] - mean[k];
                xy += a * b, xx += a * a, yy += b * b;
            }
            most = fmax(most, xy / sqrt(xx * yy));
        }
        // 0 is found as the root of a rounding error.
        assert_near("distance", (size_t)q, (double)found[q], sqrt(fmax(0, 2 - 2 * most)), q ? 1e-5 : 2e-3);
    }
    for (int k = 0; k < D; k++) // a pale copy is a copy
        queries[k] = (float)(mean[k] + 0.1 * (queries[k] - mean[k]));
    assert_ok(elbo_nearest_image(nearest, found, queries, 1, &train, &(elbo_job){0}, &failure));
    assert_true(nearest[0] == index[280] && found[0] < 2e-3f);
}

/* The relu's units that are 0 for all training images, from the weights. */
static void test_dead_units(void **state) {
    (void)state;
    const elbo_graph *g = &bernoulli->network.graph;
    const float *w = NULL, *b = NULL;
    for (int i = 0; i < g->params; i++) {
        if (!strcmp(g->param[i].name, "encoder.1.weight")) w = bernoulli->network.params + g->param[i].offset;
        if (!strcmp(g->param[i].name, "encoder.1.bias")) b = bernoulli->network.params + g->param[i].offset;
    }
    assert_true(w && b);
    int dead = 0;
    for (int u = 0; u < 24; u++) {
        bool alive = false;
        for (int i = 0; i < TRAIN && !alive; i++) {
            double sum = b[u];
            for (int k = 0; k < D; k++) sum += w[u * D + k] * (data.train.bytes[i * D + k] / 255.0);
            alive = sum > 0;
        }
        dead += !alive;
    }
    elbo_eval_context e;
    elbo_log log = {0};
    elbo_check v = {0};
    assert_ok(elbo_eval_context_open(&e, bernoulli, &log, &data, ELBO_TEST_SPLIT, &work, &failure));
    assert_ok(elbo_check_dead(&v, &e, &failure));
    assert_string_equal(v.number[0].name, "units");
    assert_true(v.number[0].value == 24);
    assert_true(dead > 0 && dead < 24);
    assert_true(v.number[1].value == dead);
    elbo_eval_context_close(&e);
}

/* Kept scores are not those of other images, of other weights or of a damaged file. */
static void refuse_others(void) {
    elbo_quality back;
    elbo_error err;
    data.test.bytes[5] ^= 1; // other images
    assert_int_equal(elbo_quality_load(&back, bernoulli, &data, &err), ELBO_NOT_FOUND);
    data.test.bytes[5] ^= 1;
    data.train.bytes[0] ^= 1; // other training images, whose codes the classes are told from: a corner of the first
    assert_int_equal(elbo_quality_load(&back, bernoulli, &data, &err), ELBO_NOT_FOUND);
    data.train.bytes[0] ^= 1;
    bernoulli->network.params[7] += 1; // other weights
    assert_int_equal(elbo_quality_load(&back, bernoulli, &data, &err), ELBO_NOT_FOUND);
    bernoulli->network.params[7] -= 1;
    static const char *const damaged[] = {"", "{", "[]", "{\"version\": 1}", "{\"version\": 1, \"scores\": 3}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        scratch_write(&here, "bernoulli/scores.json", damaged[i], strlen(damaged[i]));
        assert_int_equal(elbo_quality_load(&back, bernoulli, &data, &err), ELBO_NOT_FOUND);
    }
}

static void test_kept_scores(void **state) {
    (void)state;
    elbo_eval_context e;
    elbo_log log = {0};
    elbo_quality q, back;
    elbo_error err;
    assert_ok(elbo_eval_context_open(&e, bernoulli, &log, &data, ELBO_TEST_SPLIT, &work, &failure));
    assert_ok(elbo_quality_measure(&q, &e, (elbo_quality_options){.classes = true, .importance = 3}, &failure));
    elbo_eval_context_close(&e);
    double sum = 0;
    for (int d = 0; d < Z; d++) sum += q.latent.kl[d];
    assert_near("kl", 0, sum, q.losses.kl, 1e-4);
    assert_true(q.knn > 0.1 && q.knn <= 1 && q.probe > 0.1 && q.probe <= 1);
    assert_int_equal(elbo_quality_load(&back, bernoulli, &data, &err), ELBO_NOT_FOUND);
    assert_ok(elbo_quality_save(&q, bernoulli, &data, &failure));
    for (int open = 0; open <= 1; open++) {
        assert_ok(elbo_quality_load(&back, bernoulli, open ? &data : NULL, &failure));
        for (const elbo_quality_row *row = elbo_quality_rows; row->key; row++)
            if (!isnan(row->value(&q)) || !isnan(row->value(&back)))
                assert_near(row->key, 0, row->value(&back), row->value(&q), 1e-6 * fabs(row->value(&q)));
        assert_int_equal(back.likelihood.samples, 3);
        assert_near("kl of each", 1, back.latent.kl[1], q.latent.kl[1], 1e-6);
        elbo_quality_free(&back);
    }
    // every row comes back, those too that this small run has not
    q.samples = (elbo_sample_scores){.images = 60,
                                     .k = 3,
                                     .precision = 0.11,
                                     .recall = 0.12,
                                     .density = 0.13,
                                     .coverage = 0.14,
                                     .test_density = 0.15,
                                     .test_coverage = 0.16,
                                     .distance = {1.1, 1.2},
                                     .test_distance = {1.3, 1.4},
                                     .test_precision = 0.17,
                                     .test_recall = 0.18,
                                     .sharpness = 0.19,
                                     .vgg = {2.1, 2.2},
                                     .test_vgg = {2.3, 2.4}};
    q.factors = (elbo_disentanglement){.mig = 0.2, .factor_vae = 0.3, .sap = 0.4};
    q.lpips = 0.5;
    assert_ok(elbo_quality_save(&q, bernoulli, &data, &failure));
    assert_ok(elbo_quality_load(&back, bernoulli, &data, &failure));
    int rows = 0;
    for (const elbo_quality_row *row = elbo_quality_rows; row->key; row++, rows++)
        assert_near(row->key, 0, row->value(&back), row->value(&q), 1e-6 * fabs(row->value(&q)));
    assert_true(rows > 35);
    elbo_quality_free(&back);
    // scores by VGG16 stay where a later evaluation has none
    q.lpips = q.samples.vgg.frechet = q.samples.vgg.kid = NAN;
    assert_ok(elbo_quality_keep(&q, bernoulli, &data, &failure));
    assert_ok(elbo_quality_load(&back, bernoulli, &data, &failure));
    assert_near("LPIPS", 0, back.lpips, 0.5, 1e-9);
    assert_near("FD-VGG16", 0, back.samples.vgg.frechet, 2.1, 1e-9);
    elbo_quality_free(&back);
    refuse_others();
    elbo_quality_free(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_likelihood), cmocka_unit_test(test_codes_scored), cmocka_unit_test(test_latent),
        cmocka_unit_test(test_pictures),   cmocka_unit_test(test_probe),        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_dead_units), cmocka_unit_test(test_kept_scores),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
