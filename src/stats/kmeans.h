/* k-means: Lloyd's iterations from k-means++ centres (Arthur and Vassilvitskii 2007), the best of several starts. */
#ifndef ELBO_KMEANS_H
#define ELBO_KMEANS_H

#include <stddef.h>
#include <stdint.h>

#include "base/job.h"
#include "base/status.h"

enum { ELBO_KMEANS_MOST = 256, ELBO_KMEANS_STARTS = 4, ELBO_SILHOUETTE_POINTS = 2000 };

typedef struct elbo_kmeans {
    int k, dims;
    uint8_t *cluster; // (n)
    double *centre;   // (k, dims)
    uint32_t *size;   // (k), the largest cluster first
    double inertia;   // sum of squared distances to the centres
    int iterations;   // of the best start
} elbo_kmeans;

/* x: (n, dims); k from 1 to n. The same bits for any number of threads. */
elbo_status elbo_kmeans_fit(elbo_kmeans *c, const float *x, size_t n, int dims, int k, uint64_t seed,
                            const elbo_job *work, elbo_error *err);
void elbo_kmeans_free(elbo_kmeans *c);

/* Mean silhouette (Rousseeuw 1987) of at most ELBO_SILHOUETTE_POINTS points, evenly taken, among each other: how much
 * nearer a point is to its own cluster than to the next, from -1 to 1. NaN for one cluster. each: (k), of every cluster, or
 * NULL. */
elbo_status elbo_silhouette(double *mean, double *each, const elbo_kmeans *c, const float *x, size_t n,
                            elbo_error *err);

#endif
