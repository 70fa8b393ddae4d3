/* What searching for near points calls. Points are packed in blocks of 16: (blocks, dims, 16), so that a vector holds
 * one coordinate of 16 points; places of a block without a point hold infinity. Points that are asked about come in
 * groups of 6, (dims, 6), so that a vector loaded once serves six of them.
 *
 * A distance is the sum of squared differences, dimension by dimension: not |a|^2 - 2 a b + |b|^2, which loses the
 * small ones to cancellation and is hardly faster where subtractions have units of their own (bench/log.md). It is the
 * same bits for (a, b) and (b, a), and wherever the points lie. Near is smaller by (distance, index). */
#ifndef ELBO_NEAR_H
#define ELBO_NEAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

enum { ELBO_NEAR_BLOCK = 16, ELBO_NEAR_GROUP = 6, ELBO_NEAR_SLACK = 80 };
#define ELBO_NEAR_NONE UINT32_MAX

/* One point that is asked about, and what was found so far. */
typedef struct elbo_near_row {
    float bound; // only points before (bound, bound_index) are still of interest
    uint32_t bound_index;
    uint32_t self;    // a point left out, or ELBO_NEAR_NONE
    int count, room;  // candidates; room for them, less ELBO_NEAR_SLACK
    float *distance2; // (room + ELBO_NEAR_SLACK)
    uint32_t *index;  // the same
    /* Where ranks are asked for: how many points lie before each of these. */
    int asked;
    const float *asked_distance2; // (asked)
    const uint32_t *asked_index;  // (asked)
    uint32_t *before;             // (asked)
} elbo_near_row;

typedef struct elbo_near_kernels {
    const char *name;
    /* Looks through some blocks for the k nearest of each row of a group; all six rows are there, and those that nobody
     * asks about have the bound -1. */
    void (*search)(elbo_near_row *row, const float *group, const float *packed, const uint32_t *index, size_t blocks,
                   int dims, int k);
    /* The nearest k candidates, or all where they are fewer, in order.  distance2, index: (k) */
    void (*finish)(elbo_near_row *row, int k, float *distance2, uint32_t *index);
    /* Adds the points of some blocks to the counts of each row of a group; `finish_ranks` after the last. */
    void (*rank)(elbo_near_row *row, const float *group, const float *packed, const uint32_t *index, size_t blocks,
                 int dims);
    void (*finish_ranks)(elbo_near_row *row);
    /* The nearest of the points in some blocks to each of a group, the first of equal ones; distances at least
     * `nearest`. */
    void (*nearest)(uint32_t *place, float *distance2, const float *group, const float *packed, size_t blocks,
                    int dims);
    /* Of one point to those of some blocks.  out: (blocks, 16) */
    void (*distances)(float *out, const float *point, const float *packed, size_t blocks, int dims);
} elbo_near_kernels;

/* Those for this CPU, or for an instruction set that it must have. */
const elbo_near_kernels *elbo_near_kernels_here(void);
const elbo_near_kernels *elbo_near_kernels_for(elbo_isa isa);

#endif
