/* From a graph to the list of work that each mode is made of. */
#include "plan/plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "nn/ops/op.h"

bool elbo_plan_learns_node(const elbo_plan *p, const elbo_node *n) {
    return p->options.mode == ELBO_TRAIN && n->player == p->options.player;
}

/* The latent's sample, or the adversary's two sides, are where one image becomes several rows. */
bool elbo_plan_is_of_images(const elbo_plan *p, const elbo_node *n) {
    const elbo_taps *at = &p->graph->at;
    return n - p->graph->node < (p->options.player == ELBO_PLAYER_ADVERSARY ? at->versus : at->code + 1);
}

elbo_status elbo_plan_append(elbo_plan *p, elbo_work w, elbo_error *err) {
    if (!elbo_plan_learns_node(p, w.node)) w.direction &= ~ELBO_TO_WEIGHTS; // frozen
    if (!w.direction) return ELBO_OK;
    if (!elbo_grow(&p->work, (size_t)p->works, &p->work_capacity, sizeof *p->work)) return elbo_no_memory(err);
    for (int k = 0; k < ELBO_WORK_TENSORS; k++)
        if (w.in[k] && w.direction == ELBO_FORWARD) w.in[k]->readers++;
    p->work[p->works++] = w;
    return ELBO_OK;
}

static elbo_tensor *new_tensor(elbo_plan *p, const elbo_node *n, bool gradient) {
    if (!elbo_grow(&p->tensor, (size_t)p->tensors, &p->tensor_capacity, sizeof *p->tensor)) return NULL;
    elbo_tensor *t = malloc(sizeof *t);
    if (!t) return NULL;
    *t = (elbo_tensor){.index = p->tensors, .name = n->name, .shape = n->shape, .gradient = gradient};
    return p->tensor[p->tensors++] = t;
}

bool elbo_plan_learns_before(const elbo_plan *p, const elbo_node *n) {
    for (int k = 0; k < n->inputs; k++)
        if (p->io[n->input[k]].learns) return true;
    return false;
}

/* Hands a node's output to the caller. */
static elbo_status read_node(elbo_plan *p, int node, elbo_tensor **t, elbo_error *err) {
    *t = p->io[node].y;
    (*t)->read = true;
    return elbo_plan_append(
        p, (elbo_work){.kind = ELBO_WORK_READ, .direction = ELBO_FORWARD, .node = &p->graph->node[node], .in = {*t}},
        err);
}

/* A node whose output the caller gives. */
static elbo_status give_node(elbo_plan *p, int node, elbo_work_kind kind, elbo_error *err) {
    const elbo_node *n = &p->graph->node[node];
    elbo_tensor *y = p->io[node].y = new_tensor(p, n, false);
    if (!y) return elbo_no_memory(err);
    return elbo_plan_append(p, (elbo_work){.kind = kind, .direction = ELBO_FORWARD, .node = n, .out = {y}}, err);
}

static elbo_status forward_node(elbo_plan *p, int node, elbo_error *err) {
    const elbo_node *n = &p->graph->node[node];
    elbo_node_io *io = &p->io[node];
    for (int k = 0; k < n->inputs; k++) io->x[k] = p->io[n->input[k]].y;
    bool own = n->params > 0 && n->player == p->options.player;
    io->learns = own || p->options.frozen_backward || elbo_plan_learns_before(p, n);
    io->y = new_tensor(p, n, false);
    if (!io->y) return elbo_no_memory(err);
    return n->op->forward(p, n, io, err);
}

static elbo_status watch(elbo_plan *p, int node, elbo_error *err) {
    if (!p->options.watch || !p->options.watch[node]) return ELBO_OK;
    return read_node(p, node, &p->watched[node], err);
}

/* The node that is filled from the caller's rows. */
static elbo_status give_rows(elbo_plan *p, int node, elbo_error *err) {
    ELBO_TRY(give_node(p, node, p->options.mode == ELBO_FEATURES ? ELBO_WORK_FEATURES : ELBO_WORK_ROWS, err));
    p->io[node].learns = p->options.frozen_backward;
    return watch(p, node, err);
}

