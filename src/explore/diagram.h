/* A network as the boxes of a diagram: its layers in order, with the shape that each gives and its parameters. */
#ifndef ELBO_DIAGRAM_H
#define ELBO_DIAGRAM_H

#include "nn/graph.h"

typedef enum elbo_diagram_side { ELBO_DIAGRAM_ENCODER, ELBO_DIAGRAM_CODE, ELBO_DIAGRAM_DECODER } elbo_diagram_side;

typedef struct elbo_diagram_box {
    elbo_diagram_side side;
    char text[160]; // "conv2d 16 kernel=3 stride=2, relu": what keeps the shape stands with the layer before it
    char shape[40]; // "16x14x14"
    size_t parameters;
} elbo_diagram_box;

/* Plain data: it outlives the graph. */
typedef struct elbo_diagram {
    elbo_diagram_box *box; // (count)
    int count, skips;      // skips: activations of the encoder that the decoder reads
    char input[40];        // the image's shape
    bool vae;
} elbo_diagram;

elbo_status elbo_diagram_make(elbo_diagram *d, const elbo_graph *g, elbo_error *err);
void elbo_diagram_free(elbo_diagram *d);

#endif
