/* Points whose squared distances floats can hold. Those of points that lie within 1e-20 of each other are 0: no point
 * would be nearer than another, and nothing would say so. */
#ifndef ELBO_SCALED_H
#define ELBO_SCALED_H

#include <stddef.h>

#include "base/status.h"

typedef struct elbo_scaled {
    const float *x; // (n, dims): the caller's where they need no scaling
    float *own;     // or NULL
} elbo_scaled;

/* 1 where x (n, dims) is 1e-9 wide or more, else the power of two that makes it about 1 wide. What is computed from
 * ratios of distances is the same, mostly to the bit. */
double elbo_scale_of(const float *x, size_t n, int dims);

/* x times a scale, which is that of x or of other points that x is compared with. */
elbo_status elbo_scaled_make(elbo_scaled *s, const float *x, size_t n, int dims, double scale, elbo_error *err);
void elbo_scaled_free(elbo_scaled *s);

#endif
