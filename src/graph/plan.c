#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ops/ops.h"

/* Images that go through the network together on one core: enough rows for a matrix product to run at speed (measured: 0.75
 * of the peak at 32 rows, 0.6 at 16), few enough that a batch of 128 gives four pieces to share. A constant, so that how a
 * batch is cut never depends on the machine. */
enum { SHARD_ROWS = 32 };
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

/* The output's tensor: the input's again where the op is a view, or may work in place. */
static elbo_status give_output(elbo_plan *p, int number, elbo_error *err) {
    const elbo_node *n = &p->graph->node[number];
    elbo_spot *s = &p->spot[number];
    elbo_tensor *x = s->x[0];
    if (x && n->op->view) {
        s->y = x;
        x->readers += n->consumers - 1;
    } else if (x && n->op->in_place && x->readers == 1 && !x->pinned) {
        s->y = x;
        x->readers = n->consumers;
    } else {
        s->y = elbo_plan_tensor(p, n->name, elbo_shape_size(n->shape), false);
        if (!s->y) return elbo_no_memory(err);
        s->y->readers = n->consumers;
    }
    if (n->op->reads_output) s->y->pinned = true;
    return ELBO_OK;
}

/* Steps for nodes first..last, the first of them filled from the caller's rows. */
static elbo_status plan_forward(elbo_plan *p, int first, int last, elbo_error *err) {
    for (int i = first; i <= last; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_spot *s = &p->spot[i];
        s->node = n;
        if (i > first)
            for (int k = 0; k < n->inputs; k++) s->x[k] = p->spot[n->input[k]].y;
        if (i == first) { // also the latent of a decoder: rows that the caller gives
            s->y = elbo_plan_tensor(p, n->name, elbo_shape_size(n->shape), false);
            if (!s->y) return elbo_no_memory(err);
            s->y->readers = n->consumers + (p->options.mode != ELBO_DECODE); // the loss reads the image too
            p->input = s->y;
            ELBO_TRY(elbo_op_input.forward(p, s, err));
        } else {
            ELBO_TRY(give_output(p, i, err));
            ELBO_TRY(n->op->forward(p, s, err));
        }
    }
    return ELBO_OK;
}

/* Gradient tensors for the nodes behind which there is something to learn. */
static elbo_status give_gradients(elbo_plan *p, int last, elbo_error *err) {
    for (int i = 0; i <= last; i++) {
        const elbo_node *n = &p->graph->node[i];
        elbo_spot *s = &p->spot[i];
        bool learns = n->params > 0;
        for (int k = 0; k < n->inputs; k++) {
            s->dx[k] = p->spot[n->input[k]].dy;
            learns = learns || s->dx[k];
        }
        if (!learns) continue;
        if (s->dx[0] && s->y == s->x[0]) {
            s->dy = s->dx[0];
        } else {
            s->dy = elbo_plan_tensor(p, n->name, s->y->per_image, true);
            if (!s->dy) return elbo_no_memory(err);
        }
    }
    return ELBO_OK;
}

static elbo_status plan_backward(elbo_plan *p, int last, elbo_error *err) {
    for (int i = last; i >= 0; i--) {
        elbo_spot *s = &p->spot[i];
        if (!s->dy) continue;
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
    case ELBO_SGD: k->sgd(w, m, g, n, u); break;
    case ELBO_ADAM: k->adam(w, m, v, g, n, u); break;
    case ELBO_ADAMW: k->adamw(w, m, v, g, n, u); break;
    }
}

float *elbo_gradient_tile(const elbo_step *s, size_t offset, int thread, size_t scratch_offset) {
    const elbo_plan *p = s->plan;
    return p->grads ? p->grads + offset : p->scratch + (size_t)thread * p->scratch_floats + scratch_offset;
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
    size_t start = (size_t)tile * UPDATE_TILE, left = p->graph->param_floats - start;
    update_range(p, pass, start, p->grads + start, left < UPDATE_TILE ? left : UPDATE_TILE, &u);
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
    p->next = calloc((size_t)p->phases, sizeof *p->next);
    return p->next ? ELBO_OK : elbo_no_memory(err);
}

