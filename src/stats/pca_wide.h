/* The part of elbo_pca_fit for more than a few hundred dimensions. */
#ifndef ELBO_PCA_WIDE_H
#define ELBO_PCA_WIDE_H

#include "stats/pca.h"

/* Of the largest variance: less is the rounding of products in floats, 2^-24 of a length. */
#define ELBO_PCA_WIDE_ROUNDING 0x1p-42

/* Fills p->axes and p->variance; p->mean and p->total are there already. Axes without a variance of their own are
 * orthogonal to the others, as any. */
elbo_status elbo_pca_fit_wide(elbo_pca *p, const float *x, size_t n, int threads, elbo_error *err);

#endif
