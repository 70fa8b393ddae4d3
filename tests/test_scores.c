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
#include "stats/disentanglement.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_that_know_some),
        cmocka_unit_test(codes_whose_scores_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
