/* Binary images: each value is white with the probability that it says, else black, as Salakhutdinov and Murray (2008)
 * and Burda et al. (2015) train on MNIST. Drawn by the numbers of (seed, image) or, dynamically, of (seed, epoch, image). A
 * binary image stays as it is. */
#ifndef ELBO_BINARISE_H
#define ELBO_BINARISE_H

#include "base/random.h"
#include "data/data.h"

/* out: (n) low or high; u: (n) uniform in [0, 1). Of bytes this is exact. */
void elbo_binarise_bytes(float *out, const uint8_t *bytes, const float *u, size_t n, float low, float high);
void elbo_binarise_floats(float *x, const float *u, size_t n, float low, float high);

/* The stream of an image; `draw` 0: the fixed one. */
static inline elbo_stream elbo_binarise_stream(uint64_t seed, uint32_t draw, uint32_t image) {
    return (elbo_stream){.seed = seed, .purpose = ELBO_FOR_BINARY, .epoch = draw, .sample = image};
}

/* A whole set, each image by its fixed stream. Floats are from `low` to `high`. */
elbo_status elbo_images_binarise(elbo_images *images, uint64_t seed, float low, float high, elbo_error *err);

#endif
