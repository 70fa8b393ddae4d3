/* Skip connections: `save NAME` names an activation, `add NAME` adds it to another (a residual block), `concat NAME`
 * puts its channels behind the other's. */
#include <string.h>

#include "nn/ops/op.h"

static elbo_status no_steps(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    (void)p, (void)spot, (void)err;
    return ELBO_OK;
}

/* Never a node of its own: graph.c keeps the name. */
const elbo_op elbo_op_save = {.name = "save",
                              .usage = "save NAME",
                              .values = {{"name", ELBO_WORD, true, 0, 0, 0}},
                              .forward = no_steps,
                              .backward = no_steps};

/* ---- add ---- */

static elbo_status add_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape a = g->node[n->input[0]].shape, b = g->node[n->input[1]].shape;
    char first[40], second[40];
    if (a.rank != b.rank || memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim))
        return elbo_node_fail(n, err, "%s: its input is %s, `%s` is %s; only equal shapes can be added", n->text,
                              elbo_shape_text(a, first), n->word, elbo_shape_text(b, second));
    n->shape = a;
    return ELBO_OK;
}

static void run_copy(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    memcpy(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard),
           s->out[0]->per_image * (size_t)s->plan->shard_rows * sizeof(float));
}

/* to = from, or to += from, whatever their layouts. */
static elbo_status bring(elbo_plan *p, const elbo_node *n, elbo_tensor *to, elbo_tensor *from, bool add,
                         elbo_error *err) {
    if (to->blocked != from->blocked) {
        elbo_tensor *converted = add ? elbo_plan_activation(p, n->name, to->shape, to->blocked, from->gradient) : to;
        if (!converted) return elbo_no_memory(err);
        ELBO_TRY(elbo_plan_convert(p, n, converted, from, err));
        return add ? elbo_plan_add(p, n, to, converted, err) : ELBO_OK;
    }
    if (add) return elbo_plan_add(p, n, to, from, err);
    elbo_step *s = elbo_plan_step(p, n, "copy", "copy", run_copy);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->out[0] = to;
    return ELBO_OK;
}

static elbo_status add_forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    if (spot->y != spot->x[0]) ELBO_TRY(bring(p, spot->node, spot->y, spot->x[0], false, err));
    return bring(p, spot->node, spot->y, spot->x[1], true, err);
}

/* Both inputs get the output's gradient. Where they are one activation (x + x), the second share is added to the
 * first. */
static elbo_status add_backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    for (int k = 0; k < 2; k++) {
        if (!spot->dx[k] || spot->dx[k] == spot->dy) continue; // in place: the gradient is there already
        bool add = spot->accumulate[k] || (k == 1 && spot->dx[1] == spot->dx[0]);
        ELBO_TRY(bring(p, spot->node, spot->dx[k], spot->dy, add, err));
    }
    return ELBO_OK;
}

const elbo_op elbo_op_add = {
    .name = "add",
    .usage = "add NAME",
    .values = {{"name", ELBO_WORD, true, 0, 0, 0}},
    .reads_saved = true,
    .in_place = true,
    .shape = add_shape,
    .forward = add_forward,
    .backward = add_backward,
};

/* ---- concat ---- */

static elbo_status concat_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape a = g->node[n->input[0]].shape, b = g->node[n->input[1]].shape;
    char first[40], second[40];
    if (a.rank != b.rank || (a.rank == 3 && (a.dim[1] != b.dim[1] || a.dim[2] != b.dim[2])))
        return elbo_node_fail(n, err,
                              "%s: its input is %s, `%s` is %s; only images of one height and width, or features, "
                              "can stand behind each other",
                              n->text, elbo_shape_text(a, first), n->word, elbo_shape_text(b, second));
    n->shape = a;
    n->shape.dim[0] += b.dim[0];
    return ELBO_OK;
}

/* Shapes are the nodes': a tensor's own may be that of a view before this node. */
static size_t pixels_of(const elbo_node *n) { return elbo_shape_size(n->shape) / (size_t)n->shape.dim[0]; }
static int channels_of_input(const elbo_step *s, int k) { return s->plan->graph->node[s->node->input[k]].shape.dim[0]; }

/* Where a channel's pixel lies in an image of the tensor. */
static size_t at(const elbo_tensor *t, size_t pixels, size_t channel, size_t pixel) {
    return t->blocked ? (channel / ELBO_BLOCK * pixels + pixel) * ELBO_BLOCK + channel % ELBO_BLOCK
                      : channel * pixels + pixel;
}

/* Copies `count` channels between two images, from channel `from` on and to channel `to` on; `add`: adds them. */
static void copy_channels(size_t pixels, float *y, const elbo_tensor *ty, int to, const float *x, const elbo_tensor *tx,
                          int from, int count, bool add) {
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

static void run_concat(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_tensor *ty = s->out[0], *a = s->in[0], *b = s->in[1];
    float *y = elbo_rows(ty, shard);
    const float *xa = elbo_rows(a, shard), *xb = elbo_rows(b, shard);
    bool padded = ty->blocked && s->node->shape.dim[0] % ELBO_BLOCK;
    int first = channels_of_input(s, 0), second = channels_of_input(s, 1);
    size_t pixels = pixels_of(s->node);
    for (int r = 0; r < s->plan->shard_rows; r++, y += ty->per_image, xa += a->per_image, xb += b->per_image) {
        if (padded) memset(y, 0, ty->per_image * sizeof *y); // the channels that fill the last block
        copy_channels(pixels, y, ty, 0, xa, a, 0, first, false);
        copy_channels(pixels, y, ty, first, xb, b, 0, second, false);
    }
}

static elbo_status concat_forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, spot->node, "forward", "copy", run_concat);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->x[0];
    s->in[1] = spot->x[1];
    s->out[0] = spot->y;
    return ELBO_OK;
}

/* One input's share of the gradient: its channels, from `number` on. */
static void run_split(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_tensor *tx = s->out[0], *ty = s->in[0];
    float *dx = elbo_rows(tx, shard);
    const float *dy = elbo_rows(ty, shard);
    int channels = channels_of_input(s, s->number > 0);
    bool padded = tx->blocked && channels % ELBO_BLOCK;
    size_t pixels = pixels_of(s->node);
    for (int r = 0; r < s->plan->shard_rows; r++, dx += tx->per_image, dy += ty->per_image) {
        if (padded && !s->accumulate) memset(dx, 0, tx->per_image * sizeof *dx);
        copy_channels(pixels, dx, tx, 0, dy, ty, s->number, channels, s->accumulate);
    }
}

static elbo_status concat_backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    int first = 0;
    for (int k = 0; k < 2; first = p->graph->node[spot->node->input[0]].shape.dim[0], k++) {
        if (!spot->dx[k]) continue;
        elbo_step *s = elbo_plan_step(p, spot->node, "backward", "copy", run_split);
        if (!s) return elbo_no_memory(err);
        s->in[0] = spot->dy;
        s->out[0] = spot->dx[k];
        s->number = first;
        s->accumulate = spot->accumulate[k] || (k == 1 && spot->dx[1] == spot->dx[0]);
        if (s->accumulate) s->in[1] = spot->dx[k];
    }
    return ELBO_OK;
}

const elbo_op elbo_op_concat = {
    .name = "concat",
    .usage = "concat NAME",
    .values = {{"name", ELBO_WORD, true, 0, 0, 0}},
    .reads_saved = true,
    .layout = ELBO_LAYOUT_BLOCKED,
    .shape = concat_shape,
    .forward = concat_forward,
    .backward = concat_backward,
};
