#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/ops.h"

/* Images that go through the network together on one core: enough rows for a matrix product to run at speed (measured:
 * 0.85 of the peak at 32 rows, 0.7 at 16), few enough that a batch gives some pieces to share. How a batch is cut
 * depends on its size and the network, never on the machine. */
enum { SHARD_ROWS = 32, FEW_SHARD_ROWS = 16, DENSE_SHARDS = 2 };
/* A convolution keeps a core busy with fewer; more pieces then even out cores that run at different speed. */
enum { CONV_SHARDS = 8 };
/* Parameters that one piece of a plain update takes. */
enum { UPDATE_TILE = 16384 };

elbo_tensor *elbo_plan_tensor(elbo_plan *p, const char *name, size_t per_image, bool gradient) {
    if (p->tensors == p->tensor_capacity) {
        int capacity = p->tensor_capacity ? 2 * p->tensor_capacity : 64;
        elbo_tensor **grown = realloc(p->tensor, (size_t)capacity * sizeof(elbo_tensor *));
        if (!grown) return NULL;
        p->tensor = grown;
        p->tensor_capacity = capacity;
    }
    elbo_tensor *t = malloc(sizeof *t);
    if (!t) return NULL;
    *t = (elbo_tensor){.name = name, .gradient = gradient, .per_image = per_image, .first = -1, .last = -1};
    return p->tensor[p->tensors++] = t;
}

elbo_tensor *elbo_plan_activation(elbo_plan *p, const char *name, elbo_shape shape, bool blocked, bool gradient) {
    size_t size = elbo_shape_size(shape);
    if (blocked) size = size / (size_t)shape.dim[0] * (size_t)elbo_padded_channels(shape.dim[0]);
    elbo_tensor *t = elbo_plan_tensor(p, name, size, gradient);
    if (t) {
        t->shape = shape;
        t->blocked = blocked;
    }
    return t;
}

elbo_status elbo_plan_own(elbo_plan *p, void *object, void (*release)(void *), elbo_error *err) {
    if (p->owned_count == p->owned_capacity) {
        int capacity = p->owned_capacity ? 2 * p->owned_capacity : 16;
        elbo_owned *grown = realloc(p->owned, (size_t)capacity * sizeof *grown);
        if (!grown) {
            release(object);
            return elbo_no_memory(err);
        }
        p->owned = grown;
        p->owned_capacity = capacity;
    }
    p->owned[p->owned_count++] = (elbo_owned){object, release};
    return ELBO_OK;
}

float *elbo_plan_work(elbo_plan *p, size_t floats) {
    float *work = elbo_alloc(floats, sizeof *work);
    if (!work || elbo_plan_own(p, work, free, NULL) != ELBO_OK) return NULL;
    p->work_floats += floats;
    return work;
}

bool elbo_plan_learns_before(const elbo_plan *p, const elbo_node *n) {
    for (int k = 0; k < n->inputs; k++)
        if (p->spot[n->input[k]].learns) return true;
    return false;
}

void elbo_plan_need_scratch(elbo_plan *p, size_t floats) {
    floats = (floats + 15) / 16 * 16;
    if (floats > p->scratch_floats) p->scratch_floats = floats;
}

elbo_step *elbo_plan_step(elbo_plan *p, const elbo_node *node, const char *what, const char *kernel,
                          void (*run)(const elbo_step *, const elbo_pass *, int piece, int thread)) {
    if (p->steps == p->step_capacity) {
        int capacity = p->step_capacity ? 2 * p->step_capacity : 64;
        elbo_step *grown = realloc(p->step, (size_t)capacity * sizeof *grown);
        if (!grown) return NULL;
        p->step = grown;
        p->step_capacity = capacity;
    }
    elbo_step *s = &p->step[p->steps++];
    *s = (elbo_step){.what = what, .node = node, .run = run, .plan = p, .kernel = kernel};
    return s;
}

/* ---- from nodes to steps ---- */

/* ---- layouts ---- */

