/* How far an embedding (n, 2) can be trusted as a picture of points (n, dims). */
#ifndef ELBO_MAP_SCORES_H
#define ELBO_MAP_SCORES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/job.h"

typedef struct elbo_embedding_scores {
    int k;                  // neighbours looked at: 10, or fewer where there are few points
    size_t asked;           // points whose neighbourhoods were looked at: all, or a fixed sample of a large embedding
    double trustworthiness; // Venna and Kaski 2001, as sklearn.manifold.trustworthiness: 1 is best
    double continuity;      // the same with the two spaces exchanged
    double recall;          // share of the k nearest points that are among the k nearest in the embedding
    double knn_points;      // class accuracy by leave-one-out vote of the k nearest, in the points and
    double knn_embedding;   // in the embedding; NaN without labels. Of equal votes the nearest one's class wins
} elbo_embedding_scores;

/* `labels` (n) or NULL. All points are asked about where n is at most 100,000, else 20,000 drawn by a fixed seed, each
 * against all others. */
elbo_status elbo_embedding_score(elbo_embedding_scores *s, const float *embedding, const float *x, size_t n, int dims,
                                 const uint8_t *labels, const elbo_job *work, elbo_error *err);

#endif
