/* layer_norm: y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over all values of an image, as
 * torch.nn.LayerNorm over the whole shape (Ba, Kiros and Hinton, "Layer normalization", 2016). */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    n->shape = g->node[n->input[0]].shape;
    ELBO_TRY(elbo_graph_add_constant(g, n, "weight", n->shape.rank, n->shape.dim, 1, false, err));
    return elbo_graph_add_constant(g, n, "bias", n->shape.rank, n->shape.dim, 0, false, err);
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_LAYER_NORM, n, io, err);
}

/* One pass over each image gives both gradients. */
static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p,
                            (elbo_work){.kind = ELBO_WORK_LAYER_NORM,
                                        .direction = ELBO_TO_INPUT + ELBO_TO_WEIGHTS,
                                        .node = n,
                                        .in = {io->dy, io->x[0]},
                                        .out = {io->dx[0]}},
                            err);
}

const elbo_op elbo_op_layer_norm = {
    .name = "layer_norm",
    .usage = "layer_norm [eps=1e-5]",
    .values = {[ELBO_NORM_EPS] = {"eps", ELBO_FLOAT, false, 1e-5, 1e-12, 1}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
