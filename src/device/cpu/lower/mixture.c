/* The KL from a mixture prior (nn/losses/kl.c), of the code that was drawn. The sample's step has left that from the standard
 * normal, log q(z|x) - log N(z; 0, I), and its gradient has what follows from it; here is the rest, log N(z; 0, I) - log
 * p(z), and the gradients of the mixture's parameters, which each shard sums for itself. */
#include <stdlib.h>
#include <string.h>

#include "device/cpu/lower/lower.h"
#include "nn/mixture_prior.h"

#define LOG_2_PI 1.8378770664093454836

typedef struct mixture {
    elbo_cpu_tensor *z, *kl;
    int metric;
} mixture;

/* Of a thread: what follows from the parameters, and a row's shares. */
static size_t scratch_floats(size_t K, size_t Z) { return 2 * (elbo_gaussians_room(K, Z) + K); }

static elbo_gaussians prepare(const elbo_cpu_step *s, int thread, double **share) {
    elbo_gaussians m = elbo_gaussians_of(s->program->graph, s->node, s->program->params);
    double *room = (double *)(void *)elbo_cpu_scratch(s->program, thread); // on a cache line
    elbo_gaussians_prepare(&m, room);
    *share = room + elbo_gaussians_room(m.K, m.Z);
    return m;
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const mixture *q = s->object;
    double *share;
    elbo_gaussians m = prepare(s, thread, &share);
    const float *z = elbo_cpu_rows(q->z, shard);
    float *kl = elbo_cpu_rows(q->kl, shard);
    for (int r = 0; r < elbo_cpu_valid_rows(s->program, args, shard); r++, z += m.Z) {
        double normal = -0.5 * (double)m.Z * LOG_2_PI;
        for (size_t d = 0; d < m.Z; d++) normal -= 0.5 * (double)z[d] * z[d];
        kl[r] = (float)(kl[r] + normal - elbo_gaussians_log_p(&m, z, share));
    }
}

elbo_status elbo_cpu_lower_mixture(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    mixture *q = np->object = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    ELBO_TRY(elbo_cpu_own(p, q, free, err));
    q->metric = elbo_metrics_find(&p->graph->metrics, np->node->op->name);
    q->kl = p->read[p->plan->metric[q->metric]->index];
    ELBO_TRY(elbo_cpu_plain(p, p->graph->at.latent, &q->z, err));
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "prior", "double", run_forward);
    if (!s) return elbo_no_memory(err);
    s->object = q;
    s->in[0] = q->z;
    s->in[1] = s->out[0] = q->kl;
    elbo_cpu_need_scratch(p, scratch_floats((size_t)np->node->value[ELBO_LOSS_COMPONENTS], (size_t)p->graph->latent));
    return ELBO_OK;
}

/* out[0]: of z; work: (shards, the parameters one behind the other) */
static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const mixture *q = s->object;
    double *share;
    elbo_gaussians m = prepare(s, thread, &share);
    size_t floats = m.K * (1 + 2 * m.Z);
    float *sums = s->work + (size_t)shard * floats, *dz = elbo_cpu_rows(s->out[0], shard);
    const float *z = elbo_cpu_rows(q->z, shard);
    double scale = (double)(args->loss_weight[q->metric] * args->loss_scale);
    elbo_gaussians_gradient g = {.logits = sums, .mu = sums + m.K, .logvar = sums + m.K * (1 + m.Z)};
    memset(sums, 0, floats * sizeof *sums);
    memset(dz, 0, (size_t)s->program->shard_rows * m.Z * sizeof *dz);
    for (int r = 0; r < elbo_cpu_valid_rows(s->program, args, shard); r++, z += m.Z, dz += m.Z) {
        g.z = dz;
        elbo_gaussians_log_p(&m, z, share);
        elbo_gaussians_backward(&m, &g, z, share, scale);
        for (size_t d = 0; d < m.Z; d++) dz[d] -= (float)(scale * z[d]);
    }
}

elbo_status elbo_cpu_lower_mixture_gradient(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_tensor *of_z = p->node[p->graph->at.latent].dy, *to = of_z;
    float *sums = elbo_cpu_work(p, (size_t)p->shards * elbo_cpu_learned_floats(p, np->node));
    if (of_z->written || of_z->blocked) to = elbo_cpu_activation(p, of_z->name, of_z->shape, false, true);
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "gradient", "double", run_backward);
    if (!sums || !to || !s) return elbo_no_memory(err);
    s->object = np->object;
    s->in[0] = ((mixture *)np->object)->z;
    s->out[0] = to;
    s->work = sums;
    ELBO_TRY(elbo_cpu_give_gradient(p, np->node, of_z, to, of_z->written, err));
    of_z->written = true;
    return elbo_cpu_finish_sums(p, np->node, sums, err);
}