static void run_convert(const elbo_step *s, const elbo_pass *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_tensor *blocked = s->in[0]->blocked ? s->in[0] : s->out[0];
    int channels = blocked->shape.dim[0];
    size_t pixels = elbo_shape_size(blocked->shape) / (size_t)channels;
    float *to = elbo_rows(s->out[0], shard);
    const float *from = elbo_rows(s->in[0], shard);
    for (int r = 0; r < s->plan->shard_rows; r++, to += s->out[0]->per_image, from += s->in[0]->per_image) {
        if (s->out[0]->blocked)
            s->plan->device->pointwise->to_blocked(to, from, channels, pixels);
        else
            s->plan->device->pointwise->to_plain(to, from, channels, pixels);
    }
}

elbo_status elbo_plan_convert(elbo_plan *p, const elbo_node *node, elbo_tensor *to, elbo_tensor *from,
                              elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, node, to->blocked ? "block" : "unblock", "copy", run_convert);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->out[0] = to;
    return ELBO_OK;
}

static void run_add(const elbo_step *s, const elbo_pass *pass, int shard, int thread) {
    (void)pass, (void)thread;
    s->plan->device->pointwise->add(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard),
                                    s->out[0]->per_image * (size_t)s->plan->shard_rows);
}

elbo_status elbo_plan_add(elbo_plan *p, const elbo_node *node, elbo_tensor *to, elbo_tensor *from, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, node, "add", p->device->pointwise->name, run_add);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->in[1] = s->out[0] = to;
    return ELBO_OK;
}

static bool output_blocked(const elbo_plan *p, const elbo_node *n, const elbo_tensor *x) {
    enum { FEW = 8 }; // channels that would waste half a block, or more: images, mostly
    switch (n->op->layout) {
    case ELBO_LAYOUT_SAME:
        return x && x->blocked;
    case ELBO_LAYOUT_PLAIN:
        return false;
    case ELBO_LAYOUT_BLOCKED:
        if (n->op->view && x && x->blocked) return false; // other channels, other blocks: by way of plain
        return p->device->conv->blocked && n->shape.rank == 3 && n->shape.dim[0] >= FEW;
    }
    return false;
}

/* The tensor itself, or a plain copy of it: for a loss, or for the caller. */
static elbo_status make_plain(elbo_plan *p, int number, elbo_tensor **t, elbo_error *err) {
    *t = p->spot[number].y;
    if (!(*t)->blocked) return ELBO_OK;
    elbo_tensor *plain = elbo_plan_activation(p, (*t)->name, (*t)->shape, false, false);
    if (!plain) return elbo_no_memory(err);
    ELBO_TRY(elbo_plan_convert(p, p->spot[number].node, plain, *t, err));
    *t = plain;
    return ELBO_OK;
}

/* The output's tensor: the input's again where the op is a view, or may work in place. */
static elbo_status give_output(elbo_plan *p, int number, elbo_error *err) {
    const elbo_node *n = &p->graph->node[number];
    elbo_spot *s = &p->spot[number];
    elbo_tensor *x = s->x[0];
    bool blocked = output_blocked(p, n, x);
    if (x && n->op->view && blocked == x->blocked) {
        s->y = x;
        x->readers += n->consumers - 1;
    } else if (x && n->op->in_place && x->readers == 1 && !x->pinned) {
        s->y = x;
        x->readers = n->consumers;
    } else {
        s->y = elbo_plan_activation(p, n->name, n->shape, blocked, false);
        if (!s->y) return elbo_no_memory(err);
        s->y->readers = n->consumers;
    }
    if (n->op->reads_output) s->y->pinned = true;
    return ELBO_OK;
}

/* Lets the caller read a node's output after the run: counted as one more reader, so that nobody works in place on it.
 */
static elbo_status watch(elbo_plan *p, int number, elbo_error *err) {
    p->spot[number].y->readers++;
    ELBO_TRY(make_plain(p, number, &p->watched[number], err));
    p->watched[number]->kept = true;
    return ELBO_OK;
}

