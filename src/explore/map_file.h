/* Maps that took long, kept with their run: RUN/maps/METHOD.safetensors, until the model is trained again. */
#ifndef ELBO_MAP_FILE_H
#define ELBO_MAP_FILE_H

#include "base/job.h"
#include "explore/latent_map.h"

/* How far the map can be trusted as a picture of the codes: trustworthiness (stats/embedding_scores.h) of at most 10,000 of
 * the points, evenly taken. */
elbo_status elbo_map_trust(double *trust, const float *xy, const elbo_points *p, const elbo_job *work, elbo_error *err);

/* `trust` NaN: not measured. xy: (n, 2) */
elbo_status elbo_map_save(const char *run, elbo_map_method method, const float *xy, double trust, const elbo_points *p,
                          elbo_error *err);
/* A map of these very points; false where there is none. *xy: (n, 2), malloc'd */
bool elbo_map_load(const char *run, elbo_map_method method, float **xy, double *trust, const elbo_points *p);

#endif
