/* How well a score tells two kinds apart: areas under the curves of a ranking. */
#ifndef ELBO_RANKING_H
#define ELBO_RANKING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct elbo_ranking {
    size_t positives, negatives;
    double auroc; // chance that a positive scores above a negative, equal scores counting half
    double
        average_precision; // sum over thresholds of (recall gained) x precision, as scikit-learn's; equal scores together
} elbo_ranking;

/* score: (n), larger for what is expected to be positive; positive: (n). NaN where one kind is missing. */
elbo_status elbo_rank(elbo_ranking *r, const double *score, const bool *positive, size_t n, elbo_error *err);

#endif
