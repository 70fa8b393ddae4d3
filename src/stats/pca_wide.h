/* The part of elbo_pca_fit for more than a few hundred dimensions. */
#ifndef ELBO_PCA_WIDE_H
#define ELBO_PCA_WIDE_H

#include "stats/pca.h"

/* Fills p->axes and p->variance; p->mean is there already. */
elbo_status elbo_pca_fit_wide(elbo_pca *p, const float *x, size_t n, int threads, elbo_error *err);

#endif
