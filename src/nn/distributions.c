#include "nn/distributions.h"

#include <math.h>

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

static void sample_normal(float *z, size_t Z, elbo_stream s) { elbo_random_normal(s, z, Z); }

static double log_normal(const float *z, size_t Z) {
    double sum = 0;
    for (size_t d = 0; d < Z; d++) sum -= 0.5 * (LOG_2_PI + (double)z[d] * z[d]);
    return sum;
}

static const elbo_prior normal = {
    .name = "standard normal", .loss = "kl", .sample = sample_normal, .log_p = log_normal};

const elbo_prior *elbo_prior_of(const elbo_recipe *r) {
    return r->kind == ELBO_VAE || elbo_latent_terms_match_prior(r) ? &normal : NULL;
}

/* ---- observation models ---- */

static const elbo_observation observations[] = {
    {"Bernoulli", ELBO_BCE}, {"Gaussian with variance 1/2", ELBO_MSE}, {"Laplace with scale 1", ELBO_L1}};

const elbo_observation *elbo_observation_of(elbo_reconstruction loss) {
    for (size_t i = 0; i < sizeof observations / sizeof *observations; i++)
        if (observations[i].loss == loss) return &observations[i];
    return NULL;
}

double elbo_observation_log_constant(const elbo_terms *terms, size_t values) {
    double n = (double)values, square = elbo_term_weight(terms, ELBO_MSE), size = elbo_term_weight(terms, ELBO_L1),
           bernoulli = elbo_term_weight(terms, ELBO_BCE);
    for (int i = 0; i < terms->count; i++)
        if (!elbo_observation_of(terms->term[i].kind)) return NAN;
    if (bernoulli > 0) return bernoulli == 1 && square == 0 && size == 0 ? 0 : NAN;
    if (square == 0) return n * log(2 / size);
    // the integral of exp(-a d^2 - b |d|); for b = 0, sqrt(pi / a)
    return n * (0.5 * log(M_PI / square) + size * size / (4 * square) + log(erfc(size / (2 * sqrt(square)))));
}