static void run_give_skip(const elbo_step *s, const elbo_pass *pass, int shard, int thread) {
    (void)thread;
    const elbo_tensor *y = s->out[0];
    float *row = elbo_rows(y, shard);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    const uint32_t *from = pass->skip_row + shard * s->plan->shard_rows;
    for (int r = 0; r < s->plan->shard_rows; r++, row += y->per_image)
        if (r < valid)
            memcpy(row, pass->skips + from[r] * s->plan->graph->skip_floats + s->skip_offset,
                   y->per_image * sizeof *row);
        else
            memset(row, 0, y->per_image * sizeof *row);
}

/* A decoder's inputs besides the code. */
static elbo_status give_skips(elbo_plan *p, elbo_error *err) {
    size_t offset = 0;
    for (int i = 0; i < p->graph->skips; i++) {
        const elbo_node *n = &p->graph->node[p->graph->skip[i]];
        elbo_spot *spot = &p->spot[p->graph->skip[i]];
        spot->node = n;
        spot->y = elbo_plan_activation(p, n->name, n->shape, false, false);
        elbo_step *s = elbo_plan_step(p, n, "gather", "copy", run_give_skip);
        if (!spot->y || !s) return elbo_no_memory(err);
        spot->y->readers = n->consumers;
        s->out[0] = spot->y;
        s->skip_offset = offset;
        offset += spot->y->per_image;
    }
    return ELBO_OK;
}

/* Steps for nodes first..last, the first of them filled from the caller's rows. */
static elbo_status plan_forward(elbo_plan *p, int first, int last, elbo_error *err) {
    for (int i = first; i <= last; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_spot *s = &p->spot[i];
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
            ELBO_TRY(give_output(p, i, err));
            ELBO_TRY(n->op->forward(p, s, err));
        }
        if (p->options.watch && p->options.watch[i]) ELBO_TRY(watch(p, i, err));
    }
    return ELBO_OK;
}

