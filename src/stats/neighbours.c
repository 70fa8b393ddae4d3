#include "stats/neighbours.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "stats/cells.h"
#include "stats/near_search.h"

/* Points of a cell: small ones are passed over more often, large ones take less looking after. */
enum { CELL = 256, LARGE_CELL = 400 };
/* Points whose neighbours are searched both ways to know the recall, for choosing how far to look and for reporting it.
 */
enum { SAMPLE = 768 };
/* A little above the 0.95 that is promised. */
static const double WANTED_RECALL = 0.96;

static elbo_status make(elbo_neighbours *nb, size_t n, int k, elbo_error *err) {
    *nb = (elbo_neighbours){.n = n, .k = k, .recall = 1};
    size_t bytes;
    if (__builtin_mul_overflow(n, (size_t)k * sizeof(float), &bytes)) return elbo_no_memory(err);
    nb->index = malloc(bytes ? bytes : 1); // not zeroed: of a million points these are the largest arrays
    nb->distance2 = malloc(bytes ? bytes : 1);
    return nb->index && nb->distance2 ? ELBO_OK : elbo_no_memory(err);
}

/* ---- many points ---- */

/* The share of the exact neighbours (m, k) that are among those found. */
static double share_found(const uint32_t *exact, const uint32_t *found, size_t m, int k) {
    size_t hits = 0;
    for (size_t i = 0; i < m * (size_t)k; i++) {
        const uint32_t *row = found + i / (size_t)k * (size_t)k;
        for (int j = 0; j < k; j++) hits += row[j] == exact[i];
    }
    return (double)hits / ((double)m * k);
}

typedef struct sample {
    uint32_t which[SAMPLE];
    uint32_t *exact, *found; // (SAMPLE, k)
    float *distance2;        // (SAMPLE, k)
} sample;

static elbo_status take_sample(sample *t, elbo_near_search s, const elbo_job *quiet, elbo_error *err) {
    float share[SAMPLE];
    elbo_random_uniform((elbo_stream){.purpose = ELBO_FOR_NEIGHBOURS, .epoch = 1}, share, SAMPLE);
    for (size_t i = 0; i < SAMPLE; i++) // one of each 768th of the points: no two are the same
        t->which[i] = (uint32_t)(((double)i + share[i]) * (double)s.cells->n / SAMPLE);
    size_t room = (size_t)s.k * SAMPLE;
    t->exact = elbo_alloc(room, sizeof *t->exact);
    t->found = elbo_alloc(room, sizeof *t->found);
    t->distance2 = elbo_alloc(room, sizeof *t->distance2);
    if (!t->exact || !t->found || !t->distance2) return elbo_no_memory(err);
    s.which = t->which;
    s.m = SAMPLE;
    s.probes = 0;
    s.index = t->exact;
    s.distance2 = t->distance2;
    return elbo_near_run(&s, "nearest neighbours", 0, 0, quiet, err);
}

/* Cells that must be looked into for the recall that is aimed at, by the sample: from few on, each time half as many
 * more. */
static elbo_status choose_probes(int *probes, sample *t, elbo_near_search s, const elbo_job *quiet, elbo_error *err) {
    s.which = t->which;
    s.m = SAMPLE;
    s.index = t->found;
    s.distance2 = t->distance2;
    for (s.probes = 8; s.probes < s.cells->count; s.probes += s.probes / 4) {
        ELBO_TRY(elbo_near_run(&s, "nearest neighbours", 0, 0, quiet, err));
        if (share_found(t->exact, t->found, SAMPLE, s.k) >= WANTED_RECALL) break;
    }
    *probes = s.probes < s.cells->count ? s.probes : 0;
    return ELBO_OK;
}

