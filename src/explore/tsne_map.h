/* The two ways between codes and a t-SNE map, near the points that it is made of: t-SNE itself has no function for either.
 * A millisecond or less for 70,000 points. */
#ifndef ELBO_TSNE_MAP_H
#define ELBO_TSNE_MAP_H

#include "explore/latent_map.h"

/* Where a code belongs: t-SNE's similarities to its nearest codes pull it to their places, from that of the nearest on,
 * until it rests. (What t-SNE adds, the repulsion of all others, moves a point among its neighbours little;
 * elbo_tsne_transform computes it.)  z: (latent) */
elbo_status elbo_tsne_map_place(const elbo_latent_map *m, const float *z, float xy[2], elbo_error *err);

/* A code for a place: an affine fit to the codes of the nearest places. Near `from`'s own place what the fit misses of it
 * is kept, so that a drag begins where it is. `spread` as in elbo_landing.  from, z: (latent) */
elbo_status elbo_tsne_map_invert(const elbo_latent_map *m, const elbo_points *p, const float *from, const float to[2],
                                 float *z, double *spread, elbo_error *err);

#endif
