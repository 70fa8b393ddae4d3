/* What the public analyses (include/elbo/explore.h) share: opened runs with their data, and results as arrays by name. */
#ifndef ELBO_EXPLORE_API_H
#define ELBO_EXPLORE_API_H

#include <jansson.h>

#include "base/job.h"
#include "elbo/explore.h"
#include "explore/opened_runs.h"

struct elbo_explorer {
    elbo_run *run; // (count)
    int count;
    elbo_dataset data;  // once opened
    bool opened, given; // the caller gave arrays
    char *path;         // what the caller named, or NULL
    elbo_job job;
    int (*progress)(void *context, const char *what, double done);
    void *context;
    bool stopped; // progress asked for it, in the analysis under way
};

enum { ELBO_RESULT_ARRAYS = 4 };

struct elbo_result {
    char *json;
    struct {
        const char *name;
        elbo_array array; // its data owned
    } item[ELBO_RESULT_ARRAYS];
    int count;
};

/* The data, both splits, read now if they were not yet. */
elbo_status elbo_explorer_data(elbo_explorer *e, elbo_error *err);
/* A result of this JSON, which is freed in any case. */
elbo_status elbo_result_new(elbo_result **r, json_t *json, elbo_error *err);
/* Takes floats from an analysis: they are the result's from now on, and *data is NULL. Nothing where *data is NULL. */
void elbo_result_take(elbo_result *r, const char *name, float **data, int rank, const size_t *shape);

#endif
