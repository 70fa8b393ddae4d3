#include <math.h>

#include "device/cpu/ref/ref.h"

static void sgd(float *w, float *const *array, const float *g, size_t n, const elbo_update *u) {
    float *m = array[0];
    for (size_t i = 0; i < n; i++) {
        double gradient = (double)g[i] * u->gradient_scale + (double)u->weight_decay * w[i];
        if (u->momentum > 0) {
            gradient = u->first ? gradient : (double)u->momentum * m[i] + gradient;
            m[i] = (float)gradient;
        }
        w[i] = (float)(w[i] - u->lr * gradient);
    }
}

/* Kingma and Ba, "Adam", 2015; L2 decay is part of the gradient. */
static void adam(float *w, float *const *array, const float *g, size_t n, const elbo_update *u) {
    float *m = array[0], *v = array[1];
    for (size_t i = 0; i < n; i++) {
        double gradient = (double)g[i] * u->gradient_scale + (double)u->weight_decay * w[i];
        m[i] = (float)((double)u->beta1 * m[i] + (1 - (double)u->beta1) * gradient);
        v[i] = (float)((double)u->beta2 * v[i] + (1 - (double)u->beta2) * gradient * gradient);
        double denominator = sqrt(v[i]) / u->correction2 + u->eps;
        w[i] = (float)(w[i] - u->lr / u->correction1 * m[i] / denominator);
    }
}

/* Loshchilov and Hutter, "Decoupled weight decay regularization", 2019. */
static void adamw(float *w, float *const *array, const float *g, size_t n, const elbo_update *u) {
    elbo_update plain = *u;
    plain.weight_decay = 0;
    for (size_t i = 0; i < n; i++) w[i] = (float)(w[i] * (1 - (double)u->lr * u->weight_decay));
    adam(w, array, g, n, &plain);
}

static double sum_of_squares(const float *g, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)g[i] * g[i];
    return sum;
}

const elbo_update_kernels elbo_ref_update = {
    .name = "ref",
    .step =
        {
#define OPTIMIZER(name, NAME, ...) [ELBO_##NAME] = name,
#include "recipe/optimizers.def"
        },
    .sum_of_squares = sum_of_squares,
};
