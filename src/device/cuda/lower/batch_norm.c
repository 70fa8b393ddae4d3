/* Normalisation over the batch: a launch forward, one back, for the input and the weights together. */
#include "device/cuda/lower/lower.h"

static size_t param_at(const elbo_gpu_program *p, const elbo_node *n, int which) {
    return p->graph->param[n->first_param + which].offset;
}

static elbo_gpu_work *find(elbo_gpu_program *p, elbo_gpu_kernel kernel, const elbo_node *n) {
    int i = 0;
    while (p->work[i].kernel != kernel || p->work[i].node != n) i++;
    return &p->work[i];
}

static void describe(const elbo_gpu_program *p, const elbo_node *n, elbo_gpu_item *item) {
    item->n[0] = n->shape.dim[0];
    item->n[1] = (int)(elbo_shape_size(n->shape) / (size_t)n->shape.dim[0]);
    item->n[2] = elbo_gpu_learns(p);
    item->f[0] = (float)n->value[ELBO_NORM_EPS];
    item->f[1] = (float)n->value[ELBO_NORM_MOMENTUM];
}

static elbo_status forward(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    const elbo_node *n = w->node;
    elbo_gpu_tensor *x = elbo_gpu_tensor_of(p, w->in[0]), *y = elbo_gpu_tensor_of(p, w->out[0]);
    elbo_gpu_tensor *saved = elbo_gpu_new_tensor(p, n->name, 0, 2 * (size_t)n->shape.dim[0]);
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_batch_norm, n, "forward", (size_t)n->shape.dim[0]);
    if (!x || !y || !saved || !g) return elbo_no_memory(err);
    describe(p, n, &g->item);
    g->t[0] = elbo_gpu_at(y);
    g->t[1] = elbo_gpu_at(x);
    for (int k = ELBO_NORM_WEIGHT; k <= ELBO_NORM_RUNNING_VAR; k++) g->t[2 + k] = elbo_gpu_param(param_at(p, n, k));
    g->t[6] = elbo_gpu_at(saved);
    elbo_gpu_gives(g, y);
    return ELBO_OK;
}

static elbo_status to_weights(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    const elbo_node *n = w->node;
    size_t channels = (size_t)n->shape.dim[0];
    elbo_gpu_tensor *dy = elbo_gpu_tensor_of(p, w->in[0]), *x = elbo_gpu_tensor_of(p, w->in[1]), *sums[2];
    for (int k = 0; k < 2; k++)
        if (!(sums[k] = elbo_gpu_new_tensor(p, n->name, 0, channels))) return elbo_no_memory(err);
    elbo_gpu_operand saved = find(p, ELBO_GPU_batch_norm, n)->t[6];
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_batch_norm_back, n, "backward", channels);
    if (!dy || !x || !g) return elbo_no_memory(err);
    describe(p, n, &g->item);
    g->t[1] = elbo_gpu_at(dy);
    g->t[2] = elbo_gpu_at(x);
    g->t[3] = elbo_gpu_param(param_at(p, n, ELBO_NORM_WEIGHT));
    g->t[4] = saved;
    for (int k = 0; k < 2; k++) g->t[5 + k] = elbo_gpu_at(sums[k]);
    for (int k = 0; k < 2; k++) // ELBO_NORM_WEIGHT, ELBO_NORM_BIAS
        ELBO_TRY(elbo_gpu_add_parts(p, n, param_at(p, n, k), sums[k], channels, 1, err));
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_batch_norm(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    if (p->samples > 1) return elbo_gpu_refuse(p, w->node, " with loss.samples", err);
    if (w->direction == ELBO_FORWARD) return forward(p, w, err);
    if (w->direction == ELBO_TO_WEIGHTS) return to_weights(p, w, err);
    elbo_gpu_tensor *dx = elbo_gpu_tensor_of(p, w->out[0]);
    if (!dx) return elbo_no_memory(err);
    elbo_gpu_work *g = find(p, ELBO_GPU_batch_norm_back, w->node);
    g->t[0] = elbo_gpu_at(dx);
    elbo_gpu_gives(g, dx);
    return ELBO_OK;
}
