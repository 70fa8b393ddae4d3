/* An op: what one kind of layer is. Each has a file of its own with its shape rule, its forward and its backward beside
 * each other, and a row in table.c. */
#ifndef ELBO_OPS_H
#define ELBO_OPS_H

#include "nn/graph.h"
#include "device/cpu/plan.h"
#include "base/arguments.h"

typedef struct elbo_op {
    const char *name;
    const char *usage; // shown when the arguments are wrong: "linear OUT_FEATURES [bias=true]"
    elbo_value_spec values[ELBO_OP_MAX_VALUES];
    /* What its argument of kind ELBO_WORD may be, ended by NULL; the value is the place in this list. NULL: any
     * name. */
    const char *const *words;
    /* The output may lie over the input: backward reads only the output. */
    bool in_place;
    /* Backward reads the output, so nobody may work in place on it. */
    bool reads_output;
    /* The output is the input under another shape: nothing is computed, unless their layouts differ. */
    bool view;
    /* How the output lies: as the input does, plain, or blocked where the device wants it and the channels fill a
     * block. */
    enum { ELBO_LAYOUT_SAME, ELBO_LAYOUT_PLAIN, ELBO_LAYOUT_BLOCKED } layout;
    /* Sets n->shape from its inputs' shapes and adds parameters. */
    elbo_status (*shape)(elbo_graph *g, elbo_node *n, elbo_error *err);
    /* Append steps to the plan; backward is called only for training. */
    elbo_status (*forward)(elbo_plan *p, elbo_node_plan *s, elbo_error *err);
    elbo_status (*backward)(elbo_plan *p, elbo_node_plan *s, elbo_error *err);
    bool reads_saved; // its second input is what `save NAME` named
    bool internal;    // not a layer that a recipe can name
} elbo_op;

/* All ops; ended by NULL. */
extern const elbo_op *const elbo_ops[];
const elbo_op *elbo_op_find(const char *name);

/* Reads a recipe's layer into the node: finds its op and its arguments, every one checked. */
elbo_status elbo_op_read_layer(elbo_node *n, const elbo_layer *layer, elbo_error *err);

extern const elbo_op elbo_op_input, elbo_op_linear, elbo_op_relu, elbo_op_leaky_relu, elbo_op_tanh, elbo_op_sigmoid,
    elbo_op_flatten, elbo_op_unflatten, elbo_op_dropout, elbo_op_reparameterize, elbo_op_conv2d,
    elbo_op_conv_transpose2d, elbo_op_save, elbo_op_add, elbo_op_concat, elbo_op_batch_norm1d, elbo_op_batch_norm2d,
    elbo_op_layer_norm, elbo_op_max_pool2d, elbo_op_avg_pool2d, elbo_op_upsample;

/* `number` of an input's step: it gathers the batch's rows, or those of the images that codes are compared with. */
enum { ELBO_INPUT_ROWS, ELBO_INPUT_TARGET };

/* Writes the one argument of a convolution, changed, that makes rows and columns of y from x; false: there is none. */
bool elbo_conv_argument_for(const elbo_node *n, elbo_shape x, elbo_shape y, char *text, size_t room);

/* Not a layer: the reconstruction's loss against the image, put behind the network by the plan. */
elbo_status elbo_add_reconstruction_loss(elbo_plan *p, elbo_tensor *prediction, elbo_tensor *gradient,
                                         elbo_tensor *image, elbo_error *err);
/* Behind it, where there is a network to look with: the difference of features, added to that loss and its gradient. */
elbo_status elbo_add_perceptual_loss(elbo_plan *p, elbo_tensor *prediction, elbo_tensor *gradient, elbo_tensor *image,
                                     elbo_error *err);

#endif
