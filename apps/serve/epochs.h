/* A run's earlier weights (run/history.h), as ?epoch= names them. The worker's. */
#ifndef SERVE_EPOCHS_H
#define SERVE_EPOCHS_H

#include "handle.h"

/* The epoch of the query; the run's own where it names none or that of the run's weights (then -1). */
elbo_status serve_epoch_of_query(const serve_call *c, int *epoch, elbo_error *err);

/* A session of one row of that epoch's weights, the run's to close: a few are kept open. */
elbo_status serve_epoch_open(serve_run *run, int epoch, elbo_model **one, elbo_error *err);

/* Its map, method pca or dims: PCA turned so that its points lie as near as they can to those of the run's own map
 * (orthogonal Procrustes), so that a scrubber shows what moves, not what is mirrored. `explained` of PCA.
 * xy: (n, 2), malloc'd */
elbo_status serve_epoch_map(serve_call *c, int epoch, const elbo_latent_map *own, float **xy, double explained[2],
                            elbo_error *err);

#endif
