#include "stats/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "stats/near.h"

/* Lloyd's rounds on a sample: cells need be compact, not optimal. */
enum { ROUNDS = 5, SAMPLE_PER_CELL = 48, PIECE_GROUPS = 64 };

static size_t blocks_of(size_t points) { return (points + ELBO_NEAR_BLOCK - 1) / ELBO_NEAR_BLOCK; }

void elbo_near_group(float *group, const float *x, const uint32_t *which, size_t first, size_t count, int dims) {
    for (size_t i = 0; i < (count + ELBO_NEAR_GROUP - 1) / ELBO_NEAR_GROUP * ELBO_NEAR_GROUP; i++) {
        size_t at = first + (i < count ? i : i / ELBO_NEAR_GROUP * ELBO_NEAR_GROUP);
        const float *point = x + (which ? which[at] : at) * (size_t)dims;
        float *to = group + i / ELBO_NEAR_GROUP * ELBO_NEAR_GROUP * (size_t)dims + i % ELBO_NEAR_GROUP;
        for (int d = 0; d < dims; d++) to[d * ELBO_NEAR_GROUP] = point[d];
    }
}

void elbo_near_pack(float *packed, const float *x, const uint32_t *which, size_t first, size_t count, int dims) {
    for (size_t i = 0; i < blocks_of(count) * ELBO_NEAR_BLOCK; i++) {
        const float *point = i < count ? x + (which ? which[first + i] : first + i) * (size_t)dims : NULL;
        float *to = packed + i / ELBO_NEAR_BLOCK * ELBO_NEAR_BLOCK * (size_t)dims + i % ELBO_NEAR_BLOCK;
        for (int d = 0; d < dims; d++) to[d * ELBO_NEAR_BLOCK] = point ? point[d] : INFINITY;
    }
}

elbo_status elbo_points_check(const float *x, size_t n, int dims, const char *what, elbo_error *err) {
    static const float largest = 1e15f; // squares of differences, and sums of many, stay finite
    for (size_t i = 0; i < n * (size_t)dims; i++)
        if (!(fabsf(x[i]) <= largest))
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "%s %zu: dimension %zu is %g; distances need finite values of at most 1e15", what,
                             i / (size_t)dims, i % (size_t)dims, (double)x[i]);
    return ELBO_OK;
}

/* ---- the nearest centre ---- */

typedef struct assign_job {
    const elbo_cells *c;
    const float *x;        // (?, dims)
    const uint32_t *which; // (m) or NULL
    size_t m;
    uint32_t *cell; // (m)
    float *room;    // (pieces, dims, 6)
} assign_job;

static void assign_piece(void *context, int piece) {
    const assign_job *j = context;
    const elbo_near_kernels *k = elbo_near_kernels_here();
    size_t first = (size_t)piece * PIECE_GROUPS * ELBO_NEAR_GROUP;
    float *group = j->room + (size_t)piece * ELBO_NEAR_GROUP * (size_t)j->c->dims, distance2[ELBO_NEAR_GROUP];
    uint32_t place[ELBO_NEAR_GROUP];
    for (size_t i = first; i < first + PIECE_GROUPS * ELBO_NEAR_GROUP && i < j->m; i += ELBO_NEAR_GROUP) {
        size_t count = j->m - i < ELBO_NEAR_GROUP ? j->m - i : ELBO_NEAR_GROUP;
        elbo_near_group(group, j->x, j->which, i, count, j->c->dims);
        k->nearest(place, distance2, group, j->c->packed_centre, blocks_of((size_t)j->c->count), j->c->dims);
        memcpy(j->cell + i, place, count * sizeof *place);
    }
}

elbo_status elbo_cells_assign(const elbo_cells *c, const float *x, const uint32_t *which, size_t m, uint32_t *cell,
                              int threads, elbo_error *err) {
    size_t rows = (size_t)PIECE_GROUPS * ELBO_NEAR_GROUP, pieces = (m + rows - 1) / rows;
    assign_job job = {.c = c, .x = x, .which = which, .m = m, .cell = cell};
    job.room = elbo_alloc(pieces * ELBO_NEAR_GROUP, (size_t)c->dims * sizeof(float));
    if (!job.room) return elbo_no_memory(err);
    elbo_parallel_for(threads, (int)pieces, assign_piece, &job);
    free(job.room);
    return ELBO_OK;
}

/* Moves each centre to the mean of its points, summed in their order. */
static void move_centres(elbo_cells *c, const float *x, const uint32_t *which, size_t m, const uint32_t *cell,
                         double *sum, size_t *members) {
    size_t dims = (size_t)c->dims;
    memset(sum, 0, (size_t)c->count * dims * sizeof *sum);
    memset(members, 0, (size_t)c->count * sizeof *members);
    for (size_t i = 0; i < m; i++) {
        double *to = sum + cell[i] * dims;
        const float *point = x + which[i] * dims;
        for (size_t d = 0; d < dims; d++) to[d] += point[d];
        members[cell[i]]++;
    }
    for (size_t i = 0; i < (size_t)c->count; i++)
        for (size_t d = 0; d < dims && members[i]; d++)
            c->centre[i * dims + d] = (float)(sum[i * dims + d] / (double)members[i]);
}

