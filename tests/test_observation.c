/* Observation models: what is drawn from them has the distribution that the loss says, and a linear VAE that learns sigma
 * reaches what probabilistic PCA has in closed form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "close.h"
#include "engine.h"
#include "explore/metrics/scores.h"
#include "nn/losses/loss.h"
#include "nn/observation.h"
#include "run/model.h"
#include "scratch.h"

static scratch here;
static const elbo_job work = {.threads = 2};

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

/* ---- draws ---- */

/* A model of one pixel between -1 and 1, or 0 and 1 where it ends in a sigmoid. */
typedef struct one_pixel {
    const char *loss;
    bool sigmoid;
    float y;      // what the decoder gives; of cb, its logit
    double scale; // that is to be found; 0: none
    double a, b;  // p(x) ~ exp(-a d^2 - b |d|); 0: of another shape
    const char *name;
} one_pixel;

static const one_pixel models[] = {
    {"mse, kl: 0.5", false, 0.3f, 0.5, 2, 0, "Gaussian"},
    {"[2 mse], kl: 0.5", false, -0.4f, 0.35355339, 4, 0, "Gaussian"},
    {"mse, kl: 0", false, -0.4f, 0.70710678, 1, 0, "Gaussian"},
    {"gaussian, sigma: 0.2", false, 0.1f, 0.2, 12.5, 0, "Gaussian"},
    {"2 gaussian, kl: 0.5", false, 0.1f, 0.25, 8, 0, "Gaussian"}, // learned: as it begins
    {"l1, kl: 3", false, 0.2f, 3, 0, 1.0 / 3, "Laplace"},
    {"[mse, 0.7 l1], kl: 0.25", false, 0.2f, 0.35355339, 4, 2.8, "Gaussian times Laplace"},
    {"[0.1 mse, 3 l1]", false, 0, 2.2360680, 0.1, 3, "Gaussian times Laplace"},
    {"bce", true, 0.3f, 0, 0, 0, "Bernoulli"},
    {"bce, kl: 4", true, 0.97f, 0, 0, 0, "Bernoulli"},
    {"cb", true, -4, 0, 0, 0, "continuous Bernoulli"},
    {"cb", true, 0.01f, 0, 0, 0, "continuous Bernoulli"},
    {"cb", true, 1e-6f, 0, 0, 0, "continuous Bernoulli"},
    {"cb", true, 25, 0, 0, 0, "continuous Bernoulli"},
    {"logistic, sigma: 0.05", false, 0.9f, 0.05, 0, 0, "discretised logistic"},
    {"logistic, sigma: 0.003", false, 0.101f, 0.003, 0, 0, "discretised logistic"},
};

/* p(x), or its integral over a cell about x of this width, not normalised where a or b is given. */
static double plain_density(const one_pixel *m, double x, double width) {
    double d = fabs(x - (double)m->y), l = m->y;
    if (m->a > 0 || m->b > 0) return exp(-m->a * d * d - m->b * d) * width;
    if (!strcmp(m->name, "Bernoulli")) return fabs(x - 1) < 1e-9 ? l : fabs(x) < 1e-9 ? 1 - l : 0;
    if (!strcmp(m->name, "continuous Bernoulli")) {
        double lambda = 1 / (1 + exp(-l)), c = fabs(l) < 1e-4 ? 2 : 2 * atanh(1 - 2 * lambda) / (1 - 2 * lambda);
        return x < 0 || x > 1 ? 0 : c * pow(lambda, x) * pow(1 / (1 + exp(l)), 1 - x) * width;
    }
    double byte = (x + 1) * 127.5, h = 1.0 / 255; // logistic
    if (fabs(byte - round(byte)) > 1e-3 || byte < -0.5 || byte > 255.5) return 0;
    double above = byte > 254.5 ? 1 : 1 / (1 + exp(-(x - l + h) / m->scale)),
           below = byte < 0.5 ? 0 : 1 / (1 + exp(-(x - l - h) / m->scale));
    return above - below;
}

enum { DRAWS = 40000, CELLS = 51000 };

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The largest difference between the draws' distribution and the density's, found on a grid that has every byte's value;
 * and the density's integral and mean. */
