/* The reconstruction's loss, in nats per image, and its gradient in the same pass over the values. */
#include <string.h>

#include "nn/ops/op.h"

static void run(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    size_t n = s->in[0]->per_image;
    const float *y = elbo_rows(s->in[0], shard), *x = elbo_rows(s->in[1], shard);
    float *loss = elbo_rows(s->out[0], shard), *squared = elbo_rows(s->out[1], shard);
    float *dy = s->out[2] ? elbo_rows(s->out[2], shard) : NULL;
    const elbo_loss_kernels *k = s->plan->device->loss;
    const elbo_terms *terms = &s->plan->options.reconstruction;
    float mse = elbo_term_weight(terms, ELBO_MSE), l1 = elbo_term_weight(terms, ELBO_L1),
          bce = elbo_term_weight(terms, ELBO_BCE);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    for (int r = 0; r < valid; r++, y += n, x += n) {
        float *gradient = dy ? dy + (size_t)r * n : NULL;
        if (bce > 0)
            loss[r] = bce * k->bce(gradient, &squared[r], y, x, n, bce * pass->loss_scale);
        else if (l1 == 0)
            loss[r] = mse * k->mse(gradient, &squared[r], y, x, n, mse * pass->loss_scale);
        else if (mse == 0)
            loss[r] = l1 * k->l1(gradient, &squared[r], y, x, n, l1 * pass->loss_scale);
        else
            loss[r] = k->mse_l1(gradient, &squared[r], y, x, n, mse, l1, pass->loss_scale);
    }
    // Rows that only fill the shard add nothing to any weight's gradient.
    if (dy) memset(dy + (size_t)valid * n, 0, (size_t)(s->plan->shard_rows - valid) * n * sizeof *dy);
}

elbo_status elbo_add_reconstruction_loss(elbo_plan *p, elbo_tensor *prediction, elbo_tensor *gradient,
                                         elbo_tensor *image, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, &p->graph->node[p->graph->at.output], "loss", p->device->loss->name, run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = prediction;
    s->in[1] = image;
    s->out[0] = p->reconstruction;
    s->out[1] = p->squared;
    s->out[2] = gradient;
    return ELBO_OK;
}
