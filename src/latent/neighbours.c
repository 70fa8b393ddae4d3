#include "latent/neighbours.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

typedef struct search {
    const float *query, *x; // (m, dims), (n, dims)
    size_t m, n;
    int dims, k;
    bool without_self; // query i is point i
    uint32_t *index;   // (m, k)
    float *distance2;  // (m, k)
} search;

enum { PIECE_ROWS = 16 };

static void search_piece(void *context, int piece) {
    const search *s = context;
    size_t dims = (size_t)s->dims, k = (size_t)s->k, first = (size_t)piece * PIECE_ROWS;
    for (size_t i = first; i < first + PIECE_ROWS && i < s->m; i++) {
        uint32_t *index = s->index + i * k;
        float *distance2 = s->distance2 + i * k;
        size_t held = 0;
        for (size_t j = 0; j < s->n; j++) {
            if (s->without_self && i == j) continue;
            float sum = 0;
            for (size_t d = 0; d < dims; d++) {
                float difference = s->query[i * dims + d] - s->x[j * dims + d];
                sum += difference * difference;
            }
            if (held == k && !(sum < distance2[k - 1])) continue; // (of equal ones the earlier stays)
            size_t at = held < k ? held++ : k - 1;
            for (; at > 0 && distance2[at - 1] > sum; at--) {
                distance2[at] = distance2[at - 1];
                index[at] = index[at - 1];
            }
            distance2[at] = sum;
            index[at] = (uint32_t)j;
        }
    }
}

static elbo_status run(elbo_neighbours *nb, search *s, const elbo_work *work, elbo_error *err) {
    *nb = (elbo_neighbours){.n = s->m, .k = s->k, .recall = 1};
    nb->index = elbo_alloc(s->m * (size_t)s->k, sizeof *nb->index);
    nb->distance2 = elbo_alloc(s->m * (size_t)s->k, sizeof *nb->distance2);
    if (!nb->index || !nb->distance2) {
        elbo_neighbours_free(nb);
        return elbo_no_memory(err);
    }
    s->index = nb->index;
    s->distance2 = nb->distance2;
    elbo_parallel_for(work ? work->threads : 0, (int)((s->m + PIECE_ROWS - 1) / PIECE_ROWS), search_piece, s);
    return ELBO_OK;
}

elbo_status elbo_neighbours_of_all(elbo_neighbours *nb, const float *x, size_t n, int dims, int k,
                                   const elbo_work *work, elbo_error *err) {
    *nb = (elbo_neighbours){0};
    if (k < 1 || (size_t)k >= n)
        return elbo_fail(err, ELBO_BAD_INPUT, "%d neighbours of each of %zu points; there are %zu others", k, n,
                         n ? n - 1 : 0);
    search s = {.query = x, .x = x, .m = n, .n = n, .dims = dims, .k = k, .without_self = true};
    return run(nb, &s, work, err);
}

elbo_status elbo_neighbours_of(elbo_neighbours *nb, const float *query, size_t m, const float *x, size_t n, int dims,
                               int k, const elbo_work *work, elbo_error *err) {
    *nb = (elbo_neighbours){0};
    if (k < 1 || (size_t)k > n) return elbo_fail(err, ELBO_BAD_INPUT, "%d neighbours among %zu points", k, n);
    search s = {.query = query, .x = x, .m = m, .n = n, .dims = dims, .k = k};
    return run(nb, &s, work, err);
}

void elbo_neighbours_free(elbo_neighbours *nb) {
    free(nb->index);
    free(nb->distance2);
    *nb = (elbo_neighbours){0};
}
