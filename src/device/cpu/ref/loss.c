#include <math.h>

#include "device/cpu/ref/ref.h"

static float bce(float *dl, float *squared, const float *l, const float *x, size_t n, float scale) {
    double loss = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double v = l[i], sigmoid = 1 / (1 + exp(-v)), error = sigmoid - x[i];
        loss += (v > 0 ? v : 0) - v * x[i] + log1p(exp(-fabs(v)));
        squares += error * error;
        if (dl) dl[i] = (float)(scale * error);
    }
    *squared = (float)squares;
    return (float)loss;
}

static float mse(float *dy, float *squared, const float *y, const float *x, size_t n, float scale) {
    double loss = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i];
        loss += error * error;
        if (dy) dy[i] = (float)(scale * 2 * error);
    }
    *squared = (float)loss;
    return (float)loss;
}

static float l1(float *dy, float *squared, const float *y, const float *x, size_t n, float scale) {
    double loss = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i];
        loss += fabs(error);
        squares += error * error;
        if (dy) dy[i] = (float)(scale * ((error > 0) - (error < 0)));
    }
    *squared = (float)squares;
    return (float)loss;
}

static float mse_l1(float *dy, float *squared, const float *y, const float *x, size_t n, float mse_weight,
                    float l1_weight, float scale) {
    double absolute = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i];
        absolute += fabs(error);
        squares += error * error;
        if (dy) dy[i] = (float)(scale * (mse_weight * 2 * error + l1_weight * ((error > 0) - (error < 0))));
    }
    *squared = (float)squares;
    return (float)absolute;
}

static float reparameterize(float *z, const float *mu, const float *logvar, const float *eps, size_t n) {
    double kl = 0;
    for (size_t i = 0; i < n; i++) {
        double m = mu[i], v = logvar[i];
        z[i] = (float)(m + (eps ? eps[i] * exp(v / 2) : 0));
        kl += 0.5 * (m * m + exp(v) - 1 - v);
    }
    return (float)kl;
}

static void reparameterize_backward(float *dmu, float *dlogvar, const float *dz, const float *mu, const float *logvar,
                                    const float *eps, size_t n, float weight) {
    for (size_t i = 0; i < n; i++) {
        double v = logvar[i], noise = eps ? eps[i] * exp(v / 2) : 0;
        dmu[i] = (float)(dz[i] + (double)weight * mu[i]);
        dlogvar[i] = (float)(0.5 * dz[i] * noise + weight * 0.5 * (exp(v) - 1));
    }
}

static void uniform(float *out, size_t n, elbo_stream s) { elbo_random_uniform(s, out, n); }
static void normal(float *out, size_t n, elbo_stream s) { elbo_random_normal(s, out, n); }

const elbo_loss_kernels elbo_ref_loss = {
    .name = "ref",
    .normal = normal,
    .uniform = uniform,
    .pixel =
        {
#define PIXEL_LOSS(name, NAME) [ELBO_##NAME] = name,
#define OTHER_LOSS(name, NAME)
#include "recipe/losses.def"
        },
    .mse_l1 = mse_l1,
    .reparameterize = reparameterize,
    .reparameterize_backward = reparameterize_backward,
};
