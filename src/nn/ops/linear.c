/* linear: y = x w^T + b, as torch.nn.Linear. */
#include <math.h>

#include "nn/ops/op.h"

enum { OUT_FEATURES, BIAS };

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != 1)
        return elbo_node_fail(n, err, "%s: its input is %s; put `flatten` before it", n->text,
                              elbo_shape_text(x, text));
    int in = x.dim[0], out = (int)n->value[OUT_FEATURES];
    n->shape = (elbo_shape){1, {out}};
    float bound = 1.0f / sqrtf((float)in); // PyTorch: kaiming_uniform(a=sqrt(5)), and the same for the bias
    ELBO_TRY(elbo_graph_add_param(g, n, "weight", 2, (int[]){out, in}, bound, err));
    return n->value[BIAS] != 0 ? elbo_graph_add_param(g, n, "bias", 1, (int[]){out}, bound, err) : ELBO_OK;
}

/* A stacked node has a weight (and a bias) for each of its names; the first of them marks the block's start. */
static void find_params(const elbo_graph *g, const elbo_node *n, elbo_step *s) {
    bool bias = n->value[BIAS] != 0;
    s->w = g->param[n->first_param].offset;
    s->b = bias ? g->param[n->first_param + n->params / 2].offset : s->w;
}

static int in_features(const elbo_step *s) { return (int)s->plan->spot[s->node->input[0]].y->per_image; }
static int out_features(const elbo_step *s) { return s->node->shape.dim[0]; }
static const float *bias_of(const elbo_step *s, const elbo_batch_args *pass) {
    return s->b != s->w ? pass->params + s->b : NULL;
}

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    s->plan->device->linear->forward(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), pass->params + s->w,
                                     bias_of(s, pass), s->plan->shard_rows, in_features(s), out_features(s),
                                     elbo_scratch(s->plan, thread));
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, spot->node, "forward", p->device->linear->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->x[0];
    s->out[0] = spot->y;
    s->flop_per_image = 2.0 * (double)spot->x[0]->per_image * (double)spot->y->per_image;
    find_params(p->graph, spot->node, s);
    elbo_plan_need_scratch(p, spot->y->per_image * (size_t)p->shard_rows);
    return ELBO_OK;
}

static void run_backward_data(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    s->plan->device->linear->backward_data(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), pass->params + s->w,
                                           s->plan->shard_rows, in_features(s), out_features(s), s->accumulate);
}

/* One tile: the gradient of some neighbouring outputs over the whole batch, and at once their update. */
static void run_backward_weights(const elbo_step *s, const elbo_batch_args *pass, int tile, int thread) {
    int in = in_features(s), out = out_features(s), first = tile * s->tile_rows;
    int rows = out - first < s->tile_rows ? out - first : s->tile_rows;
    size_t w = s->w + (size_t)first * in, b = s->b + (size_t)first, count = (size_t)rows * in;
    bool bias = s->b != s->w;
    float *dw = elbo_gradient_tile(s, w, thread, 0);
    float *db = bias ? elbo_gradient_tile(s, b, thread, (size_t)s->tile_rows * in) : NULL;
    s->plan->device->linear->backward_weights(dw, db, s->in[0]->base + first, s->in[1]->base, pass->count, in, out,
                                              rows);
    elbo_finish_tile(s, pass, tile, w, dw, count);
    if (bias) elbo_finish_tile(s, pass, tile, b, db, (size_t)rows);
}

/* Outputs per tile: a gradient tile of at most 160 KB, so that it is still in the L2 cache when the update reads it. */
static int tile_rows(int in, int out) {
    int rows = 40960 / in / 16 * 16;
    if (rows < 16) rows = 16;
    return rows < out ? rows : out;
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    double flop = 2.0 * (double)spot->x[0]->per_image * (double)spot->y->per_image;
    elbo_step *s = elbo_plan_step(p, spot->node, "backward weights", p->device->linear->name, run_backward_weights);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->in[1] = spot->x[0];
    s->flop_per_image = flop;
    find_params(p->graph, spot->node, s);
    int in = (int)spot->x[0]->per_image, out = (int)spot->y->per_image;
    s->tile_rows = tile_rows(in, out);
    s->tiles = (out + s->tile_rows - 1) / s->tile_rows;
    elbo_plan_need_scratch(p, (size_t)s->tile_rows * (size_t)(in + 1));
    if (!spot->dx[0]) return ELBO_OK; // the first layer: nobody asks for the image's gradient

    s = elbo_plan_step(p, spot->node, "backward data", p->device->linear->name, run_backward_data);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->out[0] = spot->dx[0];
    s->accumulate = spot->accumulate[0];
    if (s->accumulate) s->in[1] = spot->dx[0];
    s->flop_per_image = flop;
    find_params(p->graph, spot->node, s);
    return ELBO_OK;
}

const elbo_op elbo_op_linear = {
    .name = "linear",
    .usage = "linear OUT_FEATURES [bias=true]",
    .values = {{"out_features", ELBO_INT, true, 0, 1, 1 << 20}, {"bias", ELBO_BOOL, false, 1, 0, 1}},
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
