/* "0.7 l1": the terms of the reconstruction loss. */
#ifndef ELBO_RECIPE_TERMS_H
#define ELBO_RECIPE_TERMS_H

#include "recipe/keys.h"
#include "recipe/tree.h"

/* Reads one term, or a list of them, at `node` (the recipe's key `path`). */
elbo_status elbo_terms_read(elbo_terms *terms, const elbo_key *key, const elbo_yaml_node *node, const char *path,
                            elbo_error *err);

#endif
