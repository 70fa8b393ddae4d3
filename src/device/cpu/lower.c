/* From a plan's work to steps. */
#include <stdlib.h>

#include "base/memory.h"
#include "device/cpu/lower/lower.h"
#include "device/cpu/program_make.h"

/* Images that go through the network together on one core: enough rows for a matrix product to run at speed (measured:
 * 0.85 of the peak at 32 rows, 0.7 at 16), few enough that a batch gives some pieces to share. How a batch is cut
 * depends on its size and the network, never on the machine. */
enum { SHARD_ROWS = 32, FEW_SHARD_ROWS = 16, DENSE_SHARDS = 2 };
/* A convolution keeps a core busy with fewer; more pieces then even out cores that run at different speed. */
enum { CONV_SHARDS = 8 };

/* Gradient tensors for the nodes behind which there is something to learn, once the forward steps are there. */
static elbo_status give_gradients(elbo_cpu_program *p, elbo_error *err) {
    if (p->gradients_given) return ELBO_OK;
    p->gradients_given = true;
    for (int i = 0; i < p->graph->count; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_cpu_node *np = &p->node[i];
        for (int k = 0; k < n->inputs; k++) np->dx[k] = p->node[n->input[k]].dy;
        if (!p->plan->io[i].dy) continue;
        bool before = elbo_cpu_of_images(p, elbo_plan_is_of_images(p->plan, n));
        if (np->dx[0] && np->y == np->x[0]) {
            np->dy = np->dx[0];
        } else {
            np->dy = elbo_cpu_activation(p, n->name, np->y->shape, np->y->blocked, true);
            if (!np->dy) return elbo_no_memory(err);
        }
        elbo_cpu_of_images(p, before);
    }
    return ELBO_OK;
}

/* The losses of the reconstruction and their gradient, computed on plain arrays in steps of their own. */
static elbo_status lower_losses(elbo_cpu_program *p, elbo_error *err) {
    if (p->losses_lowered) return ELBO_OK;
    p->losses_lowered = true;
    int logits = p->graph->at.logits;
    const elbo_metrics *m = &p->graph->metrics;
    if (elbo_cpu_learns(p)) ELBO_TRY(give_gradients(p, err));
    elbo_cpu_node *last = &p->node[logits];
    elbo_cpu_tensor *prediction, *gradient = last->dy;
    ELBO_TRY(elbo_cpu_plain(p, logits, &prediction, err));
    if (gradient && gradient->blocked) {
        gradient = elbo_cpu_activation(p, last->dy->name, last->dy->shape, false, true);
        if (!gradient) return elbo_no_memory(err);
    }
    const elbo_node *scaled = elbo_loss_scaled(p->graph);
    ELBO_TRY(scaled ? elbo_cpu_lower_scaled_loss(p, scaled, prediction, gradient, err)
                    : elbo_cpu_lower_pixel_losses(p, prediction, gradient, err));
    for (int k = 0; k < m->count; k++)
        if (p->plan->metric[k] && p->graph->loss[k] >= 0 &&
            p->graph->node[p->graph->loss[k]].op == &elbo_loss_perceptual)
            ELBO_TRY(elbo_cpu_lower_perceptual(p, k, prediction, gradient, err));
    if (!last->dy) return ELBO_OK;
    last->dy->written = true;
    return gradient == last->dy ? ELBO_OK : elbo_cpu_convert(p, last->node, last->dy, gradient, err);
}

/* What a player gains from the adversary's logits, and its gradient. */
static elbo_status lower_adversary(elbo_cpu_program *p, const elbo_work *w, elbo_error *err) {
    if (elbo_cpu_learns(p)) ELBO_TRY(give_gradients(p, err));
    elbo_cpu_node *verdict = &p->node[p->graph->at.verdict];
    ELBO_TRY(elbo_cpu_lower_adversary(p, w->node, verdict, err));
    if (verdict->dy) verdict->dy->written = true;
    return ELBO_OK;
}

/* A node whose values the caller gives. */
static elbo_status lower_given(elbo_cpu_program *p, const elbo_work *w, elbo_cpu_node *np, elbo_error *err) {
    np->y = elbo_cpu_activation(p, w->node->name, w->node->shape, false, false);
    if (!np->y) return elbo_no_memory(err);
    np->y->readers = w->out[0]->readers;
    if (w->kind == ELBO_WORK_FEATURES) return ELBO_OK; // the loss writes them
    if (w->kind == ELBO_WORK_LABEL) return elbo_cpu_lower_label(p, np, err);
    if (w->kind != ELBO_WORK_SKIP) return elbo_cpu_lower_rows(p, np, w->kind == ELBO_WORK_TARGET, err);
    size_t offset = 0;
    for (int i = 0; &p->graph->node[p->graph->skip[i]] != w->node; i++)
        offset += elbo_shape_size(p->graph->node[p->graph->skip[i]].shape);
    return elbo_cpu_lower_skip(p, np, offset, err);
}

