/* What a player gains from the adversary's logits (nn/losses/adversary.c), and their gradient in the same pass. */
#include <string.h>

#include "device/cpu/lower/lower.h"

/* Cross-entropy of one logit. */
static float cross_entropy(const elbo_cpu_step *s, float *dy, float logit, float target, float scale) {
    float squared;
    return s->program->kernels->loss->pixel[ELBO_BCE](dy, &squared, &logit, &target, 1, scale);
}

static void clear_rest(const elbo_cpu_step *s, float *dy, int valid) {
    if (dy) memset(dy + valid, 0, (size_t)(s->program->shard_rows - valid) * sizeof *dy);
}

/* The model's term: of what it gives, that this is real; of a total correlation the log of the density ratio. */
static void run_model(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const float *logit = elbo_cpu_rows(s->in[0], shard);
    float *value = elbo_cpu_rows(s->out[0], shard), *dy = s->out[1] ? elbo_cpu_rows(s->out[1], shard) : NULL;
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    float scale = args->loss_weight[s->number] * args->loss_scale;
    bool ratio = s->program->graph->node[s->program->graph->at.versus].value[0] == ELBO_AGAINST_SHUFFLED;
    for (int r = 0; r < valid; r++) {
        value[r] = ratio ? -logit[r] : cross_entropy(s, dy ? dy + r : NULL, logit[r], 1, scale);
        if (ratio && dy) dy[r] = -scale;
    }
    clear_rest(s, dy, valid);
}

/* The adversary's: that each row is of its side, and how often the logit says so. */
static void run_adversary(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const float *logit = elbo_cpu_rows(s->in[0], shard);
    float *value = elbo_cpu_rows(s->out[0], shard), *dy = s->out[1] ? elbo_cpu_rows(s->out[1], shard) : NULL,
          *right = elbo_cpu_rows(s->out[2], shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++) {
        bool real = r % ELBO_SIDES;
        value[r] = cross_entropy(s, dy ? dy + r : NULL, logit[r], real, args->loss_scale);
        right[r] = (logit[r] > 0) == real;
    }
    clear_rest(s, dy, valid);
}

elbo_status elbo_cpu_lower_adversary(elbo_cpu_program *p, const elbo_node *loss, elbo_cpu_node *verdict,
                                     elbo_error *err) {
    bool own = p->plan->options.player == ELBO_PLAYER_ADVERSARY;
    const elbo_metrics *m = &p->graph->metrics;
    elbo_cpu_step *s = elbo_cpu_new_step(p, loss, "loss", p->kernels->loss->name, own ? run_adversary : run_model);
    if (!s) return elbo_no_memory(err);
    s->number = elbo_metrics_find(m, loss->op->name);
    s->in[0] = verdict->y;
    s->out[0] = elbo_cpu_metric(p, s->number);
    s->out[1] = verdict->dy;
    if (own) s->out[2] = elbo_cpu_metric(p, elbo_metrics_find(m, "d_accuracy"));
    return s->out[0] && (!own || s->out[2]) ? ELBO_OK : elbo_no_memory(err);
}
