/* The density of a run's training codes, kept with the run. */
#ifndef ELBO_CLI_DENSITIES_H
#define ELBO_CLI_DENSITIES_H

#include "explore/density.h"
#include "runs.h"

/* Loads RUN/codes/gaussian.safetensors or gmm.safetensors where it is of this model, this data and as many components;
 * else fits it on the training codes and keeps it there. `components` 0: 10, or one for each of fewer images. */
elbo_status cli_density_of_run(elbo_density *d, cli_look *look, int components, const elbo_job *work, bool *was_kept,
                               elbo_error *err);

#endif
