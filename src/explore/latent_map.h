/* A map: points of a latent space in the plane, and the way between the two. A place of the map is decoded by moving a
 * code until it lies there, and what is lost on the way is said: along two dimensions and in a plane of two nothing is;
 * PCA keeps what lies off its plane; t-SNE is inverted near the place by an affine fit to its neighbours, and the code found
 * is placed again.
 *
 *     elbo_latent_map m;
 *     elbo_latent_map_pca(&m, &points, threads, err);
 *     elbo_landing at;
 *     elbo_latent_map_locate(&m, &points, z, (float[]){1, 2}, &at, moved, err);
 *     elbo_latent_map_free(&m); */
#ifndef ELBO_LATENT_MAP_H
#define ELBO_LATENT_MAP_H

#include "explore/points.h"
#include "stats/near_index.h"

typedef enum elbo_map_method { ELBO_MAP_DIMS, ELBO_MAP_PCA, ELBO_MAP_TSNE } elbo_map_method;
const char *elbo_map_method_name(elbo_map_method m); // "dims"

typedef struct elbo_latent_map {
    elbo_map_method method;
    int x, y; // ELBO_MAP_DIMS: which dimensions
    size_t n;
    int latent;
    float *xy;                     // (n, 2)
    bool raw;                      // PCA of a code of two dimensions: the code itself
    double *mean, *axis;           // ELBO_MAP_PCA, not raw: (latent), (2, latent) unit vectors
    double explained[2];           // PCA: shares of the variance
    elbo_near_index codes, places; // ELBO_MAP_TSNE: to search in
} elbo_latent_map;

elbo_status elbo_latent_map_dims(elbo_latent_map *m, const elbo_points *p, int x, int y, elbo_error *err);
elbo_status elbo_latent_map_pca(elbo_latent_map *m, const elbo_points *p, int threads, elbo_error *err);
/* Of an embedding that was computed (stats/tsne.h), copied.  xy: (n, 2) */
elbo_status elbo_latent_map_tsne(elbo_latent_map *m, const elbo_points *p, const float *xy, elbo_error *err);
void elbo_latent_map_free(elbo_latent_map *m);

/* Turns or mirrors a map of PCA, its axes with it, so that it lies on another one of the same images: epochs of one
 * training are then shown without flips. Other maps stay as they are. */
void elbo_latent_map_lay_on(elbo_latent_map *m, const elbo_latent_map *other);

/* Where codes lie in the map.  z: (n, latent), xy: (n, 2) */
elbo_status elbo_latent_map_place(const elbo_latent_map *m, const elbo_points *p, const float *z, size_t n, float *xy,
                                  elbo_error *err);

/* Where a code lands that was moved towards a place. */
typedef struct elbo_landing {
    float place[2];   // of the code
    double gap;       // from it to the place that was asked for
    double off_plane; // PCA: how far the code is from the plane of the map
    double spread;    // t-SNE: how far the neighbours' codes are from the fit, in units of all codes' spread: about 1
                      // where neighbours in the map have nothing in common
    bool exact;       // the code lies where it was asked to by the map's own definition
} elbo_landing;

/* Moves the code `from` so that it lies at `to`.  from, z: (latent) */
elbo_status elbo_latent_map_locate(const elbo_latent_map *m, const elbo_points *p, const float *from, const float to[2],
                                   elbo_landing *at, float *z, elbo_error *err);

#endif
