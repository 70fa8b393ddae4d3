/* Scores and the list of metrics as JSON: what log.jsonl, scores.json and --json share. */
#ifndef ELBO_SCORES_JSON_H
#define ELBO_SCORES_JSON_H

#include <jansson.h>

#include "nn/metrics.h"

/* {"images": 60000, "objective": ..., "loss": ..., "reconstruction": ..., "kl": ..., "mse": ..., "metrics": {NAME: mean}}.
 * NULL: no memory, or a number that is not finite; metrics that are not known are left out. */
json_t *elbo_scores_to_json(const elbo_scores *s, const elbo_metrics *m);
/* {NAME: mean} of those that are known. */
json_t *elbo_metric_values_to_json(const elbo_metrics *m, const double *value);
/* [{"name": "kl", "unit": "nats/image", "trained": true, "weight": 4}]; kl_weight: at that time. */
json_t *elbo_metrics_to_json(const elbo_metrics *m, double kl_weight);

/* Read by name: what is not in the list is passed over. What is not in the JSON is derived (of an older run), or NaN.
 * False: it is none, or lacks what every release wrote. */
bool elbo_scores_from_json(elbo_scores *s, const json_t *o, const elbo_metrics *m, const elbo_recipe *r,
                           double kl_weight, size_t values_per_image);
void elbo_metric_values_from_json(double *value, const json_t *o, const elbo_metrics *m); // value: (m->count)

#endif
