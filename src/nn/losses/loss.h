/* A loss: an op whose output is one number for each image, a metric (nn/metrics.h), and whose gradient flows as any
 * other. Its node stands behind the network; its value[0] is its weight. */
#ifndef ELBO_LOSS_H
#define ELBO_LOSS_H

#include "nn/ops/op.h"

typedef struct elbo_loss {
    const elbo_op *op; // its name is the metric's, and the word that a recipe uses
    const char *unit;
    elbo_metric_role role;
} elbo_loss;

/* All losses; ended by a row without an op. */
extern const elbo_loss elbo_losses[];
const elbo_loss *elbo_loss_find(const char *name);

/* For losses: one number an image. */
elbo_status elbo_loss_shape(elbo_graph *g, elbo_node *n, elbo_error *err);

#endif
