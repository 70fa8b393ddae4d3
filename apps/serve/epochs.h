/* A run's earlier weights (run/history.h), as ?epoch= names them. The worker's. */
#ifndef SERVE_EPOCHS_H
#define SERVE_EPOCHS_H

#include "handle.h"

/* The epoch of the query; the run's own where it names none or that of the run's weights (then -1). */
elbo_status serve_epoch_of_query(const serve_call *c, int *epoch, elbo_error *err);

/* A session of one row of that epoch's weights, the run's to close: a few are kept open. */
elbo_status serve_epoch_open(serve_run *run, int epoch, elbo_model **one, elbo_error *err);

/* Its map of the same kind as `own`, the run's: PCA laid on it (elbo_latent_map_lay_on). Kept until another is asked for. */
elbo_status serve_epoch_map(serve_call *c, int epoch, const elbo_latent_map *own, elbo_latent_map **map,
                            elbo_error *err);

#endif
