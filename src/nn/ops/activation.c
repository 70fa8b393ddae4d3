/* The activations of nn/activations.def, in place where nobody else reads the input. */
#include "nn/ops/activation.h"

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

#define ACTIVATION(word, NAME, how, ...)                                                                               \
    const elbo_op elbo_op_##word = {.name = #word,                                                                     \
                                    .usage = how,                                                                      \
                                    .values = {__VA_ARGS__},                                                           \
                                    .which = ELBO_##NAME,                                                              \
                                    .in_place = true,                                                                  \
                                    .reads_output = true,                                                              \
                                    .shape = shape,                                                                    \
                                    .forward = forward,                                                                \
                                    .backward = backward};
#include "nn/activations.def"
