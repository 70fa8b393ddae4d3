/* For graph.c: whether what the decoder gives is an image. */
#ifndef ELBO_GRAPH_OUTPUT_H
#define ELBO_GRAPH_OUTPUT_H

#include "nn/graph.h"

/* The decoder must end in the image's shape, or in as many features, and in a sigmoid for a loss of logits. Says what would
 * make it so. Sets g->at.output and g->at.logits. */
elbo_status elbo_graph_check_output(elbo_graph *g, const elbo_recipe *r, elbo_error *err);

#endif
