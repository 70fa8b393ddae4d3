/* What the caller gives a network for each image, nodes in front of its layers: the label of a conditional model, the image,
 * and, where `corrupt` makes of it what the encoder reads, that. */
#ifndef ELBO_GRAPH_INPUTS_H
#define ELBO_GRAPH_INPUTS_H

#include "nn/graph.h"

/* The one that the encoder reads stands last: its first layer reads the node before it. */
elbo_status elbo_graph_add_inputs(elbo_graph *g, const elbo_recipe *r, elbo_image_shape image, elbo_error *err);
/* Once the layers are there: which half reads the label. */
void elbo_graph_find_label_readers(elbo_graph *g);

/* graph.c: a node that the caller gives. */
elbo_status elbo_graph_add_input(elbo_graph *g, const char *name, elbo_shape shape, int *at, elbo_error *err);

#endif
