/* Scores of codes and samples against what numpy and PyTorch compute (tools/golden_scores.py), and on codes whose scores
 * are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "close.h"
#include "engine.h"
#include "explore/metrics/scores.h"
#include "formats/safetensors.h"
#include "scratch.h"

static const elbo_job work = {.threads = 2};

/* Floats in [0, 1) with 24 bits, as numbers() of tools/golden_scores.py makes them.  out: (n) */
static void numbers(uint32_t seed, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)(i + (uint64_t)seed * 1000003);
        x = (x ^ x >> 16) * 0x7FEB352Du;
        x = (x ^ x >> 15) * 0x846CA68Bu;
        x ^= x >> 16;
        out[i] = (float)(x >> 8) / 0x1p24f;
    }
}

/* ---- disentanglement ---- */

enum { N = 3000, F = 3, Z = 5 };
static const elbo_factor factor[F] = {{"shape", 3, false}, {"scale", 6, true}, {"x", 8, true}};

static void make_factors(uint8_t *f) { // (N, F)
    static float u[N * F];
    numbers(1, u, N * F);
    for (int i = 0; i < N * F; i++) f[i] = (uint8_t)(u[i] * (float)factor[i % F].values);
}

static elbo_disentanglement score(const float *z, int dims, const uint8_t *f) {
    elbo_disentanglement d;
    const elbo_factor_codes c = {
        .codes = z, .factors = f, .factor = factor, .n = N, .dims = dims, .count = F, .least = 0.01};
    assert_ok(elbo_disentanglement_of(&d, &c, &work, &failure));
    return d;
}

static void codes_that_know_some(void **state) {
    (void)state;
    static const float place[3] = {1, 2, 0};
    static float noise[N * Z], z[N * Z];
    static uint8_t f[N * F];
    make_factors(f);
    numbers(2, noise, N * Z);
    for (int i = 0; i < N; i++) {
        const float *u = noise + i * Z;
        z[i * Z] = 0.125f * f[i * F + 2] + 0.25f * u[0];
        z[i * Z + 1] = place[f[i * F]] + 8 * u[1];
        z[i * Z + 2] = 0.0625f * f[i * F + 1] + 0.0625f * f[i * F + 2] + 0.5f * u[2];
        z[i * Z + 3] = 0.0078125f * u[3] + 0.00390625f * f[i * F + 1]; // not active
        z[i * Z + 4] = u[4];
    }
    elbo_disentanglement d = score(z, Z, f);
    assert_near("MIG", 0, d.mig, 0.409162933, 1e-6);
    assert_near("SAP", 0, d.sap, 0.269289170, 1e-6);
    assert_near("FactorVAE", 0, d.factor_vae, 0.7866, 0.03); // other random numbers
}

static void codes_whose_scores_are_known(void **state) {
    (void)state;
    static float z[N * Z];
    static uint8_t f[N * F];
    make_factors(f);
    // the factors themselves, and two dimensions that are not used
    for (int i = 0; i < N * Z; i++) z[i] = i % Z < F ? (float)f[i / Z * F + i % Z] * 3 - 1 : 0.5f;
    elbo_disentanglement d = score(z, Z, f);
    assert_near("MIG", 0, d.mig, 1, 0.01); // factors of 3,000 random images know a little of each other
    assert_near("SAP", 0, d.sap, 1 - (0.35 + 2 * 0.001) / 3, 0.02); // of three classes a constant tells a third
    assert_near("FactorVAE", 0, d.factor_vae, 1, 0);
    // each twice: nothing can be told apart
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++) z[i * 4 + k] = (float)f[i * F + 1 + k % 2];
    d = score(z, 4, f);
    assert_true(d.mig < 0.01 && d.sap < 0.05);
    // nothing of them
    numbers(7, z, N * Z);
    d = score(z, Z, f);
    assert_true(d.mig < 0.01 && d.sap < 0.05 && d.factor_vae < 0.45 && d.factor_vae > 0.28);
    // no dimension at all
    for (int i = 0; i < N * Z; i++) z[i] = 1;
    d = score(z, Z, f);
    assert_true(d.mig == 0 && d.sap == 0 && d.factor_vae == 0);
}

/* ---- clouds ---- */

enum { REAL = 300, MADE = 250, DIMS = 6 };

