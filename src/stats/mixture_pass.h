/* One pass over the points of a mixture: which component each belongs to, and the sums from which the next step is
 * made. */
#ifndef ELBO_MIXTURE_PASS_H
#define ELBO_MIXTURE_PASS_H

#include "stats/mixture.h"

typedef enum elbo_pass_kind {
    ELBO_PASS_NEAREST, // all to the component with the nearest mean (k-means)
    ELBO_PASS_EXPECT,  // shared by responsibility (the E step)
    ELBO_PASS_SCORE    // the log-likelihood alone
} elbo_pass_kind;

/* Sums over points, weighted by their responsibilities, of x - origin. */
typedef struct elbo_mixture_sums {
    double *count;  // (components)
    double *sum;    // (components, dims)
    double *square; // (components, dims, dims); above the diagonal nothing of worth
    double log_likelihood;
} elbo_mixture_sums;

typedef struct elbo_mixture_pass {
    elbo_pass_kind kind;
    const float *x; // (n, dims)
    size_t n, rows; // rows of a piece
    int dims, components, pieces, threads;
    double *origin; // (dims): near the points, so that squares lose nothing
    double ridge;
    double log_likelihood; // result: nats per point
    double *storage;       // (pieces, floats of sums)
    double *scratch;       // (pieces, floats of a block's work)
} elbo_mixture_pass;

elbo_status elbo_mixture_pass_make(elbo_mixture_pass *p, const float *x, size_t n, int dims, int components,
                                   int threads, elbo_error *err);
/* *total lies in the pass's own storage. */
elbo_status elbo_mixture_run_pass(elbo_mixture_pass *p, const elbo_mixture *m, elbo_mixture_sums *total,
                                  elbo_error *err);
void elbo_mixture_pass_free(elbo_mixture_pass *p);

#endif
