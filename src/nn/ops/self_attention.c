/* self_attention: every position of a feature map looks at all of them. Queries, keys and values are linear in the
 * channels of a position; of each head, softmax(q k^T / sqrt(d)) v; the heads side by side go through one more linear
 * layer. Weights, their names and their first values are those of torch.nn.MultiheadAttention (Vaswani et al.,
 * "Attention is all you need", 2017; over an image's positions: Zhang et al., "Self-attention GANs", 2018). The residual
 * is the recipe's: `save a, group_norm 8, self_attention heads=4, add a`. */
#include <math.h>

#include "nn/ops/op.h"

/* Scores of one head for one image: positions squared. */
enum { MOST_POSITIONS = 8192 };

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = n->shape = g->node[n->input[0]].shape;
    int c = x.dim[0], heads = (int)n->value[ELBO_ATTENTION_HEADS];
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    if (c % heads)
        return elbo_node_fail(n, err, "%s: its input has %d channels; expected a multiple of heads=%d", n->text, c,
                              heads);
    if (x.dim[1] > MOST_POSITIONS / x.dim[2])
        return elbo_node_fail(n, err, "%s: its input is %s, more than %d positions; make the image smaller before it",
                              n->text, elbo_shape_text(x, text), MOST_POSITIONS);
    // xavier_uniform; kaiming_uniform(a=sqrt(5)); and no bias
    float in = sqrtf(6.0f / (4.0f * (float)c)), out = 1 / sqrtf((float)c);
    ELBO_TRY(elbo_graph_add_param(g, n, "in_proj_weight", 2, (int[]){3 * c, c}, in, err));
    ELBO_TRY(elbo_graph_add_constant(g, n, "in_proj_bias", 1, (int[]){3 * c}, 0, false, err));
    ELBO_TRY(elbo_graph_add_param(g, n, "out_proj.weight", 2, (int[]){c, c}, out, err));
    return elbo_graph_add_constant(g, n, "out_proj.bias", 1, (int[]){c}, 0, false, err);
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_SELF_ATTENTION, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p,
                            (elbo_work){.kind = ELBO_WORK_SELF_ATTENTION,
                                        .direction = ELBO_TO_INPUT + ELBO_TO_WEIGHTS,
                                        .node = n,
                                        .in = {io->dy, io->x[0]},
                                        .out = {io->dx[0]}},
                            err);
}

const elbo_op elbo_op_self_attention = {
    .name = "self_attention",
    .usage = "self_attention [heads=1]",
    .values = {[ELBO_ATTENTION_HEADS] = {"heads", ELBO_INT, false, 1, 1, 1024}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
