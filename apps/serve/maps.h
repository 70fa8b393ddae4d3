/* Maps of a run: dimensions and PCA at once, t-SNE in the background. */
#ifndef SERVE_MAPS_H
#define SERVE_MAPS_H

#include "handle.h"

/* The map that the query names (method=, x=, y=; default pca), with the run's points. ELBO_NOT_FOUND: a t-SNE that is not
 * there yet. */
elbo_status serve_map_of_query(serve_call *c, elbo_latent_map **map, elbo_error *err);

#endif
