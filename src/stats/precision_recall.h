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

#endif
