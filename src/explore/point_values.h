/* A number for each point of a run, to colour a map by. */
#ifndef ELBO_POINT_VALUES_H
#define ELBO_POINT_VALUES_H

#include "base/job.h"
#include "explore/density.h"
#include "explore/points.h"

/* The loss of each image from its mean code, nats: of a VAE with its KL, the negative ELBO with the mean code in the
 * sample's place, as `elbo outliers` ranks by.  value: (n) */
elbo_status elbo_point_losses(elbo_model *m, const elbo_dataset *d, const elbo_points *p, float *value,
                              elbo_error *err);

/* log q(z) of each mean code, nats, by a density that was fitted to the training codes.  value: (n) */
elbo_status elbo_point_densities(const elbo_density *q, const elbo_points *p, const elbo_job *work, float *value,
                                 elbo_error *err);

/* From log q(z) to log q(z) - log p(z), p the model's prior: far below 0 are holes, where the prior draws codes that no
 * image has; far above 0 is what the prior hardly draws.  value: (n) */
void elbo_point_holes(const elbo_model *m, const elbo_points *p, float *value);

#endif