/* Weight gradients may wait until every shard is through: then there are two phases instead of two for each layer. */
static void move_tiles_behind_shards(elbo_plan *p) {
    elbo_step *sorted = malloc((size_t)p->steps * sizeof *sorted);
    if (!sorted) return; // only slower
    int n = 0;
    for (int tiled = 0; tiled <= 1; tiled++)
        for (int i = 0; i < p->steps; i++)
            if ((p->step[i].tiles > 0) == tiled) sorted[n++] = p->step[i];
    memcpy(p->step, sorted, (size_t)p->steps * sizeof *sorted);
    free(sorted);
}

/* ---- making ---- */

static elbo_status plan_losses(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    p->reconstruction = elbo_plan_tensor(p, "reconstruction", 1, false);
    p->squared = elbo_plan_tensor(p, "squared error", 1, false);
    if (!p->reconstruction || !p->squared) return elbo_no_memory(err);
    p->reconstruction->kept = p->squared->kept = true;
    elbo_spot *last = &p->spot[g->at.logits];
    return elbo_add_reconstruction_loss(p, last->y, last->dy, p->spot[g->at.input].y, p->options.reconstruction, err);
}

static elbo_status make(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    p->spot = calloc((size_t)g->count, sizeof *p->spot);
    if (!p->spot) return elbo_no_memory(err);
    switch (p->options.mode) {
    case ELBO_ENCODE:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.code, err));
        p->code = p->spot[g->at.code].y;
        p->code->kept = true;
        break;
    case ELBO_DECODE:
        ELBO_TRY(plan_forward(p, g->at.latent, g->at.output, err));
        p->output = p->spot[g->at.output].y;
        p->output->kept = true;
        break;
    case ELBO_EVAL:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.logits, err));
        ELBO_TRY(plan_losses(p, err));
        break;
    case ELBO_TRAIN:
        ELBO_TRY(plan_forward(p, g->at.input, g->at.logits, err));
        ELBO_TRY(give_gradients(p, g->at.logits, err));
        ELBO_TRY(plan_losses(p, err));
        ELBO_TRY(plan_backward(p, g->at.logits, err));
        move_tiles_behind_shards(p);
        if (p->options.clip > 0) ELBO_TRY(plan_clipped_update(p, err));
        break;
    }
    ELBO_TRY(cut_phases(p, err));
    ELBO_TRY(elbo_plan_place_tensors(p, err));
    if (p->options.mode != ELBO_TRAIN) return ELBO_OK;
    if (p->options.keep_grads || p->options.clip > 0) {
        p->grads = elbo_alloc(g->param_floats, sizeof(float));
        if (!p->grads) return elbo_no_memory(err);
    } else {
        p->scratch = elbo_alloc((size_t)elbo_team_threads(p->options.team) * p->scratch_floats, sizeof(float));
        if (!p->scratch) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

elbo_status elbo_plan_make(elbo_plan *p, const elbo_graph *g, const elbo_device *device, elbo_plan_options options,
                           elbo_error *err) {
    int shards = (options.batch + SHARD_ROWS - 1) / SHARD_ROWS;
    *p = (elbo_plan){.options = options, .graph = g, .device = device, .shards = shards};
    p->shard_rows = SHARD_ROWS;
    elbo_status status = make(p, err);
    if (status != ELBO_OK) elbo_plan_free(p);
    return status;
}

void elbo_plan_free(elbo_plan *p) {
    for (int i = 0; i < p->tensors; i++) free(p->tensor[i]);
    free(p->tensor);
    free(p->spot);
    free(p->step);
    free(p->phase);
    free(p->tile);
    free(p->tile_squares);
    free(p->next);
    free(p->arena);
    free(p->scratch);
    free(p->grads);
    *p = (elbo_plan){0};
}
