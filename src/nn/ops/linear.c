/* linear: y = x w^T + b, as torch.nn.Linear. */
#include <math.h>

#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != 1)
        return elbo_node_fail(n, err, "%s: its input is %s; put `flatten` before it", n->text,
                              elbo_shape_text(x, text));
    int in = x.dim[0], out = (int)n->value[ELBO_LINEAR_OUT_FEATURES];
    n->shape = (elbo_shape){1, {out}};
    float bound = 1.0f / sqrtf((float)in); // PyTorch: kaiming_uniform(a=sqrt(5)), and the same for the bias
    ELBO_TRY(elbo_graph_add_param(g, n, "weight", 2, (int[]){out, in}, bound, err));
    return n->value[ELBO_LINEAR_BIAS] != 0 ? elbo_graph_add_param(g, n, "bias", 1, (int[]){out}, bound, err) : ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_LINEAR, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    ELBO_TRY(elbo_append_to_weights(p, ELBO_WORK_LINEAR, n, io, err));
    return elbo_append_to_input(p, ELBO_WORK_LINEAR, n, io, NULL, err);
}

const elbo_op elbo_op_linear = {
    .name = "linear",
    .usage = "linear OUT_FEATURES [bias=true]",
    .values = {{"out_features", ELBO_INT, true, 0, 1, 1 << 20}, {"bias", ELBO_BOOL, false, 1, 0, 1}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
