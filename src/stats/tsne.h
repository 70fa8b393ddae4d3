/* t-SNE (van der Maaten and Hinton 2008) on all the points: nearest neighbours, forces by interpolation on a grid and
 * FFT (Linderman et al. 2019) where there are many points, exactly where there are few. */
#ifndef ELBO_TSNE_H
#define ELBO_TSNE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "stats/neighbours.h"
#include "base/job.h"

typedef struct elbo_tsne_options {
    double perplexity;              // 30; lowered to (n - 1) / 3 where there are fewer points
    int iterations;                 // 750
    double exaggeration;            // 12
    int exaggerated;                // iterations with it: 250
    double learning_rate;           // 0: n / exaggeration, at least 50
    double momentum, late_momentum; // 0.5 and 0.8
    double longest_step;            // 5
    uint64_t seed;
    const float
        *start; // (n, 2) to go on from (no exaggeration then), or NULL: PCA's first axes, the first scaled to 1e-4
    /* Called every 50 iterations with the current KL divergence; or NULL. */
    void (*report)(void *context, int iteration, double kl);
    void *context;
    float *so_far; // (n, 2): the embedding as it is, written in front of each report; or NULL
} elbo_tsne_options;

elbo_tsne_options elbo_tsne_defaults(void);

typedef struct elbo_tsne_result {
    int iterations;    // done: fewer where it was stopped
    double kl;         // exact: normalised over all pairs
    double perplexity; // used
    double recall;     // of the nearest neighbours
} elbo_tsne_result;

/* y (n, 2), the caller's, of x (n, dims). Where the work is interrupted y holds the embedding as far as it got, and the
 * status is ELBO_STOPPED. The same bits for any number of threads. */
elbo_status elbo_tsne(float *y, elbo_tsne_result *result, const float *x, size_t n, int dims,
                      const elbo_tsne_options *o, const elbo_job *work, elbo_error *err);

/* New points, and the embedding that they are placed in. */
typedef struct elbo_tsne_placement {
    const float *new_points; // (m, dims)
    size_t m;
    const float *embedding; // (n, 2)
    const float *x;         // (n, dims): the points that the embedding is of
    size_t n;
    int dims;
} elbo_tsne_placement;

/* Places the new points in the embedding, which stays as it is.  y: (m, 2) */
elbo_status elbo_tsne_transform(float *y, const elbo_tsne_placement *what, const elbo_tsne_options *o,
                                const elbo_job *work, elbo_error *err);

#endif
