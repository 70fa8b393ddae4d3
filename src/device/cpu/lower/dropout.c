/* Dropout: a mask is drawn forward and used again backward. */
#include <string.h>

#include "device/cpu/lower/lower.h"

/* Drawn in the order of the plain layout, so that a value's fate does not depend on how a device lays it out. */
static void draw_mask(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread, float *mask) {
    const elbo_cpu_tensor *y = s->out[0];
    size_t n = y->per_image, drawn = elbo_shape_size(y->shape);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    float p = (float)s->node->value[ELBO_DROPOUT_P], keep = 1.0f / (1.0f - p);
    elbo_stream stream = args->noise;
    stream.purpose = ELBO_FOR_DROPOUT + ((uint32_t)s->number << 8);
    for (int r = 0; r < valid; r++, mask += n) {
        stream.sample = args->index[shard * s->program->shard_rows + r];
        float *plain = y->blocked ? elbo_cpu_scratch(s->program, thread) : mask;
        elbo_random_uniform(stream, plain, drawn);
        for (size_t i = 0; i < drawn; i++) plain[i] = plain[i] < p ? 0.0f : keep;
        if (y->blocked)
            s->program->kernels->pointwise->to_blocked(mask, plain, y->shape.dim[0], drawn / (size_t)y->shape.dim[0]);
    }
    memset(mask, 0, n * (size_t)(s->program->shard_rows - valid) * sizeof *mask);
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    float *y = elbo_cpu_rows(s->out[0], shard);
    const float *x = elbo_cpu_rows(s->in[0], shard);
    size_t n = s->out[0]->per_image * (size_t)s->program->shard_rows;
    if (!s->out[1]) { // a plan that does not train
        if (y != x) memcpy(y, x, n * sizeof *y);
        return;
    }
    float *mask = elbo_cpu_rows(s->out[1], shard);
    draw_mask(s, args, shard, thread, mask);
    s->program->kernels->pointwise->multiply(y, x, mask, n);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    if (elbo_cpu_learns(p)) {
        np->aux = elbo_cpu_new_tensor(p, np->node->name, np->y->per_image, false);
        if (!np->aux) return elbo_no_memory(err);
        elbo_cpu_need_scratch(p, elbo_shape_size(np->y->shape));
    }
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->pointwise->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->out[1] = np->aux;
    s->number = (int)(np->node - p->graph->node);
    return ELBO_OK;
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_pointwise_kernels *k = s->program->kernels->pointwise;
    size_t n = s->out[0]->per_image * (size_t)s->program->shard_rows;
    const float *dy = elbo_cpu_rows(s->in[0], shard);
    float *mask = elbo_cpu_rows(s->in[1], shard), *dx = elbo_cpu_rows(s->out[0], shard);
    if (s->accumulate) { // the mask's last use: it may hold our share
        k->multiply(mask, dy, mask, n);
        k->add(dx, mask, n);
    } else {
        k->multiply(dx, dy, mask, n);
    }
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->pointwise->name, run_backward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->in[1] = np->aux;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[2] = np->dx[0];
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_dropout = {.forward = forward, .to_input = backward};
