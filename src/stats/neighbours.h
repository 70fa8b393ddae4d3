/* The k nearest neighbours of points, by Euclidean distance.
 *
 * Points lie in cells (cells.h); what is asked goes from the nearest cells to the far ones, in blocks of distances that
 * are compared with each row's k-th nearest so far while they are in registers (kernels/near.h). Up to
 * ELBO_NEIGHBOURS_EXACT points only cells that cannot hold a neighbour are passed over: exact. Beyond, the far cells
 * are left out as well, so few looked into that of some points, whose neighbours are also searched exactly, at least
 * 0.95 are found. Equal distances are in order of index: the same answer for any number of threads. */
#ifndef ELBO_NEIGHBOURS_H
#define ELBO_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/job.h"

enum { ELBO_NEIGHBOURS_EXACT = 150000 };

typedef struct elbo_neighbours {
    size_t n; // points asked about
    int k;
    uint32_t *index;  // (n, k), nearest first
    float *distance2; // (n, k), squared
    double recall;    // 1 where the search was exact, else as measured
} elbo_neighbours;

/* Which points are asked about, and those among which their neighbours are sought. */
typedef struct elbo_neighbours_question {
    const float *query; // (m, dims)
    size_t m;
    const float *x; // (n, dims)
    size_t n;
    int dims;
    int k; // 1 to n
} elbo_neighbours_question;

/* The k nearest of the points x (n, dims) to each of them, itself left out. k is below n. */
elbo_status elbo_neighbours_of_all(elbo_neighbours *nb, const float *x, size_t n, int dims, int k, const elbo_job *work,
                                   elbo_error *err);
/* The k nearest points to each query. Always exact. */
elbo_status elbo_neighbours_of(elbo_neighbours *nb, const elbo_neighbours_question *q, const elbo_job *work,
                               elbo_error *err);
void elbo_neighbours_free(elbo_neighbours *nb);

#endif
