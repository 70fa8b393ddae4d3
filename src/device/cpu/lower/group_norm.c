/* Normalisation of each image's groups of channels, so threads need not meet. Groups lie plain: a blocked image is
 * normalised in a plain copy, in the thread's scratch memory. */
#include <string.h>

#include "device/cpu/lower/lower.h"

static size_t size_of(const elbo_node *n) { return elbo_shape_size(n->shape); }
static size_t groups_of(const elbo_node *n) { return (size_t)n->value[ELBO_GROUP_NORM_GROUPS]; }

static elbo_group_norm_image image_of(const elbo_cpu_step *s) {
    const elbo_cpu_program *p = s->program;
    const elbo_param *weight = &p->graph->param[s->node->first_param + ELBO_NORM_WEIGHT];
    size_t channels = (size_t)s->node->shape.dim[0];
    return (elbo_group_norm_image){.w = p->params + weight->offset,
                                   .b = p->params + weight[1].offset,
                                   .groups = groups_of(s->node),
                                   .channels = channels,
                                   .pixels = size_of(s->node) / channels};
}

/* The image itself, or its plain copy. */
static const float *plain(const elbo_cpu_step *s, const elbo_cpu_tensor *t, const float *image, float *room) {
    int channels = s->node->shape.dim[0];
    if (!t->blocked) return image;
    s->program->kernels->pointwise->to_plain(room, image, channels, size_of(s->node) / (size_t)channels);
    return room;
}

static void block(const elbo_cpu_step *s, float *to, const float *from) {
    int channels = s->node->shape.dim[0];
    s->program->kernels->pointwise->to_blocked(to, from, channels, size_of(s->node) / (size_t)channels);
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    const elbo_cpu_tensor *tx = s->in[0], *ty = s->out[0];
    float *y = elbo_cpu_rows(ty, shard), *moments = elbo_cpu_rows(s->out[1], shard);
    const float *x = elbo_cpu_rows(tx, shard);
    float *x_room = elbo_cpu_scratch(s->program, thread), *y_room = x_room + size_of(s->node);
    elbo_group_norm_image image = image_of(s);
    for (int r = 0; r < s->program->shard_rows; r++) {
        image.x = plain(s, tx, x, x_room);
        float *to = ty->blocked ? y_room : y;
        s->program->kernels->norm->group(to, moments, &image, (float)s->node->value[ELBO_GROUP_NORM_EPS]);
        if (ty->blocked) block(s, y, to);
        x += tx->per_image, y += ty->per_image, moments += s->out[1]->per_image;
    }
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->norm->name, run_forward);
    if (!s) return elbo_no_memory(err);
    np->aux = elbo_cpu_new_tensor(p, np->node->name, 2 * groups_of(np->node), false); // each group's moments
    if (!np->aux) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->out[1] = np->aux;
    elbo_cpu_need_scratch(p, 2 * size_of(np->node));
    return ELBO_OK;
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_tensor *ty = s->in[0], *tx = s->in[1], *tdx = s->out[0]; // tdx NULL: nobody asks for dx
    const float *dy = elbo_cpu_rows(ty, shard), *x = elbo_cpu_rows(tx, shard),
                *moments = elbo_cpu_rows(s->in[2], shard);
    size_t n = size_of(s->node), floats = elbo_cpu_learned_floats(s->program, s->node);
    float *dx = tdx ? elbo_cpu_rows(tdx, shard) : NULL, *dw = s->work + (size_t)shard * floats, *db = dw + floats / 2;
    float *x_room = elbo_cpu_scratch(s->program, thread), *dy_room = x_room + n, *dx_room = dy_room + n;
    elbo_group_norm_image image = image_of(s);
    memset(dw, 0, floats * sizeof *dw);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++, x += tx->per_image, dy += ty->per_image, moments += s->in[2]->per_image) {
        bool blocked = dx && tdx->blocked;
        if (blocked && s->accumulate) plain(s, tdx, dx, dx_room);
        image.x = plain(s, tx, x, x_room);
        image.dy = plain(s, ty, dy, dy_room);
        s->program->kernels->norm->group_backward(blocked ? dx_room : dx, dw, db, moments, &image, s->accumulate);
        if (blocked) block(s, dx, dx_room);
        if (dx) dx += tdx->per_image;
    }
    // Rows that only fill the shard have no gradient.
    if (dx && !s->accumulate) memset(dx, 0, (size_t)(s->program->shard_rows - valid) * tdx->per_image * sizeof *dx);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    float *sums = elbo_cpu_work(p, (size_t)p->shards * elbo_cpu_learned_floats(p, np->node));
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->norm->name, run_backward);
    if (!s || !sums) return elbo_no_memory(err);
    s->work = sums;
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->in[2] = np->aux;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[3] = np->dx[0];
    elbo_cpu_need_scratch(p, 3 * size_of(np->node));
    return elbo_cpu_finish_sums(p, np->node, sums, err);
}

const elbo_cpu_lowering elbo_cpu_lower_group_norm = {.forward = forward, .to_input = backward};
