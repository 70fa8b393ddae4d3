#include "stats/embedding_scores.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "stats/near.h"
#include "stats/cells.h"
#include "stats/knn.h"
#include "stats/near_search.h"
#include "stats/neighbours.h"
#include "stats/scaled.h"

enum { NEIGHBOURS = 10, ALL_ASKED = 100000, SAMPLE = 20000, CELL = 256 };
_Static_assert((int)NEIGHBOURS <= (int)ELBO_NEAR_BLOCK, "a point's neighbours are one block");

/* One of the two spaces. */
typedef struct space {
    const float *x; // (n, dims)
    int dims;
    elbo_cells cells;
    uint32_t *near;   // (m, k): the nearest of those asked about
    float *distance2; // (m, k): of them, and later of the other space's
    uint32_t *before; // (m, k): how many points are nearer than each of the other space's nearest
} space;

typedef struct scoring {
    size_t n, m;
    int k;
    const uint32_t *which; // (m), or NULL: all
    const elbo_job *work;
} scoring;

static elbo_status find_near(space *s, const scoring *c, double from, double to, elbo_error *err) {
    size_t room = c->m * (size_t)c->k;
    ELBO_TRY(elbo_points_check(s->x, c->n, s->dims, "point", err));
    s->near = elbo_alloc(room, sizeof *s->near);
    s->distance2 = elbo_alloc(room, sizeof *s->distance2);
    s->before = elbo_alloc(room, sizeof *s->before);
    if (!s->near || !s->distance2 || !s->before) return elbo_no_memory(err);
    ELBO_TRY(elbo_cells_make(&s->cells, s->x, c->n, s->dims, CELL, c->work ? c->work->threads : 0, err));
    elbo_near_search search = {.cells = &s->cells,
                               .query = s->x,
                               .which = c->which,
                               .m = c->m,
                               .self = true,
                               .k = c->k,
                               .index = s->near,
                               .distance2 = s->distance2};
    return elbo_near_run(&search, "embedding scores", from, to, c->work, err);
}

static bool is_among(uint32_t one, const uint32_t *index, size_t k) {
    for (size_t i = 0; i < k; i++)
        if (index[i] == one) return true;
    return false;
}

/* The rank of each of `near` (m, k), where it is beyond k, among the points by their distance in this space. */
static elbo_status find_ranks(space *s, const uint32_t *near, const scoring *c, double from, double to,
                              elbo_error *err) {
    const elbo_near_kernels *kernels = elbo_near_kernels_here();
    size_t dims = (size_t)s->dims, k = (size_t)c->k;
    float *packed = elbo_alloc(ELBO_NEAR_BLOCK, dims * sizeof *packed), distance2[ELBO_NEAR_BLOCK];
    if (!packed) return elbo_no_memory(err);
    for (size_t i = 0; i < c->m; i++) { // by the kernel that counts, so that equal distances are equal to the bit
        elbo_near_pack(packed, s->x, near, i * k, k, s->dims);
        kernels->distances(distance2, s->x + (c->which ? c->which[i] : i) * dims, packed, 1, s->dims);
        for (size_t j = 0; j < k; j++) // near in both: no need to know how near, so nothing lies before -1
            s->distance2[i * k + j] = is_among(near[i * k + j], s->near + i * k, k) ? -1 : distance2[j];
    }
    free(packed);
    elbo_near_search search = {.cells = &s->cells,
                               .query = s->x,
                               .which = c->which,
                               .m = c->m,
                               .self = true,
                               .asked = c->k,
                               .asked_distance2 = s->distance2,
                               .asked_index = near,
                               .before = s->before};
    return elbo_near_run(&search, "embedding scores", from, to, c->work, err);
}

