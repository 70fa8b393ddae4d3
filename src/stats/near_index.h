/* The nearest of some points to one, exactly, in about a tenth of a millisecond for 70,000 points of 20 numbers: points are
 * packed once (near.h), and each question looks at all of them. For many questions at once neighbours.h is faster. */
#ifndef ELBO_NEAR_INDEX_H
#define ELBO_NEAR_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct elbo_near_index {
    size_t n, blocks;
    int dims;
    float *packed; // (blocks, dims, 16)
} elbo_near_index;

/* x: (n, dims), finite; not needed afterwards */
elbo_status elbo_near_index_make(elbo_near_index *i, const float *x, size_t n, int dims, elbo_error *err);
void elbo_near_index_free(elbo_near_index *i);

/* The k nearest, the nearest first, of equal ones the lower index; k at most n. index: (k), distance2: (k), squared */
void elbo_near_index_find(const elbo_near_index *i, const float *point, int k, uint32_t *index, float *distance2);

/* Squared distances to all.  distance2: (16 blocks) */
void elbo_near_index_all(const elbo_near_index *i, const float *point, float *distance2);

#endif
