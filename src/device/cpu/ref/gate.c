#include <math.h>

#include "device/cpu/ref/ref.h"

static const double ROOT_HALF = 0.70710678118654752440, ROOT_2_OVER_PI = 0.79788456080286535588, CUBE = 0.044715;

/* g(x) and x g'(x). */
static double gate(double x, elbo_gate kind, double *rest) {
    double s;
    switch (kind) {
    case ELBO_SILU:
        s = 1 / (1 + exp(-x));
        *rest = x * s * (1 - s);
        return s;
    case ELBO_GELU: *rest = x * exp(-x * x / 2) * ROOT_2_OVER_PI / 2; return 0.5 * erfc(-x * ROOT_HALF);
    default: // (1 + tanh(u)) / 2 is the sigmoid of 2 u
        s = 1 / (1 + exp(-2 * ROOT_2_OVER_PI * (x + CUBE * x * x * x)));
        *rest = x * s * (1 - s) * 2 * ROOT_2_OVER_PI * (1 + 3 * CUBE * x * x);
        return s;
    }
}

static void forward(float *y, const float *x, size_t n, elbo_gate kind) {
    double rest;
    for (size_t i = 0; i < n; i++) y[i] = (float)(x[i] * gate(x[i], kind, &rest));
}

static void backward(float *dx, const float *dy, const float *x, size_t n, elbo_gate kind, bool accumulate) {
    for (size_t i = 0; i < n; i++) {
        double rest, slope = gate(x[i], kind, &rest) + rest;
        dx[i] = (float)((accumulate ? dx[i] : 0) + dy[i] * slope);
    }
}

const elbo_gate_kernels elbo_ref_gate = {"ref", forward, backward};
