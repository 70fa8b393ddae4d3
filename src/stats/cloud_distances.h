/* How far two clouds of features are apart: the distances of the inception scores (FID, KID), in whatever features they are
 * given. A distance is that of its features and its number of points: neither compares with one in others. */
#ifndef ELBO_CLOUD_DISTANCES_H
#define ELBO_CLOUD_DISTANCES_H

#include "stats/precision_recall.h"

typedef struct elbo_cloud_distances {
    /* |m - w|^2 + tr(C + W - 2 (C W)^(1/2)) of the means and covariances (over n - 1), the Frechet distance of the two Gaussians:
     * Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, "GANs trained by a two time-scale update rule", 2017, equation 6.
     * Fewer points make it larger. */
    double frechet;
    /* The unbiased estimate of the squared maximum mean discrepancy with the kernel (x.y / dims + 1)^3: Binkowski,
     * Sutherland, Arbel and Gretton, "Demystifying MMD GANs", 2018, of all points at once. May be below 0. */
    double kid;
} elbo_cloud_distances;

/* n and m are 2 or more. The same for any number of threads. */
elbo_status elbo_cloud_distances_of(elbo_cloud_distances *d, const elbo_clouds *clouds, const elbo_job *work,
                                    elbo_error *err);

#endif
