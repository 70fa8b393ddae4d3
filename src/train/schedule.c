#include <math.h>

#include "nn/losses/loss.h"
#include "train/trainer.h"

double elbo_learning_rate(const elbo_recipe *r, int epoch) {
    double lr = r->train.lr;
    switch (r->train.schedule) {
    case ELBO_CONSTANT: break;
    case ELBO_COSINE: { // Loshchilov and Hutter, "SGDR", 2017, equation 5; torch's CosineAnnealingLR with T_max = epochs
        double low = r->train.eta_min, share = (double)epoch / r->train.epochs;
        return low + (lr - low) * 0.5 * (1 + cos(3.14159265358979323846 * share));
    }
    case ELBO_STEP: return lr * pow(r->train.gamma, epoch / r->train.step_size);
    }
    return lr;
}

/* Cyclical weights: Fu et al., "Cyclical annealing schedule", 2019; the dog tutorial's is a sine, cut off below. */
static double scheduled_kl_weight(const elbo_recipe *r, uint64_t epoch) {
    if (r->loss.kl_schedule == ELBO_KL_CONSTANT) return r->loss.kl;
    double weight = r->loss.kl * 0.5 * (1 + sin(2 * 3.14159265358979323846 * (double)epoch / r->loss.kl_period));
    return fmax(r->loss.kl_min, weight);
}

double elbo_kl_weight(const elbo_recipe *r, uint64_t step, uint64_t steps_per_epoch) {
    double weight = scheduled_kl_weight(r, step / steps_per_epoch),
           warm = (double)r->loss.kl_warmup * (double)steps_per_epoch;
    if (warm <= 0 || (double)step >= warm) return weight;
    return weight * (double)step / warm;
}

void elbo_loss_bounds(const elbo_recipe *r, const elbo_graph *g, double epochs, float *bound) {
    for (int k = 0; k < g->metrics.count; k++) {
        bound[k] = 0;
        if (g->loss[k] < 0 || !elbo_loss_latent_row(&g->node[g->loss[k]])) continue;
        const elbo_latent_setting *s = &r->loss.latent[g->node[g->loss[k]].op->which];
        double over = s->argument; // of the capacity, the only one that moves
        bound[k] = epochs < over ? (float)(s->number * epochs / over) : s->number;
    }
}

bool elbo_kl_is_warm(const elbo_recipe *r, uint64_t step, uint64_t steps_per_epoch) {
    double warm = fmax(r->loss.kl_warmup, r->loss.latent[ELBO_LATENT_CAPACITY].argument);
    return r->kind != ELBO_VAE || (double)step >= warm * (double)steps_per_epoch;
}
