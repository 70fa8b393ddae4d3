/* Gradients of weights that each shard sums for itself: when all shards are through, tiles add them up in a tree and
 * hand the sums to the optimizer. */
#include "device/cpu/lower/lower.h"
#include "device/cpu/tree.h"

enum { TILE = 8192 }; // values of a tile

size_t elbo_cpu_learned_floats(const elbo_cpu_program *p, const elbo_node *n) {
    size_t floats = 0;
    for (int i = 0; i < n->params; i++) floats += p->graph->param[n->first_param + i].count;
    return floats;
}

/* A tile may hold the end of one parameter and the start of the next. */
static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    const elbo_cpu_program *p = s->program;
    size_t floats = elbo_cpu_learned_floats(p, s->node), start = (size_t)tile * TILE, end = start + TILE, first = 0;
    int shards = (args->count + p->shard_rows - 1) / p->shard_rows;
    for (int i = 0; i < s->node->params; i++) {
        const elbo_param *q = &p->graph->param[s->node->first_param + i];
        size_t from = first > start ? first : start, to = first + q->count < end ? first + q->count : end;
        if (from < to) {
            size_t offset = q->offset + from - first;
            float *g = elbo_cpu_gradient_tile(s, offset, thread, 0);
            elbo_tree_sum(p->kernels, g, s->work + from, floats, shards, to - from);
            elbo_cpu_finish_tile(s, args, tile, offset, g, to - from);
        }
        first += q->count;
    }
}

elbo_status elbo_cpu_finish_sums(elbo_cpu_program *p, const elbo_node *n, float *sums, elbo_error *err) {
    if (!elbo_cpu_learns_node(p, n)) return ELBO_OK;
    elbo_cpu_step *s = elbo_cpu_new_step(p, n, "sum and update", p->kernels->pointwise->name, run);
    if (!s) return elbo_no_memory(err);
    s->work = sums;
    s->tiles = (int)((elbo_cpu_learned_floats(p, n) + TILE - 1) / TILE);
    elbo_cpu_need_scratch(p, TILE);
    return ELBO_OK;
}