/* Gradient tensors for the nodes behind which there is something to learn. */
static elbo_status give_gradients(elbo_plan *p, int last, elbo_error *err) {
    for (int i = 0; i <= last; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_spot *s = &p->spot[i];
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

static elbo_status plan_backward(elbo_plan *p, int last, elbo_error *err) {
    for (int i = last; i >= 0; i--) {
        elbo_spot *s = &p->spot[i];
        if (!s->dy || !s->node->op->backward) continue;
        for (int k = 0; k < s->node->inputs; k++) s->accumulate[k] = s->dx[k] && s->dx[k] != s->dy && s->dx[k]->written;
        ELBO_TRY(s->node->op->backward(p, s, err));
        for (int k = 0; k < s->node->inputs; k++)
            if (s->dx[k]) s->dx[k]->written = true;
    }
    return ELBO_OK;
}

/* ---- the optimiser ---- */

static void update_range(const elbo_plan *p, const elbo_pass *pass, size_t offset, const float *g, size_t n,
                         const elbo_update *u) {
    const elbo_update_kernels *k = p->device->update;
    float *w = pass->weights + offset, *m = pass->m + offset, *v = pass->v + offset;
    switch (p->options.optimizer) {
    case ELBO_SGD:
        k->sgd(w, m, g, n, u);
        break;
    case ELBO_ADAM:
        k->adam(w, m, v, g, n, u);
        break;
    case ELBO_ADAMW:
        k->adamw(w, m, v, g, n, u);
        break;
    }
}

float *elbo_gradient_tile(const elbo_step *s, size_t offset, int thread, size_t scratch_offset) {
    const elbo_plan *p = s->plan;
    return p->grads ? p->grads + offset : elbo_scratch(p, thread) + scratch_offset;
}

void elbo_finish_tile(const elbo_step *s, const elbo_pass *pass, int tile, size_t offset, const float *g, size_t n) {
    const elbo_plan *p = s->plan;
    if (p->options.clip > 0)
        p->tile_squares[s->first_tile + tile] += p->device->update->sum_of_squares(g, n);
    else if (!pass->no_update)
        update_range(p, pass, offset, g, n, &pass->update); // while the tile is warm
}

/* With clipping the whole gradient must be known before the first weight may change. */
static void clipped_update(const elbo_step *s, const elbo_pass *pass, int tile, int thread) {
    (void)thread;
    if (pass->no_update) return;
    const elbo_plan *p = s->plan;
    double squares = 0;
    for (int i = 0; i < s->first_tile; i++) squares += p->tile_squares[i];
    double norm = __builtin_sqrt(squares);
    elbo_update u = pass->update;
    if (norm > p->options.clip) u.gradient_scale = (float)(p->options.clip / (norm + 1e-6)); // as clip_grad_norm_
    size_t start = (size_t)tile * UPDATE_TILE, end = start + UPDATE_TILE;
    for (int i = 0; i < p->graph->params; i++) {
        const elbo_param *q = &p->graph->param[i];
        size_t from = q->offset > start ? q->offset : start,
               to = q->offset + q->count < end ? q->offset + q->count : end;
        if (!q->buffer && from < to) update_range(p, pass, from, p->grads + from, to - from, &u);
    }
}

static elbo_status plan_clipped_update(elbo_plan *p, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, &p->graph->node[0], "clip and update", p->device->update->name, clipped_update);
    if (!s) return elbo_no_memory(err);
    s->tiles = (int)((p->graph->param_floats + UPDATE_TILE - 1) / UPDATE_TILE);
    s->barrier = true;
    return ELBO_OK;
}

/* ---- phases ---- */

static elbo_status cut_phases(elbo_plan *p, elbo_error *err) {
    p->phase = calloc((size_t)p->steps, sizeof *p->phase);
    int tiles = 0;
    for (int i = 0; i < p->steps; i++) tiles += p->step[i].tiles;
    p->tile = calloc((size_t)tiles + 1, sizeof *p->tile);
    p->tile_squares = calloc((size_t)tiles + 1, sizeof *p->tile_squares);
    if (!p->phase || !p->tile || !p->tile_squares) return elbo_no_memory(err);
    for (int i = 0; i < p->steps; i++) {
        elbo_step *s = &p->step[i];
        bool tiled = s->tiles > 0;
        elbo_phase *last = p->phases ? &p->phase[p->phases - 1] : NULL;
        if (!last || s->barrier || last->tiled != tiled) {
            last = &p->phase[p->phases++];
            *last = (elbo_phase){.tiled = tiled, .first = i, .pieces = tiled ? 0 : p->shards};
        }
        last->count++;
        s->first_tile = p->tiles;
        for (int t = 0; t < s->tiles; t++) {
            p->tile[p->tiles++] = (elbo_tile){i, t};
            last->pieces++;
        }
    }
    p->share = elbo_alloc((size_t)p->phases * (size_t)elbo_team_threads(p->options.team), sizeof *p->share);
    return p->share ? ELBO_OK : elbo_no_memory(err);
}

/* Weights are packed before the first shard starts; their gradients may wait until every shard is through, and what
 * needs all of those comes last. So there are two or three phases, instead of two for each layer. */
static int turn_of(const elbo_step *s) {
    if (s->early) return 0;
    if (s->tiles == 0) return 1;
    return s->barrier ? 3 : 2;
}

/* The first layer's weights are updated before the last one's: the next batch reads them first, and what has just been
 * written is slow to read for another core (bench/log.md, 10). */
static elbo_status sort_steps(elbo_plan *p, elbo_error *err) {
    elbo_step *sorted = malloc((size_t)p->steps * sizeof *sorted);
    if (!sorted) return elbo_no_memory(err);
    int n = 0;
    for (int turn = 0; turn < 4; turn++)
        for (int i = 0; i < p->steps; i++) {
            const elbo_step *s = &p->step[turn == 2 ? p->steps - 1 - i : i];
            if (turn_of(s) == turn) sorted[n++] = *s;
        }
    memcpy(p->step, sorted, (size_t)p->steps * sizeof *sorted);
    free(sorted);
    return ELBO_OK;
}

/* ---- making ---- */

static elbo_status plan_losses(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    p->reconstruction = elbo_plan_tensor(p, "reconstruction", 1, false);
    p->squared = elbo_plan_tensor(p, "squared error", 1, false);
    if (!p->reconstruction || !p->squared) return elbo_no_memory(err);
    p->reconstruction->kept = p->squared->kept = true;
    elbo_spot *last = &p->spot[g->at.logits];
    elbo_tensor *prediction, *gradient = last->dy;
    ELBO_TRY(make_plain(p, g->at.logits, &prediction, err));
    if (gradient && gradient->blocked) {
        gradient = elbo_plan_activation(p, last->dy->name, last->dy->shape, false, true);
        if (!gradient) return elbo_no_memory(err);
    }
    ELBO_TRY(elbo_add_reconstruction_loss(p, prediction, gradient, p->spot[g->at.input].y, err));
    if (p->options.features) ELBO_TRY(elbo_add_perceptual_loss(p, prediction, gradient, p->spot[g->at.input].y, err));
    return gradient == last->dy ? ELBO_OK : elbo_plan_convert(p, last->node, last->dy, gradient, err);
}

/* The image that a code is compared with, where the network does not start from it. */
static elbo_status plan_target(elbo_plan *p, elbo_error *err) {
    int image = p->graph->at.input;
    elbo_spot *s = &p->spot[image];
    s->node = &p->graph->node[image];
    s->y = elbo_plan_activation(p, s->node->name, s->node->shape, false, false);
    if (!s->y) return elbo_no_memory(err);
    s->y->readers = 1;
    ELBO_TRY(elbo_op_input.forward(p, s, err));
    p->step[p->steps - 1].number = ELBO_INPUT_TARGET;
    return ELBO_OK;
}

static void no_run(const elbo_step *s, const elbo_pass *pass, int shard, int thread) {
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

static elbo_status make(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    p->spot = calloc((size_t)g->count, sizeof *p->spot);
    p->watched = calloc((size_t)g->count, sizeof *p->watched);
    if (!p->spot || !p->watched) return elbo_no_memory(err);
    switch (p->options.mode) {
    case ELBO_ENCODE:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.code, err));
        ELBO_TRY(make_plain(p, g->at.code, &p->code, err));
        p->code->kept = true;
        for (int i = 0; p->options.keep_skips && i < g->skips; i++) {
            ELBO_TRY(make_plain(p, g->skip[i], &p->skip[i], err));
            p->skip[i]->kept = true;
        }
        break;
    case ELBO_DECODE:
        ELBO_TRY(give_skips(p, err));
        ELBO_TRY(plan_forward(p, g->at.latent, g->at.output, err));
        ELBO_TRY(make_plain(p, g->at.output, &p->output, err));
        p->output->kept = true;
        break;
    case ELBO_EVAL:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.logits, err));
        ELBO_TRY(plan_losses(p, err));
        break;
    case ELBO_SCORE:
        ELBO_TRY(give_skips(p, err));
        ELBO_TRY(plan_forward(p, g->at.latent, g->at.logits, err));
        ELBO_TRY(plan_target(p, err));
        ELBO_TRY(plan_losses(p, err));
        break;
    case ELBO_TRAIN:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.logits, err));
        ELBO_TRY(give_gradients(p, g->at.logits, err));
        ELBO_TRY(plan_losses(p, err));
        ELBO_TRY(plan_backward(p, g->at.logits, err));
        if (p->options.clip > 0) ELBO_TRY(plan_clipped_update(p, err));
        break;
    case ELBO_FEATURES:
        ELBO_TRY(plan_features(p, err));
        break;
    }
    ELBO_TRY(sort_steps(p, err));
    ELBO_TRY(cut_phases(p, err));
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
