/* Two maps of the same points laid on each other. */
#ifndef ELBO_PROCRUSTES_H
#define ELBO_PROCRUSTES_H

#include <stddef.h>

/* Turns, mirrors and moves xy (n, 2), but does not stretch it, so that its points lie as near as they can to those of
 * `to` (n, 2): orthogonal Procrustes in the plane. */
void elbo_procrustes_align(float *xy, const float *to, size_t n);

#endif
