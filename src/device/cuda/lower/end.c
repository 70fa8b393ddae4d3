/* The end of a step: the verdict on its losses, and the update. Where nothing waits for the whole gradient, each product
 * that is a gradient of weights updates them itself, all of them in one launch behind everything that reads weights. */
#include "device/cuda/lower/lower.h"

static bool keeps_gradient(const elbo_gpu_program *p) {
    return p->plan->options.clip > 0 || p->plan->options.keep_gradients;
}

static int rule_of(const elbo_gpu_program *p) {
    switch (p->plan->state->optimizer->kind) {
    case ELBO_SGD: return GPU_SGD;
    case ELBO_ADAM: return GPU_ADAM;
    default: return GPU_ADAMW;
    }
}

static elbo_gpu_operand array_at(const elbo_gpu_program *p, int array, size_t offset) {
    if (array >= p->plan->state->optimizer->arrays) array = 0; // SGD has one; the other is not touched
    return (elbo_gpu_operand){.kind = GPU_ARRAY, .array = array, .offset = offset};
}

void elbo_gpu_take_gradient(elbo_gpu_program *p, elbo_gpu_work *w, size_t weights, bool bias, size_t bias_at) {
    bool kept = keeps_gradient(p);
    w->when = kept ? GPU_GRADIENT : GPU_LAST;
    w->item.n[PRODUCT_RULE] = rule_of(p) + 1;
    w->t[0] = (elbo_gpu_operand){.kind = kept ? GPU_GRADS : GPU_PARAMS, .offset = weights};
    if (bias) w->t[7] = (elbo_gpu_operand){.kind = kept ? GPU_GRADS : GPU_PARAMS, .offset = bias_at};
    for (int k = 0; !kept && k < 2; k++) {
        w->t[5 + k] = array_at(p, k, weights);
        if (bias) w->t[8 + k] = array_at(p, k, bias_at);
    }
}

/* An item of `n` floats of gradient, t as take_gradient in kernels/update.cu. */
static elbo_gpu_work *new_gradient(elbo_gpu_program *p, elbo_gpu_kernel kernel, const elbo_node *n, const char *what,
                                   size_t blocks, size_t offset) {
    bool kept = keeps_gradient(p);
    elbo_gpu_work *w = elbo_gpu_new_work(p, kernel, n, what, blocks);
    if (!w) return NULL;
    w->when = kept ? GPU_GRADIENT : GPU_LAST;
    w->t[0] = (elbo_gpu_operand){.kind = kept ? GPU_GRADS : GPU_PARAMS, .offset = offset};
    for (int k = 0; !kept && k < 2; k++) w->t[2 + k] = array_at(p, k, offset);
    w->item.n[2] = rule_of(p) + 1;
    return w;
}

elbo_status elbo_gpu_add_parts(elbo_gpu_program *p, const elbo_node *n, size_t offset, elbo_gpu_tensor *sums,
                               size_t weights, size_t parts, elbo_error *err) {
    elbo_gpu_work *w =
        new_gradient(p, ELBO_GPU_parts, n, "sum of parts", (weights + GPU_THREADS - 1) / GPU_THREADS, offset);
    if (!w) return elbo_no_memory(err);
    w->t[1] = elbo_gpu_at(sums);
    w->item.n[0] = (int)weights;
    w->item.n[1] = (int)parts;
    return ELBO_OK;
}

elbo_status elbo_gpu_add_channel_sums(elbo_gpu_program *p, const elbo_node *n, size_t offset, elbo_gpu_tensor *dy,
                                      int channels, int pixels, elbo_error *err) {
    elbo_gpu_work *w = new_gradient(p, ELBO_GPU_channel_sums, n, "backward bias", (size_t)channels, offset);
    if (!w) return elbo_no_memory(err);
    w->t[1] = elbo_gpu_at(dy);
    w->item.n[0] = channels;
    w->item.n[1] = pixels;
    return ELBO_OK;
}

/* Parameters that learn and lie one behind the other are one item. */
static bool learns(const elbo_gpu_program *p, int param) {
    const elbo_param *q = &p->graph->param[param];
    return !q->buffer && q->player == p->plan->options.player;
}

static elbo_status add_updates(elbo_gpu_program *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    for (int i = 0; i < g->params;) {
        if (!learns(p, i)) {
            i++;
            continue;
        }
        size_t first = g->param[i].offset, end = first;
        for (; i < g->params && learns(p, i); i++) end = g->param[i].offset + g->param[i].count;
        size_t n = end - first;
        elbo_gpu_work *w =
            elbo_gpu_new_work(p, ELBO_GPU_update, &g->node[0], "update", (n + GPU_THREADS - 1) / GPU_THREADS);
        if (!w) return elbo_no_memory(err);
        w->when = GPU_LAST;
        w->t[0] = elbo_gpu_param(first);
        w->t[1] = (elbo_gpu_operand){.kind = GPU_GRADS, .offset = first};
        w->t[2] = array_at(p, 0, first);
        w->t[3] = array_at(p, 1, first);
        w->item.n[0] = (int)n;
        w->item.n[1] = rule_of(p) + 1;
    }
    return ELBO_OK;
}

static size_t square_blocks(const elbo_gpu_program *p) {
    return (p->graph->param_floats + GPU_SQUARES_FLOATS - 1) / GPU_SQUARES_FLOATS;
}

/* Where clipping asks for the gradient's norm. */
static elbo_status add_squares(elbo_gpu_program *p, elbo_gpu_tensor **parts, elbo_error *err) {
    size_t blocks = square_blocks(p);
    elbo_gpu_work *w = elbo_gpu_new_work(p, ELBO_GPU_squares, &p->graph->node[0], "norm", blocks);
    *parts = elbo_gpu_new_tensor(p, "norm", 0, 2 * blocks); // doubles
    if (!w || !*parts) return elbo_no_memory(err);
    w->when = GPU_CLIP;
    w->t[0] = (elbo_gpu_operand){.kind = GPU_GRADS};
    w->t[1] = elbo_gpu_at(*parts);
    w->item.n[0] = (int)p->graph->param_floats;
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_end(elbo_gpu_program *p, elbo_error *err) {
    const elbo_plan *plan = p->plan;
    int metrics = p->graph->metrics.count, present = 0;
    for (int k = 0; k < metrics; k++) present |= (plan->metric[k] != NULL) << k;
    if (!present) return ELBO_OK;
    elbo_gpu_tensor *parts = NULL;
    bool clip = elbo_gpu_learns(p) && plan->options.clip > 0;
    if (clip) ELBO_TRY(add_squares(p, &parts, err));
    elbo_gpu_work *w = elbo_gpu_new_work(p, ELBO_GPU_verdict, &p->graph->node[p->graph->at.logits], "sums", 1);
    if (!w) return elbo_no_memory(err);
    w->when = GPU_VERDICT;
    w->t[0] = elbo_gpu_loss(p, 0);
    w->t[1] = elbo_gpu_at(parts);
    w->item.n[0] = metrics;
    w->item.n[1] = p->rows;
    w->item.n[2] = present;
    w->item.n[3] = clip ? (int)square_blocks(p) : 0;
    w->item.f[0] = plan->options.clip;
    return elbo_gpu_learns(p) && keeps_gradient(p) ? add_updates(p, err) : ELBO_OK;
}
