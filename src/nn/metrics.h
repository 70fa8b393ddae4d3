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
    ELBO_METRIC_REGULARISER,    // any other term of what is trained, by its weight; no part of the ELBO
    ELBO_METRIC_SQUARED_ERROR,  // of the reconstruction, summed over an image's values; no part of what is trained
    ELBO_METRIC_MEASURED,       // measured only, no part of what is trained
    ELBO_METRIC_BOUND,          // what is trained of an image's samples, of reconstruction and KL by their weights
} elbo_metric_role;

typedef struct elbo_metric {
    const char *name; // "bce", "kl": a word that logs, tables and JSON use
    const char *unit; // "nats/image"
    elbo_metric_role role;
    double weight;      // in the objective; of the KL the highest that its schedule reaches
    bool times_kl;      // the weight is a factor of the KL's
    elbo_player player; // in whose step it is measured
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
bool elbo_metric_is_trained(const elbo_metric *m);
/* In the objective while the KL's weight is this. */
double elbo_metric_weight(const elbo_metric *m, double kl_weight);
/* How many there are of a role. */
int elbo_metrics_count(const elbo_metrics *m, elbo_metric_role role);

/* The sum of the values of one role, the reconstruction's terms by their weights.  value: (count) */
double elbo_metrics_sum(const elbo_metrics *m, const double *value, elbo_metric_role role);

/* ---- sums and means ---- */

/* Sums over images. By role as well: what a checkpoint with other terms (of another release) has is enough to go on. */
typedef struct elbo_metric_sums {
    double metric[ELBO_MAX_METRICS]; // (count); NaN: not known
    double reconstruction, kl, squared_error;
} elbo_metric_sums;
void elbo_metric_sums_add(elbo_metric_sums *s, const elbo_metrics *m, const double *batch); // batch: (count)

/* What a split scores: means per image. */
typedef struct elbo_scores {
    uint32_t images;
    double loss, reconstruction, kl; // nats per image; loss = reconstruction + kl, the KL once: the negative ELBO
    double objective;                // what training minimises, with the KL's weight at that time
    double mse;                      // per value, in the recipe's range
    double metric[ELBO_MAX_METRICS]; // each of the list by itself; NaN: not known, of an older log
} elbo_scores;

/* All but the objective. values_per_image: C x H x W */
elbo_scores elbo_scores_of(const elbo_metrics *m, const elbo_metric_sums *s, uint32_t images, size_t values_per_image);
void elbo_scores_set_objective(elbo_scores *s, const elbo_recipe *r, double kl_weight, size_t values_per_image);
/* Metrics that are NaN, where they follow from the rest: the only term of its role, the squared error. */
void elbo_scores_fill(elbo_scores *s, const elbo_metrics *m, size_t values_per_image);
void elbo_metric_sums_fill(elbo_metric_sums *s, const elbo_metrics *m);
/* A value by the name that --metric and JSON know it by: objective, loss, reconstruction, kl, mse, or a metric's. NaN:
 * there is none, as an autoencoder's KL. */
double elbo_scores_value(const elbo_scores *s, const elbo_metrics *m, const char *name);
/* Its unit; NULL where there is none of that name. */
const char *elbo_scores_unit(const elbo_metrics *m, const char *name);
/* "objective, loss, reconstruction, kl, mse and squared_error". Returns `out`. */
enum { ELBO_SCORES_NAMES = 512 };
const char *elbo_scores_names(const elbo_metrics *m, char out[ELBO_SCORES_NAMES]);

/* ---- the objective ---- */

/* What training minimises, of one image: the terms by their weights, times the factor of loss.scale. */
double elbo_objective(const elbo_recipe *r, const elbo_scores *s, double kl_weight, size_t values_per_image);
/* Whether the objective is the negative ELBO in nats: no weights, no means. False: it is shown beside it, under its own
 * name. `kl_weight`: at that step. */
bool elbo_objective_is_elbo(const elbo_recipe *r, double kl_weight);
/* Whether the KL's weight changes while training goes on. */
bool elbo_objective_moves(const elbo_recipe *r);
/* Whether it is the negative ELBO from the first step to the last. */
bool elbo_objective_stays_elbo(const elbo_recipe *r);
/* Whether two recipes, for images of one size, minimise the same sum, so that its values can be compared. */
bool elbo_objective_same(const elbo_recipe *a, const elbo_recipe *b);
/* "(bce + 0.5 kl + 10 mmd) / 784 values". kl_weight NaN: it follows a schedule, "... + w kl". Returns `out`. */
enum { ELBO_OBJECTIVE_TEXT = 256, ELBO_OBJECTIVE_NUMBER = 32 };
const char *elbo_objective_text(const elbo_recipe *r, const elbo_metrics *m, double kl_weight, size_t values_per_image,
                                char out[ELBO_OBJECTIVE_TEXT]);
/* A value of it with as many decimals as sums and means need. Returns `out`. */
const char *elbo_objective_number(const elbo_recipe *r, double value, char out[ELBO_OBJECTIVE_NUMBER]);

#endif