static elbo_status give_label(elbo_plan *p, bool is_read, elbo_error *err) {
    return is_read ? give_node(p, p->graph->at.label, ELBO_WORK_LABEL, err) : ELBO_OK;
}

static elbo_status plan_forward(elbo_plan *p, int first, int last, elbo_error *err) {
    for (int i = first; i <= last; i++) {
        ELBO_TRY(forward_node(p, i, err));
        ELBO_TRY(watch(p, i, err));
    }
    return ELBO_OK;
}

/* The metrics that this plan computes: a code that is scored has no posterior. */
static bool has_metric(const elbo_plan *p, int metric) {
    const elbo_metric *m = &p->graph->metrics.metric[metric];
    if (m->player != p->options.player) return false;
    if (p->graph->loss[metric] < 0) return true;
    const elbo_op *op = p->graph->node[p->graph->loss[metric]].op;
    if (op == &elbo_loss_perceptual && !p->options.features) return false;
    return p->options.mode != ELBO_SCORE || m->role == ELBO_METRIC_RECONSTRUCTION;
}

static elbo_status plan_losses(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    for (int k = 0; k < g->metrics.count; k++) {
        if (!has_metric(p, k)) continue;
        if (g->loss[k] < 0) { // measured beside the losses, in the same pass
            p->metric[k] = new_tensor(p, &(elbo_node){.shape = {1, {1}}}, false);
            if (!p->metric[k]) return elbo_no_memory(err);
            p->metric[k]->name = g->metrics.metric[k].name;
        } else {
            ELBO_TRY(forward_node(p, g->loss[k], err));
            p->metric[k] = p->io[g->loss[k]].y;
        }
        p->metric[k]->read = true;
    }
    return ELBO_OK;
}

/* Gradients of the nodes behind which there is something to learn, from the last to the first. */
static elbo_status plan_backward(elbo_plan *p, int last, elbo_error *err) {
    const elbo_graph *g = p->graph;
    for (int i = 0; i <= last; i++)
        if (p->io[i].learns && !(p->io[i].dy = new_tensor(p, &g->node[i], true))) return elbo_no_memory(err);
    for (int i = g->count - 1; i >= 0; i--) {
        const elbo_node *n = &g->node[i];
        elbo_node_io *io = &p->io[i];
        if (!io->y || !io->learns || !n->op->backward) continue;
        for (int k = 0; k < n->inputs; k++) io->dx[k] = p->io[n->input[k]].dy;
        ELBO_TRY(n->op->backward(p, n, io, err));
    }
    return ELBO_OK;
}

/* A decoder's inputs besides the code: what the encoder saved for it. */
static elbo_status give_skips(elbo_plan *p, elbo_error *err) {
    for (int i = 0; i < p->graph->skips; i++) ELBO_TRY(give_node(p, p->graph->skip[i], ELBO_WORK_SKIP, err));
    return ELBO_OK;
}

/* What the adversary tells apart. No gradient goes back from there: the model stands still. */
static elbo_status plan_sides(elbo_plan *p, elbo_error *err) {
    const elbo_node *n = &p->graph->node[p->graph->at.versus];
    elbo_node_io *io = &p->io[p->graph->at.versus];
    for (int k = 0; k < n->inputs; k++) io->x[k] = p->io[n->input[k]].y;
    io->y = new_tensor(p, n, false);
    if (!io->y) return elbo_no_memory(err);
    ELBO_TRY(elbo_append_forward(p, ELBO_WORK_VERSUS, n, io, err));
    return watch(p, p->graph->at.versus, err);
}

/* The model's layers, and the adversary's: in its own step all that the model has to do is to give what it looks at. */
static elbo_status plan_layers(elbo_plan *p, elbo_error *err) {
    const elbo_taps *at = &p->graph->at;
    bool own = p->options.player == ELBO_PLAYER_ADVERSARY;
    int judged = at->versus < 0 ? 0 : p->graph->node[at->versus].input[0], last = at->logits;
    if (judged > last || own) last = judged;
    ELBO_TRY(plan_forward(p, p->graph->inputs, last, err));
    if (at->versus < 0) return ELBO_OK;
    ELBO_TRY(own ? plan_sides(p, err) : plan_forward(p, at->versus, at->versus, err));
    return plan_forward(p, at->versus + 1, at->verdict, err);
}

