/* From nodes to steps: what each mode of a plan is made of. */
#include <stdlib.h>

#include "base/memory.h"
#include "device/cpu/plan_make.h"
#include "nn/ops/op.h"

/* Images that go through the network together on one core: enough rows for a matrix product to run at speed (measured:
 * 0.85 of the peak at 32 rows, 0.7 at 16), few enough that a batch gives some pieces to share. How a batch is cut
 * depends on its size and the network, never on the machine. */
enum { SHARD_ROWS = 32, FEW_SHARD_ROWS = 16, DENSE_SHARDS = 2 };
/* A convolution keeps a core busy with fewer; more pieces then even out cores that run at different speed. */
enum { CONV_SHARDS = 8 };

/* Steps for nodes first..last, the first of them filled from the caller's rows. */
static elbo_status plan_forward(elbo_plan *p, int first, int last, elbo_error *err) {
    for (int i = first; i <= last; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_node_plan *s = &p->spot[i];
        s->node = n;
        for (int k = 0; i > first && k < n->inputs; k++) s->x[k] = p->spot[n->input[k]].y;
        s->learns = n->params > 0 || p->options.frozen_backward || (i > first && elbo_plan_learns_before(p, n));
        if (i == first) { // also the latent of a decoder: rows that the caller gives
            s->y = elbo_plan_activation(p, n->name, n->shape, false, false);
            if (!s->y) return elbo_no_memory(err);
            s->y->readers = n->consumers + (p->options.mode != ELBO_DECODE &&
                                            p->options.mode != ELBO_SCORE); // the loss reads the image too
            p->input = s->y;
            if (p->options.mode != ELBO_FEATURES)
                ELBO_TRY(elbo_op_input.forward(p, s, err)); // whose rows the loss gives
        } else {
            ELBO_TRY(elbo_plan_give_output(p, i, err));
            ELBO_TRY(n->op->forward(p, s, err));
        }
        if (p->options.watch && p->options.watch[i]) ELBO_TRY(elbo_plan_watch(p, i, err));
    }
    return ELBO_OK;
}

/* Gradient tensors for the nodes behind which there is something to learn. */
static elbo_status give_gradients(elbo_plan *p, int last, elbo_error *err) {
    for (int i = 0; i <= last; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_node_plan *s = &p->spot[i];
        for (int k = 0; k < n->inputs; k++) s->dx[k] = p->spot[n->input[k]].dy;
        if (!s->learns) continue;
        if (s->dx[0] && s->y == s->x[0]) {
            s->dy = s->dx[0];
        } else {
            s->dy = elbo_plan_activation(p, n->name, s->y->shape, s->y->blocked, true);
            if (!s->dy) return elbo_no_memory(err);
        }
    }
    return ELBO_OK;
}

/* From the last node to the first; a tensor that a consumer has written before is added to. */
static elbo_status plan_backward(elbo_plan *p, int last, elbo_error *err) {
    for (int i = last; i >= 0; i--) {
        elbo_node_plan *s = &p->spot[i];
        if (!s->dy || !s->node->op->backward) continue;
        for (int k = 0; k < s->node->inputs; k++) s->accumulate[k] = s->dx[k] && s->dx[k] != s->dy && s->dx[k]->written;
        ELBO_TRY(s->node->op->backward(p, s, err));
        for (int k = 0; k < s->node->inputs; k++)
            if (s->dx[k]) s->dx[k]->written = true;
    }
    return ELBO_OK;
}

/* The losses of the last node's output, and their gradient where there is one; both are computed on plain arrays. */
static elbo_status plan_losses(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    p->reconstruction = elbo_plan_tensor(p, "reconstruction", 1, false);
    p->squared = elbo_plan_tensor(p, "squared error", 1, false);
    if (!p->reconstruction || !p->squared) return elbo_no_memory(err);
    p->reconstruction->kept = p->squared->kept = true;
    elbo_node_plan *last = &p->spot[g->at.logits];
    elbo_tensor *prediction, *gradient = last->dy;
    ELBO_TRY(elbo_plan_plain(p, g->at.logits, &prediction, err));
    if (gradient && gradient->blocked) {
        gradient = elbo_plan_activation(p, last->dy->name, last->dy->shape, false, true);
        if (!gradient) return elbo_no_memory(err);
    }
    ELBO_TRY(elbo_add_reconstruction_loss(p, prediction, gradient, p->spot[g->at.input].y, err));
    if (p->options.features) ELBO_TRY(elbo_add_perceptual_loss(p, prediction, gradient, p->spot[g->at.input].y, err));
    return gradient == last->dy ? ELBO_OK : elbo_plan_convert(p, last->node, last->dy, gradient, err);
}

static void no_run(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)s, (void)pass, (void)shard, (void)thread;
}

/* Forward, and back from the features' gradient, which the loss writes between the two: a step that does nothing keeps
 * the two tensors apart. */
