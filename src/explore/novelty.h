/* Are generated images new, or remembered from training? Each one's nearest training image (nearest_image.h), and
 * how near images that are new come to theirs: the model's reconstructions of test images, which are as smooth as what it
 * generates. */
#ifndef ELBO_NOVELTY_H
#define ELBO_NOVELTY_H

#include "data/data.h"
#include "base/job.h"
#include "elbo/elbo.h"

typedef struct elbo_novelty {
    size_t n;
    uint32_t *nearest; // (n) into the training images
    float *distance;   // (n)
    double
        median;  // over reconstructed test images, of the distance to their nearest training image; NaN: no test images
    double p01;  // the 1st percentile of these distances
    size_t near; // how many of the n are nearer than p01
} elbo_novelty;

/* images: (n, C, H, W) as the model decoded them; clipped to the recipe's range, as a picture is. The test images asked
 * about are at most 1000, evenly taken. The model's decoder reads codes alone. */
elbo_status elbo_novelty_measure(elbo_novelty *v, elbo_model *m, const float *images, size_t n, const elbo_dataset *d,
                                 const elbo_job *work, elbo_error *err);
void elbo_novelty_free(elbo_novelty *v);

#endif
