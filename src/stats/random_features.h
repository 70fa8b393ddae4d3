/* Features of images from a convolutional network with fixed random weights, for comparing sets of images of any kind: no
 * trained network is needed, and none of the compared models made them. Pixels, and PCA of them, hardly see blur; the
 * responses of filters that are blind to constant areas do. Random convolutional features are known to serve: Jarrett,
 * Kavukcuoglu, Ranzato and LeCun, "What is the best multi-stage architecture for object recognition?", 2009; Naeem, Oh, Uh,
 * Choi and Yoo, "Reliable fidelity and diversity metrics for generative models", 2020, compare generators by them. */
#ifndef ELBO_RANDOM_FEATURES_H
#define ELBO_RANDOM_FEATURES_H

#include <stddef.h>

#include "base/job.h"
#include "base/status.h"

/* Two layers of 3x3 convolutions (16 and 32 filters, each summing to 0 over every input channel and of norm 1; borders
 * repeated) and absolute values, 2x2 averages between them; of each channel the mean in the four quarters of the image. */
enum {
    ELBO_FEATURE_LAYERS = 2,
    ELBO_FEATURE_GRID = 2,
    ELBO_RANDOM_FEATURES = (16 + 32) * ELBO_FEATURE_GRID * ELBO_FEATURE_GRID
};

typedef struct elbo_feature_net {
    int channels, height, width;
    float *filter[ELBO_FEATURE_LAYERS]; // (out, in, 3, 3)
} elbo_feature_net;

elbo_status elbo_feature_net_make(elbo_feature_net *f, int channels, int height, int width, elbo_error *err);
void elbo_feature_net_free(elbo_feature_net *f);
/* images: (n, C, H, W) from 0 to 1; out: (n, ELBO_RANDOM_FEATURES). The same bits for any number of threads. */
elbo_status elbo_features_of(const elbo_feature_net *f, const float *images, size_t n, float *out, const elbo_job *work,
                             elbo_error *err);

#endif
