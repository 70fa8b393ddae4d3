/* The reconstruction's loss, in nats per image, and its gradient in the same pass over the values. */
#include <string.h>

#include "ops/ops.h"

static void run(const elbo_step *s, const elbo_pass *pass, int shard, int thread) {
    (void)thread;
    size_t n = s->in[0]->per_image;
    const float *y = elbo_rows(s->in[0], shard), *x = elbo_rows(s->in[1], shard);
    float *loss = elbo_rows(s->out[0], shard), *squared = elbo_rows(s->out[1], shard);
    float *dy = s->out[2] ? elbo_rows(s->out[2], shard) : NULL;
    const elbo_loss_kernels *k = s->plan->device->loss;
    int valid = elbo_valid_rows(s->plan, pass, shard);
    for (int r = 0; r < valid; r++, y += n, x += n) {
        float *gradient = dy ? dy + (size_t)r * n : NULL;
        switch ((elbo_reconstruction)s->number) {
        case ELBO_BCE: loss[r] = k->bce(gradient, &squared[r], y, x, n, pass->loss_scale); break;
        case ELBO_MSE: loss[r] = k->mse(gradient, &squared[r], y, x, n, pass->loss_scale); break;
        case ELBO_L1: loss[r] = k->l1(gradient, &squared[r], y, x, n, pass->loss_scale); break;
        }
    }
    // Rows that only fill the shard add nothing to any weight's gradient.
    if (dy) memset(dy + (size_t)valid * n, 0, (size_t)(s->plan->shard_rows - valid) * n * sizeof *dy);
}

elbo_status elbo_add_reconstruction_loss(elbo_plan *p, elbo_tensor *prediction, elbo_tensor *gradient,
                                         elbo_tensor *image, elbo_reconstruction kind, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, &p->graph->node[p->graph->at.output], "loss", p->device->loss->name, run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = prediction;
    s->in[1] = image;
    s->out[0] = p->reconstruction;
    s->out[1] = p->squared;
    s->out[2] = gradient;
    s->number = kind;
    return ELBO_OK;
}