static elbo_status find_centres(elbo_cells *c, const float *x, int threads, elbo_error *err) {
    size_t dims = (size_t)c->dims, count = (size_t)c->count, m = count * SAMPLE_PER_CELL;
    if (m > c->n) m = c->n;
    uint32_t *shuffled = elbo_alloc(c->n, sizeof *shuffled), *cell = elbo_alloc(m, sizeof *cell);
    double *sum = elbo_alloc(count * dims, sizeof *sum);
    size_t *members = elbo_alloc(count, sizeof *members);
    elbo_status status = shuffled && cell && sum && members ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_random_permutation((elbo_stream){.purpose = ELBO_FOR_NEIGHBOURS}, shuffled, (uint32_t)c->n);
        for (size_t i = 0; i < count; i++) memcpy(c->centre + i * dims, x + shuffled[i] * dims, dims * sizeof *x);
    }
    for (int round = 0; round < ROUNDS && status == ELBO_OK; round++) {
        elbo_near_pack(c->packed_centre, c->centre, NULL, 0, count, c->dims);
        status = elbo_cells_assign(c, x, shuffled, m, cell, threads, err);
        if (status == ELBO_OK) move_centres(c, x, shuffled, m, cell, sum, members);
    }
    elbo_near_pack(c->packed_centre, c->centre, NULL, 0, count, c->dims);
    free(shuffled);
    free(cell);
    free(sum);
    free(members);
    return status;
}

/* ---- the points, cell by cell ---- */

void elbo_cells_sort(uint32_t *order, size_t *start, const uint32_t *cell, size_t m, int count) {
    memset(start, 0, ((size_t)count + 1) * sizeof *start);
    for (size_t i = 0; i < m; i++) start[cell[i] + 1]++;
    for (int i = 0; i < count; i++) start[i + 1] += start[i];
    for (size_t i = 0; i < m; i++) order[start[cell[i]]++] = (uint32_t)i;
    for (int i = count; i > 0; i--) start[i] = start[i - 1]; // each had moved to the next one's start
    start[0] = 0;
}

typedef struct pack_job {
    elbo_cells *c;
    const float *x;        // (n, dims)
    const uint32_t *order; // (n)
    const size_t *start;   // (count + 1)
} pack_job;

static void pack_cell(void *context, int cell) {
    const pack_job *j = context;
    elbo_cells *c = j->c;
    size_t dims = (size_t)c->dims, count = j->start[cell + 1] - j->start[cell], block = c->first[cell];
    elbo_near_pack(c->packed + block * ELBO_NEAR_BLOCK * dims, j->x, j->order, j->start[cell], count, c->dims);
    uint32_t *index = c->index + block * ELBO_NEAR_BLOCK;
    for (size_t i = 0; i < blocks_of(count) * ELBO_NEAR_BLOCK; i++)
        index[i] = i < count ? j->order[j->start[cell] + i] : ELBO_NEAR_NONE;
    const elbo_near_kernels *k = elbo_near_kernels_here();
    float farthest = 0, distance2[ELBO_NEAR_BLOCK];
    for (size_t i = 0; i < count; i++) {
        if (i % ELBO_NEAR_BLOCK == 0)
            k->distances(distance2, c->centre + (size_t)cell * dims, c->packed + (block * ELBO_NEAR_BLOCK + i) * dims,
                         1, c->dims);
        if (distance2[i % ELBO_NEAR_BLOCK] > farthest) farthest = distance2[i % ELBO_NEAR_BLOCK];
    }
    c->radius[cell] = sqrtf(farthest);
}

static elbo_status fill(elbo_cells *c, const float *x, int threads, elbo_error *err) {
    uint32_t *order = elbo_alloc(c->n, sizeof *order);
    size_t *start = elbo_alloc((size_t)c->count + 1, sizeof *start);
    c->cell = elbo_alloc(c->n, sizeof *c->cell);
    elbo_status status =
        c->cell && order && start ? elbo_cells_assign(c, x, NULL, c->n, c->cell, threads, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_cells_sort(order, start, c->cell, c->n, c->count);
        for (int i = 0; i < c->count; i++) c->first[i + 1] = c->first[i] + blocks_of(start[i + 1] - start[i]);
        size_t places = c->first[c->count] * ELBO_NEAR_BLOCK;
        c->packed = elbo_alloc(places, (size_t)c->dims * sizeof *c->packed);
        c->index = elbo_alloc(places, sizeof *c->index);
        if (!c->packed || !c->index) status = elbo_no_memory(err);
    }
    pack_job job = {c, x, order, start};
    if (status == ELBO_OK) elbo_parallel_for(threads, c->count, pack_cell, &job);
    free(order);
    free(start);
    return status;
}

elbo_status elbo_cells_make(elbo_cells *c, const float *x, size_t n, int dims, size_t size, int threads,
                            elbo_error *err) {
    size_t count = n / size ? n / size : 1;
    *c = (elbo_cells){.n = n, .dims = dims, .count = (int)count};
    c->centre = elbo_alloc(count, (size_t)dims * sizeof *c->centre);
    c->packed_centre = elbo_alloc(blocks_of(count) * ELBO_NEAR_BLOCK, (size_t)dims * sizeof *c->centre);
    c->radius = elbo_alloc(count, sizeof *c->radius);
    c->first = elbo_alloc(count + 1, sizeof *c->first);
    elbo_status status = c->centre && c->packed_centre && c->radius && c->first ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = find_centres(c, x, threads, err);
    if (status == ELBO_OK) status = fill(c, x, threads, err);
    if (status != ELBO_OK) elbo_cells_free(c);
    return status;
}

void elbo_cells_free(elbo_cells *c) {
    free(c->centre);
    free(c->packed_centre);
    free(c->radius);
    free(c->first);
    free(c->cell);
    free(c->packed);
    free(c->index);
    *c = (elbo_cells){0};
}
