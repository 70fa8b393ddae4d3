/* Activations, value by value; in place where layouts.c lets them. */
#include "device/cpu/lower/lower.h"

static size_t values_of_shard(const elbo_cpu_step *s) { return s->out[0]->per_image * (size_t)s->program->shard_rows; }

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    s->program->kernels->pointwise->activation_forward(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                                       values_of_shard(s), s->number,
                                                       (float)s->node->value[ELBO_ACTIVATION_SLOPE]);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->pointwise->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->number = np->node->op->which;
    return ELBO_OK;
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    s->program->kernels->pointwise->activation_backward(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                                        elbo_cpu_rows(s->in[1], shard), values_of_shard(s), s->number,
                                                        (float)s->node->value[ELBO_ACTIVATION_SLOPE]);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_tensor *dx = np->dx[0];
    // Where another consumer has written dx already, our share is made beside it and added.
    if (np->accumulate[0]) dx = elbo_cpu_activation(p, np->node->name, dx->shape, dx->blocked, true);
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->pointwise->name, run_backward);
    if (!s || !dx) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->in[1] = np->y;
    s->out[0] = dx;
    s->number = np->node->op->which;
    return np->accumulate[0] ? elbo_cpu_add(p, np->node, np->dx[0], dx, err) : ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_activation = {.forward = forward, .to_input = backward};