static double distance(const one_pixel *m, const float *draws, double *all, double *mean) {
    double low = -5, step = 0.0002, so_far = 0, most = 0; // 0.0002 cells: 255 values lie 2 / 255 apart
    bool discrete = m->scale > 0 ? m->a == 0 && m->b == 0 : !strcmp(m->name, "Bernoulli");
    int n = CELLS;
    if (m->b > 0 && m->a == 0) low = -51, step = 0.002; // a wide Laplace
    if (!strcmp(m->name, "discretised logistic")) low = -1, step = 2.0 / 255, n = 256;
    if (!strcmp(m->name, "Bernoulli")) low = 0, step = 1, n = 2;
    *all = *mean = 0;
    for (int i = 0; i < n; i++) {
        double x = low + (i + (discrete ? 0 : 0.5)) * step, p = plain_density(m, x, step);
        *all += p;
        *mean += p * x;
    }
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        double x = low + (i + (discrete ? 0 : 0.5)) * step;
        so_far += plain_density(m, x, step) / *all;
        while (at < DRAWS && draws[at] <= x + 0.5 * step) at++;
        most = fmax(most, fabs(so_far - (double)at / DRAWS));
    }
    *mean /= *all;
    return most;
}

static void check_draws(const one_pixel *m) {
    char text[400];
    snprintf(text, sizeof text,
             "kind: vae\ndata: digits\nlatent: 1\nimage: {range: %s}\nencoder: [flatten]\ndecoder: [linear 1%s]\n"
             "loss: {reconstruction: %s}\n",
             m->sigmoid ? "[0, 1]" : "[-1, 1]", m->sigmoid ? ", sigmoid" : "", m->loss);
    elbo_recipe r;
    elbo_network n;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, "one.yaml", text, strlen(text)), NULL, 0, &failure));
    assert_ok(elbo_network_make(&n, &r, (elbo_image_shape){1, 1, 1}, &failure));
    elbo_observation_model o = elbo_observation_model_of(&r, &n.graph, n.params);
    assert_non_null(o.is);
    assert_string_equal(o.is->name, m->name);
    if (m->scale > 0)
        assert_near(m->loss, 0, o.scale, m->scale, 1e-6 * m->scale);
    else
        assert_true(isnan(o.scale));
    static float draws[DRAWS], noise[DRAWS];
    elbo_stream s = {.seed = 3, .purpose = ELBO_FOR_PIXELS};
    (o.is->normal_noise ? elbo_random_normal : elbo_random_uniform)(s, noise, DRAWS);
    for (int i = 0; i < DRAWS; i++) draws[i] = m->y;
    o.is->sample(draws, noise, DRAWS, &o);
    qsort(draws, DRAWS, sizeof *draws, by_value);
    double all, mean, off = distance(m, draws, &all, &mean);
    if (off > 2 / sqrt(DRAWS)) fail_msg("%s: its draws are %.4f off", m->loss, off); // exceeded once in 1,500
    float y = m->y;
    if (o.is->mean) o.is->mean(&y, 1);
    bool at_y = strcmp(m->name, "discretised logistic") != 0; // which ends at 255
    if (at_y) assert_near(m->loss, 1, (double)y, mean, 2e-4);
    if (o.implied) // the loss is -log p but for this
        assert_near(m->loss, 2, o.constant, log(all), 1e-4);
    else
        assert_true(o.constant == 0);
    if (!o.implied && m->a == 0) assert_near(m->loss, 3, all, 1, 1e-5);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

static void draws_have_the_density_of_the_loss(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) check_draws(&models[i]);
}

static void a_sum_with_features_is_no_density(void **state) {
    (void)state;
    elbo_recipe r;
    elbo_network n;
    const char *const sets[] = {"loss.vgg16=weights"};
    assert_ok(elbo_recipe_open(&r, "dogs-sharp-vae", sets, 1, &failure));
    assert_ok(elbo_network_make(&n, &r, (elbo_image_shape){3, 64, 64}, &failure));
    elbo_observation_model o = elbo_observation_model_of(&r, &n.graph, n.params);
    assert_true(!o.is && o.factor == 1 && isnan(o.constant) && isnan(elbo_bits_per_dim(&o, 10)));
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

static elbo_model *train(const char *name, const char *text, const elbo_dataset *data) {
    char file[40];
    snprintf(file, sizeof file, "%s.yaml", name);
    elbo_recipe r;
    elbo_train_result result;
    elbo_model *m;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, file, text, strlen(text)), NULL, 0, &failure));
    char *run = strdup(scratch_path(&here, name));
    assert_ok(elbo_train(&result, &r, data, (elbo_train_options){.run = run, .threads = 2}, &failure));
    elbo_recipe_close(&r);
    assert_ok(elbo_model_open(&m, run, 2, &failure));
    free(run);
    return m;
}

