/* Eigenvectors of a symmetric matrix, by LAPACK. */
#ifndef ELBO_STATS_EIGEN_H
#define ELBO_STATS_EIGEN_H

#include "base/status.h"

/* a (n, n) becomes its eigenvectors, a row each, in the order of their values (n), the smallest first. */
elbo_status elbo_eigenvectors(double *a, double *values, int n, elbo_error *err);

#endif
