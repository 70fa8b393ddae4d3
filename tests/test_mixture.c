/* Mixtures of Gaussians, and codes laid out in rows and planes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "explore/density.h"
#include "stats/plane.h"
#include "scratch.h"

enum { N = 5000 };

/* Two blobs in the plane: a third round (-4, 0) with standard deviations 1 and 0.5, the others round (3, 2),
 * correlated. */
static float *two_blobs(void) {
    float *x = malloc(N * 2 * sizeof *x), *noise = malloc(N * 2 * sizeof *noise);
    assert_true(x && noise);
    elbo_random_normal((elbo_stream){.seed = 5, .purpose = ELBO_FOR_MIXTURE}, noise, N * 2);
    for (int i = 0; i < N; i++) {
        float a = noise[2 * i], b = noise[2 * i + 1];
        x[2 * i] = i % 3 == 0 ? -4 + a : 3 + a;
        x[2 * i + 1] = i % 3 == 0 ? 0.5f * b : 2 + 0.8f * a + 0.6f * b;
    }
    free(noise);
    return x;
}

static void test_two_blobs(void **state) {
    (void)state;
    float *x = two_blobs();
    elbo_mixture m;
    elbo_error err;
    assert_int_equal(elbo_mixture_fit(&m, x, N, 2, 2, 0, NULL, &err), ELBO_OK);
    assert_true(fabs(m.weight[0] + m.weight[1] - 1) < 1e-12);
    int left = m.mean[0] < m.mean[2] ? 0 : 1, right = 1 - left;
    assert_true(fabs(m.weight[left] - 1 / 3.0) < 0.01 && fabs(m.weight[right] - 2 / 3.0) < 0.01);
    assert_true(fabs(m.mean[2 * left] + 4) < 0.06 && fabs(m.mean[2 * left + 1]) < 0.04);
    assert_true(fabs(m.mean[2 * right] - 3) < 0.06 && fabs(m.mean[2 * right + 1] - 2) < 0.06);
    const double *f = m.factor + 4 * right; // of the covariance (1, 0.8; 0.8, 1): (1, 0; 0.8, 0.6)
    assert_true(fabs(f[0] - 1) < 0.03 && f[1] == 0 && fabs(f[2] - 0.8) < 0.04 && fabs(f[3] - 0.6) < 0.03);

    double sum = 0, score; // its likelihood by a plain loop
    for (int i = 0; i < N; i++) {
        double density = 0;
        for (int k = 0; k < 2; k++) {
            const double *l = m.factor + 4 * k;
            double u = (x[2 * i] - m.mean[2 * k]) / l[0], v = (x[2 * i + 1] - m.mean[2 * k + 1] - l[2] * u) / l[3];
            density += m.weight[k] * exp(-0.5 * (u * u + v * v)) / (2 * M_PI * l[0] * l[3]);
        }
        sum += log(density) / N;
    }
    assert_true(fabs(sum - m.log_likelihood) < 1e-9);
    assert_int_equal(elbo_mixture_score(&m, x, N, 1, &score, &err), ELBO_OK);
    assert_true(score == m.log_likelihood);
    elbo_mixture_free(&m);
    free(x);
}

/* What EM promises; and the same bits for any number of threads. */
static void test_steps(void **state) {
    (void)state;
    float *x = two_blobs();
    elbo_mixture m, other;
    elbo_error err;
    elbo_job one = {.threads = 1}, three = {.threads = 3};
    assert_int_equal(elbo_mixture_fit(&m, x, N, 2, 5, 0, &one, &err), ELBO_OK);
    assert_true(m.steps > 2);
    for (int i = 1; i < m.steps; i++)
        if (!(m.history[i] >= m.history[i - 1] - 1e-9))
            fail_msg("step %d: from %g to %g", i, m.history[i - 1], m.history[i]);
    assert_true(m.log_likelihood >= m.history[m.steps - 1]);
    assert_int_equal(elbo_mixture_fit(&other, x, N, 2, 5, 0, &three, &err), ELBO_OK);
    assert_memory_equal(m.weight, other.weight, 5 * sizeof(double));
    assert_memory_equal(m.mean, other.mean, 10 * sizeof(double));
    assert_memory_equal(m.factor, other.factor, 20 * sizeof(double));
    elbo_mixture_free(&m);
    elbo_mixture_free(&other);
    free(x);
}