static elbo_status lower_read(elbo_cpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_cpu_tensor **t = &p->read[w->in[0]->index];
    ELBO_TRY(elbo_cpu_plain(p, (int)(w->node - p->graph->node), t, err));
    (*t)->kept = true;
    return ELBO_OK;
}

static elbo_status lower_forward(elbo_cpu_program *p, const elbo_work *w, elbo_cpu_node *np, elbo_error *err) {
    switch (w->kind) {
    case ELBO_WORK_ROWS:
    case ELBO_WORK_TARGET:
    case ELBO_WORK_LABEL:
    case ELBO_WORK_SKIP:
    case ELBO_WORK_FEATURES: return lower_given(p, w, np, err);
    case ELBO_WORK_READ: return lower_read(p, w, err);
    case ELBO_WORK_PIXEL_LOSS:
    case ELBO_WORK_PERCEPTUAL: return lower_losses(p, err);
    case ELBO_WORK_KL: // part of the sample's step
        return w->node->params ? elbo_cpu_lower_mixture(p, np, err) : ELBO_OK;
    case ELBO_WORK_ADVERSARY: return lower_adversary(p, w, err);
    case ELBO_WORK_BOUND: return elbo_cpu_lower_bound(p, w->node, err);
    case ELBO_WORK_LATENT: return elbo_cpu_lower_latent_terms(p, err);
    default: break;
    }
    for (int k = 0; k < w->node->inputs; k++) np->x[k] = p->node[w->node->input[k]].y;
    ELBO_TRY(elbo_cpu_give_output(p, w, err));
    return elbo_cpu_lowerings[w->kind]->forward(p, np, err);
}

/* A gradient that another consumer has written is added to. */
static elbo_status lower_backward(elbo_cpu_program *p, const elbo_work *w, elbo_cpu_node *np, elbo_error *err) {
    const elbo_cpu_lowering *l = elbo_cpu_lowerings[w->kind];
    bool mixture = w->kind == ELBO_WORK_KL && w->node->params;
    if (!l && w->kind != ELBO_WORK_LATENT && !mixture) return ELBO_OK; // losses: their gradient is there already
    ELBO_TRY(give_gradients(p, err));
    if (mixture) return elbo_cpu_lower_mixture_gradient(p, np, err);
    if (!l) return elbo_cpu_lower_latent_gradient(p, err);
    if (w->direction == ELBO_TO_WEIGHTS) return l->to_weights(p, np, err);
    for (int k = 0; k < np->node->inputs; k++)
        np->accumulate[k] = np->dx[k] && np->dx[k] != np->dy && np->dx[k]->written;
    ELBO_TRY(l->to_input(p, np, err));
    for (int k = 0; k < np->node->inputs; k++)
        if (np->dx[k]) np->dx[k]->written = true;
    return ELBO_OK;
}

static void no_run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)s, (void)args, (void)shard, (void)thread;
}

/* FEATURES: the caller writes the last node's gradient between the way forward and the way back; a step that does
 * nothing keeps their tensors apart. */
