/* An op: what one kind of layer is. Each has a file of its own with its shape rule, its forward and its backward beside
 * each other, and a row in table.c. */
#ifndef ELBO_OPS_H
#define ELBO_OPS_H

#include "base/arguments.h"
#include "nn/work.h"

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
    /* Sets n->shape from its inputs' shapes and adds parameters. */
    elbo_status (*shape)(elbo_graph *g, elbo_node *n, elbo_error *err);
    /* Append work to the plan; backward is called only where something learns. */
    elbo_status (*forward)(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err);
    elbo_status (*backward)(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err);
    bool reads_saved; // its second input is what `save NAME` named
    bool internal;    // not a layer that a recipe can name
    int which;        // of a kind of work that several ops share: which activation
} elbo_op;

/* All ops; ended by NULL. */
extern const elbo_op *const elbo_ops[];
const elbo_op *elbo_op_find(const char *name);

/* Reads a recipe's layer into the node: finds its op and its arguments, every one checked. */
elbo_status elbo_op_read_layer(elbo_node *n, const elbo_layer *layer, elbo_error *err);

extern const elbo_op elbo_op_input, elbo_op_corrupt, elbo_op_linear, elbo_op_flatten, elbo_op_unflatten,
    elbo_op_dropout, elbo_op_sample, elbo_op_conv2d, elbo_op_conv_transpose2d, elbo_op_save, elbo_op_add,
    elbo_op_concat, elbo_op_batch_norm1d, elbo_op_batch_norm2d, elbo_op_layer_norm, elbo_op_max_pool2d,
    elbo_op_avg_pool2d, elbo_op_upsample, elbo_op_silu, elbo_op_gelu, elbo_op_group_norm, elbo_op_self_attention,
    elbo_op_versus;

#define ACTIVATION(name, ...) extern const elbo_op elbo_op_##name;
#include "nn/activations.def"
#undef ACTIVATION

/* The losses (losses/), ops that a recipe names under `loss`: their first argument is their weight. */
#define PIXEL_LOSS(name, NAME) extern const elbo_op elbo_loss_##name;
#define OTHER_LOSS PIXEL_LOSS
#include "recipe/losses.def"
#undef PIXEL_LOSS
#undef OTHER_LOSS
extern const elbo_op elbo_loss_kl, elbo_loss_iwae, elbo_loss_adversary, elbo_loss_discriminator;
extern const elbo_op elbo_latent_ops[ELBO_LATENT_TERMS]; // recipe/latent_terms.def

/* Writes the one argument of a convolution, changed, that makes rows and columns of y from x; false: there is none. */
bool elbo_conv_argument_for(const elbo_node *n, elbo_shape x, elbo_shape y, char *text, size_t room);

/* Arguments of ops, as places in node->value; parameters of norms, as places behind node->first_param. */
enum { ELBO_LINEAR_OUT_FEATURES, ELBO_LINEAR_BIAS };
enum {
    ELBO_CONV_OUT_CHANNELS,
    ELBO_CONV_KERNEL,
    ELBO_CONV_STRIDE,
    ELBO_CONV_PADDING,
    ELBO_CONV_OUTPUT_PADDING,
    ELBO_CONV_DILATION,
    ELBO_CONV_BIAS
};
/* Of the rows (0) or the columns (1). */
static inline int elbo_conv_value(const elbo_node *n, int argument, int axis) {
    return (int)(axis ? n->across[argument] : n->value[argument]);
}
/* Whether rows and columns have the same kernel, stride, padding and dilation. */
static inline bool elbo_conv_is_square(const elbo_node *n) {
    for (int a = ELBO_CONV_KERNEL; a <= ELBO_CONV_DILATION; a++)
        if (elbo_conv_value(n, a, 0) != elbo_conv_value(n, a, 1)) return false;
    return true;
}
enum { ELBO_POOL_KERNEL, ELBO_POOL_STRIDE, ELBO_POOL_PADDING };
enum { ELBO_UPSAMPLE_SCALE, ELBO_UPSAMPLE_MODE };
enum { ELBO_UPSAMPLE_NEAREST, ELBO_UPSAMPLE_BILINEAR };
enum { ELBO_NORM_EPS, ELBO_NORM_MOMENTUM };
enum { ELBO_NORM_WEIGHT, ELBO_NORM_BIAS, ELBO_NORM_RUNNING_MEAN, ELBO_NORM_RUNNING_VAR };
enum { ELBO_GROUP_NORM_GROUPS, ELBO_GROUP_NORM_EPS };
enum { ELBO_ATTENTION_HEADS };
enum { ELBO_ATTENTION_IN_WEIGHT, ELBO_ATTENTION_IN_BIAS, ELBO_ATTENTION_OUT_WEIGHT, ELBO_ATTENTION_OUT_BIAS };
enum { ELBO_GELU_APPROXIMATE };
enum { ELBO_DROPOUT_P };
enum { ELBO_ACTIVATION_SLOPE };

/* ---- for ops: common items ---- */

/* y from all inputs. */
static inline elbo_status elbo_append_forward(elbo_plan *p, elbo_work_kind kind, const elbo_node *n,
                                              const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p, (elbo_work){kind, ELBO_FORWARD, n, {io->x[0], io->x[1]}, {io->y}}, err);
}

/* The first input's gradient, where anybody asks for it, from dy and what else the item reads. */
static inline elbo_status elbo_append_to_input(elbo_plan *p, elbo_work_kind kind, const elbo_node *n,
                                               const elbo_node_io *io, elbo_tensor *reads, elbo_error *err) {
    if (!io->dx[0]) return ELBO_OK;
    return elbo_plan_append(p, (elbo_work){kind, ELBO_TO_INPUT, n, {io->dy, reads}, {io->dx[0]}}, err);
}

/* The gradient of weights, from dy and x, and at once their update. */
static inline elbo_status elbo_append_to_weights(elbo_plan *p, elbo_work_kind kind, const elbo_node *n,
                                                 const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p, (elbo_work){kind, ELBO_TO_WEIGHTS, n, {io->dy, io->x[0]}, {NULL}}, err);
}

#endif
