/* max_pool2d and avg_pool2d, as torch.nn has them (square windows, floor mode, padding counted by the average).
 * Backward of the maximum finds again where it was: that costs less than to keep it. */
#include "nn/ops/resample.h"

enum { KERNEL, STRIDE, PADDING };

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    if (n->value[STRIDE] == 0) n->value[STRIDE] = n->value[KERNEL];
    int k = value(n, KERNEL), p = value(n, PADDING);
    if (2 * p > k) // a window must meet the picture
        return elbo_node_fail(n, err, "%s: padding=%d; it is at most half of the kernel, %d", n->text, p, k / 2);
    n->shape = x;
    for (int i = 1; i < 3; i++) {
        if (x.dim[i] + 2 * p < k)
            return elbo_node_fail(n, err,
                                  "%s: its input is %s, smaller than the kernel; use a smaller kernel or more padding",
                                  n->text, elbo_shape_text(x, text));
        n->shape.dim[i] = (x.dim[i] + 2 * p - k) / value(n, STRIDE) + 1;
    }
    return ELBO_OK;
}

static elbo_resample geometry(const elbo_step *s, const elbo_tensor *x) {
    elbo_resample r = elbo_resample_of(s, x);
    r.kernel = value(s->node, KERNEL);
    r.stride = value(s->node, STRIDE);
    r.padding = value(s->node, PADDING);
    return r;
}

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_resample_kernels *k = s->plan->device->resample;
    elbo_resample r = geometry(s, s->in[0]);
    bool max = s->node->op == &elbo_op_max_pool2d;
    (max ? k->max_pool : k->average_pool)(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), &r);
}

static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_resample_kernels *k = s->plan->device->resample;
    elbo_resample r = geometry(s, s->out[0]);
    float *dx = elbo_resample_dx(s, shard), *dy = elbo_rows(s->in[0], shard);
    if (s->node->op == &elbo_op_max_pool2d)
        k->max_pool_backward(dx, dy, elbo_rows(s->in[1], shard), &r);
    else
        k->average_pool_backward(dx, dy, &r);
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    return elbo_resample_forward(p, spot, run_forward, err);
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    return elbo_resample_backward(p, spot, spot->node->op == &elbo_op_max_pool2d, run_backward, err);
}

#define POOL                                                                                                           \
    .values = {[KERNEL] = {"kernel", ELBO_INT, true, 0, 1, 1024},                                                      \
               [STRIDE] = {"stride", ELBO_INT, false, 0, 1, 1024}, /* 0, if not given: the kernel */                   \
               [PADDING] = {"padding", ELBO_INT, false, 0, 0, 512}},                                                   \
    .shape = shape, .forward = forward, .backward = backward

const elbo_op elbo_op_max_pool2d = {
    .name = "max_pool2d", .usage = "max_pool2d kernel=K [stride=kernel] [padding=0]", POOL};
const elbo_op elbo_op_avg_pool2d = {
    .name = "avg_pool2d", .usage = "avg_pool2d kernel=K [stride=kernel] [padding=0]", POOL};
