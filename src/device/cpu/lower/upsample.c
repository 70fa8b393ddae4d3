#include "device/cpu/lower/resample.h"

static elbo_resample geometry(const elbo_cpu_step *s, const elbo_cpu_tensor *x) {
    elbo_resample r = elbo_resample_of(s, x);
    r.scale = (int)s->node->value[ELBO_UPSAMPLE_SCALE];
    return r;
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_resample_kernels *k = s->program->kernels->resample;
    elbo_resample r = geometry(s, s->in[0]);
    bool bilinear = s->node->value[ELBO_UPSAMPLE_MODE] == ELBO_UPSAMPLE_BILINEAR;
    (bilinear ? k->bilinear : k->nearest)(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard), &r);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_resample_kernels *k = s->program->kernels->resample;
    elbo_resample r = geometry(s, s->out[0]);
    bool bilinear = s->node->value[ELBO_UPSAMPLE_MODE] == ELBO_UPSAMPLE_BILINEAR;
    (bilinear ? k->bilinear_backward : k->nearest_backward)(elbo_resample_dx(s, shard), elbo_cpu_rows(s->in[0], shard),
                                                            &r);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    return elbo_resample_forward(p, np, run_forward, err);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    return elbo_resample_backward(p, np, false, run_backward, err);
}

const elbo_cpu_lowering elbo_cpu_lower_upsample = {.forward = forward, .to_input = backward};
