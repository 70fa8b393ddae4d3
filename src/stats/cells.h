/* Points gathered into cells (k-means), so that a search can begin with the near ones and pass over the far ones. */
#ifndef ELBO_CELLS_H
#define ELBO_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct elbo_cells {
    size_t n;
    int dims, count;
    float *centre;        // (count, dims)
    float *packed_centre; // (blocks of count, dims, 16), as kernels/near.h has it
    float *radius;        // (count): of the farthest point from the centre
    uint32_t *cell;       // (n): where each point is
    size_t *first;        // (count + 1): each cell's first block
    float *packed;        // (blocks, dims, 16)
    uint32_t *index;      // (blocks, 16): which point; ELBO_NEAR_NONE where there is none
} elbo_cells;

/* Cells of about `size` points of x (n, dims). The same for any number of threads. */
elbo_status elbo_cells_make(elbo_cells *c, const float *x, size_t n, int dims, size_t size, int threads,
                            elbo_error *err);
void elbo_cells_free(elbo_cells *c);

/* Which cell's centre is nearest to each of some points. which: (m) rows of x, or NULL: the first m.  cell: (m) */
elbo_status elbo_cells_assign(const elbo_cells *c, const float *x, const uint32_t *which, size_t m, uint32_t *cell,
                              int threads, elbo_error *err);

/* Distances need values that are finite and at most 1e15; `what` is what a message calls a point. */
elbo_status elbo_points_check(const float *x, size_t n, int dims, const char *what, elbo_error *err);

/* Turns some points into groups of 6 for the kernels, (groups, dims, 6); the last is filled up with copies of its
 * first. */
void elbo_near_group(float *group, const float *x, const uint32_t *which, size_t first, size_t count, int dims);
/* And into blocks of 16, (blocks, dims, 16), the last filled up with infinity. */
void elbo_near_pack(float *packed, const float *x, const uint32_t *which, size_t first, size_t count, int dims);

/* Positions 0 .. m-1 in order of their cell, those of a cell in their own order.  order: (m), start: (count + 1) */
void elbo_cells_sort(uint32_t *order, size_t *start, const uint32_t *cell, size_t m, int count);

#endif