static elbo_status plan_features(elbo_plan *p, elbo_error *err) {
    int last = p->graph->at.output;
    ELBO_TRY(plan_forward(p, 0, last, err));
    if (p->options.frozen_backward) ELBO_TRY(give_gradients(p, last, err));
    elbo_step *s = elbo_plan_step(p, &p->graph->node[last], "compare", "", no_run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = p->spot[last].y;
    s->in[1] = p->input;
    s->out[0] = p->spot[last].dy;
    p->first_back = p->steps;
    return p->options.frozen_backward ? plan_backward(p, last, err) : ELBO_OK;
}

/* The steps of a mode, as they are written down. */
static elbo_status plan_mode(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    switch (p->options.mode) {
    case ELBO_ENCODE:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.code, err));
        ELBO_TRY(elbo_plan_plain(p, g->at.code, &p->code, err));
        p->code->kept = true;
        if (p->options.keep_skips) ELBO_TRY(elbo_plan_keep_skips(p, err));
        break;
    case ELBO_DECODE:
        ELBO_TRY(elbo_plan_give_skips(p, err));
        ELBO_TRY(plan_forward(p, g->at.latent, g->at.output, err));
        ELBO_TRY(elbo_plan_plain(p, g->at.output, &p->output, err));
        p->output->kept = true;
        break;
    case ELBO_EVAL:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.logits, err));
        ELBO_TRY(plan_losses(p, err));
        break;
    case ELBO_SCORE:
        ELBO_TRY(elbo_plan_give_skips(p, err));
        ELBO_TRY(plan_forward(p, g->at.latent, g->at.logits, err));
        ELBO_TRY(elbo_plan_target(p, err));
        ELBO_TRY(plan_losses(p, err));
        break;
    case ELBO_TRAIN:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.logits, err));
        ELBO_TRY(give_gradients(p, g->at.logits, err));
        ELBO_TRY(plan_losses(p, err));
        ELBO_TRY(plan_backward(p, g->at.logits, err));
        if (p->options.clip > 0) ELBO_TRY(elbo_plan_clipped_update(p, err));
        break;
    case ELBO_FEATURES: ELBO_TRY(plan_features(p, err)); break;
    }
    return ELBO_OK;
}

static elbo_status make(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    p->spot = calloc((size_t)g->count, sizeof *p->spot);
    p->watched = calloc((size_t)g->count, sizeof *p->watched);
    if (!p->spot || !p->watched) return elbo_no_memory(err);
    ELBO_TRY(plan_mode(p, err));
    ELBO_TRY(elbo_plan_sort_steps(p, err));
    ELBO_TRY(elbo_plan_cut_phases(p, err));
    ELBO_TRY(elbo_plan_place_tensors(p, err));
    p->scratch = elbo_alloc((size_t)elbo_team_threads(p->options.team) * p->scratch_floats, sizeof(float));
    if (!p->scratch) return elbo_no_memory(err);
    if (p->options.mode == ELBO_TRAIN && (p->options.keep_grads || p->options.clip > 0)) {
        p->grads = elbo_alloc(g->param_floats, sizeof(float));
        if (!p->grads) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

static int rows_of_a_shard(const elbo_graph *g, int batch) {
    for (int i = 0; i < g->count; i++) {
        int rows = (batch + CONV_SHARDS - 1) / CONV_SHARDS;
        if (g->node[i].op->layout == ELBO_LAYOUT_BLOCKED) return rows < SHARD_ROWS ? rows : SHARD_ROWS;
    }
    return batch < DENSE_SHARDS * SHARD_ROWS ? FEW_SHARD_ROWS : SHARD_ROWS;
}

elbo_status elbo_plan_make(elbo_plan *p, const elbo_graph *g, const elbo_device *device, elbo_plan_options options,
                           elbo_error *err) {
    *p = (elbo_plan){.options = options, .graph = g, .device = device};
    p->shard_rows = options.shard_rows ? options.shard_rows : rows_of_a_shard(g, options.batch);
    p->shards = (options.batch + p->shard_rows - 1) / p->shard_rows;
    elbo_status status = make(p, err);
    if (status != ELBO_OK) elbo_plan_free(p);
    return status;
}

elbo_status elbo_plan_profile(elbo_plan *p, elbo_error *err) {
    p->step_seconds =
        elbo_alloc((size_t)elbo_team_threads(p->options.team) * (size_t)p->steps, sizeof *p->step_seconds);
    return p->step_seconds ? ELBO_OK : elbo_no_memory(err);
}

void elbo_plan_free(elbo_plan *p) {
    for (int i = 0; i < p->tensors; i++) free(p->tensor[i]);
    free(p->tensor);
    free(p->spot);
    free(p->watched);
    free(p->step);
    free(p->phase);
    free(p->tile);
    free(p->tile_squares);
    free(p->share);
    for (int i = 0; i < p->owned_count; i++) p->owned[i].free(p->owned[i].object);
    free(p->owned);
    free(p->arena);
    free(p->step_seconds);
    free(p->scratch);
    free(p->grads);
    *p = (elbo_plan){0};
}
