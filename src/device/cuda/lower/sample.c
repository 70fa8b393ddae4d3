/* The latent of a VAE and its KL divergence, in one launch forward and one back. */
#include "device/cuda/lower/lower.h"

/* The metric of the KL; -1: the plan has none. */
static int kl_metric(const elbo_gpu_program *p) {
    for (int k = 0; k < p->graph->metrics.count; k++)
        if (p->plan->metric[k] && p->graph->loss[k] >= 0 && p->graph->node[p->graph->loss[k]].op == &elbo_loss_kl)
            return k;
    return -1;
}

static elbo_status forward(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *code = elbo_gpu_tensor_of(p, w->in[0]), *z = elbo_gpu_tensor_of(p, w->out[0]);
    if (!code || !z) return elbo_no_memory(err);
    elbo_gpu_tensor *eps = p->noise = elbo_gpu_new_tensor(p, "noise", z->per_row, z->floats);
    size_t numbers, given;
    ELBO_TRY(elbo_gpu_numbers(p, &numbers, err));
    ELBO_TRY(elbo_gpu_give(p, ELBO_WORK_SAMPLE, z->per_row, 0, &given, err));
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_sample, w->node, "forward", (size_t)p->rows);
    if (!eps || !g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(z);
    if (kl_metric(p) >= 0) g->t[1] = elbo_gpu_loss(p, kl_metric(p));
    g->t[2] = elbo_gpu_at(eps);
    g->t[3] = elbo_gpu_at(code);
    g->item.n[0] = (int)z->per_row;
    g->item.n[1] = (int)numbers;
    g->item.n[2] = (int)given;
    elbo_gpu_gives(g, z);
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_sample(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    if (w->direction == ELBO_FORWARD) return forward(p, w, err);
    elbo_gpu_tensor *dz = elbo_gpu_tensor_of(p, w->in[0]), *code = elbo_gpu_tensor_of(p, w->in[1]),
                    *dcode = elbo_gpu_tensor_of(p, w->out[0]);
    if (!dz || !code || !dcode) return elbo_no_memory(err);
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_sample_back, w->node, "backward", elbo_gpu_blocks(p, dz->per_row));
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(dcode);
    g->t[1] = elbo_gpu_at(dz);
    g->t[2] = elbo_gpu_at(code);
    g->t[3] = elbo_gpu_at(p->noise);
    g->item.n[0] = (int)dz->per_row;
    g->item.n[1] = kl_metric(p);
    elbo_gpu_gives(g, dcode);
    return ELBO_OK;
}

/* Part of the sample's launches. */
elbo_status elbo_gpu_lower_kl(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    (void)p, (void)w, (void)err;
    return ELBO_OK;
}
