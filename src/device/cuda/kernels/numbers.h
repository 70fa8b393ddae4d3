/* exp, log and their kin of single floats. Each step is written as the GPU and the CPU both do it, to the bit. */
#ifndef ELBO_CUDA_NUMBERS_H
#define ELBO_CUDA_NUMBERS_H

#include "device/cuda/kernels/kernel.h"

/* Within 2 ulp from -87 to 88: 2^n e^r with |r| <= ln2 / 2. Below it stays at exp(-87); above it is infinite, and NaN is
 * NaN, so that a diverged run is seen. */
DEVICE float exp_of(float x) {
    float held = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float shift = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
    float shifted = FMA(held, 1.44269504f, shift), n = shifted - shift;
    float r = FMA(n, 2.12194440e-4f, FMA(n, -0.693359375f, held)), p = 1.0f / 5040; // ln2 in two parts
    p = FMA(p, r, 1.0f / 720);
    p = FMA(p, r, 1.0f / 120);
    p = FMA(p, r, 1.0f / 24);
    p = FMA(p, r, 1.0f / 6);
    p = FMA(p, r, 0.5f);
    p = FMA(p, r, 1.0f);
    p = FMA(p, r, 1.0f);
    if (!(x <= 88.0f)) return x * INF;
    return BITS_FLOAT((int)((unsigned)FLOAT_BITS(p) + ((unsigned)FLOAT_BITS(shifted) << 23)));
}

/* log(1 + e) for 0 <= e <= 1: 2 atanh(s) with s = e / (2 + e) <= 1/3. */
DEVICE float log1p_unit(float e) {
    float s = e / (e + 2.0f), q = s * s, p = 2.0f / 15;
    p = FMA(p, q, 2.0f / 13);
    p = FMA(p, q, 2.0f / 11);
    p = FMA(p, q, 2.0f / 9);
    p = FMA(p, q, 2.0f / 7);
    p = FMA(p, q, 2.0f / 5);
    p = FMA(p, q, 2.0f / 3);
    p = FMA(p, q, 2.0f);
    return p * s;
}

/* log(x) for positive normal x. */
DEVICE float log_of(float x) {
    int bits = FLOAT_BITS(x);
    float m = BITS_FLOAT((bits & 0x007fffff) | 0x3f000000), e = (float)((bits >> 23) - 126);
    if (m < 0.70710678f) {
        m = m + m;
        e -= 1;
    }
    m -= 1;
    float q = m * m, p = 7.0376836292e-2f;
    p = FMA(p, m, -1.1514610310e-1f);
    p = FMA(p, m, 1.1676998740e-1f);
    p = FMA(p, m, -1.2420140846e-1f);
    p = FMA(p, m, 1.4249322787e-1f);
    p = FMA(p, m, -1.6668057665e-1f);
    p = FMA(p, m, 2.0000714765e-1f);
    p = FMA(p, m, -2.4999993993e-1f);
    p = FMA(p, m, 3.3333331174e-1f);
    float y = FMA(-0.5f, q, FMA(e, -2.12194440e-4f, p * m * q));
    return FMA(e, 0.693359375f, m + y);
}

DEVICE float magnitude(float x) { return BITS_FLOAT(FLOAT_BITS(x) & 0x7fffffff); }
DEVICE float with_sign_of(float x, float sign) {
    return BITS_FLOAT((FLOAT_BITS(x) & 0x7fffffff) | (FLOAT_BITS(sign) & (int)0x80000000));
}

/* Accurate near 0 too: an odd polynomial (Cephes, tanhf) below 0.625, from exp above. */
DEVICE float tanh_of(float x) {
    float a = magnitude(x), q = x * x;
    if (a < 0.625f) {
        float p = -5.70498872745e-3f;
        p = FMA(p, q, 2.06390887954e-2f);
        p = FMA(p, q, -5.37397155531e-2f);
        p = FMA(p, q, 1.33314422036e-1f);
        p = FMA(p, q, -3.33332819422e-1f);
        return FMA(p * q, x, x);
    }
    float e = exp_of(-2.0f * a);
    return with_sign_of((1.0f - e) / (1.0f + e), x);
}

/* 1 / (1 + exp(-x)) without overflow; *e gets exp(-|x|). */
DEVICE float sigmoid_of(float x, float *e) {
    *e = exp_of(-magnitude(x));
    float inverse = 1.0f / (1.0f + *e);
    return x >= 0.0f ? inverse : *e * inverse;
}

/* ---- activations: y of x, and the derivative as y tells it ---- */

DEVICE float activate(float x, int a, float slope) {
    float e;
    if (a == GPU_RELU) return x <= 0 ? 0 : x; // NaN stays: a diverged run must be seen
    if (a == GPU_LEAKY_RELU) return x > 0 ? x : x * slope;
    if (a == GPU_TANH) return tanh_of(x);
    if (a == GPU_SIGMOID) return sigmoid_of(x, &e);
    return x;
}

DEVICE float derivative(float y, int a, float slope) {
    if (a == GPU_RELU) return y > 0;
    if (a == GPU_LEAKY_RELU) return y > 0 ? 1 : slope;
    if (a == GPU_TANH) return FMA(-y, y, 1.0f);
    if (a == GPU_SIGMOID) return y * (1 - y);
    return 1;
}

#endif
