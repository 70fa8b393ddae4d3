/* The search that neighbours and scores of an embedding share: points that are asked about, a hundred of one cell at
 * a time, against cells from the nearest on, passing over those that hold nothing near enough. */
#ifndef ELBO_NEAR_SEARCH_H
#define ELBO_NEAR_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "stats/cells.h"
#include "base/job.h"

typedef struct elbo_near_search {
    const elbo_cells *cells;
    const float *query;    // (?, dims)
    const uint32_t *which; // (m): rows of query that are asked about, or NULL: the first m
    size_t m;
    bool self;  // row i of query is point i, and not its own neighbour
    int probes; // cells looked into; 0: all, which makes the answer exact

    /* Either the k nearest of each, in order ... */
    int k;
    uint32_t *index;  // (m, k)
    float *distance2; // (m, k)
    /* ... or, where k is 0, how many points lie before each of some. */
    int asked;
    const float *asked_distance2; // (m, asked)
    const uint32_t *asked_index;  // (m, asked)
    uint32_t *before;             // (m, asked), set to 0 by the caller
} elbo_near_search;

/* What is told of the progress goes from `from` to `to`. */
elbo_status elbo_near_run(const elbo_near_search *s, const char *what, double from, double to, const elbo_job *work,
                          elbo_error *err);

#endif
