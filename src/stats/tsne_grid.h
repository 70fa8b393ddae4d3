/* Repulsion of all points on all points by a grid and the FFT, after Linderman et al., "Fast interpolation-based t-SNE
 * for improved visualization of single-cell RNA-seq data", Nature Methods 16, 2019. What is different here:
 *
 * - One charge, and the forces' own kernels dx / (1 + d^2)^2 and dy / (1 + d^2)^2, so that nothing large is subtracted
 * from something large; Z comes from the spectrum (Parseval). One transform forth and two back, of which the latter
 * share one pass.
 * - Cubic B-splines take the place of Lagrange polynomials, with the kernel's spectrum divided by what they smooth
 * away, as in the particle-mesh methods (Hockney and Eastwood, Computer Simulation Using Particles, 1981, section 8).
 * With nodes 1/3 apart they err by 0.3 percent of a force (root mean square, embedding of 10,000 codes of a VAE of
 * MNIST), Lagrange's by 5.8. That matters: embeddings of 3,000 codes by forces that err by 3 percent end with a
 * divergence 3 percent above those by exact forces; at 0.3 percent there is no difference.
 * - The distance of nodes is fixed, so that kernels stay as they are while the embedding grows within a grid.
 * - Points far outside of all others are reckoned with one by one. */
#ifndef ELBO_TSNE_GRID_H
#define ELBO_TSNE_GRID_H

#include <stddef.h>

#include "base/threads.h"

typedef struct elbo_tsne_grid elbo_tsne_grid;

elbo_status elbo_tsne_grid_make(elbo_tsne_grid **grid, size_t n, elbo_team *team, elbo_error *err);
void elbo_tsne_grid_free(elbo_tsne_grid *grid);

/* repulsion (n, 2): the sums over j of w_ij^2 (y_i - y_j), w = 1 / (1 + d^2); *z: the sum of w_ij over i and j that
 * differ. Fails only where memory for a larger grid is out. */
elbo_status elbo_tsne_grid_repel(elbo_tsne_grid *grid, const float *y, float *repulsion, double *z, elbo_error *err);

#endif
