/* The density of a run's training codes, kept in RUN/codes/ until the model is trained again. */
#ifndef ELBO_RUN_DENSITY_H
#define ELBO_RUN_DENSITY_H

#include "base/job.h"
#include "data/data.h"
#include "elbo/elbo.h"
#include "explore/density.h"

enum { ELBO_DENSITY_COMPONENTS = 10 };

/* A density that was kept: of these weights, of the same data (`data`: "" for the run's own, else what was named in
 * their place) and of as many components (0: ELBO_DENSITY_COMPONENTS). False where there is none. */
bool elbo_run_density_load(elbo_density *d, const elbo_model *m, const char *data, int components);

/* Fits it on the codes of training images. `components` 0: ELBO_DENSITY_COMPONENTS, or one for each of fewer images. */
elbo_status elbo_run_density_fit(elbo_density *d, elbo_model *m, const elbo_images *images, int components,
                                 const elbo_job *work, elbo_error *err);

/* Keeps it for the next time. `components` as it was asked for. */
elbo_status elbo_run_density_save(const elbo_density *d, const elbo_model *m, const char *data, int components,
                                  elbo_error *err);

#endif
