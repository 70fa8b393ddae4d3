/* The functions that an exported C file may have: which one a layer is, its name and its text. */
#ifndef ELBO_EXPORT_C_LAYERS_H
#define ELBO_EXPORT_C_LAYERS_H

#include "nn/ops/op.h"

enum { ELBO_C_MOST_SLOTS = 4096 };

typedef enum elbo_c_layer {
    ELBO_C_LINEAR,
    ELBO_C_CONV,
    ELBO_C_CONV_TRANSPOSE,
    ELBO_C_BATCH_NORM,
    ELBO_C_LAYER_NORM,
    ELBO_C_GROUP_NORM,
    ELBO_C_ATTENTION,
    ELBO_C_MAX_POOL,
    ELBO_C_AVG_POOL,
    ELBO_C_NEAREST,
    ELBO_C_BILINEAR,
    ELBO_C_ADD,
    ELBO_C_CONCAT,
    ELBO_C_PLANES, // a label behind channels
    ELBO_C_RELU,
    ELBO_C_LEAKY_RELU,
    ELBO_C_TANH,
    ELBO_C_SIGMOID,
    ELBO_C_SILU,
    ELBO_C_GELU,
    ELBO_C_GELU_TANH,
    ELBO_C_LAYERS, // none of them
    ELBO_C_NOTHING // the output is the input
} elbo_c_layer;

elbo_c_layer elbo_c_layer_of(const elbo_node *n);
const char *elbo_c_function(elbo_c_layer layer);
const char *elbo_c_text(elbo_c_layer layer);
/* Floats that the layer's function writes to behind its output. */
size_t elbo_c_scratch(const elbo_node *n);

#endif
