/* Figures of walks through the latent space and of arithmetic in it. */
#ifndef ELBO_VIEW_WALKS_H
#define ELBO_VIEW_WALKS_H

#include "explore/operands.h"
#include "stats/slerp.h"
#include "render/figures.h"

/* Walks between pairs of ends, each end an expression, of each of some runs. */
typedef struct elbo_interpolations {
    const elbo_expression *end; // (pairs, 2)
    const char *const *heading; // (pairs): "class:3 to class:8"
    int pairs, steps;
    elbo_path path;
    bool pixels;         // also a cross-fade of the two images themselves, where both ends have pixels
    elbo_operands words; // what all runs share: the data and how files are read
    // made by elbo_interpolations_make:
    float *images; // (pairs, runs, steps, C, H, W)
    float *faded;  // (pairs, steps, C, H, W); NULL without pixels
} elbo_interpolations;

/* Images are in the first run's range. */
elbo_status elbo_interpolations_make(elbo_interpolations *w, elbo_run *runs, int count, elbo_error *err);
void elbo_interpolations_free(elbo_interpolations *w);
/* A block of rows for each pair: pixels, then each run. */
elbo_status elbo_figure_walks(elbo_figure f, const elbo_interpolations *w, const elbo_run *runs, int count,
                              elbo_error *err);

/* Step after step of all walks as pictures: pairs beside each other, runs below each other, enlarged.
 *   *frames: (steps, *height, *width, channels) bytes, the caller's to free */
elbo_status elbo_interpolations_frames(const elbo_interpolations *w, const elbo_run *runs, int count, uint8_t **frames,
                                       int *width, int *height, elbo_error *err);

#endif
