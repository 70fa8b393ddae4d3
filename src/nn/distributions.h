/* What is random in a model: the posterior q(z|x) that the encoder gives and the prior p(z); p(x|z) is in
 * nn/observation.h. Each is a small table; another member is a row here, and where it trains, a loss
 * (nn/losses/) and a lowering of how a code is drawn.
 *
 * Kingma and Welling, "Auto-encoding variational Bayes", 2013. Densities are in nats. */
#ifndef ELBO_DISTRIBUTIONS_H
#define ELBO_DISTRIBUTIONS_H

#include "base/random.h"
#include "recipe/recipe.h"

typedef struct elbo_posterior {
    const char *name;
    /* What the encoder's head gives, one behind the other, (Z) each; ended by NULL. */
    const char *const *params;
    /* z (Z) of standard normal numbers eps (Z).  param: one array (Z) for each of params */
    void (*sample)(float *z, const float *const *param, const float *eps, size_t Z);
    /* log q(z|x) of the z that eps makes. */
    double (*log_q)(const float *const *param, const float *eps, size_t Z);
} elbo_posterior;

typedef struct elbo_prior {
    const char *name;
    const char *loss; // how far a posterior lies from it: a metric's name
    void (*sample)(float *z, size_t Z, elbo_stream s);
    double (*log_p)(const float *z, size_t Z);
} elbo_prior;

/* logvar where it is used: beyond these the variance is 0 or infinite to a float's eye, and exp soon not finite. Outside
 * the KL goes on as the straight line that touches it there, whose gradient brings logvar back. */
#define ELBO_LOGVAR_LEAST (-30.0f)
#define ELBO_LOGVAR_MOST 20.0f
static inline float elbo_logvar_bounded(float v) { // NaN stays
    return v < ELBO_LOGVAR_LEAST ? ELBO_LOGVAR_LEAST : v > ELBO_LOGVAR_MOST ? ELBO_LOGVAR_MOST : v;
}

/* KL(N(m, e^v) || N(0, 1)) in nats: Kingma and Welling 2013, appendix B. */
double elbo_gaussian_kl(double m, double v);

/* NULL for an autoencoder, whose code is not drawn. */
const elbo_posterior *elbo_posterior_of(const elbo_recipe *r);
/* NULL for an autoencoder whose codes are not trained to be like draws from it, either. */
const elbo_prior *elbo_prior_of(const elbo_recipe *r);
extern const elbo_prior elbo_standard_normal;

#endif
