/* The images that pictures come nearest to, as nearest_image.h has it, with what makes a second question quick: images are
 * projected on a few axes once, in which distances are never too large, and only those that may be near are compared value
 * by value. Exact. 60,000 images of 784 values: some hundred milliseconds to make, a few for a picture. */
#ifndef ELBO_IMAGE_INDEX_H
#define ELBO_IMAGE_INDEX_H

#include "explore/nearest_image.h"
#include "stats/near_index.h"

typedef struct elbo_image_index {
    elbo_image_choice of; // the images stay the caller's and are read with every question
    size_t size;          // values of an image
    int axes;
    double *mean;         // (size)
    float *axis;          // (size, axes): orthonormal columns
    float *scale;         // (n): 1 / the length of an image's deviation from the mean; 0 where it has none
    elbo_near_index near; // (n, axes + 1): along the axes, and what is left
} elbo_image_index;

elbo_status elbo_image_index_make(elbo_image_index *x, const elbo_image_choice *images, const elbo_job *work,
                                  elbo_error *err);
void elbo_image_index_free(elbo_image_index *x);

/* The k nearest images, k at most n. May be called by several threads at once.
 * picture: (C, H, W), in [low, high]; nearest: (k), rows of `images->images`; distance: (k), ascending */
elbo_status elbo_image_index_find(const elbo_image_index *x, const float *picture, int k, uint32_t *nearest,
                                  float *distance, elbo_error *err);

#endif
