/* For graph.c: the layers of an adversary, behind those of the model, and what they read. */
#ifndef ELBO_GRAPH_ADVERSARY_H
#define ELBO_GRAPH_ADVERSARY_H

#include "nn/graph.h"

/* Once the model's layers are there. Nothing where the recipe has none. Sets g->at.versus and g->at.verdict. */
elbo_status elbo_graph_add_adversary(elbo_graph *g, const elbo_recipe *r, elbo_error *err);

/* graph.c: a node, whose name the graph takes; a layer of a recipe, which reads the node before it. */
elbo_status elbo_graph_new_node(elbo_graph *g, char *name, elbo_node **node, elbo_error *err);
elbo_status elbo_graph_add_layer(elbo_graph *g, const char *prefix, int number, const elbo_layer *layer,
                                 elbo_error *err);

#endif
