/* The inner loops of t-SNE, compiled once per instruction set: `elbo_tsne_kernels_here` gives those for this CPU. Each
 * works on a fixed piece and keeps sixteen lanes whatever the width of the registers, so that what it computes depends
 * on the piece alone. */
#ifndef ELBO_MAP_KERNELS_H
#define ELBO_MAP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "stats/fft.h"
#include "stats/tsne_similarity.h"

/* One step of the optimiser. */
typedef struct elbo_tsne_step {
    float attraction; // factor of the sum of weights: exaggeration / (2 n)
    float repulsion;  // of the repulsive sum: 1 / Z
    float rate, momentum, longest;
} elbo_tsne_step;

/* What a step reads and moves, all (n, 2). */
typedef struct elbo_tsne_motion {
    const float *y;         // where the points are
    float *next;            // where they will be
    const float *repulsion; // the repulsive sums
    float *velocity, *gain;
} elbo_tsne_motion;

typedef struct elbo_tsne_force_kernels {
    /* p (k) with the entropy log_perplexity from squared distances d2 (k), ascending: bisection on the precision. */
    void (*conditional)(float *p, const float *d2, int k, float log_perplexity);
    /* Rows from .. to-1: attraction, the sum over j of weight_ij w_ij (y_i - y_j), w_ij = 1 / (1 + |y_i - y_j|^2), then
     * the step: next = y + velocity. */
    void (*step)(const elbo_similarities *s, size_t from, size_t to, const elbo_tsne_motion *m, elbo_tsne_step how);
    /* Sum over rows from .. to-1 of weight_ij log(1 + |y_i - y_j|^2). */
    double (*cost)(const elbo_similarities *s, size_t from, size_t to, const float *y);
    /* Places at (m, 2), rows from .. to-1: repulsion (m, 2), the sum over the n points of w^2 (at - point), and z (m),
     * that of w. x, y: the points' coordinates apart, filled up to a multiple of 16 by points that are far away (1e18)
     */
    void (*repel)(float *repulsion, float *z, const float *at, size_t from, size_t to, const float *x, const float *y,
                  size_t n);
    /* Sum of w_ij over from <= i < to and all j > i. */
    double (*normaliser)(const float *x, const float *y, size_t n, size_t from, size_t to);
} elbo_tsne_force_kernels;

/* A point in nodes of a grid, and which one it is. */
typedef struct elbo_grid_point {
    float u, v; // column and row
    uint32_t index;
} elbo_grid_point;

/* A real image (rows, columns) is transformed to a half spectrum in blocks of sixteen frequencies of the rows:
 * (m / 32 blocks, columns, {re, im}, 16). Both sides of the image are m / 2 at most, m the plan's length; what lies
 * beyond is 0. The frequency m / 2 is left out. Scratch is (6, m, 16) floats. */
typedef struct elbo_tsne_grid_kernels {
    /* Adds each point's charge, 1, to the 4 x 4 nodes about it, by cubic B-splines.  charge: (rows, side) */
    void (*scatter)(float *charge, size_t side, const elbo_grid_point *points, size_t n);
    /* The field (rows, side, 2) at points, into out[index] (2). */
    void (*gather)(float *out, const float *field, size_t side, const elbo_grid_point *points, size_t n);
    /* Columns 32 block .. 32 block + 31 of the image, along the rows. */
    void (*down)(const elbo_fft *f, float *spectrum, const float *image, int rows, int columns, int block,
                 float *scratch);
    /* Block `block` of the spectrum along the columns, times kernels, and back: two fields; returns the energy in
     * kernel 0, of which kernels 1 and 2 are the parts of i k in columns and rows. */
    double (*across)(const elbo_fft *f, float *const field[2], const float *spectrum, const float *const kernel[3],
                     int columns, int block, float *scratch);
    /* The same for a kernel: the real (part 0) or the imaginary part (1) of its transform. kernel: (m / 32, m, 16) */
    void (*kernel)(const elbo_fft *f, float *kernel, const float *spectrum, int part, int columns, int block,
                   float *scratch);
    /* Columns 16 block .. 16 block + 15 of both fields back along the rows.  field: (rows, side, 2) */
    void (*up)(const elbo_fft *f, float *field, float *const spectrum[2], int rows, int columns, int block,
               float *scratch);
    /* Sixteen complex sequences (n, {re, im}, 16), in place. */
    void (*transform)(const elbo_fft *f, float *data, float *scratch);
} elbo_tsne_grid_kernels;

typedef struct elbo_tsne_kernels {
    const elbo_tsne_force_kernels *force;
    const elbo_tsne_grid_kernels *grid;
} elbo_tsne_kernels;

const elbo_tsne_kernels *elbo_tsne_kernels_here(void);

#endif
