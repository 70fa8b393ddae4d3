/* The images of a data set that pictures come nearest to.
 *
 * Two images are as far apart as their deviations from the mean image point in different directions: sqrt(2 - 2 r), r
 * their correlation after the mean was taken off both; 0: the same, 1.41: nothing in common. Euclidean distance over
 * the pixels would take every pale or smooth picture, which is near to all, for a copy. */
#ifndef ELBO_NEAREST_IMAGE_H
#define ELBO_NEAREST_IMAGE_H

#include "data/data.h"
#include "base/job.h"

/* Images that others are compared with. */
typedef struct elbo_image_choice {
    const elbo_images *images;
    const uint32_t *which; // (n) rows of them; NULL: the first n
    size_t n;
    float low, high; // the range that they are brought to
} elbo_image_choice;

/* For each of the pictures (m, C, H, W), in [low, high], the nearest of the images. The mean is that of these images.
 * They are read a block at a time, so that a large data set needs no more memory than a small one.
 * nearest: (m), rows of `images->images`, or NULL; distance: (m) */
elbo_status elbo_nearest_image(uint32_t *nearest, float *distance, const float *pictures, size_t m,
                               const elbo_image_choice *images, const elbo_job *work, elbo_error *err);

#endif
