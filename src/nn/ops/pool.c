/* max_pool2d and avg_pool2d, as torch.nn has them (square windows, floor mode, padding counted by the average).
 * Backward of the maximum finds again where it was: that costs less than to keep it. */
#include "nn/ops/op.h"

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    if (n->value[ELBO_POOL_STRIDE] == 0) n->value[ELBO_POOL_STRIDE] = n->value[ELBO_POOL_KERNEL];
    int k = value(n, ELBO_POOL_KERNEL), p = value(n, ELBO_POOL_PADDING);
    if (2 * p > k) // a window must meet the picture
        return elbo_node_fail(n, err, "%s: padding=%d; expected at most half of the kernel, %d", n->text, p, k / 2);
    n->shape = x;
    for (int i = 1; i < 3; i++) {
        if (x.dim[i] + 2 * p < k)
            return elbo_node_fail(n, err,
                                  "%s: its input is %s, smaller than the kernel; use a smaller kernel or more padding",
                                  n->text, elbo_shape_text(x, text));
        n->shape.dim[i] = (x.dim[i] + 2 * p - k) / value(n, ELBO_POOL_STRIDE) + 1;
    }
    return ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_POOL, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_POOL, n, io, n->op == &elbo_op_max_pool2d ? io->x[0] : NULL, err);
}

#define POOL                                                                                                           \
    .values = {[ELBO_POOL_KERNEL] = {"kernel", ELBO_INT, true, 0, 1, 1024},                                            \
               [ELBO_POOL_STRIDE] = {"stride", ELBO_INT, false, 0, 1, 1024}, /* 0, if not given: the kernel */         \
               [ELBO_POOL_PADDING] = {"padding", ELBO_INT, false, 0, 0, 512}},                                         \
    .shape = shape, .forward = forward, .backward = backward

const elbo_op elbo_op_max_pool2d = {
    .name = "max_pool2d", .usage = "max_pool2d kernel=K [stride=kernel] [padding=0]", POOL};
const elbo_op elbo_op_avg_pool2d = {
    .name = "avg_pool2d", .usage = "avg_pool2d kernel=K [stride=kernel] [padding=0]", POOL};
