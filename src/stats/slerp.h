/* Paths from one code to another. */
#ifndef ELBO_SLERP_H
#define ELBO_SLERP_H

#include <stddef.h>

#include "base/status.h"

typedef enum elbo_path { ELBO_LINEAR, ELBO_SLERP } elbo_path;

/* out = (1 - t) a + t b.  a, b, out: (dims) */
void elbo_lerp(const double *a, const double *b, size_t dims, double t, double *out);

/* Along the great circle: sin((1-t) w) / sin w * a + sin(t w) / sin w * b, w the angle between a and b (White 2016,
 * "Sampling generative networks", after Shoemake 1985). A standard normal code of many dimensions lies near a sphere,
 * whose inside a straight line crosses. Where a or b is zero or both point one way, this is elbo_lerp. Where they point
 * opposite ways no circle is nearer than another: the way then goes round through the axis on which a is smallest, its
 * length from |a| to |b|. */
void elbo_slerp(const double *a, const double *b, size_t dims, double t, double *out);

/* `steps` codes from a to b, both among them.  a, b: (dims); out: (steps, dims) */
elbo_status elbo_path_between(elbo_path path, const float *a, const float *b, size_t dims, int steps, float *out,
                              elbo_error *err);

#endif
