/* The table of ops, and reading a recipe's layer by it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ops.h"

const elbo_op *const elbo_ops[] = {
    &elbo_op_linear,
    &elbo_op_conv2d,
    &elbo_op_conv_transpose2d,
    &elbo_op_relu,
    &elbo_op_leaky_relu,
    &elbo_op_tanh,
    &elbo_op_sigmoid,
    &elbo_op_flatten,
    &elbo_op_unflatten,
    &elbo_op_dropout,
    &elbo_op_batch_norm1d,
    &elbo_op_batch_norm2d,
    &elbo_op_layer_norm,
    &elbo_op_max_pool2d,
    &elbo_op_avg_pool2d,
    &elbo_op_upsample,
    &elbo_op_save,
    &elbo_op_add,
    &elbo_op_concat,
    &elbo_op_input,
    &elbo_op_reparameterize,
    NULL,
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

/* The place of a word among those that the op knows. */
static elbo_status find_word(const elbo_node *n, const elbo_value_spec *spec, const char *text, double *value,
                             elbo_error *err) {
    char list[200] = "";
    for (int i = 0; n->op->words[i]; i++) {
        *value = i;
        if (!strcmp(n->op->words[i], text)) return ELBO_OK;
        if (i > 0) strncat(list, " or ", sizeof list - strlen(list) - 1);
        strncat(list, n->op->words[i], sizeof list - strlen(list) - 1);
    }
    return elbo_node_fail(n, err, "%s: %s=%s; it is %s", n->text, spec->name, text, list);
}

static elbo_status read_value(elbo_node *n, const elbo_value_spec *spec, const char *text, double *value,
                              elbo_error *err) {
    const char *usage = n->op->usage;
    if (spec->kind == ELBO_WORD) {
        n->word = text;
        return n->op->words ? find_word(n, spec, text, value, err) : ELBO_OK;
    }
    if (spec->kind == ELBO_BOOL) {
        if (!strcmp(text, "true") || !strcmp(text, "false")) {
            *value = text[0] == 't';
            return ELBO_OK;
        }
        return elbo_node_fail(n, err, "%s: %s=%s; it is true or false", n->text, spec->name, text);
    }
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v))
        return elbo_node_fail(n, err, "%s: %s=%s is not a number; a layer reads `%s`", n->text, spec->name, text, usage);
    if (spec->kind == ELBO_INT && v != floor(v))
        return elbo_node_fail(n, err, "%s: %s=%s; it is a whole number", n->text, spec->name, text);
    if (v < spec->least || v > spec->most)
        return elbo_node_fail(n, err, "%s: %s=%s; it is between %.10g and %.10g", n->text, spec->name, text, spec->least,
                              spec->most);
    *value = v;
    return ELBO_OK;
}

/* A number that can only be one has its place for another op's sake: output_padding of conv2d. */
static bool not_there(const elbo_value_spec *spec) { return spec->kind == ELBO_INT && spec->least == spec->most; }

static int value_index(const elbo_op *op, const char *key) {
    for (int i = 0; i < ELBO_OP_MAX_VALUES && op->values[i].kind != ELBO_END_OF_VALUES; i++)
        if (!strcmp(op->values[i].name, key) && !not_there(&op->values[i])) return i;
    return -1;
}

elbo_status elbo_op_read_layer(elbo_node *n, const elbo_layer *layer, elbo_error *err) {
    n->op = elbo_op_find(layer->name);
    if (!n->op) return unknown_op(n, layer->name, err);
    const elbo_op *op = n->op;
    bool given[ELBO_OP_MAX_VALUES] = {false};
    int position = 0, count = 0;
    while (count < ELBO_OP_MAX_VALUES && op->values[count].kind != ELBO_END_OF_VALUES) count++;
    for (int i = 0; i < count; i++) n->value[i] = op->values[i].otherwise;
    for (int a = 0; a < layer->argument_count; a++) {
        const elbo_argument *argument = &layer->arguments[a];
        int i = argument->key ? value_index(op, argument->key) : position++;
        if (i < 0)
            return elbo_node_fail(n, err, "%s: `%s` has no argument `%s`; it reads `%s`", n->text, op->name,
                                  argument->key, op->usage);
        if (i >= count)
            return elbo_node_fail(n, err, "%s: `%s` is one argument too many; it reads `%s`", n->text, argument->value,
                                  op->usage);
        if (given[i]) return elbo_node_fail(n, err, "%s: %s is given twice", n->text, op->values[i].name);
        given[i] = true;
        ELBO_TRY(read_value(n, &op->values[i], argument->value, &n->value[i], err));
    }
    for (int i = 0; i < count; i++)
        if (op->values[i].required && !given[i])
            return elbo_node_fail(n, err, "%s: %s is missing; it reads `%s`", n->text, op->values[i].name, op->usage);
    return ELBO_OK;
}