/* From an image to the loss. */
static elbo_status plan_whole(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    ELBO_TRY(give_label(p, g->encoder_reads_label || g->decoder_reads_label, err));
    ELBO_TRY(give_rows(p, g->at.target, err));
    if (g->at.input != g->at.target) ELBO_TRY(plan_forward(p, g->at.input, g->at.input, err));
    ELBO_TRY(plan_layers(p, err));
    return plan_losses(p, err);
}

static elbo_status plan_encoder(elbo_plan *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    ELBO_TRY(give_label(p, g->encoder_reads_label, err));
    ELBO_TRY(give_rows(p, g->at.input, err));
    ELBO_TRY(plan_forward(p, g->inputs, g->at.code, err));
    ELBO_TRY(read_node(p, g->at.code, &p->code, err));
    for (int i = 0; p->options.keep_skips && i < g->skips; i++) ELBO_TRY(read_node(p, g->skip[i], &p->skip[i], err));
    return ELBO_OK;
}

/* From codes to images, or to what they are before the sigmoid. */
static elbo_status plan_decoder(elbo_plan *p, int last, elbo_error *err) {
    const elbo_graph *g = p->graph;
    ELBO_TRY(give_label(p, g->decoder_reads_label, err));
    ELBO_TRY(give_skips(p, err));
    ELBO_TRY(give_rows(p, g->at.latent, err));
    return plan_forward(p, g->at.latent + 1, last, err);
}

static elbo_status plan_mode(elbo_plan *p, elbo_error *err) {
    const elbo_taps *at = &p->graph->at;
    switch (p->options.mode) {
    case ELBO_ENCODE: return plan_encoder(p, err);
    case ELBO_DECODE: ELBO_TRY(plan_decoder(p, at->output, err)); return read_node(p, at->output, &p->output, err);
    case ELBO_EVAL: return plan_whole(p, err);
    case ELBO_SCORE:
        ELBO_TRY(plan_decoder(p, at->logits, err));
        ELBO_TRY(give_node(p, at->target, ELBO_WORK_TARGET, err));
        return plan_losses(p, err);
    case ELBO_TRAIN:
        ELBO_TRY(plan_whole(p, err));
        return plan_backward(p, at->versus < 0 ? at->logits : at->verdict, err);
    case ELBO_FEATURES:
        ELBO_TRY(give_rows(p, 0, err));
        ELBO_TRY(plan_forward(p, 1, at->output, err));
        return p->options.frozen_backward ? plan_backward(p, at->output, err) : ELBO_OK;
    }
    return ELBO_OK;
}

/* As many parts as a batch affords without products of few rows, which are slow (bench/log.md): one to eight ranks may
 * own whole subtrees and make the same bits. The batch decides, never the machine. */
static int parts_of(int batch) {
    enum { MOST_PARTS = 8, LARGE = 512 };
    int least_rows = batch >= LARGE ? 64 : 128, parts = 1;
    while (parts < MOST_PARTS && batch >= 2 * parts * least_rows) parts *= 2;
    return parts;
}

elbo_status elbo_plan_write(elbo_plan *p, const elbo_graph *g, const elbo_plan_options *options, elbo_error *err) {
    *p = (elbo_plan){.options = *options, .graph = g};
    p->parts = parts_of(elbo_plan_rows(p));
    p->io = elbo_alloc((size_t)g->count, sizeof *p->io);
    p->watched = elbo_alloc((size_t)g->count, sizeof *p->watched);
    if (!p->io || !p->watched) return elbo_no_memory(err);
    return plan_mode(p, err);
}

void elbo_plan_clear(elbo_plan *p) {
    for (int i = 0; i < p->tensors; i++) free(p->tensor[i]);
    free(p->tensor);
    free(p->work);
    free(p->io);
    free(p->watched);
    *p = (elbo_plan){0};
}
