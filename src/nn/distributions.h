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

/* NULL for an autoencoder, whose code is not drawn. */
const elbo_posterior *elbo_posterior_of(const elbo_recipe *r);
const elbo_prior *elbo_prior_of(const elbo_recipe *r);

#endif
