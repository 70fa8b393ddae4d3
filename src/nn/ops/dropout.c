/* dropout: in training each value is 0 with probability p, else divided by 1 - p; in evaluation nothing happens. The
 * mask is a function of (seed, layer, epoch, image). */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    return ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_DROPOUT, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_DROPOUT, n, io, NULL, err);
}

const elbo_op elbo_op_dropout = {
    .name = "dropout",
    .usage = "dropout [p=0.5]",
    .values = {{"p", ELBO_FLOAT, false, 0.5, 0, 0.99}},
    .in_place = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
