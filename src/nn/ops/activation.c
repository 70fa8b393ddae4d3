/* relu, leaky_relu, tanh, sigmoid: one value at a time, in place where nobody else reads the input. Each tells its
 * derivative from its output. */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    return ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_ACTIVATION, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_ACTIVATION, n, io, io->y, err);
}

#define ACTIVATION .in_place = true, .reads_output = true, .shape = shape, .forward = forward, .backward = backward

const elbo_op elbo_op_relu = {.name = "relu", .usage = "relu", ACTIVATION};
const elbo_op elbo_op_leaky_relu = {
    .name = "leaky_relu",
    .usage = "leaky_relu [negative_slope=0.01]",
    // A slope of 0 or less would hide the input's sign, from which backward takes the derivative.
    .values = {{"negative_slope", ELBO_FLOAT, false, 0.01, 1e-6, 1}},
    ACTIVATION,
};
const elbo_op elbo_op_tanh = {.name = "tanh", .usage = "tanh", ACTIVATION};
const elbo_op elbo_op_sigmoid = {.name = "sigmoid", .usage = "sigmoid", ACTIVATION};
