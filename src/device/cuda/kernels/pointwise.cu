/* Value by value. A block for GPU_THREADS values of all rows. */
#include "device/cuda/kernels/random.h"

/* Values of all rows; n[0]: of one. */
DEVICE int is_value(const elbo_gpu_item *a, const elbo_gpu_launch *l, int block, long long *at) {
    *at = (long long)block * GPU_THREADS + THREAD;
    return *at < (long long)l->step->rows * a->n[0];
}

/* t: y, x.  n: values, activation. */
KERNEL(activation) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (is_value(a, &launch, block, &i)) a->t[0][i] = activate(a->t[1][i], a->n[1], a->f[0]);
}

/* t: dx, dy, y.  n: values, activation. */
KERNEL(activation_back) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!is_value(a, &launch, block, &i)) return;
    float d = a->t[1][i] * derivative(a->t[2][i], a->n[1], a->f[0]);
    a->t[0][i] = a->accumulate ? a->t[0][i] + d : d;
}

/* t: to, from, NULL or what is added to that.  n: values of a row; floats from one row of `to` to the next, and from its
 * start to the first value; the same of `from`; how many values have one of `from` (a label's plane). */
KERNEL(copy) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!is_value(a, &launch, block, &i)) return;
    long long row = i / a->n[0], at = i % a->n[0], to = row * a->n[1] + a->n[2] + at,
              from = row * a->n[3] + a->n[4] + at / a->n[5];
    float v = a->t[1][from];
    if (a->t[2]) v += a->t[2][from];
    a->t[0][to] = a->accumulate ? a->t[0][to] + v : v;
}

/* ---- x g(x) ---- */

/* The normal distribution's function. Half of erfc(|x| / sqrt(2)), by a formula whose error is 1.2e-7 of it everywhere
 * (Press et al., "Numerical recipes", erfcc), lies between it and 0 or 1. */
DEVICE float normal_below(float x) {
    float z = magnitude(x) * 0.70710678f;
    if (z > 9.2f) z = 9.2f; // beyond, exp stays as it is
    float t = 1.0f / FMA(0.5f, z, 1.0f), r = 0.17087277f;
    r = FMA(r, t, -0.82215223f);
    r = FMA(r, t, 1.48851587f);
    r = FMA(r, t, -1.13520398f);
    r = FMA(r, t, 0.27886807f);
    r = FMA(r, t, -0.18628806f);
    r = FMA(r, t, 0.09678418f);
    r = FMA(r, t, 0.37409196f);
    r = FMA(r, t, 1.00002368f);
    float outside = 0.5f * t * exp_of(FMA(-z, z, FMA(r, t, -1.26551223f)));
    return x > 0.0f ? 1.0f - outside : x <= 0.0f ? outside : x; // NaN stays
}

/* g(x); *rest: x g'(x). */
DEVICE float gate_of(float x, int kind, float *rest) {
    const float root = 0.79788456f, cube = 0.044715f;
    float e, g;
    if (kind == GPU_SILU) {
        g = sigmoid_of(x, &e);
        *rest = x * g * (1 - g);
        return g;
    }
    if (kind == GPU_GELU) {
        *rest = x * 0.39894228f * exp_of(x * x * -0.5f);
        return normal_below(x);
    }
    float h = x > 10.0f ? 10.0f : x < -10.0f ? -10.0f : x; // beyond, the gate is 0 or 1: no cube runs over
    g = sigmoid_of(2 * root * FMA(cube * h * h, h, h), &e);
    *rest = x * g * (1 - g) * 2 * root * FMA(3 * cube * h, h, 1.0f);
    return g;
}

/* t: y, x.  n: values, which. */
KERNEL(gate) {
    int block;
    long long i;
    float rest;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (is_value(a, &launch, block, &i)) a->t[0][i] = a->t[1][i] * gate_of(a->t[1][i], a->n[1], &rest);
}

/* t: dx, dy, x.  n: values, which. */
KERNEL(gate_back) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!is_value(a, &launch, block, &i)) return;
    float rest, g = gate_of(a->t[2][i], a->n[1], &rest), d = a->t[1][i] * (g + rest);
    a->t[0][i] = a->accumulate ? a->t[0][i] + d : d;
}

/* Forward and back: y = x mask. A mask is 0 or 1 / (1 - p), drawn anew each time, so that none is kept.  t: y, x.
 * n: values, offset of the images' numbers behind the step, purpose.  f: p. */
KERNEL(dropout) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    const elbo_gpu_step *s = launch.step;
    if (!is_value(a, &launch, block, &i)) return;
    int row = (int)(i / a->n[0]), at = (int)(i % a->n[0]);
    unsigned image = ((const unsigned *)(const void *)((const char *)s + a->n[1]))[row / s->samples];
    float u = random_uniform(s, (unsigned)a->n[2], image, at);
    float v = a->t[1][i] * (u < a->f[0] ? 0.0f : 1.0f / (1.0f - a->f[0]));
    a->t[0][i] = a->accumulate ? a->t[0][i] + v : v;
}
