/* dropout: in training each value is 0 with probability p, else divided by 1 - p; in evaluation nothing happens. The
 * mask is a function of (seed, layer, epoch, image). */
#include <string.h>

#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    return ELBO_OK;
}

/* Drawn in the order of the plain layout, so that a value's fate does not depend on how a device lays it out. */
static void draw_mask(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread, float *mask) {
    const elbo_tensor *y = s->out[0];
    size_t n = y->per_image, drawn = elbo_shape_size(y->shape);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    float p = (float)s->node->value[0], keep = 1.0f / (1.0f - p);
    elbo_stream stream = pass->noise;
    stream.purpose = ELBO_FOR_DROPOUT + ((uint32_t)s->number << 8);
    for (int r = 0; r < valid; r++, mask += n) {
        stream.sample = pass->index[shard * s->plan->shard_rows + r];
        float *plain = y->blocked ? elbo_scratch(s->plan, thread) : mask;
        elbo_random_uniform(stream, plain, drawn);
        for (size_t i = 0; i < drawn; i++) plain[i] = plain[i] < p ? 0.0f : keep;
        if (y->blocked)
            s->plan->device->pointwise->to_blocked(mask, plain, y->shape.dim[0], drawn / (size_t)y->shape.dim[0]);
    }
    memset(mask, 0, n * (size_t)(s->plan->shard_rows - valid) * sizeof *mask);
}

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    float *y = elbo_rows(s->out[0], shard);
    const float *x = elbo_rows(s->in[0], shard);
    size_t n = s->out[0]->per_image * (size_t)s->plan->shard_rows;
    if (!s->out[1]) { // a plan that does not train
        if (y != x) memcpy(y, x, n * sizeof *y);
        return;
    }
    float *mask = elbo_rows(s->out[1], shard);
    draw_mask(s, pass, shard, thread, mask);
    s->plan->device->pointwise->multiply(y, x, mask, n);
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    if (p->options.mode == ELBO_TRAIN) {
        spot->aux = elbo_plan_tensor(p, spot->node->name, spot->y->per_image, false);
        if (!spot->aux) return elbo_no_memory(err);
        elbo_plan_need_scratch(p, elbo_shape_size(spot->y->shape));
    }
    elbo_step *s = elbo_plan_step(p, spot->node, "forward", p->device->pointwise->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->x[0];
    s->out[0] = spot->y;
    s->out[1] = spot->aux;
    s->number = (int)(spot->node - p->graph->node);
    return ELBO_OK;
}

static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_pointwise_kernels *k = s->plan->device->pointwise;
    size_t n = s->out[0]->per_image * (size_t)s->plan->shard_rows;
    const float *dy = elbo_rows(s->in[0], shard);
    float *mask = elbo_rows(s->in[1], shard), *dx = elbo_rows(s->out[0], shard);
    if (s->accumulate) { // the mask's last use: it may hold our share
        k->multiply(mask, dy, mask, n);
        k->add(dx, mask, n);
    } else {
        k->multiply(dx, dy, mask, n);
    }
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    if (!spot->dx[0]) return ELBO_OK;
    elbo_step *s = elbo_plan_step(p, spot->node, "backward", p->device->pointwise->name, run_backward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->in[1] = spot->aux;
    s->out[0] = spot->dx[0];
    s->accumulate = spot->accumulate[0];
    if (s->accumulate) s->in[2] = spot->dx[0];
    return ELBO_OK;
}

const elbo_op elbo_op_dropout = {
    .name = "dropout",
    .usage = "dropout [p=0.5]",
    .values = {{"p", ELBO_FLOAT, false, 0.5, 0, 0.99}},
    .in_place = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
