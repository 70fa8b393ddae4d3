/* A mixture of Gaussians with full covariance matrices, fitted by expectation and maximisation (Dempster, Laird and
 * Rubin 1977): a density of codes from which new ones can be drawn, for models without a prior and for those whose
 * codes do not follow it (Ghosh et al. 2020, "From variational to deterministic autoencoders"). One component is a
 * plain Gaussian. */
#ifndef ELBO_MIXTURE_H
#define ELBO_MIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/job.h"

enum { ELBO_MIXTURE_STEPS = 100, ELBO_MIXTURE_MOST_DIMS = 512, ELBO_MIXTURE_MOST_COMPONENTS = 256 };

typedef struct elbo_mixture {
    int components, dims;
    double *weight;                     // (components), sum 1
    double *mean;                       // (components, dims)
    double *factor;                     // (components, dims, dims): lower Cholesky factors of the covariance matrices
    double log_likelihood;              // nats per point, of the points it was fitted on
    int steps;                          // of EM
    double history[ELBO_MIXTURE_STEPS]; // log-likelihood in front of each step
} elbo_mixture;

/* x: (n, dims). Starts from k-means (started by k-means++, Arthur and Vassilvitskii 2007); ends when a step gains less
 * than 1e-3 nats per point, as scikit-learn's GaussianMixture, or after ELBO_MIXTURE_STEPS. A millionth of the points'
 * mean variance is added to each variance, so that no component shrinks to a point. Sums run in double precision in a
 * fixed order: the same bits for any number of threads. */
elbo_status elbo_mixture_fit(elbo_mixture *m, const float *x, size_t n, int dims, int components, uint64_t seed,
                             const elbo_job *work, elbo_error *err);
void elbo_mixture_free(elbo_mixture *m);

/* Mean log-likelihood of points x (n, dims), in nats. */
elbo_status elbo_mixture_score(const elbo_mixture *m, const float *x, size_t n, int threads, double *log_likelihood,
                               elbo_error *err);

/* Point i depends on the seed and on i alone. Deviations from a component's mean are multiplied by `temperature`.
 *   z: (n, dims) */
elbo_status elbo_mixture_draw(const elbo_mixture *m, uint64_t seed, size_t n, double temperature, float *z,
                              elbo_error *err);

#endif
