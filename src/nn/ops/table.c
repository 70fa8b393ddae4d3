/* The table of ops, and finding a recipe's layer in it. */
#include <string.h>

#include "nn/ops/op.h"

const elbo_op *const elbo_ops[] = {
    &elbo_op_linear,         &elbo_op_conv2d,     &elbo_op_conv_transpose2d,
#define ACTIVATION(name, ...) &elbo_op_##name,
#include "nn/activations.def"
    &elbo_op_silu,           &elbo_op_gelu,       &elbo_op_flatten,
    &elbo_op_unflatten,      &elbo_op_dropout,    &elbo_op_batch_norm1d,
    &elbo_op_batch_norm2d,   &elbo_op_layer_norm, &elbo_op_group_norm,
    &elbo_op_self_attention, &elbo_op_max_pool2d, &elbo_op_avg_pool2d,
    &elbo_op_upsample,       &elbo_op_save,       &elbo_op_add,
    &elbo_op_concat,         &elbo_op_input,      &elbo_op_corrupt,
    &elbo_op_sample,         &elbo_op_versus,     NULL,
};

const elbo_op *elbo_op_find(const char *name) {
    for (int i = 0; elbo_ops[i]; i++)
        if (!elbo_ops[i]->internal && !strcmp(elbo_ops[i]->name, name)) return elbo_ops[i];
    return NULL;
}

static elbo_status unknown_op(const elbo_node *n, const char *name, elbo_error *err) {
    const char *names[64];
    int count = 0;
    char list[400] = "";
    for (int i = 0; elbo_ops[i] && count < 63; i++) {
        if (elbo_ops[i]->internal) continue;
        names[count++] = elbo_ops[i]->name;
        if (count > 1) strncat(list, ", ", sizeof list - strlen(list) - 1);
        strncat(list, elbo_ops[i]->name, sizeof list - strlen(list) - 1);
    }
    names[count] = NULL;
    const char *nearest = elbo_nearest_word(name, names);
    if (nearest) return elbo_node_fail(n, err, "unknown layer `%s`; did you mean `%s`?", name, nearest);
    return elbo_node_fail(n, err, "unknown layer `%s`; there are %s", name, list);
}

elbo_status elbo_op_read_layer(elbo_node *n, const elbo_layer *layer, elbo_error *err) {
    n->op = elbo_op_find(layer->name);
    if (!n->op) return unknown_op(n, layer->name, err);
    elbo_signature s = {n->op->name, n->op->usage, n->op->values, ELBO_OP_MAX_VALUES, n->op->words};
    return elbo_arguments_read(&s, layer, n->place, n->value, n->across, &n->word, err);
}
