/* The importance weighted bound (nn/losses/iwae.c). An image's samples lie in one shard, so that their weights are known
 * as soon as their losses are: each sample's share of the sum of the weights then scales what the losses left of
 * gradients. All have been computed for a mean over samples, so that a share is times their number. */
#include <math.h>

#include "device/cpu/lower/lower.h"

/* -log w of a row. */
static double loss_of(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int row) {
    const elbo_cpu_program *p = s->program;
    const elbo_metrics *m = &p->graph->metrics;
    double sum = 0;
    for (int k = 0; k < m->count; k++) {
        const elbo_tensor *metric = p->plan->metric[k];
        if (m->metric[k].role == ELBO_METRIC_RECONSTRUCTION && metric)
            sum += (double)args->loss_weight[k] * elbo_cpu_rows(p->read[metric->index], shard)[row];
        if (m->metric[k].role == ELBO_METRIC_KL)
            sum += (double)args->loss_weight[k] * elbo_cpu_rows(p->bound.kl, shard)[row];
    }
    return sum;
}

/* Of the samples from `first` on: their shares, and the bound to each. */
static void run_image(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int first) {
    int samples = s->program->samples;
    float *bound = elbo_cpu_rows(s->out[0], shard) + first, *share = elbo_cpu_rows(s->out[1], shard) + first;
    double least = INFINITY, sum = 0;
    for (int i = 0; i < samples; i++) {
        double loss = loss_of(s, args, shard, first + i);
        if (!(loss >= least)) least = loss; // NaN stays
    }
    for (int i = 0; i < samples; i++) sum += exp(least - loss_of(s, args, shard, first + i));
    for (int i = 0; i < samples; i++) {
        share[i] = (float)(samples * exp(least - loss_of(s, args, shard, first + i)) / sum);
        bound[i] = (float)(least - log(sum / samples));
    }
}

/* out: bound, shares, gradient of what the decoder gives */
static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const elbo_cpu_program *p = s->program;
    int valid = elbo_cpu_valid_rows(p, args, shard);
    const float *share = elbo_cpu_rows(s->out[1], shard);
    double sum = 0;
    for (int r = 0; r < valid; r += p->samples) run_image(s, args, shard, r);
    for (int r = 0; r < valid; r++) {
        if (s->out[2])
            p->kernels->loss->scale(elbo_cpu_rows(s->out[2], shard) + (size_t)r * s->out[2]->per_image,
                                    s->out[2]->per_image, share[r]);
        if (s->work) sum += (double)share[r] * elbo_cpu_rows(s->in[1], shard)[r];
    }
    if (s->work) s->work[shard] = (float)sum;
}

elbo_status elbo_cpu_lower_bound(elbo_cpu_program *p, const elbo_node *node, elbo_error *err) {
    const elbo_metrics *m = &p->graph->metrics;
    elbo_cpu_step *s = elbo_cpu_new_step(p, node, "weights", p->kernels->loss->name, run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = p->bound.kl;
    s->in[1] = p->bound.by_scale;
    for (int k = 0, n = 2; k < m->count; k++)
        if (m->metric[k].role == ELBO_METRIC_RECONSTRUCTION && p->plan->metric[k])
            s->in[n++] = p->read[p->plan->metric[k]->index];
    s->out[0] = elbo_cpu_metric(p, elbo_metrics_find(m, node->op->name));
    s->out[1] = p->bound.share = elbo_cpu_new_tensor(p, "shares", 1, false);
    s->out[2] = p->node[p->graph->at.logits].dy;
    s->work = p->bound.scale_sums;
    return s->out[0] && s->out[1] ? ELBO_OK : elbo_no_memory(err);
}
