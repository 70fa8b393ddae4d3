/* flatten and unflatten: the same values under another shape. */
#include "nn/ops/op.h"

static elbo_status flatten_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = (elbo_shape){1, {(int)elbo_shape_size(g->node[n->input[0]].shape)}};
    return ELBO_OK;
}

static elbo_status unflatten_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    n->shape = (elbo_shape){3, {(int)n->value[0], (int)n->value[1], (int)n->value[2]}};
    if (elbo_shape_size(x) == elbo_shape_size(n->shape)) return ELBO_OK;
    char from[40], to[40];
    return elbo_node_fail(n, err, "%s: its input is %s (%zu values), %s takes %zu; let the layer before give %zu",
                          n->text, elbo_shape_text(x, from), elbo_shape_size(x), elbo_shape_text(n->shape, to),
                          elbo_shape_size(n->shape), elbo_shape_size(n->shape));
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_RESHAPE, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_RESHAPE, n, io, NULL, err);
}

const elbo_op elbo_op_flatten = {.name = "flatten",
                                 .usage = "flatten",
                                 .view = true,
                                 .shape = flatten_shape,
                                 .forward = forward,
                                 .backward = backward};
const elbo_op elbo_op_unflatten = {
    .name = "unflatten",
    .usage = "unflatten CHANNELS HEIGHT WIDTH",
    .values = {{"channels", ELBO_INT, true, 0, 1, 65536},
               {"height", ELBO_INT, true, 0, 1, 65536},
               {"width", ELBO_INT, true, 0, 1, 65536}},
    .view = true,
    .shape = unflatten_shape,
    .forward = forward,
    .backward = backward,
};
