/* silu and gelu: value by value, not in place. */
#include "device/cpu/lower/lower.h"

static size_t values_of_shard(const elbo_cpu_step *s) { return s->out[0]->per_image * (size_t)s->program->shard_rows; }

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    s->program->kernels->gate->forward(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                       values_of_shard(s), (elbo_gate)s->number);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    s->program->kernels->gate->backward(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                        elbo_cpu_rows(s->in[1], shard), values_of_shard(s), (elbo_gate)s->number,
                                        s->accumulate);
}

static int gate_of(const elbo_node *n) {
    return n->op == &elbo_op_gelu && n->value[ELBO_GELU_APPROXIMATE] > 0 ? ELBO_GELU_TANH : n->op->which;
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->gate->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->number = gate_of(np->node);
    return ELBO_OK;
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->gate->name, run_backward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[2] = np->dx[0];
    s->number = gate_of(np->node);
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_gate = {.forward = forward, .to_input = backward};