static void make_clouds(float *real, float *made) {
    static const float scale[DIMS] = {1, 1, 0.5f, 1, 1, 1}, shift[DIMS] = {0.25f, 0, 0.125f, 0, 0, 0.0625f};
    numbers(3, real, REAL * DIMS);
    numbers(4, made, MADE * DIMS);
    for (int i = 0; i < MADE * DIMS; i++) made[i] = made[i] * scale[i % DIMS] + shift[i % DIMS];
}

static void clouds(void **state) {
    (void)state;
    static float real[REAL * DIMS], made[MADE * DIMS];
    make_clouds(real, made);
    elbo_density_coverage balls;
    elbo_cloud_distances d, again;
    const elbo_clouds c = {real, REAL, made, MADE, DIMS}, same = {real, REAL, real, REAL, DIMS};
    assert_ok(elbo_density_coverage_of(&balls, &c, 5, &work, &failure));
    assert_near("density", 0, balls.density, 0.9112, 1e-9);
    assert_near("coverage", 0, balls.coverage, 0.77, 1e-9);
    assert_ok(elbo_cloud_distances_of(&d, &c, &work, &failure));
    assert_near("Frechet", 0, d.frechet, 0.101099608, 1e-8);
    assert_near("KID", 0, d.kid, 0.060092178, 1e-8);
    assert_ok(elbo_cloud_distances_of(&again, &c, &(elbo_job){.threads = 3}, &failure));
    assert_true(again.frechet == d.frechet && again.kid == d.kid);
    assert_ok(elbo_cloud_distances_of(&d, &same, &work, &failure));
    assert_near("Frechet of equal clouds", 0, d.frechet, 0, 1e-9);
    assert_true(d.kid < 0); // the diagonal is left out of the clouds' own sums, not of that between
    elbo_error err;
    assert_int_equal(elbo_density_coverage_of(&balls, &c, REAL, &work, &err), ELBO_BAD_INPUT);
}

/* ---- pictures ---- */

/* a, b: (n), as pictures() of the script */
static void make_pictures(float *a, float *b, size_t n) {
    numbers(5, a, n);
    numbers(6, b, n);
    for (size_t i = 0; i < n; i++) b[i] = 0.75f * a[i] + 0.25f * b[i];
}

static void ms_ssim(void **state) {
    (void)state;
    static float a[2 * 45 * 52], b[2 * 45 * 52], halves[2 * 22 * 26];
    const elbo_image_shape shape = {2, 45, 52};
    make_pictures(a, b, 2 * 45 * 52);
    assert_int_equal(elbo_ms_ssim_scales(shape), 3);
    assert_int_equal(elbo_ms_ssim_scratch(shape), 2 * 22 * 26);
    assert_near("MS-SSIM", 0, elbo_ms_ssim(a, b, shape, halves), 0.925507264, 1e-7);
    assert_near("MS-SSIM", 1, elbo_ms_ssim(a, a, shape, halves), 1, 1e-9);
    assert_int_equal(elbo_ms_ssim_scales((elbo_image_shape){1, 28, 28}), 2);
    assert_int_equal(elbo_ms_ssim_scales((elbo_image_shape){1, 176, 300}), 5);
    assert_int_equal(elbo_ms_ssim_scales((elbo_image_shape){3, 10, 300}), 0);
}

/* ---- VGG16 with seeded weights ---- */

enum { CONVOLUTIONS = 13, TAPS = 5, WIDEST = 10 };
static const int widths[CONVOLUTIONS] = {4, 4, 6, 6, 8, 8, 8, 8, 8, 8, 10, 10, 10};
static const int numbers_of[CONVOLUTIONS] = {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28}; // torchvision's
static const int tap_widths[TAPS] = {4, 6, 8, 8, 10};

static void write_vgg(const char *path, int convolutions) {
    static float weight[CONVOLUTIONS][WIDEST * WIDEST * 9], bias[CONVOLUTIONS][WIDEST];
    static char name[2 * CONVOLUTIONS][40];
    elbo_st_tensor t[2 * CONVOLUTIONS];
    int in = 3;
    for (int k = 0; k < convolutions; k++) {
        int out = widths[k];
        float bound = (float)sqrt(6.0 / (9 * in));
        numbers(100 + (uint32_t)k, weight[k], (size_t)(out * in * 9));
        numbers(200 + (uint32_t)k, bias[k], (size_t)out);
        for (int i = 0; i < out * in * 9; i++) weight[k][i] = (2 * weight[k][i] - 1) * bound;
        for (int i = 0; i < out; i++) bias[k][i] = 0.25f * bias[k][i] - 0.125f;
        snprintf(name[2 * k], sizeof name[0], "features.%d.weight", numbers_of[k]);
        snprintf(name[2 * k + 1], sizeof name[0], "features.%d.bias", numbers_of[k]);
        t[2 * k] = (elbo_st_tensor){name[2 * k], ELBO_ST_F32, 4, {(size_t)out, (size_t)in, 3, 3}, weight[k]};
        t[2 * k + 1] = (elbo_st_tensor){name[2 * k + 1], ELBO_ST_F32, 1, {(size_t)out}, bias[k]};
        in = out;
    }
    assert_ok(elbo_safetensors_write(path, t, 2 * convolutions, NULL, 0, &failure));
}

