#include "device/cpu/lower/resample.h"

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

static elbo_resample geometry(const elbo_cpu_step *s, const elbo_cpu_tensor *x) {
    elbo_resample r = elbo_resample_of(s, x);
    r.kernel = value(s->node, ELBO_POOL_KERNEL);
    r.stride = value(s->node, ELBO_POOL_STRIDE);
    r.padding = value(s->node, ELBO_POOL_PADDING);
    return r;
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_resample_kernels *k = s->program->kernels->resample;
    elbo_resample r = geometry(s, s->in[0]);
    bool max = s->node->op == &elbo_op_max_pool2d;
    (max ? k->max_pool : k->average_pool)(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard), &r);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_resample_kernels *k = s->program->kernels->resample;
    elbo_resample r = geometry(s, s->out[0]);
    float *dx = elbo_resample_dx(s, shard), *dy = elbo_cpu_rows(s->in[0], shard);
    if (s->node->op == &elbo_op_max_pool2d)
        k->max_pool_backward(dx, dy, elbo_cpu_rows(s->in[1], shard), &r);
    else
        k->average_pool_backward(dx, dy, &r);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    return elbo_resample_forward(p, np, run_forward, err);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    return elbo_resample_backward(p, np, np->node->op == &elbo_op_max_pool2d, run_backward, err);
}

const elbo_cpu_lowering elbo_cpu_lower_pool = {.forward = forward, .to_input = backward};
