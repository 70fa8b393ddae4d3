/* batch_norm2d and batch_norm1d: y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance of each channel
 * over the batch in training, running ones else. Ioffe and Szegedy, "Batch normalization", 2015; running statistics as
 * PyTorch's. */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, int rank, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != rank)
        return elbo_node_fail(n, err, "%s: its input is %s; use `%s` for it", n->text, elbo_shape_text(x, text),
                              rank == 3 ? "batch_norm1d" : "batch_norm2d");
    n->shape = x;
    int channels[] = {x.dim[0]};
    ELBO_TRY(elbo_graph_add_constant(g, n, "weight", 1, channels, 1, false, err));
    ELBO_TRY(elbo_graph_add_constant(g, n, "bias", 1, channels, 0, false, err));
    ELBO_TRY(elbo_graph_add_constant(g, n, "running_mean", 1, channels, 0, true, err));
    return elbo_graph_add_constant(g, n, "running_var", 1, channels, 1, true, err);
}

static elbo_status shape_1d(elbo_graph *g, elbo_node *n, elbo_error *err) { return shape(g, n, 1, err); }
static elbo_status shape_2d(elbo_graph *g, elbo_node *n, elbo_error *err) { return shape(g, n, 3, err); }

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_BATCH_NORM, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    ELBO_TRY(elbo_append_to_weights(p, ELBO_WORK_BATCH_NORM, n, io, err));
    return elbo_append_to_input(p, ELBO_WORK_BATCH_NORM, n, io, io->x[0], err);
}

#define BATCH_NORM                                                                                                     \
    .values = {{"eps", ELBO_FLOAT, false, 1e-5, 1e-12, 1}, {"momentum", ELBO_FLOAT, false, 0.1, 0, 1}},                \
    .forward = forward, .backward = backward

const elbo_op elbo_op_batch_norm1d = {
    .name = "batch_norm1d", .usage = "batch_norm1d [eps=1e-5] [momentum=0.1]", .shape = shape_1d, BATCH_NORM};
const elbo_op elbo_op_batch_norm2d = {
    .name = "batch_norm2d", .usage = "batch_norm2d [eps=1e-5] [momentum=0.1]", .shape = shape_2d, BATCH_NORM};
