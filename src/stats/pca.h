/* Principal component analysis, exact: eigenvectors of the covariance matrix (LAPACK's dsyevd), or, of more than 256
 * dimensions, its first few by iteration until they stand still (pca_wide.c). */
#ifndef ELBO_PCA_H
#define ELBO_PCA_H

#include <stddef.h>

#include "base/status.h"

typedef struct elbo_pca {
    int dims, components;
    int rank;         // of the axes, the first so many hold variance that the floats of x do not owe to rounding
    double *mean;     // (dims)
    double *axes;     // (components, dims): unit vectors, the largest variance first; of each, the entry of the largest
                      // size is positive, so that an embedding does not flip from one run to the next
    double *variance; // (components): with n - 1, as scikit-learn's explained_variance_; 0 from `rank` on
    double total;     // sum of the variances of all dims: variance / total is the explained ratio
} elbo_pca;

/* Fits on x (n, dims), of which the first `components` axes are kept (at most dims; n at least 2). Sums run in a fixed
 * order: the same bits for any number of threads. */
elbo_status elbo_pca_fit(elbo_pca *p, const float *x, size_t n, int dims, int components, int threads, elbo_error *err);
void elbo_pca_free(elbo_pca *p);

/* y (n, components) = (x - mean) axes^T */
void elbo_pca_project(const elbo_pca *p, const float *x, size_t n, float *y);

#endif
