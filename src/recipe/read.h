/* A tree to a checked recipe. */
#ifndef ELBO_RECIPE_READ_H
#define ELBO_RECIPE_READ_H

#include "recipe/recipe.h"
#include "recipe/tree.h"

/* Fills every key of `r` from the tree or from its default. `r->file` is set; what was filled before a failure is freed
 * with the recipe. */
elbo_status elbo_recipe_read(elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err);

/* together.c: whether its keys go with each other. */
elbo_status elbo_recipe_check_together(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err);

#endif
