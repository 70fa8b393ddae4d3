/* What is measured of each image while a plan runs: a named list. Log, progress, checkpoint, tables and JSON walk it, so
 * that a new loss term is told everywhere without being named anywhere.
 *
 * Values are means per image (sums over a batch while they are gathered), unweighted, in the metric's unit. */
#ifndef ELBO_NN_METRICS_H
#define ELBO_NN_METRICS_H

#include "recipe/recipe.h"

typedef enum elbo_metric_role {
    ELBO_METRIC_RECONSTRUCTION, // a term of -log p(x|z)
    ELBO_METRIC_KL,             // a divergence from the prior; its weight may follow a schedule
    ELBO_METRIC_MEASURED,       // measured only, no part of what is trained
} elbo_metric_role;

typedef struct elbo_metric {
    const char *name; // "bce", "kl": a word that logs, tables and JSON use
    const char *unit; // "nats/image"
    elbo_metric_role role;
    double weight; // in the objective; of the KL the highest that its schedule reaches
} elbo_metric;

enum { ELBO_MAX_METRICS = 16 };
typedef struct elbo_metrics {
    elbo_metric metric[ELBO_MAX_METRICS]; // (count)
    int count;
} elbo_metrics;

/* Those of a recipe's losses, in the order in which plans have them. */
elbo_metrics elbo_metrics_of(const elbo_recipe *r);
/* -1 where there is none of that name. */
int elbo_metrics_find(const elbo_metrics *m, const char *name);

/* The weighted sum of the values of one role.  value: (count) */
double elbo_metrics_sum(const elbo_metrics *m, const double *value, elbo_metric_role role);
/* What training minimises, of one image: (reconstruction + kl_weight KL) times the factor of loss.scale. */
double elbo_objective(const elbo_recipe *r, const elbo_metrics *m, const double *value, double kl_weight,
                      size_t values_per_image);
/* Whether the objective is the negative ELBO in nats: no weights, no means. False: it is shown beside it, under its own
 * name. `kl_weight`: at that step. */
bool elbo_objective_is_elbo(const elbo_recipe *r, double kl_weight);

#endif
