#include "nn/distributions.h"

#include <math.h>

#include "nn/mixture_prior.h"
#include "recipe/latent_terms.h"

#define LOG_2_PI 1.8378770664093454836

/* ---- posteriors ---- */

enum { MU, LOGVAR };

static void sample_gaussian(float *z, const float *const *param, const float *eps, size_t Z) {
    for (size_t d = 0; d < Z; d++) z[d] = param[MU][d] + eps[d] * expf(0.5f * elbo_logvar_bounded(param[LOGVAR][d]));
}

static double log_gaussian(const float *const *param, const float *eps, size_t Z) {
    double sum = 0;
    for (size_t d = 0; d < Z; d++)
        sum -= 0.5 * (LOG_2_PI + (double)eps[d] * eps[d] + elbo_logvar_bounded(param[LOGVAR][d]));
    return sum;
}

double elbo_gaussian_kl(double m, double v) {
    double b = elbo_logvar_bounded((float)v), e = exp(b);
    return 0.5 * (m * m + e - 1 - b + (e - 1) * (v - b));
}

static const elbo_posterior gaussian = {
    .name = "gaussian",
    .params = (const char *const[]){[MU] = "mu", [LOGVAR] = "logvar", NULL},
    .sample = sample_gaussian,
    .log_q = log_gaussian,
};

const elbo_posterior *elbo_posterior_of(const elbo_recipe *r) { return r->kind == ELBO_VAE ? &gaussian : NULL; }

/* ---- priors ---- */

static void sample_normal(const elbo_prior_model *p, float *z, float temperature, elbo_stream s) {
    elbo_random_normal(s, z, p->Z);
    for (size_t d = 0; temperature != 1 && d < p->Z; d++) z[d] *= temperature;
}

static double log_normal(const elbo_prior_model *p, const float *z) {
    double sum = 0;
    for (size_t d = 0; d < p->Z; d++) sum -= 0.5 * (LOG_2_PI + (double)z[d] * z[d]);
    return sum;
}

const elbo_prior elbo_standard_normal = {
    .name = "standard normal", .loss = "kl", .sample = sample_normal, .log_p = log_normal};

const elbo_prior *elbo_prior_of(const elbo_recipe *r) {
    if (r->kind == ELBO_VAE && r->mixture) return &elbo_prior_mixture;
    return r->kind == ELBO_VAE || elbo_codes_match_prior(r) ? &elbo_standard_normal : NULL;
}
