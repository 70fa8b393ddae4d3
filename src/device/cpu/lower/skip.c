/* add and concat: what joins a skip connection. */
#include <string.h>

#include "device/cpu/lower/lower.h"

/* ---- add ---- */

static void run_copy(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    memcpy(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
           s->out[0]->per_image * (size_t)s->program->shard_rows * sizeof(float));
}

/* to = from, or to += from, whatever their layouts. */
static elbo_status bring(elbo_cpu_program *p, const elbo_node *n, elbo_cpu_tensor *to, elbo_cpu_tensor *from, bool add,
                         elbo_error *err) {
    if (to->blocked != from->blocked) {
        elbo_cpu_tensor *converted = add ? elbo_cpu_activation(p, n->name, to->shape, to->blocked, from->gradient) : to;
        if (!converted) return elbo_no_memory(err);
        ELBO_TRY(elbo_cpu_convert(p, n, converted, from, err));
        return add ? elbo_cpu_add(p, n, to, converted, err) : ELBO_OK;
    }
    if (add) return elbo_cpu_add(p, n, to, from, err);
    elbo_cpu_step *s = elbo_cpu_new_step(p, n, "copy", "copy", run_copy);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->out[0] = to;
    return ELBO_OK;
}

static elbo_status add_forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    if (np->y != np->x[0]) ELBO_TRY(bring(p, np->node, np->y, np->x[0], false, err));
    return bring(p, np->node, np->y, np->x[1], true, err);
}

/* Both inputs get the output's gradient. Where they are one activation (x + x), the second share is added to the
 * first. */
static elbo_status add_backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    for (int k = 0; k < 2; k++) {
        if (!np->dx[k] || np->dx[k] == np->dy) continue; // in place: the gradient is there already
        bool add = np->accumulate[k] || (k == 1 && np->dx[1] == np->dx[0]);
        ELBO_TRY(bring(p, np->node, np->dx[k], np->dy, add, err));
    }
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_add = {.forward = add_forward, .to_input = add_backward};

/* ---- concat ---- */

/* Shapes are the nodes': a tensor's own may be that of a view before this node. */
static size_t pixels_of(const elbo_node *n) { return elbo_shape_size(n->shape) / (size_t)n->shape.dim[0]; }
static int channels_of_input(const elbo_cpu_step *s, int k) {
    return s->program->graph->node[s->node->input[k]].shape.dim[0];
}

/* Where a channel's pixel lies in an image of the tensor. */
static size_t at(const elbo_cpu_tensor *t, size_t pixels, size_t channel, size_t pixel) {
    return t->blocked ? (channel / ELBO_BLOCK * pixels + pixel) * ELBO_BLOCK + channel % ELBO_BLOCK
                      : channel * pixels + pixel;
}

/* Copies `count` channels between two images, from channel `from` on and to channel `to` on; `add`: adds them. */
static void copy_channels(size_t pixels, float *y, const elbo_cpu_tensor *ty, int to, const float *x,
                          const elbo_cpu_tensor *tx, int from, int count, bool add) {
    bool whole_blocks =
        ty->blocked && tx->blocked && to % ELBO_BLOCK == 0 && from % ELBO_BLOCK == 0 && count % ELBO_BLOCK == 0;
    if (whole_blocks || (!ty->blocked && !tx->blocked)) { // both lie in one piece
        y += (size_t)to * pixels;
        x += (size_t)from * pixels;
        for (size_t i = 0; i < (size_t)count * pixels; i++) y[i] = add ? y[i] + x[i] : x[i];
        return;
    }
    for (size_t c = 0; c < (size_t)count; c++)
        for (size_t p = 0; p < pixels; p++) {
            float *target = &y[at(ty, pixels, (size_t)to + c, p)], value = x[at(tx, pixels, (size_t)from + c, p)];
            *target = add ? *target + value : value;
        }
}

/* The label behind channels: each of its numbers fills a plane. */
static void fill_planes(size_t pixels, float *y, const elbo_cpu_tensor *ty, int to, const float *label, int count) {
    for (size_t c = 0; c < (size_t)count; c++)
        for (size_t p = 0; p < pixels; p++) y[at(ty, pixels, (size_t)to + c, p)] = label[c];
}

static void run_concat(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_cpu_tensor *ty = s->out[0], *a = s->in[0], *b = s->in[1];
    float *y = elbo_cpu_rows(ty, shard);
    const float *xa = elbo_cpu_rows(a, shard), *xb = elbo_cpu_rows(b, shard);
    bool padded = ty->blocked && s->node->shape.dim[0] % ELBO_BLOCK;
    bool planes = s->node->shape.rank == 3 && s->program->graph->node[s->node->input[1]].shape.rank == 1;
    int first = channels_of_input(s, 0), second = channels_of_input(s, 1);
    size_t pixels = pixels_of(s->node);
    for (int r = 0; r < s->program->shard_rows; r++, y += ty->per_image, xa += a->per_image, xb += b->per_image) {
        if (padded) memset(y, 0, ty->per_image * sizeof *y); // the channels that fill the last block
        copy_channels(pixels, y, ty, 0, xa, a, 0, first, false);
        if (planes)
            fill_planes(pixels, y, ty, first, xb, second);
        else
            copy_channels(pixels, y, ty, first, xb, b, 0, second, false);
    }
}

static elbo_status concat_forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", "copy", run_concat);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->in[1] = np->x[1];
    s->out[0] = np->y;
    return ELBO_OK;
}

/* One input's share of the gradient: its channels, from `number` on. */
static void run_split(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_cpu_tensor *tx = s->out[0], *ty = s->in[0];
    float *dx = elbo_cpu_rows(tx, shard);
    const float *dy = elbo_cpu_rows(ty, shard);
    int channels = channels_of_input(s, s->number > 0);
    bool padded = tx->blocked && channels % ELBO_BLOCK;
    size_t pixels = pixels_of(s->node);
    for (int r = 0; r < s->program->shard_rows; r++, dx += tx->per_image, dy += ty->per_image) {
        if (padded && !s->accumulate) memset(dx, 0, tx->per_image * sizeof *dx);
        copy_channels(pixels, dx, tx, 0, dy, ty, s->number, channels, s->accumulate);
    }
}

static elbo_status concat_backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    int first = 0;
    for (int k = 0; k < 2; first = p->graph->node[np->node->input[0]].shape.dim[0], k++) {
        if (!np->dx[k]) continue;
        elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", "copy", run_split);
        if (!s) return elbo_no_memory(err);
        s->in[0] = np->dy;
        s->out[0] = np->dx[k];
        s->number = first;
        s->accumulate = np->accumulate[k] || (k == 1 && np->dx[1] == np->dx[0]);
        if (s->accumulate) s->in[1] = np->dx[k];
    }
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_concat = {
    .forward = concat_forward, .to_input = concat_backward, .layout = ELBO_LAYOUT_BLOCKED};