static void write_linear(const char *path) {
    static float weight[TAPS][WIDEST];
    static char name[TAPS][40];
    elbo_st_tensor t[TAPS];
    for (int k = 0; k < TAPS; k++) {
        numbers(300 + (uint32_t)k, weight[k], (size_t)tap_widths[k]);
        snprintf(name[k], sizeof name[k], "lin%d.model.1.weight", k);
        t[k] = (elbo_st_tensor){name[k], ELBO_ST_F32, 4, {1, (size_t)tap_widths[k], 1, 1}, weight[k]};
    }
    assert_ok(elbo_safetensors_write(path, t, TAPS, NULL, 0, &failure));
}

static void check_vgg(elbo_image_shape shape, const double *features, const double *distance, const char *weights,
                      const char *linear) {
    static float a[3 * 3 * 40 * 37], b[3 * 3 * 40 * 37], out[3 * WIDEST];
    double lpips[3];
    elbo_team *team;
    elbo_vgg *v;
    assert_ok(elbo_team_make(&team, 2, &failure));
    make_pictures(a, b, 3 * elbo_image_size(shape));
    assert_ok(elbo_vgg_open(&v, weights, linear, shape, team, &failure));
    assert_int_equal(elbo_vgg_width(v), WIDEST);
    assert_true(elbo_vgg_has_lpips(v));
    assert_ok(elbo_vgg_features_of(v, a, 3, out, &failure)); // an odd number: two at a time
    assert_tensors_near("VGG16's features", out + 2 * WIDEST, features, WIDEST, 1e-5);
    assert_ok(elbo_vgg_lpips(v, a, b, 3, lpips, &failure));
    for (size_t i = 0; i < 3; i++) assert_near("LPIPS", i, lpips[i], distance[i], 1e-6);
    assert_ok(elbo_vgg_lpips(v, a, a, 2, lpips, &failure));
    assert_true(lpips[0] == 0 && lpips[1] == 0);
    elbo_vgg_close(v);
    elbo_team_free(team);
}

static void vgg16(void **state) {
    (void)state;
    scratch here;
    scratch_make(&here);
    char *weights = strdup(scratch_path(&here, "vgg16.safetensors")),
         *linear = strdup(scratch_path(&here, "lpips.safetensors"));
    write_vgg(weights, CONVOLUTIONS);
    write_linear(linear);
    check_vgg((elbo_image_shape){3, 40, 37},
              (double[]){0.0424984, 0.1569876, 0.0811791, 0, 0.0575801, 0.1726432, 0.1954246, 0.0917491, 0.0179928,
                         0.2025132},
              (double[]){0.234677054, 0.270591307, 0.174628885}, weights, linear);
    check_vgg((elbo_image_shape){1, 28, 28}, // grey, enlarged
              (double[]){0.0017670, 0.0712697, 0.0675546, 0, 0.0930511, 0.1088439, 0.1003436, 0.0578960, 0.0122906,
                         0.1325579},
              (double[]){0.309424544, 0.210320134, 0.247509823}, weights, linear);
    elbo_team *team;
    elbo_vgg *v;
    elbo_error err;
    assert_ok(elbo_team_make(&team, 1, &failure));
    assert_int_equal(elbo_vgg_open(&v, weights, weights, (elbo_image_shape){3, 32, 32}, team, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "lin0.model.1.weight"));
    assert_null(v);
    write_vgg(weights, CONVOLUTIONS - 1);
    assert_int_equal(elbo_vgg_open(&v, weights, NULL, (elbo_image_shape){3, 32, 32}, team, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "features.28.weight"));
    elbo_team_free(team);
    free(weights);
    free(linear);
    scratch_remove(&here);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_that_know_some),
        cmocka_unit_test(codes_whose_scores_are_known),
        cmocka_unit_test(clouds),
        cmocka_unit_test(ms_ssim),
        cmocka_unit_test(vgg16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
