/* Two maps of the same points laid on each other. */
#ifndef ELBO_PROCRUSTES_H
#define ELBO_PROCRUSTES_H

#include <stddef.h>

/* How to turn or mirror xy about its mean, so that its points lie as near as they can to those of `to`, each seen from its
 * own mean: orthogonal Procrustes in the plane.  xy, to: (n, 2); turn: 2 x 2, row by row: new = turn old */
void elbo_procrustes(const float *xy, const float *to, size_t n, double turn[4]);

#endif
