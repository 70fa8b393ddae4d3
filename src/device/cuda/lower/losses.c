/* The losses of the reconstruction, with their gradient in the same launch. */
#include "device/cuda/lower/lower.h"

static int metric_of(const elbo_gpu_program *p, elbo_metric_role role, int after) {
    const elbo_metrics *m = &p->graph->metrics;
    for (int k = after + 1; k < m->count; k++)
        if (p->plan->metric[k] && m->metric[k].role == role) return k;
    return -1;
}

static int number_of(const elbo_node *n) {
    switch (n->op->which) {
    case ELBO_BCE: return GPU_BCE;
    case ELBO_MSE: return GPU_MSE;
    case ELBO_L1: return GPU_L1;
    default: return -1;
    }
}

elbo_status elbo_gpu_lower_pixel_loss(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    const elbo_graph *g = p->graph;
    const elbo_node_io *logits = &p->plan->io[g->at.logits];
    if (number_of(w->node) < 0) return elbo_gpu_refuse(p, w->node, "", err);
    if (p->losses_lowered) return ELBO_OK; // a second term is part of the first one's launch
    p->losses_lowered = true;
    elbo_gpu_tensor *y = elbo_gpu_tensor_of(p, logits->y), *x = elbo_gpu_tensor_of(p, p->plan->io[g->at.target].y),
                    *dy = elbo_gpu_learns(p) ? elbo_gpu_tensor_of(p, logits->dy) : NULL;
    elbo_gpu_work *l = elbo_gpu_new_work(p, ELBO_GPU_pixel_loss, w->node, "loss", (size_t)p->rows);
    if (!y || !x || !l) return elbo_no_memory(err);
    int first = metric_of(p, ELBO_METRIC_RECONSTRUCTION, -1), second = metric_of(p, ELBO_METRIC_RECONSTRUCTION, first);
    l->t[0] = elbo_gpu_loss(p, first);
    l->t[1] = elbo_gpu_loss(p, metric_of(p, ELBO_METRIC_SQUARED_ERROR, -1));
    l->t[2] = elbo_gpu_at(dy);
    l->t[3] = elbo_gpu_at(y);
    l->t[4] = elbo_gpu_at(x);
    if (second >= 0) l->t[5] = elbo_gpu_loss(p, second);
    l->item.n[0] = (int)y->per_row;
    l->item.n[1] = number_of(&g->node[g->loss[first]]);
    l->item.n[2] = first;
    l->item.n[3] = second < 0 ? 0 : number_of(&g->node[g->loss[second]]);
    l->item.n[4] = second < 0 ? 0 : second;
    elbo_gpu_gives(l, dy);
    return ELBO_OK;
}
