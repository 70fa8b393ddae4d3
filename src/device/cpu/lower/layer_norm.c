/* Normalisation of each image by itself, so threads need not meet. Weight and bias have a value for each of the image's
 * and lie plain, so a blocked image is normalised in a plain copy, in the thread's scratch memory. Each shard leaves its
 * sums of the weights' gradients; when all are through, tiles add them up in a tree. */
#include <string.h>

#include "device/cpu/lower/lower.h"
#include "device/cpu/tree.h"

enum { TILE = 8192 }; // values of a tile

static size_t size_of(const elbo_cpu_step *s) { return elbo_shape_size(s->node->shape); }
static size_t offset_of(const elbo_cpu_step *s, int which) {
    return s->program->graph->param[s->node->first_param + which].offset;
}

/* ---- between the layouts ---- */

static void to_plain(const elbo_cpu_step *s, float *plain, const float *blocked) {
    int channels = s->node->shape.dim[0];
    s->program->kernels->pointwise->to_plain(plain, blocked, channels, size_of(s) / (size_t)channels);
}

/* The image itself, or its plain copy. */
static const float *plain_copy(const elbo_cpu_step *s, const elbo_cpu_tensor *t, const float *image, float *room) {
    if (!t->blocked) return image;
    to_plain(s, room, image);
    return room;
}

static void from_plain(const elbo_cpu_step *s, float *blocked, const float *plain) {
    int channels = s->node->shape.dim[0];
    s->program->kernels->pointwise->to_blocked(blocked, plain, channels, size_of(s) / (size_t)channels);
}

/* ---- forward ---- */

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    const elbo_cpu_tensor *tx = s->in[0], *ty = s->out[0];
    const float *x = elbo_cpu_rows(tx, shard), *w = s->program->params + offset_of(s, ELBO_NORM_WEIGHT),
                *b = s->program->params + offset_of(s, ELBO_NORM_BIAS);
    float *y = elbo_cpu_rows(ty, shard), *moments = elbo_cpu_rows(s->out[1], shard);
    size_t n = size_of(s);
    float *x_room = elbo_cpu_scratch(s->program, thread), *y_room = x_room + n;
    for (int r = 0; r < s->program->shard_rows; r++, x += tx->per_image, y += ty->per_image, moments += 2) {
        const float *from = plain_copy(s, tx, x, x_room);
        float *to = ty->blocked ? y_room : y;
        s->program->kernels->norm->layer(to, &moments[0], &moments[1], from, w, b, n,
                                         (float)s->node->value[ELBO_NORM_EPS]);
        if (ty->blocked) from_plain(s, y, to);
    }
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->norm->name, run_forward);
    if (!s) return elbo_no_memory(err);
    np->aux = elbo_cpu_new_tensor(p, np->node->name, 2, false); // mean and 1 / deviation of each image
    if (!np->aux) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->out[1] = np->aux;
    if (np->y->blocked) elbo_cpu_need_scratch(p, 2 * size_of(s));
    return ELBO_OK;
}

/* ---- backward ---- */

/* A shard's sums of the gradients of weight and bias. */
static float *sums_of(const elbo_cpu_step *s, int shard, int which) {
    return s->work + ((size_t)shard * 2 + (size_t)which) * size_of(s);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_tensor *ty = s->in[0], *tx = s->in[1], *tdx = s->out[0]; // tdx NULL: nobody asks for dx
    const float *dy = elbo_cpu_rows(ty, shard), *x = elbo_cpu_rows(tx, shard),
                *moments = elbo_cpu_rows(s->in[2], shard);
    const float *w = s->program->params + offset_of(s, ELBO_NORM_WEIGHT);
    float *dx = tdx ? elbo_cpu_rows(tdx, shard) : NULL, *dw = sums_of(s, shard, ELBO_NORM_WEIGHT),
          *db = sums_of(s, shard, ELBO_NORM_BIAS);
    size_t n = size_of(s);
    float *x_room = elbo_cpu_scratch(s->program, thread), *dy_room = x_room + n, *dx_room = dy_room + n;
    memset(dw, 0, 2 * n * sizeof *dw);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++, x += tx->per_image, dy += ty->per_image, moments += 2) {
        bool blocked = dx && tdx->blocked;
        if (blocked && s->accumulate) to_plain(s, dx_room, dx);
        elbo_layer_norm_image image = {.dy = plain_copy(s, ty, dy, dy_room),
                                       .x = plain_copy(s, tx, x, x_room),
                                       .w = w,
                                       .mean = moments[0],
                                       .inverse = moments[1],
                                       .n = n};
        s->program->kernels->norm->layer_backward(blocked ? dx_room : dx, dw, db, &image, s->accumulate);
        if (blocked) from_plain(s, dx, dx_room);
        if (dx) dx += tdx->per_image;
    }
    // Rows that only fill the shard have no gradient.
    if (dx && !s->accumulate) memset(dx, 0, (size_t)(s->program->shard_rows - valid) * tdx->per_image * sizeof *dx);
}

static void run_finish(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    size_t start = (size_t)tile * TILE, count = size_of(s) - start < TILE ? size_of(s) - start : TILE;
    int shards = (args->count + s->program->shard_rows - 1) / s->program->shard_rows;
    for (int which = ELBO_NORM_WEIGHT; which <= ELBO_NORM_BIAS; which++) {
        size_t offset = offset_of(s, which) + start;
        float *g = elbo_cpu_gradient_tile(s, offset, thread, 0);
        elbo_tree_sum(s->program->kernels, g, sums_of(s, 0, which) + start, 2 * size_of(s), shards, count);
        elbo_cpu_finish_tile(s, args, tile, offset, g, count);
    }
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    size_t n = elbo_shape_size(np->node->shape);
    float *sums = elbo_cpu_work(p, (size_t)p->shards * 2 * n);
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->norm->name, run_backward);
    if (!s || !sums) return elbo_no_memory(err);
    s->work = sums;
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->in[2] = np->aux;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[3] = np->dx[0];
    elbo_cpu_need_scratch(p, 3 * n > TILE ? 3 * n : TILE);
    if (!elbo_cpu_learns_node(p, np->node)) return ELBO_OK;
    s = elbo_cpu_new_step(p, np->node, "sum and update", p->kernels->pointwise->name, run_finish);
    if (!s) return elbo_no_memory(err);
    s->work = sums;
    s->tiles = (int)((n + TILE - 1) / TILE);
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_layer_norm = {.forward = forward, .to_input = backward};
