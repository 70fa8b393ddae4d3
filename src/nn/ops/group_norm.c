/* group_norm: y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over the channels of a group and all
 * pixels of one image, weight and bias of each channel, as torch.nn.GroupNorm (Wu and He, "Group normalization", 2018). */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    n->shape = g->node[n->input[0]].shape;
    int channels = n->shape.dim[0], groups = (int)n->value[ELBO_GROUP_NORM_GROUPS];
    if (channels % groups)
        return elbo_node_fail(n, err, "%s: its input has %d channels; expected a multiple of groups=%d", n->text,
                              channels, groups);
    ELBO_TRY(elbo_graph_add_constant(g, n, "weight", 1, &channels, 1, false, err));
    return elbo_graph_add_constant(g, n, "bias", 1, &channels, 0, false, err);
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_GROUP_NORM, n, io, err);
}

/* One pass over each image gives both gradients. */
static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p,
                            (elbo_work){.kind = ELBO_WORK_GROUP_NORM,
                                        .direction = ELBO_TO_INPUT + ELBO_TO_WEIGHTS,
                                        .node = n,
                                        .in = {io->dy, io->x[0]},
                                        .out = {io->dx[0]}},
                            err);
}

const elbo_op elbo_op_group_norm = {
    .name = "group_norm",
    .usage = "group_norm GROUPS [eps=1e-5]",
    .values = {[ELBO_GROUP_NORM_GROUPS] = {"groups", ELBO_INT, true, 0, 1, 1 << 20},
               [ELBO_GROUP_NORM_EPS] = {"eps", ELBO_FLOAT, false, 1e-5, 1e-12, 1}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
