/* Self-attention, image by image, on plain arrays: a blocked image is copied, in the thread's scratch memory. What the
 * products gave (q, k, v and the joined heads) is kept for backward; the scores, positions squared, are made again. */
#include <string.h>

#include "device/cpu/lower/lower.h"

static size_t size_of(const elbo_node *n) { return elbo_shape_size(n->shape); }

static elbo_attention_shape shape_of(const elbo_node *n) {
    return (elbo_attention_shape){.channels = n->shape.dim[0],
                                  .heads = (int)n->value[ELBO_ATTENTION_HEADS],
                                  .positions = n->shape.dim[1] * n->shape.dim[2]};
}

static const elbo_param *param(const elbo_cpu_step *s, int which) {
    return &s->program->graph->param[s->node->first_param + which];
}

static elbo_attention_weights weights_of(const elbo_cpu_step *s) {
    const float *w = s->program->params;
    return (elbo_attention_weights){
        w + param(s, ELBO_ATTENTION_IN_WEIGHT)->offset, w + param(s, ELBO_ATTENTION_IN_BIAS)->offset,
        w + param(s, ELBO_ATTENTION_OUT_WEIGHT)->offset, w + param(s, ELBO_ATTENTION_OUT_BIAS)->offset};
}

static double flop_per_image(const elbo_node *n) {
    elbo_attention_shape s = shape_of(n);
    double c = s.channels, t = s.positions;
    return 2 * (4 * c * c * t + 2 * c * t * t);
}

/* The image itself, or its plain copy. */
static const float *plain(const elbo_cpu_step *s, const elbo_cpu_tensor *t, const float *image, float *room) {
    elbo_attention_shape of = shape_of(s->node);
    if (!t->blocked) return image;
    s->program->kernels->pointwise->to_plain(room, image, of.channels, (size_t)of.positions);
    return room;
}

static void block(const elbo_cpu_step *s, float *to, const float *from) {
    elbo_attention_shape of = shape_of(s->node);
    s->program->kernels->pointwise->to_blocked(to, from, of.channels, (size_t)of.positions);
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_tensor *tx = s->in[0], *ty = s->out[0], *kept = s->out[1];
    elbo_attention_shape shape = shape_of(s->node);
    elbo_attention_weights w = weights_of(s);
    size_t n = size_of(s->node);
    const float *x = elbo_cpu_rows(tx, shard);
    float *y = elbo_cpu_rows(ty, shard), *qkv = elbo_cpu_rows(kept, shard);
    float *x_room = elbo_cpu_scratch(s->program, thread), *y_room = x_room + n, *room = y_room + n;
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < s->program->shard_rows; r++, x += tx->per_image, y += ty->per_image, qkv += kept->per_image) {
        if (r >= valid) {
            memset(y, 0, ty->per_image * sizeof *y);
            continue;
        }
        float *to = ty->blocked ? y_room : y;
        s->program->kernels->attention->forward(to, qkv, qkv + 3 * n, plain(s, tx, x, x_room), &w, &shape, room);
        if (ty->blocked) block(s, y, to);
    }
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->attention->name, run_forward);
    if (!s) return elbo_no_memory(err);
    np->aux = elbo_cpu_new_tensor(p, np->node->name, 4 * size_of(np->node), false); // q, k, v, joined heads
    if (!np->aux) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->out[1] = np->aux;
    s->flop_per_image = flop_per_image(np->node);
    elbo_attention_shape shape = shape_of(np->node);
    elbo_cpu_need_scratch(p, 2 * size_of(np->node) + elbo_attention_scratch(&shape));
    return ELBO_OK;
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_tensor *ty = s->in[0], *tx = s->in[1], *kept = s->in[2], *tdx = s->out[0]; // tdx: may be NULL
    elbo_attention_shape shape = shape_of(s->node);
    elbo_attention_weights w = weights_of(s);
    size_t n = size_of(s->node), floats = elbo_cpu_learned_floats(s->program, s->node);
    const float *dy = elbo_cpu_rows(ty, shard), *x = elbo_cpu_rows(tx, shard), *qkv = elbo_cpu_rows(kept, shard);
    float *dx = tdx ? elbo_cpu_rows(tdx, shard) : NULL, *sums = s->work + (size_t)shard * floats;
    float *x_room = elbo_cpu_scratch(s->program, thread), *dy_room = x_room + n, *dx_room = dy_room + n,
          *room = dx_room + n;
    memset(sums, 0, floats * sizeof *sums);
    elbo_attention_gradients g = {.in_w = sums};
    g.in_b = g.in_w + param(s, ELBO_ATTENTION_IN_WEIGHT)->count;
    g.out_w = g.in_b + param(s, ELBO_ATTENTION_IN_BIAS)->count;
    g.out_b = g.out_w + param(s, ELBO_ATTENTION_OUT_WEIGHT)->count;
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++, x += tx->per_image, dy += ty->per_image, qkv += kept->per_image) {
        bool blocked = dx && tdx->blocked;
        if (blocked && s->accumulate) plain(s, tdx, dx, dx_room);
        elbo_attention_image image = {
            .dy = plain(s, ty, dy, dy_room), .x = plain(s, tx, x, x_room), .qkv = qkv, .joined = qkv + 3 * n};
        s->program->kernels->attention->backward(blocked ? dx_room : dx, &g, &image, &w, &shape, s->accumulate, room);
        if (blocked) block(s, dx, dx_room);
        if (dx) dx += tdx->per_image;
    }
    // Rows that only fill the shard have no gradient.
    if (dx && !s->accumulate) memset(dx, 0, (size_t)(s->program->shard_rows - valid) * tdx->per_image * sizeof *dx);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    float *sums = elbo_cpu_work(p, (size_t)p->shards * elbo_cpu_learned_floats(p, np->node));
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->attention->name, run_backward);
    if (!s || !sums) return elbo_no_memory(err);
    s->work = sums;
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->in[2] = np->aux;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[3] = np->dx[0];
    s->flop_per_image = 2 * flop_per_image(np->node);
    elbo_attention_shape shape = shape_of(np->node);
    elbo_cpu_need_scratch(p, 3 * size_of(np->node) + elbo_attention_scratch(&shape));
    return elbo_cpu_learns(p) ? elbo_cpu_finish_sums(p, np->node, sums, err) : ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_self_attention = {.forward = forward, .to_input = backward};