static void test_drawing(void **state) {
    (void)state;
    float *x = two_blobs(), *z = malloc(N * 2 * sizeof *z), few[20], still[20];
    elbo_mixture m;
    elbo_error err;
    assert_int_equal(elbo_mixture_fit(&m, x, N, 2, 1, 0, NULL, &err), ELBO_OK); // one Gaussian: moments in, moments out
    assert_int_equal(elbo_mixture_draw(&m, 1, N, 1, z, &err), ELBO_OK);
    for (int d = 0; d < 2; d++) {
        double a = 0, b = 0, aa = 0, bb = 0;
        for (int i = 0; i < N; i++) {
            a += x[2 * i + d] / (double)N;
            b += z[2 * i + d] / (double)N;
            aa += x[2 * i + d] * (double)x[2 * i + d] / N;
            bb += z[2 * i + d] * (double)z[2 * i + d] / N;
        }
        assert_true(fabs(m.mean[d] - a) < 1e-5);
        assert_true(fabs(a - b) < 0.2 && fabs((bb - b * b) / (aa - a * a) - 1) < 0.1);
    }
    assert_int_equal(elbo_mixture_draw(&m, 1, 10, 1, few, &err), ELBO_OK);
    assert_memory_equal(few, z, sizeof few); // image i depends on the seed and on i alone
    assert_int_equal(elbo_mixture_draw(&m, 1, 10, 0, still, &err), ELBO_OK);
    for (int i = 0; i < 20; i++) assert_true(still[i] == (float)m.mean[i % 2]);
    elbo_mixture_free(&m);
    free(x);
    free(z);
}

static void test_hard_points(void **state) {
    (void)state;
    elbo_mixture m;
    elbo_error err;
    float same[40], line[40];
    for (int i = 0; i < 40; i++) same[i] = 3, line[i] = i % 2 ? 0.0f : (float)i; // a constant column
    assert_int_equal(elbo_mixture_fit(&m, same, 20, 2, 3, 0, NULL, &err), ELBO_OK);
    assert_true(isfinite(m.log_likelihood));
    elbo_mixture_free(&m);
    assert_int_equal(elbo_mixture_fit(&m, line, 20, 2, 4, 0, NULL, &err), ELBO_OK);
    assert_true(isfinite(m.log_likelihood));
    elbo_mixture_free(&m);
    assert_int_equal(elbo_mixture_fit(&m, line, 2, 2, 2, 0, NULL, &err), ELBO_OK);
    elbo_mixture_free(&m);
    assert_int_equal(elbo_mixture_fit(&m, line, 1, 2, 1, 0, NULL, &err), ELBO_BAD_INPUT);
    assert_int_equal(elbo_mixture_fit(&m, line, 5, 2, 6, 0, NULL, &err), ELBO_BAD_INPUT);
    assert_message(err, "6 components", "5 points");
    line[7] = NAN;
    assert_int_equal(elbo_mixture_fit(&m, line, 20, 2, 4, 0, NULL, &err), ELBO_BAD_INPUT);
    assert_message(err, "finite");
}

static void test_file(void **state) {
    (void)state;
    scratch here;
    scratch_make(&here);
    float *x = two_blobs();
    elbo_density d, back;
    elbo_error err;
    elbo_density_origin ours = {"abc", ""}, later = {"abd", ""};
    assert_int_equal(elbo_density_fit(&d, x, N, 2, 3, 0, NULL, &err), ELBO_OK);
    char path[400];
    snprintf(path, sizeof path, "%s", scratch_path(&here, "gmm.safetensors"));
    assert_false(elbo_density_load(&back, ours, 3, 2, path));
    assert_int_equal(elbo_density_save(&d, ours, path, &err), ELBO_OK);
    assert_true(elbo_density_load(&back, ours, 3, 2, path));
    assert_true(back.mixture.log_likelihood == d.mixture.log_likelihood && back.held == 1 && !back.axis);
    assert_memory_equal(d.mixture.factor, back.mixture.factor, 12 * sizeof(double));
    elbo_density_free(&back);
    assert_false(elbo_density_load(&back, later, 3, 2, path)); // the model was trained again
    assert_false(elbo_density_load(&back, ours, 4, 2, path));
    assert_false(elbo_density_load(&back, ours, 3, 3, path));
    scratch_write(&here, "gmm.safetensors", "rubbish", 7);
    assert_false(elbo_density_load(&back, ours, 3, 2, path));
    elbo_density_free(&d);
    free(x);
    scratch_remove(&here);
}

/* Codes of 300 dimensions that vary in three of them alone: those are found, and what is drawn varies in no other. */
static void test_wide(void **state) {
    (void)state;
    enum { POINTS = 500, WIDTH = 300 };
    scratch here;
    scratch_make(&here);
    float *x = calloc(POINTS * WIDTH, sizeof *x), noise[POINTS * 3], z[20 * WIDTH], again[20 * WIDTH];
    assert_non_null(x);
    elbo_random_normal((elbo_stream){.seed = 6, .purpose = ELBO_FOR_MIXTURE}, noise, POINTS * 3);
    for (int i = 0; i < POINTS; i++)
        for (int k = 0; k < 3; k++) x[i * WIDTH + 100 * k + 7] = noise[3 * i + k] + 2 * (float)k;
    elbo_density d, back;
    elbo_error err;
    assert_int_equal(elbo_density_fit(&d, x, POINTS, WIDTH, 1, 0, NULL, &err), ELBO_OK);
    assert_true(d.axis && d.mixture.dims == ELBO_DENSITY_AXES && d.held > 0.999);
    assert_int_equal(elbo_density_draw(&d, 0, 20, 1, z, &err), ELBO_OK);
    double middle = 0;
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < WIDTH; k++) {
            if (k % 100 != 7) assert_true(fabsf(z[i * WIDTH + k]) < 0.01f);
            if (k == 207) middle += z[i * WIDTH + k] / 20;
        }
    assert_true(fabs(middle - 4) < 0.8);
    elbo_density_origin origin = {"abc", "data"};
    char path[400];
    snprintf(path, sizeof path, "%s", scratch_path(&here, "gmm.safetensors"));
    assert_int_equal(elbo_density_save(&d, origin, path, &err), ELBO_OK);
    assert_true(elbo_density_load(&back, origin, 1, WIDTH, path));
    assert_int_equal(elbo_density_draw(&back, 0, 20, 1, again, &err), ELBO_OK);
    assert_memory_equal(z, again, sizeof z);
    elbo_density_free(&d);
    elbo_density_free(&back);
    free(x);
    scratch_remove(&here);
}