/* 1 - 2 / (m k (2 n - 3 k - 1)) sum of max(0, rank - k), from counts of the points before. */
static double trust(const uint32_t *before, const scoring *c) {
    double sum = 0, n = (double)c->n, k = c->k;
    for (size_t i = 0; i < c->m * (size_t)c->k; i++) sum += fmax(0, before[i] + 1.0 - k);
    return 1 - sum * 2 / ((double)c->m * k * (2 * n - 3 * k - 1));
}

static double accuracy(const space *s, const uint8_t *labels, const scoring *c) {
    size_t right = 0;
    if (!labels) return NAN;
    for (size_t i = 0; i < c->m; i++)
        right += elbo_knn_vote(s->near + i * (size_t)c->k, c->k, labels) == labels[c->which ? c->which[i] : i];
    return (double)right / (double)c->m;
}

static double share_in_both(const space *a, const space *b, const scoring *c) {
    size_t hits = 0, k = (size_t)c->k;
    for (size_t i = 0; i < c->m * k; i++) hits += is_among(a->near[i], b->near + i / k * k, k);
    return (double)hits / (double)(c->m * k);
}

static elbo_status score(elbo_embedding_scores *s, space *points, space *embedding, const uint8_t *labels,
                         const scoring *c, elbo_error *err) {
    ELBO_TRY(find_near(points, c, 0, 0.3, err));
    ELBO_TRY(find_near(embedding, c, 0.3, 0.4, err));
    *s = (elbo_embedding_scores){.k = c->k, .asked = c->m};
    s->recall = share_in_both(points, embedding, c);
    s->knn_points = accuracy(points, labels, c);
    s->knn_embedding = accuracy(embedding, labels, c);
    ELBO_TRY(find_ranks(points, embedding->near, c, 0.4, 0.8, err));
    s->trustworthiness = trust(points->before, c);
    ELBO_TRY(find_ranks(embedding, points->near, c, 0.8, 1, err));
    s->continuity = trust(embedding->before, c);
    return ELBO_OK;
}

static void free_space(space *s) {
    elbo_cells_free(&s->cells);
    free(s->near);
    free(s->distance2);
    free(s->before);
}

elbo_status elbo_embedding_score(elbo_embedding_scores *s, const float *embedding, const float *x, size_t n, int dims,
                                 const uint8_t *labels, const elbo_job *work, elbo_error *err) {
    if (n < 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "embedding scores of %zu point%s; they need 3 or more", n,
                         n == 1 ? "" : "s");
    scoring c = {.n = n, .m = n, .k = n > 2 * NEIGHBOURS ? NEIGHBOURS : (int)(n - 1) / 2, .work = work};
    uint32_t *which = NULL;
    if (n > ALL_ASKED) { // one of each 20,000th of the points
        float *share = elbo_alloc(SAMPLE, sizeof *share);
        which = elbo_alloc(SAMPLE, sizeof *which);
        if (share && which) elbo_random_uniform((elbo_stream){.purpose = ELBO_FOR_MAP, .epoch = 1}, share, SAMPLE);
        for (size_t i = 0; i < SAMPLE && share && which; i++)
            which[i] = (uint32_t)(((double)i + share[i]) * (double)n / SAMPLE);
        free(share);
        if (!share || !which) return free(which), elbo_no_memory(err);
        c.which = which;
        c.m = SAMPLE;
    }
    elbo_scaled scaled_points = {0}, scaled_embedding = {0};
    elbo_status status = elbo_scaled_make(&scaled_points, x, n, dims, elbo_scale_of(x, n, dims), err);
    if (status == ELBO_OK)
        status = elbo_scaled_make(&scaled_embedding, embedding, n, 2, elbo_scale_of(embedding, n, 2), err);
    space points = {.x = scaled_points.x, .dims = dims}, plane = {.x = scaled_embedding.x, .dims = 2};
    if (status == ELBO_OK) status = score(s, &points, &plane, labels, &c, err);
    free_space(&points);
    free_space(&plane);
    elbo_scaled_free(&scaled_points);
    elbo_scaled_free(&scaled_embedding);
    free(which);
    return status;
}
