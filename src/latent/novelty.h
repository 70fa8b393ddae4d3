/* Are generated images new, or remembered from training? Each one's nearest training image in pixels, and how near the
 * test images, which are new, come to theirs. */
#ifndef ELBO_NOVELTY_H
#define ELBO_NOVELTY_H

#include "data/data.h"
#include "latent/work.h"

typedef struct elbo_novelty {
    size_t n;
    uint32_t *nearest; // (n) into the training images
    float *distance;   // (n), Euclidean over the pixels
    double usual; // median over test images of the distance to their nearest training image; NaN without test images
    double rare;  // the hundredth part of the test images comes nearer than this
    size_t near;  // how many of the n do
} elbo_novelty;

/* images: (n, C, H, W) in [low, high], clipped to it as a picture is. The test images asked about are at most 1000,
 * evenly taken. */
elbo_status elbo_novelty_measure(elbo_novelty *v, const float *images, size_t n, const elbo_dataset *d, float low,
                                 float high, const elbo_work *work, elbo_error *err);
void elbo_novelty_free(elbo_novelty *v);

#endif
