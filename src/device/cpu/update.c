/* From gradients to new weights: tile by tile while each is warm, or, with clipping, all of them at the end. */
#include <float.h>
#include <math.h>

#include "device/cpu/program_make.h"

/* Parameters that one piece of a clipped update takes. */
enum { UPDATE_TILE = 16384 };

static void update_range(const elbo_cpu_program *p, size_t offset, const float *g, size_t n, const elbo_update *u) {
    const elbo_optimizer_rule *rule = p->plan->state->optimizer;
    float *array[ELBO_MAX_OPTIMIZER_ARRAYS];
    for (int k = 0; k < rule->arrays; k++) array[k] = p->array[k] + offset;
    p->kernels->update->step[rule->kind](p->params + offset, array, g, n, u);
}

float *elbo_cpu_gradient_tile(const elbo_cpu_step *s, size_t offset, int thread, size_t scratch_offset) {
    const elbo_cpu_program *p = s->program;
    return p->grads ? p->grads + offset : elbo_cpu_scratch(p, thread) + scratch_offset;
}

void elbo_cpu_finish_tile(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, size_t offset, const float *g,
                          size_t n) {
    const elbo_cpu_program *p = s->program;
    if (p->plan->options.clip > 0)
        p->tile_squares[s->first_tile + tile] += p->kernels->update->sum_of_squares(g, n);
    else if (!args->no_update)
        update_range(p, offset, g, n, &args->update); // while the tile is warm
}

static double gradient_squares(const elbo_cpu_program *p, int tiles) {
    double squares = 0;
    for (int i = 0; i < tiles; i++) squares += p->tile_squares[i];
    return squares;
}

/* Squares are summed in floats, so this is where devices can tell; PyTorch's norm ends there, too. */
static bool can_clip(double squares) { return squares <= FLT_MAX; } // and is no NaN

bool elbo_cpu_gradient_diverged(const elbo_cpu_program *p) {
    return elbo_cpu_learns(p) && p->plan->options.clip > 0 && !can_clip(gradient_squares(p, p->tiles));
}

/* With clipping the whole gradient must be known before the first weight may change. */
static void clipped_update(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    (void)thread;
    if (args->no_update) return;
    const elbo_cpu_program *p = s->program;
    double squares = gradient_squares(p, s->first_tile), norm = sqrt(squares);
    if (!can_clip(squares)) return; // scaled by clip / infinity, training would stand still
    elbo_update u = args->update;
    if (norm > p->plan->options.clip)
        u.gradient_scale = (float)(p->plan->options.clip / (norm + 1e-6)); // as clip_grad_norm_
    size_t start = (size_t)tile * UPDATE_TILE, end = start + UPDATE_TILE;
    for (int i = 0; i < p->graph->params; i++) {
        const elbo_param *q = &p->graph->param[i];
        size_t from = q->offset > start ? q->offset : start,
               to = q->offset + q->count < end ? q->offset + q->count : end;
        if (!q->buffer && q->player == p->plan->options.player && from < to)
            update_range(p, from, p->grads + from, to - from, &u);
    }
}

elbo_status elbo_cpu_clipped_update(elbo_cpu_program *p, elbo_error *err) {
    elbo_cpu_step *s =
        elbo_cpu_new_step(p, &p->graph->node[0], "clip and update", p->kernels->update->name, clipped_update);
    if (!s) return elbo_no_memory(err);
    s->tiles = (int)((p->graph->param_floats + UPDATE_TILE - 1) / UPDATE_TILE);
    s->barrier = true;
    return ELBO_OK;
}
