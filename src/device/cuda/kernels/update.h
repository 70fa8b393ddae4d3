/* An optimizer's step of one weight, as torch.optim has it. */
#ifndef ELBO_CUDA_UPDATE_H
#define ELBO_CUDA_UPDATE_H

#include "device/cuda/kernels/kernel.h"

/* w, m, v: this weight's own; v: unused by SGD. */
DEVICE void update_weight(float *w, float *m, float *v, float gradient, int rule, const elbo_gpu_update *u) {
    float weight = *w;
    if (rule == GPU_SGD) {
        float step = FMA(weight, u->weight_decay, gradient);
        if (u->momentum > 0) {
            if (!u->first) step = FMA(*m, u->momentum, step);
            *m = step;
        }
        *w = FMA(-u->lr, step, weight);
        return;
    }
    if (rule == GPU_ADAMW) weight *= 1.0f - u->lr * u->weight_decay;
    float g = rule == GPU_ADAM ? FMA(weight, u->weight_decay, gradient) : gradient;
    float first = FMA(*m, u->beta1, g * (1.0f - u->beta1)), second = FMA(*v, u->beta2, g * g * (1.0f - u->beta2));
    *m = first;
    *v = second;
    float rate = u->lr / u->correction1, root = 1.0f / u->correction2;
    *w = weight - rate * first / FMA(SQRT(second), root, u->eps);
}

/* Whether this step's update is to be made. */
DEVICE int updates(const elbo_gpu_launch *l) { return !l->step->update.off && !l->verdict->diverged; }

#endif
