/* relu, leaky_relu, tanh, sigmoid: one value at a time, in place where nobody else reads the input. */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    return ELBO_OK;
}

static elbo_activation which(const elbo_node *n) {
    if (n->op == &elbo_op_relu) return ELBO_RELU;
    if (n->op == &elbo_op_leaky_relu) return ELBO_LEAKY_RELU;
    return n->op == &elbo_op_tanh ? ELBO_TANH : ELBO_SIGMOID;
}

static size_t values_of_shard(const elbo_step *s) { return s->out[0]->per_image * (size_t)s->plan->shard_rows; }

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    s->plan->device->pointwise->activation_forward(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard),
                                                   values_of_shard(s), s->number, (float)s->node->value[0]);
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, spot->node, "forward", p->device->pointwise->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->x[0];
    s->out[0] = spot->y;
    s->number = which(spot->node);
    return ELBO_OK;
}

static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    s->plan->device->pointwise->activation_backward(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard),
                                                    elbo_rows(s->in[1], shard), values_of_shard(s), s->number,
                                                    (float)s->node->value[0]);
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_tensor *dx = spot->dx[0];
    if (!dx) return ELBO_OK;
    // Where another consumer has written dx already, our share is made beside it and added.
    if (spot->accumulate[0]) dx = elbo_plan_activation(p, spot->node->name, dx->shape, dx->blocked, true);
    elbo_step *s = elbo_plan_step(p, spot->node, "backward", p->device->pointwise->name, run_backward);
    if (!s || !dx) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->in[1] = spot->y;
    s->out[0] = dx;
    s->number = which(spot->node);
    return spot->accumulate[0] ? elbo_plan_add(p, spot->node, spot->dx[0], dx, err) : ELBO_OK;
}

#define ACTIVATION .in_place = true, .reads_output = true, .shape = shape, .forward = forward, .backward = backward

const elbo_op elbo_op_relu = {.name = "relu", .usage = "relu", ACTIVATION};
const elbo_op elbo_op_leaky_relu = {
    .name = "leaky_relu",
    .usage = "leaky_relu [negative_slope=0.01]",
    // A slope of 0 or less would hide the input's sign, from which backward takes the derivative.
    .values = {{"negative_slope", ELBO_FLOAT, false, 0.01, 1e-6, 1}},
    ACTIVATION,
};
const elbo_op elbo_op_tanh = {.name = "tanh", .usage = "tanh", ACTIVATION};
const elbo_op elbo_op_sigmoid = {.name = "sigmoid", .usage = "sigmoid", ACTIVATION};
