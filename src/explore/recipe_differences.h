/* What differs between the recipes of runs, key by key. */
#ifndef ELBO_RECIPE_DIFFERENCES_H
#define ELBO_RECIPE_DIFFERENCES_H

#include <jansson.h>

#include "explore/opened_runs.h"

typedef struct elbo_recipe_difference {
    char *key;    // "train.lr"
    char **value; // (runs): "0.001"; "" where a recipe has no such key
} elbo_recipe_difference;

typedef struct elbo_recipe_differences {
    elbo_recipe_difference *row; // (count), in the order of the recipes' text; not `about`
    size_t count, capacity;
    int runs;
} elbo_recipe_differences;

elbo_status elbo_recipe_differences_find(elbo_recipe_differences *d, const elbo_run *runs, int count, elbo_error *err);
void elbo_recipe_differences_free(elbo_recipe_differences *d);

/* The one key, but train.seed, that differs, where all its values are numbers: what a sweep went over. NULL: none. */
const elbo_recipe_difference *elbo_recipe_differences_swept(const elbo_recipe_differences *d);

/* {"latent": ["2", "20"], ...}. NULL: no memory. */
json_t *elbo_recipe_differences_json(const elbo_recipe_differences *d);

#endif
