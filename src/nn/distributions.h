/* What is random in a model: the posterior q(z|x) that the encoder gives and the prior p(z); p(x|z) is in
 * nn/observation.h. Each is a small table; another member is a row here, and where it trains, a loss
 * (nn/losses/) and a lowering of how a code is drawn.
 *
 * Kingma and Welling, "Auto-encoding variational Bayes", 2013. Densities are in nats. */
#ifndef ELBO_DISTRIBUTIONS_H
#define ELBO_DISTRIBUTIONS_H

#include "base/random.h"
#include "base/status.h"
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

typedef struct elbo_prior_model elbo_prior_model;

typedef struct elbo_prior {
    const char *name;
    const char *loss; // how far a posterior lies from it: a metric's name
    /* temperature: of the deviations from a mean */
    void (*sample)(const elbo_prior_model *p, float *z, float temperature, elbo_stream s); // z: (p->Z)
    double (*log_p)(const elbo_prior_model *p, const float *z);
} elbo_prior;

/* A mixture of K Gaussians with diagonal covariances, its parameters prior.logits, prior.mu and prior.logvar as they are
 * now, and what follows from them. */
typedef struct elbo_gaussians {
    size_t K, Z;
    const float *logits, *mu, *logvar;     // (K), (K, Z), (K, Z)
    double *precision, *constant, *weight; // (K, Z), (K) log of the factor before exp(), (K) of the components
} elbo_gaussians;
static inline size_t elbo_gaussians_room(size_t K, size_t Z) { return K * (Z + 2); } // doubles
void elbo_gaussians_prepare(elbo_gaussians *m, double *room);
/* share (K): each component's share of the density at z. */
double elbo_gaussians_log_p(const elbo_gaussians *m, const float *z, double *share);
/* Of -log p, times `scale`: adds to the gradients of z (Z), logits (K), mu and logvar (K, Z). */
typedef struct elbo_gaussians_gradient {
    float *z, *logits, *mu, *logvar;
} elbo_gaussians_gradient;
void elbo_gaussians_backward(const elbo_gaussians *m, const elbo_gaussians_gradient *g, const float *z,
                             const double *share, double scale);

/* A prior with its parameters, to draw from and to ask. */
struct elbo_graph;
struct elbo_prior_model {
    const elbo_prior *is; // NULL: the model has none
    size_t Z;
    elbo_gaussians mixture;
    double *room;
};
/* params: (g->param_floats), which must outlive it and stay as they are. */
elbo_status elbo_prior_open(elbo_prior_model *p, const struct elbo_graph *g, const float *params, elbo_error *err);
void elbo_prior_close(elbo_prior_model *p);
static inline bool elbo_prior_is_mixture(const elbo_prior_model *p) { return p->mixture.K > 0; }
/* KL(q(z|x) || p(z)) in nats of a posterior mu, logvar (Z each): in closed form, or, of a mixture, the mean over some draws
 * that `image` decides. */
double elbo_prior_kl(const elbo_prior_model *p, const float *mu, const float *logvar, uint32_t image);

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
