/* Global contrast normalisation of images when they are read: each less its mean, over its mean absolute deviation, so that neither
 * brightness nor contrast tells images apart; then least and greatest value of the training images are brought to the
 * recipe's range, as Ruff et al., "Deep one-class classification", 2018, prepare MNIST and CIFAR-10 (scale l1). Other images may
 * reach beyond the range. Of normalised images the same come out again, since a change of brightness or contrast cancels. */
#ifndef ELBO_CONTRAST_H
#define ELBO_CONTRAST_H

#include "data/data.h"

/* The least and the greatest normalised value of all images. */
elbo_status elbo_contrast_measure(elbo_contrast *c, const elbo_images *images, elbo_error *err);

static inline bool elbo_contrast_is_on(const elbo_contrast *c) { return c->most > c->least; }
/* x: (n) of one image, brought to low .. high; a flat image is 0 before that. */
void elbo_contrast_apply(const elbo_contrast *c, float *x, size_t n, float low, float high);

#endif
