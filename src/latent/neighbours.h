/* The k nearest neighbours of points, by Euclidean distance.
 *
 * Exact up to ELBO_NEIGHBOURS_EXACT points: distances by blocked products |a|^2 - 2 a b + |b|^2 with the smallest k kept while
 * a block is warm, then recomputed as sums of squared differences, so that near-equal points keep their order. Beyond, a
 * search that finds nearly all of them, whose recall is measured on some points against the exact search. Equal distances
 * are in order of index: the same answer for any number of threads. */
#ifndef ELBO_NEIGHBOURS_H
#define ELBO_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "latent/work.h"

enum { ELBO_NEIGHBOURS_EXACT = 150000 };

typedef struct elbo_neighbours {
    size_t n;         // points asked about
    int k;
    uint32_t *index;  // (n, k), nearest first
    float *distance2; // (n, k), squared
    double recall;    // 1 where the search was exact, else as measured
} elbo_neighbours;

/* The k nearest of the points x (n, dims) to each of them, itself left out. k is below n. */
elbo_status elbo_neighbours_of_all(elbo_neighbours *nb, const float *x, size_t n, int dims, int k, const elbo_work *work,
                                   elbo_error *err);
/* The k nearest of the points x (n, dims) to each query (m, dims); k at most n. Always exact. */
elbo_status elbo_neighbours_of(elbo_neighbours *nb, const float *query, size_t m, const float *x, size_t n, int dims, int k,
                               const elbo_work *work, elbo_error *err);
void elbo_neighbours_free(elbo_neighbours *nb);

#endif
