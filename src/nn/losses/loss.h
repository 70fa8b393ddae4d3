/* A loss: an op whose output is one number for each image, a metric (nn/metrics.h), and whose gradient flows as any
 * other. Its node stands behind the network. It may have parameters, as any op; they are named loss.NAME. */
#ifndef ELBO_LOSS_H
#define ELBO_LOSS_H

#include "nn/ops/op.h"

/* Arguments of a loss, as places in node->value. */
enum {
    ELBO_LOSS_WEIGHT,
    ELBO_LOSS_SIGMA, // loss.sigma
    ELBO_LOSS_LOW,   // image.range
    ELBO_LOSS_HIGH,
    ELBO_LOSS_COMPONENTS // of the KL: those of a mixture prior; 0: it is the standard normal
};

typedef struct elbo_loss {
    const elbo_op *op; // its name is the metric's, and the word that a recipe uses
    const char *unit;
    elbo_metric_role role;
} elbo_loss;

/* All losses; ended by a row without an op. */
extern const elbo_loss elbo_losses[];
const elbo_loss *elbo_loss_find(const char *name);

/* The row of a term over the code; NULL: the node is another loss. */
const struct elbo_latent_row *elbo_loss_latent_row(const elbo_node *n);

/* For losses: one number an image. */
elbo_status elbo_loss_shape(elbo_graph *g, elbo_node *n, elbo_error *err);

/* Of gaussian and logistic: log sigma with these parameters (g->param_floats). Learned, it is a parameter p held above
 * -6 by a softplus, -6 + log(1 + exp(p + 6)): a model that fits its images exactly would drive it to -infinity.
 * *slope: its derivative by p; NULL: nobody asks. */
double elbo_loss_log_sigma(const elbo_graph *g, const elbo_node *n, const float *params, double *slope);
/* The node of the term with a scale, or NULL. */
const elbo_node *elbo_loss_scaled(const elbo_graph *g);

#endif