static elbo_status search_many(elbo_neighbours *nb, elbo_near_search *s, const elbo_job *work, elbo_error *err) {
    sample t = {0};
    elbo_job quiet = work ? *work : (elbo_job){0};
    quiet.progress = NULL;
    elbo_status status = take_sample(&t, *s, &quiet, err);
    if (status == ELBO_OK) status = choose_probes(&s->probes, &t, *s, &quiet, err);
    if (status == ELBO_OK) status = elbo_near_run(s, "nearest neighbours", 0, 1, work, err);
    for (size_t i = 0; i < SAMPLE && status == ELBO_OK; i++)
        memcpy(t.found + i * (size_t)s->k, nb->index + t.which[i] * (size_t)s->k, (size_t)s->k * sizeof *t.found);
    if (status == ELBO_OK) nb->recall = share_found(t.exact, t.found, SAMPLE, s->k);
    free(t.exact);
    free(t.found);
    free(t.distance2);
    return status;
}

/* ---- either ---- */

elbo_status elbo_neighbours_of_all(elbo_neighbours *nb, const float *x, size_t n, int dims, int k, const elbo_job *work,
                                   elbo_error *err) {
    *nb = (elbo_neighbours){0};
    if (n > INT_MAX) return elbo_fail(err, ELBO_BAD_INPUT, "%zu points; expected at most %d", n, INT_MAX);
    if (k < 1 || (size_t)k >= n)
        return elbo_fail(err, ELBO_BAD_INPUT, "%d nearest neighbours of each of %zu points; expected 1 to %zu", k, n,
                         n ? n - 1 : 0);
    ELBO_TRY(elbo_points_check(x, n, dims, "point", err));
    bool exact = n <= ELBO_NEIGHBOURS_EXACT;
    elbo_cells cells;
    ELBO_TRY(elbo_cells_make(&cells, x, n, dims, exact ? CELL : LARGE_CELL, work ? work->threads : 0, err));
    elbo_status status = make(nb, n, k, err);
    elbo_near_search s = {
        .cells = &cells, .query = x, .m = n, .self = true, .k = k, .index = nb->index, .distance2 = nb->distance2};
    if (status == ELBO_OK)
        status = exact ? elbo_near_run(&s, "nearest neighbours", 0, 1, work, err) : search_many(nb, &s, work, err);
    elbo_cells_free(&cells);
    if (status != ELBO_OK) elbo_neighbours_free(nb);
    return status;
}

elbo_status elbo_neighbours_of(elbo_neighbours *nb, const elbo_neighbours_question *q, const elbo_job *work,
                               elbo_error *err) {
    size_t m = q->m, n = q->n;
    int dims = q->dims, k = q->k;
    *nb = (elbo_neighbours){0};
    if (n > INT_MAX || m > INT_MAX)
        return elbo_fail(err, ELBO_BAD_INPUT, "%zu points; expected at most %d", n > m ? n : m, INT_MAX);
    if (k < 1 || (size_t)k > n)
        return elbo_fail(err, ELBO_BAD_INPUT, "%d nearest neighbours among %zu points; expected 1 to %zu", k, n, n);
    ELBO_TRY(elbo_points_check(q->query, m, dims, "query", err));
    ELBO_TRY(elbo_points_check(q->x, n, dims, "point", err));
    elbo_cells cells;
    ELBO_TRY(elbo_cells_make(&cells, q->x, n, dims, CELL, work ? work->threads : 0, err));
    elbo_status status = make(nb, m, k, err);
    elbo_near_search s = {
        .cells = &cells, .query = q->query, .m = m, .k = k, .index = nb->index, .distance2 = nb->distance2};
    if (status == ELBO_OK && m) status = elbo_near_run(&s, "nearest neighbours", 0, 1, work, err);
    elbo_cells_free(&cells);
    if (status != ELBO_OK) elbo_neighbours_free(nb);
    return status;
}

void elbo_neighbours_free(elbo_neighbours *nb) {
    free(nb->index);
    free(nb->distance2);
    *nb = (elbo_neighbours){0};
}
