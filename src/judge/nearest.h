/* How near pictures are to the images of a data set. */
#ifndef ELBO_NEAREST_H
#define ELBO_NEAREST_H

#include "judge/exam.h"

/* distance[i]: Euclidean, from queries[i] to the nearest of the images `index` (n), which are read a block at a time.
 * queries: (m, C, H, W) in the recipe's range; distance: (m), the caller's. */
elbo_status elbo_nearest_image(double *distance, elbo_model *model, const float *queries, size_t m,
                               const elbo_images *images, const uint32_t *index, size_t n, elbo_error *err);

#endif