/* Decoding gives the mean, which for cb is not the decoder's sigmoid; and drawn image i depends on the seed and i. */
static void models_decode_means_and_draw_images(void **state) {
    (void)state;
    static char name[] = "digits", source[] = "built in";
    elbo_dataset data = {.name = name, .source = source, .classes = 10};
    assert_ok(elbo_digits_make(&data.train, false, 200, 1, &failure));
    assert_ok(elbo_digits_make(&data.test, true, 20, 1, &failure));
    elbo_model *m = train("cb",
                          "kind: vae\ndata: digits\nlatent: 2\nencoder: [flatten, linear 16, relu]\n"
                          "decoder: [linear 784, sigmoid]\nloss: {reconstruction: cb}\n"
                          "train: {epochs: 3, batch: 20, lr: 0.01}\n",
                          &data);
    enum { D = 784 };
    static float z[6] = {0.3f, -1, 2, 0.1f, -0.4f, 1.5f}, mean[3 * D], probability[3 * D], drawn[3 * D], again[2 * D];
    assert_ok(elbo_decode(m, 3, z, mean, &failure));
    elbo_plan_read(&m->decoder, m->decoder.output, 0, 3, probability);
    double farthest = 0;
    for (int i = 0; i < 3 * D; i++) {
        double p = probability[i], l = log(p / (1 - p));
        if (p > 0.999 || fabs(l) < 0.01) continue; // in floats 1 - p has lost its digits
        assert_near("mean", (size_t)i, mean[i], p / (2 * p - 1) + 1 / (2 * atanh(1 - 2 * p)), 1e-4);
        farthest = fmax(farthest, fabs(p - mean[i]));
    }
    assert_true(farthest > 0.1);
    assert_ok(elbo_model_draw_images(m, 3, z, 7, drawn, &failure));
    assert_ok(elbo_model_draw_images(m, 2, z, 7, again, &failure));
    assert_memory_equal(drawn, again, sizeof again);
    assert_ok(elbo_model_draw_images(m, 2, z, 8, again, &failure));
    assert_true(memcmp(drawn, again, sizeof again) != 0);
    double sum = 0, want = 0;
    for (int i = 0; i < 3 * D; i++) {
        assert_true(drawn[i] >= 0 && drawn[i] <= 1);
        sum += drawn[i] / (3 * D), want += mean[i] / (3 * D);
    }
    assert_near("mean of draws", 0, sum, want, 4 * 0.3 / sqrt(3 * D));
    elbo_model_close(m);
    elbo_images_free(&data.train);
    elbo_images_free(&data.test);
}

/* ---- a linear VAE is probabilistic PCA: Tipping and Bishop 1999; Lucas et al., "Don't blame the ELBO!", 2019 ---- */

enum { N = 1024, D = 6, Z = 2 };

/* Eigenvalues of a symmetric matrix, largest first: Jacobi's rotations.  a: (D, D), overwritten */
static void eigenvalues(double a[D][D], double value[D]) {
    for (int sweep = 0; sweep < 50; sweep++)
        for (int p = 0; p < D; p++)
            for (int q = p + 1; q < D; q++) {
                double t = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(t), s = sin(t);
                for (int k = 0; k < D; k++) {
                    double x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y, a[k][q] = s * x + c * y;
                }
                for (int k = 0; k < D; k++) {
                    double x = a[p][k], y = a[q][k];
                    a[p][k] = c * x - s * y, a[q][k] = s * x + c * y;
                }
            }
    for (int i = 0; i < D; i++) {
        value[i] = a[i][i];
        for (int k = i; k > 0 && value[k] > value[k - 1]; k--) {
            double keep = value[k];
            value[k] = value[k - 1], value[k - 1] = keep;
        }
    }
}

/* log N(x; b, W W^T + sigma^2), by Cholesky.  w: (D, Z) */
static double log_normal(const float *x, const float *w, const float *b, double sigma) {
    double c[D][D], y[D], sum = -0.5 * D * log(2 * M_PI);
    for (int i = 0; i < D; i++)
        for (int j = 0; j <= i; j++) {
            double s = i == j ? sigma * sigma : 0;
            for (int k = 0; k < Z; k++) s += (double)w[i * Z + k] * w[j * Z + k];
            for (int k = 0; k < j; k++) s -= c[i][k] * c[j][k];
            c[i][j] = i == j ? sqrt(s) : s / c[j][j];
        }
    for (int i = 0; i < D; i++) {
        y[i] = (double)x[i] - b[i];
        for (int k = 0; k < i; k++) y[i] -= c[i][k] * y[k];
        y[i] /= c[i][i];
        sum -= log(c[i][i]) + 0.5 * y[i] * y[i];
    }
    return sum;
}

