/* Whether two clouds of points cover each other: precision and recall of Kynkaanniemi, Karras, Laine, Lehtinen and Aila,
 * "Improved precision and recall metric for assessing generative models", 2019, equations 1 and 2. */
#ifndef ELBO_PRECISION_RECALL_H
#define ELBO_PRECISION_RECALL_H

#include <stddef.h>

#include "base/job.h"
#include "base/status.h"

/* The manifold of a cloud is the union of balls, one around each of its points, which reaches its k-th nearest other point. */
typedef struct elbo_precision_recall {
    double precision; // share of the second cloud inside the manifold of the first: is what was generated like the data
    double realism;   // median over the second cloud of the realism score, the largest ratio of a ball's radius to the
                      // distance from its centre (section 5): 1 is the manifold's border, above lies inside
    double recall;    // share of the first inside the manifold of the second: is all of the data generated
} elbo_precision_recall;

/* What was generated beside the data. */
typedef struct elbo_clouds {
    const float *real; // (n, dims)
    size_t n;
    const float *made; // (m, dims)
    size_t m;
    int dims;
} elbo_clouds;

/* k is below n and m. The same for any number of threads. */
elbo_status elbo_precision_recall_of(elbo_precision_recall *p, const elbo_clouds *clouds, int k, const elbo_job *work,
                                     elbo_error *err);

/* Naeem, Oh, Uh, Choi and Yoo, "Reliable fidelity and diversity metrics for generative models", 2020, equations 3 and 5. One outlier
 * of the data, whose ball is large, makes everything precise; here it counts as one ball of many. */
typedef struct elbo_density_coverage {
    double
        density; // in how many balls of the first cloud a point of the second lies, over k; 1 for equal clouds, may be more
    double
        coverage; // share of the first cloud's balls that hold one of the second: at most 1, 1 - 2^-k for equal clouds
} elbo_density_coverage;

/* k is below n. The same for any number of threads. */
elbo_status elbo_density_coverage_of(elbo_density_coverage *r, const elbo_clouds *c, int k, const elbo_job *work,
                                     elbo_error *err);

#endif
