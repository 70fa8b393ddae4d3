#include <math.h>

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

double elbo_kl_weight(const elbo_recipe *r, uint64_t step, uint64_t steps_per_epoch) {
    double warm = (double)r->loss.kl_warmup * (double)steps_per_epoch;
    if (warm <= 0 || (double)step >= warm) return r->loss.kl;
    return r->loss.kl * (double)step / warm;
}
