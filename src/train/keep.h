/* What of a training is kept: images held out for validation, the moving average of the weights, the best of them. */
#ifndef ELBO_TRAIN_KEEP_H
#define ELBO_TRAIN_KEEP_H

#include "device/device.h"
#include "run/run_folder.h"

/* ---- images held out ---- */

/* The training split's images: those that are trained on, and those that are not, by the recipe's train.validation and
 * its seed. */
typedef struct elbo_holdout {
    uint32_t *train;      // (train_count) ascending; NULL: all of them
    uint32_t *validation; // (validation_count) ascending; NULL: none
    uint32_t train_count, validation_count;
} elbo_holdout;

/* `source` names the images in errors. */
elbo_status elbo_holdout_make(elbo_holdout *h, const elbo_recipe *r, uint32_t images, const char *source,
                              elbo_error *err);
void elbo_holdout_free(elbo_holdout *h);
/* The images of an epoch in their order.  order: (train_count) */
void elbo_holdout_order(const elbo_holdout *h, elbo_stream shuffle, uint32_t *order);

/* ---- weights beside those that are trained ---- */

/* The blocks that the recipe asks for; the average begins as the network's weights. */
elbo_status elbo_kept_make(elbo_kept *k, const elbo_network *n, const elbo_recipe *r, elbo_error *err);
void elbo_kept_free(elbo_kept *k);

/* After a step, counted from 1: average += (1 - d)(weights - average), d the least of train.ema and (1 + step) / (10 +
 * step), so that the first steps are soon forgotten. Running statistics of batch norm are averaged with the rest. */
elbo_status elbo_kept_average(elbo_kept *k, elbo_state *s, const elbo_recipe *r, uint64_t step, elbo_error *err);

/* Puts the average in the place of the weights, for an evaluation; called again, puts them back. Does nothing where
 * there is no average. */
elbo_status elbo_kept_show_average(elbo_kept *k, elbo_state *s, elbo_error *err);

/* After the evaluation of an epoch, while the evaluated weights are in their place: keeps them where they are the best. */
void elbo_kept_compare(elbo_kept *k, const elbo_state *s, int epoch, double objective);

/* What model.safetensors holds: (param_floats). */
const float *elbo_kept_weights(const elbo_kept *k, const elbo_state *s);

#endif