static void make_linear_data(float *x) {
    static const float axis[Z][D] = {{1, -0.5f, 0.3f, 0.8f, 0, 0.2f}, {0.1f, 0.4f, -0.6f, 0, 0.5f, 0.2f}};
    float e[Z + D];
    for (uint32_t i = 0; i < N; i++) {
        elbo_random_normal((elbo_stream){.seed = 11, .sample = i}, e, Z + D);
        for (int d = 0; d < D; d++)
            x[i * D + (uint32_t)d] = 0.1f * (float)d + axis[0][d] * e[0] + axis[1][d] * e[1] + 0.3f * e[Z + d];
    }
}

/* sigma^2 of maximum likelihood, and the mean log p of the data with it. */
static double closed_form(const float *x, double *variance) {
    double mean[D] = {0}, s[D][D] = {0}, value[D], log_det = 0;
    for (int i = 0; i < N; i++)
        for (int d = 0; d < D; d++) mean[d] += (double)x[i * D + d] / N;
    for (int i = 0; i < N; i++)
        for (int d = 0; d < D; d++)
            for (int k = 0; k < D; k++) s[d][k] += (x[i * D + d] - mean[d]) * (x[i * D + k] - mean[k]) / N;
    eigenvalues(s, value);
    *variance = 0;
    for (int d = Z; d < D; d++) *variance += value[d] / (D - Z);
    for (int d = 0; d < D; d++) log_det += log(d < Z ? value[d] : *variance);
    return -0.5 * (D * log(2 * M_PI) + log_det + D);
}

static const float *param_of(const elbo_model *m, const char *name) {
    const elbo_graph *g = &m->network.graph;
    for (int i = 0; i < g->params; i++)
        if (!strcmp(g->param[i].name, name)) return m->network.params + g->param[i].offset;
    fail_msg("no parameter `%s`", name);
    return NULL;
}

static void a_linear_vae_reaches_probabilistic_pca(void **state) {
    (void)state;
    static float x[N * D], mu[N * Z], logvar[N * Z];
    static double each[N];
    static char name[] = "linear", source[] = "made here";
    make_linear_data(x);
    elbo_images images = {.shape = {1, 2, 3}, .count = N, .floats = x};
    elbo_dataset data = {.name = name, .source = source, .train = images, .test = images};
    elbo_model *m = train("linear",
                          "kind: vae\ndata: linear\nlatent: 2\nencoder: [flatten]\ndecoder: [linear 6]\n"
                          "loss: {reconstruction: gaussian}\n"
                          "train: {epochs: 600, batch: 64, lr: 0.01, schedule: cosine}\n",
                          &data);
    double variance, best = closed_form(x, &variance), sigma = m->observation.scale, exact = 0;
    assert_true(m->observation.learned);
    assert_near("sigma", 0, exp(*param_of(m, "loss.log_sigma")), sigma, 0.01 * sigma); // far above the floor
    assert_near("sigma^2", 0, sigma * sigma, variance, 0.01 * variance);
    const float *w = param_of(m, "decoder.0.weight"), *b = param_of(m, "decoder.0.bias");
    for (int i = 0; i < N; i++) exact += log_normal(x + i * D, w, b, sigma) / N;
    assert_true(exact <= best); // maximum likelihood
    assert_near("log p", 0, exact, best, 5e-3);
    assert_ok(elbo_model_encode_images(m, &images, NULL, N, mu, logvar, &failure));
    elbo_likelihood l;
    assert_ok(
        elbo_likelihood_estimate(&l, m, &images, mu, logvar, &(elbo_likelihood_options){64, 5, each}, &work, &failure));
    for (int i = 0; i < N; i++)
        assert_near("importance sampling", (size_t)i, each[i], log_normal(x + i * D, w, b, sigma), 0.15);
    assert_near("importance sampling", N, l.log_p, exact, 5e-3);
    assert_near("bits/dim", 0, elbo_bits_per_dim(&m->observation, -l.log_p), -l.log_p / D / log(2) + 8, 1e-9);
    elbo_scores scores; // the ELBO of the trained model is tight: its posterior is the true one
    assert_ok(elbo_evaluate(&scores, &m->network, &m->recipe, &images, (elbo_eval_options){.threads = 2}, &failure));
    assert_near("ELBO", 0, -scores.loss, exact, 0.05);
    elbo_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_have_the_density_of_the_loss),
        cmocka_unit_test(a_sum_with_features_is_no_density),
        cmocka_unit_test(models_decode_means_and_draw_images),
        cmocka_unit_test(a_linear_vae_reaches_probabilistic_pca),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
