/* Fully connected layers: rows forward and back by shard, the weights' gradient and its update by tile. */
#include "device/cpu/lower/lower.h"
#include "device/cpu/tree.h"

/* A stacked node has a weight (and a bias) for each of its names; the first of them marks the block's start. */
static void find_params(const elbo_graph *g, const elbo_node *n, elbo_cpu_step *s) {
    bool bias = n->value[ELBO_LINEAR_BIAS] != 0;
    s->w = g->param[n->first_param].offset;
    s->b = bias ? g->param[n->first_param + n->params / 2].offset : s->w;
}

static int in_features(const elbo_cpu_step *s) { return (int)s->program->node[s->node->input[0]].y->per_image; }
static int out_features(const elbo_cpu_step *s) { return s->node->shape.dim[0]; }
static const float *bias_of(const elbo_cpu_step *s) { return s->b != s->w ? s->program->params + s->b : NULL; }

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    const elbo_cpu_program *p = s->program;
    elbo_cpu_expect(p, p->kernels->linear->forward(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                                   p->params + s->w, bias_of(s), p->shard_rows, in_features(s),
                                                   out_features(s), elbo_cpu_scratch(p, thread)));
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->linear->name, run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->flop_per_image = 2.0 * (double)np->x[0]->per_image * (double)np->y->per_image;
    find_params(p->graph, np->node, s);
    elbo_cpu_need_scratch(p, np->y->per_image * (size_t)p->shard_rows);
    return ELBO_OK;
}

static void run_backward_data(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    (void)thread;
    const elbo_cpu_program *p = s->program;
    elbo_cpu_expect(p, p->kernels->linear->backward_data(
                           elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard), p->params + s->w,
                           p->shard_rows, in_features(s), out_features(s), s->accumulate));
}

/* A tile's gradient while parts of the batch are summed. */
typedef struct tile_sum {
    float *dw, *db; // (rows, in), (rows) or NULL
} tile_sum;

/* The first sum is where the gradient belongs, those beside it in scratch memory. */
static tile_sum sum_at(const elbo_cpu_step *s, int place, size_t w, size_t b, int thread) {
    size_t in = (size_t)in_features(s), floats = (size_t)s->tile_rows * (in + 1), weights = (size_t)s->tile_rows * in;
    bool bias = s->b != s->w;
    float *room = elbo_cpu_scratch(s->program, thread) + (size_t)place * floats;
    if (place > 0) return (tile_sum){room, bias ? room + weights : NULL};
    return (tile_sum){elbo_cpu_gradient_tile(s, w, thread, 0),
                      bias ? elbo_cpu_gradient_tile(s, b, thread, weights) : NULL};
}

static void join(const elbo_cpu_step *s, tile_sum to, tile_sum from, size_t weights, size_t rows) {
    s->program->kernels->pointwise->add(to.dw, from.dw, weights);
    if (to.db) s->program->kernels->pointwise->add(to.db, from.db, rows);
}

/* One tile: the gradient of some neighbouring outputs over the whole batch, in a tree of its parts (tree.h), and at once
 * their update. */
static void run_backward_weights(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    const elbo_cpu_program *p = s->program;
    int in = in_features(s), out = out_features(s), first = tile * s->tile_rows;
    int rows = out - first < s->tile_rows ? out - first : s->tile_rows;
    size_t w = s->w + (size_t)first * in, b = s->b + (size_t)first, weights = (size_t)rows * in;
    tile_sum sum[ELBO_TREE_DEPTH];
    int sums = 0;
    for (int part = 0, start = 0; start < args->count; part++, start += p->part_rows) {
        int count = args->count - start < p->part_rows ? args->count - start : p->part_rows;
        sum[sums] = sum_at(s, sums, w, b, thread);
        elbo_cpu_expect(p, p->kernels->linear->backward_weights(
                               sum[sums].dw, sum[sums].db, s->in[0]->base + (size_t)start * out + first,
                               s->in[1]->base + (size_t)start * in, count, in, out, rows));
        sums++;
        for (int joins = elbo_tree_joins(part); joins > 0; joins--, sums--)
            join(s, sum[sums - 2], sum[sums - 1], weights, (size_t)rows);
    }
    for (; sums > 1; sums--) join(s, sum[sums - 2], sum[sums - 1], weights, (size_t)rows);
    elbo_cpu_finish_tile(s, args, tile, w, sum[0].dw, weights);
    if (sum[0].db) elbo_cpu_finish_tile(s, args, tile, b, sum[0].db, (size_t)rows);
}

/* Outputs per tile: a gradient tile of at most 160 KB, so that it is still in the L2 cache when the update reads it. */
static int tile_rows(int in, int out) {
    int rows = 40960 / in / 16 * 16;
    if (rows < 16) rows = 16;
    return rows < out ? rows : out;
}

static elbo_status to_weights(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s =
        elbo_cpu_new_step(p, np->node, "backward weights", p->kernels->linear->name, run_backward_weights);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->flop_per_image = 2.0 * (double)np->x[0]->per_image * (double)np->y->per_image;
    find_params(p->graph, np->node, s);
    int in = (int)np->x[0]->per_image, out = (int)np->y->per_image;
    s->tile_rows = tile_rows(in, out);
    s->tiles = (out + s->tile_rows - 1) / s->tile_rows;
    int sums = 2 + elbo_tree_joins(p->plan->parts - 1); // on the way at once, at most
    elbo_cpu_need_scratch(p, (size_t)sums * (size_t)s->tile_rows * (size_t)(in + 1));
    return ELBO_OK;
}

static elbo_status to_input(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward data", p->kernels->linear->name, run_backward_data);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[1] = np->dx[0];
    s->flop_per_image = 2.0 * (double)np->x[0]->per_image * (double)np->y->per_image;
    find_params(p->graph, np->node, s);
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_linear = {.forward = forward, .to_weights = to_weights, .to_input = to_input};
