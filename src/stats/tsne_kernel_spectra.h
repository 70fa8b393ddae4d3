/* The spectra of t-SNE's three kernels on a grid, kept while the grid fits. */
#ifndef ELBO_TSNE_KERNEL_SPECTRA_H
#define ELBO_TSNE_KERNEL_SPECTRA_H

#include "base/threads.h"
#include "stats/simd/tsne_kernels.h"

#define ELBO_GRID_SPACING (1 / 3.0f) // of the nodes, in units of the embedding, where the embedding is wide
enum { ELBO_GRID_LEAST_NODES = 64, ELBO_GRID_MOST_NODES = 1536 };

typedef struct elbo_kernel_spectra {
    int nodes; // of the grid in each direction: half the transform's length
    float spacing;
    elbo_fft fft;
    float *kernel[3]; // (nodes / 16, 2 nodes, 16)
} elbo_kernel_spectra;

/* Makes spectra for an embedding of this extent with `margin` nodes beyond, unless those that are there fit. */
elbo_status elbo_kernel_spectra_fit(elbo_kernel_spectra *k, float extent, int margin, elbo_team *team, elbo_error *err);
void elbo_kernel_spectra_free(elbo_kernel_spectra *k);

/* Floats of scratch memory that a thread needs for the transforms. */
size_t elbo_kernel_spectra_scratch(const elbo_kernel_spectra *k);

#endif
