/* layer_norm: y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over all values of an image, as
 * torch.nn.LayerNorm over the whole shape (Ba, Kiros and Hinton, "Layer normalization", 2016).
 *
 * Each image stands alone, so threads need not meet. Weight and bias have a value for each of the image's and lie
 * plain, so a blocked image is normalised in a plain copy, in the thread's scratch memory. Each shard leaves its sums
 * of the weights' gradients; when all are through, tiles add them up in order. */
#include <string.h>

#include "nn/ops/op.h"

enum { EPS };
enum { WEIGHT, BIAS };
enum { TILE = 8192 }; // values of a tile

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    n->shape = g->node[n->input[0]].shape;
    ELBO_TRY(elbo_graph_add_constant(g, n, "weight", n->shape.rank, n->shape.dim, 1, false, err));
    return elbo_graph_add_constant(g, n, "bias", n->shape.rank, n->shape.dim, 0, false, err);
}

static size_t size_of(const elbo_step *s) { return elbo_shape_size(s->node->shape); }
static size_t offset_of(const elbo_step *s, int which) {
    return s->plan->graph->param[s->node->first_param + which].offset;
}

/* ---- between the layouts ---- */

static void to_plain(const elbo_step *s, float *plain, const float *blocked) {
    int channels = s->node->shape.dim[0];
    s->plan->device->pointwise->to_plain(plain, blocked, channels, size_of(s) / (size_t)channels);
}

/* The image itself, or its plain copy. */
static const float *plain_copy(const elbo_step *s, const elbo_tensor *t, const float *image, float *room) {
    if (!t->blocked) return image;
    to_plain(s, room, image);
    return room;
}

static void from_plain(const elbo_step *s, float *blocked, const float *plain) {
    int channels = s->node->shape.dim[0];
    s->plan->device->pointwise->to_blocked(blocked, plain, channels, size_of(s) / (size_t)channels);
}

/* ---- forward ---- */

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    const elbo_tensor *tx = s->in[0], *ty = s->out[0];
    const float *x = elbo_rows(tx, shard), *w = pass->params + offset_of(s, WEIGHT),
                *b = pass->params + offset_of(s, BIAS);
    float *y = elbo_rows(ty, shard), *moments = elbo_rows(s->out[1], shard);
    size_t n = size_of(s);
    float *x_room = elbo_scratch(s->plan, thread), *y_room = x_room + n;
    for (int r = 0; r < s->plan->shard_rows; r++, x += tx->per_image, y += ty->per_image, moments += 2) {
        const float *from = plain_copy(s, tx, x, x_room);
        float *to = ty->blocked ? y_room : y;
        s->plan->device->norm->layer(to, &moments[0], &moments[1], from, w, b, n, (float)s->node->value[EPS]);
        if (ty->blocked) from_plain(s, y, to);
    }
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, spot->node, "forward", p->device->norm->name, run_forward);
    if (!s) return elbo_no_memory(err);
    spot->aux = elbo_plan_tensor(p, spot->node->name, 2, false); // mean and 1 / deviation of each image
    if (!spot->aux) return elbo_no_memory(err);
    s->in[0] = spot->x[0];
    s->out[0] = spot->y;
    s->out[1] = spot->aux;
    if (spot->y->blocked) elbo_plan_need_scratch(p, 2 * size_of(s));
    return ELBO_OK;
}

/* ---- backward ---- */

/* A shard's sums of the gradients of weight and bias. */
static float *sums_of(const elbo_step *s, int shard, int which) {
    return s->work + ((size_t)shard * 2 + (size_t)which) * size_of(s);
}

static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    const elbo_tensor *ty = s->in[0], *tx = s->in[1], *tdx = s->out[0]; // tdx NULL: nobody asks for dx
    const float *dy = elbo_rows(ty, shard), *x = elbo_rows(tx, shard), *moments = elbo_rows(s->in[2], shard);
    const float *w = pass->params + offset_of(s, WEIGHT);
    float *dx = tdx ? elbo_rows(tdx, shard) : NULL, *dw = sums_of(s, shard, WEIGHT), *db = sums_of(s, shard, BIAS);
    size_t n = size_of(s);
    float *x_room = elbo_scratch(s->plan, thread), *dy_room = x_room + n, *dx_room = dy_room + n;
    memset(dw, 0, 2 * n * sizeof *dw);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    for (int r = 0; r < valid; r++, x += tx->per_image, dy += ty->per_image, moments += 2) {
        bool blocked = dx && tdx->blocked;
        if (blocked && s->accumulate) to_plain(s, dx_room, dx);
        s->plan->device->norm->layer_backward(blocked ? dx_room : dx, dw, db, plain_copy(s, ty, dy, dy_room),
                                              plain_copy(s, tx, x, x_room), w, moments[0], moments[1], n,
                                              s->accumulate);
        if (blocked) from_plain(s, dx, dx_room);
        if (dx) dx += tdx->per_image;
    }
    // Rows that only fill the shard have no gradient.
    if (dx && !s->accumulate) memset(dx, 0, (size_t)(s->plan->shard_rows - valid) * tdx->per_image * sizeof *dx);
}

static void run_finish(const elbo_step *s, const elbo_batch_args *pass, int tile, int thread) {
    size_t start = (size_t)tile * TILE, count = size_of(s) - start < TILE ? size_of(s) - start : TILE;
    int shards = (pass->count + s->plan->shard_rows - 1) / s->plan->shard_rows;
    for (int which = WEIGHT; which <= BIAS; which++) {
        size_t offset = offset_of(s, which) + start;
        float *g = elbo_gradient_tile(s, offset, thread, 0);
        memcpy(g, sums_of(s, 0, which) + start, count * sizeof *g);
        for (int shard = 1; shard < shards; shard++)
            s->plan->device->pointwise->add(g, sums_of(s, shard, which) + start, count);
        elbo_finish_tile(s, pass, tile, offset, g, count);
    }
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    size_t n = elbo_shape_size(spot->node->shape);
    float *sums = elbo_plan_work(p, (size_t)p->shards * 2 * n);
    elbo_step *s = elbo_plan_step(p, spot->node, "backward", p->device->norm->name, run_backward);
    if (!s || !sums) return elbo_no_memory(err);
    s->work = sums;
    s->in[0] = spot->dy;
    s->in[1] = spot->x[0];
    s->in[2] = spot->aux;
    s->out[0] = spot->dx[0];
    s->accumulate = spot->accumulate[0];
    if (s->accumulate) s->in[3] = spot->dx[0];
    elbo_plan_need_scratch(p, 3 * n > TILE ? 3 * n : TILE);
    s = elbo_plan_step(p, spot->node, "sum and update", p->device->pointwise->name, run_finish);
    if (!s) return elbo_no_memory(err);
    s->work = sums;
    s->tiles = (int)((n + TILE - 1) / TILE);
    return ELBO_OK;
}

const elbo_op elbo_op_layer_norm = {
    .name = "layer_norm",
    .usage = "layer_norm [eps=1e-5]",
    .values = {[EPS] = {"eps", ELBO_FLOAT, false, 1e-5, 1e-12, 1}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
