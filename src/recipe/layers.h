/* "conv2d 16 kernel=3 stride=2": a layer's text to its words. */
#ifndef ELBO_RECIPE_LAYERS_H
#define ELBO_RECIPE_LAYERS_H

#include "recipe/recipe.h"
#include "recipe/tree.h"

/* Reads the list at `node` (the recipe's key `path`) into `layers`, which is empty. What was read before a failure is
 * in `layers` and freed with the recipe. */
elbo_status elbo_layers_read(elbo_layers *layers, const elbo_yaml_node *node, const char *path, elbo_error *err);
/* One layer, at a node that holds its text. */
elbo_status elbo_layers_read_one(elbo_layers *layers, const elbo_yaml_node *node, const char *path, elbo_error *err);

#endif