/* ---- rows and planes ---- */

static void test_sweep(void **state) {
    (void)state;
    static const double known[][2] = {
        {0.5, 0}, {0.975, 1.959963984540054}, {0.025, -1.959963984540054}, {0.001, -3.090232306167813}};
    for (size_t i = 0; i < 4; i++) assert_true(fabs(elbo_normal_quantile(known[i][0]) - known[i][1]) < 1e-12);
    const double score[6] = {0.1, 2, 0.1, 3, 0, 2};
    int order[6];
    const int want[6] = {3, 1, 5, 0, 2, 4};
    elbo_order_by(score, 6, order);
    assert_memory_equal(order, want, sizeof want);
    const float centre[3] = {1, 2, 3}, value[4] = {-1, 1, -5, 5};
    const int dim[2] = {2, 0};
    float z[12];
    const float rows[12] = {1, 2, -1, 1, 2, 1, -5, 2, 3, 5, 2, 3};
    elbo_vary_one(centre, 3, dim, 2, value, 2, z);
    assert_memory_equal(z, rows, sizeof rows);
}

static void test_plane(void **state) {
    (void)state;
    enum { POINTS = 400 };
    float codes[POINTS * 3];
    for (int i = 0; i < POINTS; i++) { // along (0, 1, 0) widest, then along (0, 0, 1)
        codes[3 * i] = 7;
        codes[3 * i + 1] = (float)(i % 20);
        codes[3 * i + 2] = 0.1f * (float)(i / 20);
    }
    elbo_plane p;
    elbo_error err;
    elbo_plane_options prior = {.dims = {2, 0}, .steps = 3, .prior = true, .threads = 1};
    assert_int_equal(elbo_plane_make(&p, codes, POINTS, 3, prior, &err), ELBO_OK);
    double q = elbo_normal_quantile(5 / 6.0); // rows: up along dimension 0; the upper left cell first
    assert_true(fabsf(p.z[0] - (float)q) < 1e-6f && p.z[1] == 0 && fabsf(p.z[2] + (float)q) < 1e-6f);
    assert_true(fabs(p.at[0][1]) < 1e-12 && p.at[1][0] == p.at[0][0]);
    elbo_plane_free(&p);
    elbo_plane_options axes = {.dims = {-1, -1}, .steps = 5, .prior = false, .threads = 1};
    assert_int_equal(elbo_plane_make(&p, codes, POINTS, 3, axes, &err), ELBO_OK);
    assert_true(p.explained[0] > 0.98 && fabs(p.explained[0] + p.explained[1] - 1) < 1e-9);
    // the middle is the mean; steps across are quantiles (0.1, 0.3, ...) of the codes
    const float *middle = p.z + (2 * 5 + 2) * 3, *first = p.z + (2 * 5) * 3;
    assert_true(fabsf(middle[0] - 7) < 1e-5f && fabsf(middle[1] - 9.5f) < 0.51f && fabsf(middle[2] - 0.95f) < 0.06f);
    assert_true(fabsf(first[1] - 1.9f) < 0.2f && fabsf(first[0] - 7) < 1e-5f);
    assert_true(p.at[0][0] < p.at[0][4]);
    elbo_plane_free(&p);
    assert_int_equal(elbo_plane_make(&p, codes, 1, 3, axes, &err), ELBO_BAD_INPUT);
    elbo_plane_options line = {.dims = {-1, -1}, .steps = 4, .prior = true, .threads = 1};
    assert_int_equal(elbo_plane_make(&p, codes, POINTS, 1, line, &err), ELBO_OK); // a code of one dimension
    assert_int_equal(p.rows, 1);
    elbo_plane_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_blobs),   cmocka_unit_test(test_steps), cmocka_unit_test(test_drawing),
        cmocka_unit_test(test_hard_points), cmocka_unit_test(test_file),  cmocka_unit_test(test_wide),
        cmocka_unit_test(test_sweep),       cmocka_unit_test(test_plane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