static elbo_status split_features(elbo_cpu_program *p, elbo_error *err) {
    int last = p->graph->at.output;
    if (p->plan->options.frozen_backward) ELBO_TRY(give_gradients(p, err));
    elbo_cpu_step *s = elbo_cpu_new_step(p, &p->graph->node[last], "compare", "", no_run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = p->node[last].y;
    s->in[1] = p->node[0].y;
    s->out[0] = p->node[last].dy;
    p->first_back = p->steps;
    return ELBO_OK;
}

static elbo_status lower_work(elbo_cpu_program *p, elbo_error *err) {
    const elbo_plan *plan = p->plan;
    bool split = plan->options.mode != ELBO_FEATURES;
    for (int i = 0; i < plan->works; i++) {
        const elbo_work *w = &plan->work[i];
        elbo_cpu_node *np = &p->node[w->node - p->graph->node];
        np->node = w->node;
        elbo_cpu_of_images(p, elbo_plan_is_of_images(plan, w->node));
        if (w->direction == ELBO_FORWARD) {
            ELBO_TRY(lower_forward(p, w, np, err));
            continue;
        }
        if (!split) ELBO_TRY(split_features(p, err));
        split = true;
        ELBO_TRY(lower_backward(p, w, np, err));
    }
    elbo_cpu_of_images(p, false);
    if (!split) ELBO_TRY(split_features(p, err));
    return plan->options.mode == ELBO_TRAIN && plan->options.clip > 0 ? elbo_cpu_clipped_update(p, err) : ELBO_OK;
}

/* What stands before the code can be computed once for each image if only the sample reads it, the losses the image. What
 * an adversary tells apart is of images in any case. */
static bool splits_rows(const elbo_plan *plan) {
    const elbo_graph *g = plan->graph;
    if (plan->options.player == ELBO_PLAYER_ADVERSARY) return true;
    if (elbo_plan_samples(plan) == 1 || g->skips || g->decoder_reads_label || plan->options.features) return false;
    for (int k = 0; k < g->metrics.count; k++)
        if (g->loss[k] >= 0 && elbo_loss_latent_row(&g->node[g->loss[k]])) return false;
    return true;
}

/* Steps that see images have the whole program, but for its rows. */
static void give_images(elbo_cpu_program *p) {
    if (!p->images) return;
    elbo_cpu_program *images = p->images;
    *images = *p;
    images->shard_rows /= p->samples;
    images->part_rows /= p->samples;
    images->samples = 1;
    for (int i = 0; i < p->steps; i++)
        if (p->step[i].of_images) p->step[i].program = images;
}

static elbo_status make(elbo_cpu_program *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    const elbo_plan_options *o = &p->plan->options;
    p->node = calloc((size_t)g->count, sizeof *p->node);
    p->read = calloc((size_t)p->plan->tensors + 1, sizeof *p->read);
    p->no_memory = calloc(1, sizeof *p->no_memory);
    if (!p->node || !p->read || !p->no_memory) return elbo_no_memory(err);
    if (p->samples > 1) {
        p->row_index = calloc((size_t)elbo_plan_rows(p->plan), sizeof *p->row_index);
        p->row_label = calloc((size_t)elbo_plan_rows(p->plan), sizeof *p->row_label);
        if (!p->row_index || !p->row_label) return elbo_no_memory(err);
    }
    ELBO_TRY(lower_work(p, err));
    ELBO_TRY(elbo_cpu_sort_steps(p, err));
    ELBO_TRY(elbo_cpu_cut_phases(p, err));
    ELBO_TRY(elbo_cpu_place_tensors(p, err));
    p->scratch = elbo_alloc((size_t)elbo_team_threads(p->team) * p->scratch_floats, sizeof(float));
    if (!p->scratch) return elbo_no_memory(err);
    if (o->mode == ELBO_TRAIN && (o->keep_gradients || o->clip > 0)) {
        p->grads = elbo_alloc(g->param_floats, sizeof(float));
        if (!p->grads) return elbo_no_memory(err);
    }
    give_images(p);
    return ELBO_OK;
}

static bool is_convolutional(const elbo_graph *g) {
    for (int i = 0; i < g->count; i++) {
        const elbo_op *op = g->node[i].op;
        if (op == &elbo_op_conv2d || op == &elbo_op_conv_transpose2d || op == &elbo_op_unflatten ||
            op == &elbo_op_self_attention ||
            (op == &elbo_op_concat && !(g->at.label >= 0 && g->node[i].shape.rank == 1)))
            return true;
    }
    return false;
}

static int rows_of_a_shard(const elbo_graph *g, const elbo_plan *p) {
    int batch = elbo_plan_rows(p);
    if (batch == 1 && p->options.mode != ELBO_TRAIN) return 1; // one image at a time, in as little time as it takes
    int rows = (batch + CONV_SHARDS - 1) / CONV_SHARDS;
    if (is_convolutional(g)) return rows < SHARD_ROWS ? rows : SHARD_ROWS;
    return batch < DENSE_SHARDS * SHARD_ROWS ? FEW_SHARD_ROWS : SHARD_ROWS;
}

elbo_status elbo_cpu_program_make(elbo_plan *plan, const elbo_kernels *kernels, elbo_team *team, float *params,
                                  float *const *array, int shard_rows, elbo_error *err) {
    elbo_cpu_program *p = plan->program = calloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    int rows = elbo_plan_rows(plan), samples = elbo_plan_samples(plan);
    *p = (elbo_cpu_program){
        .plan = plan, .graph = plan->graph, .kernels = kernels, .team = team, .params = params, .array = array};
    p->samples = samples;
    p->shard_rows = shard_rows ? shard_rows : rows_of_a_shard(plan->graph, plan);
    p->shard_rows = (p->shard_rows + samples - 1) / samples * samples; // an image's stay together
    p->shards = (rows + p->shard_rows - 1) / p->shard_rows;
    p->part_rows = (p->shards + plan->parts - 1) / plan->parts * p->shard_rows;
    if (splits_rows(plan) && !(p->images = calloc(1, sizeof *p))) return elbo_no_memory(err);
    return make(p, err);
}

void elbo_cpu_program_free(elbo_cpu_program *p) {
    for (int i = 0; i < p->tensors; i++) free(p->tensor[i]);
    free(p->tensor);
    free(p->node);
    free(p->read);
    free(p->no_memory);
    free(p->images);
    free(p->row_index);
    free(p->row_label);
    free(p->step);
    free(p->phase);
    free(p->tile);
    free(p->tile_squares);
    free(p->range);
    for (int i = 0; i < p->owned_count; i++) p->owned[i].free(p->owned[i].object);
    free(p->owned);
    free(p->arena);
    free(p->step_seconds);
    free(p->scratch);
    free(p->grads);
    free(p);
}
