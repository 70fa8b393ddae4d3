#include <math.h>

#include "device/cpu/ref/ref.h"

static void activation_forward(float *y, const float *x, size_t n, elbo_activation a, float slope) {
    for (size_t i = 0; i < n; i++) {
        double v = x[i];
        switch (a) {
        case ELBO_RELU: v = v <= 0 ? 0 : v; break; // NaN stays: a diverged run must be seen
        case ELBO_LEAKY_RELU: v = v > 0 ? v : v * (double)slope; break;
        case ELBO_TANH: v = tanh(v); break;
        case ELBO_SIGMOID: v = 1 / (1 + exp(-v)); break;
        case ELBO_ACTIVATIONS: break;
        }
        y[i] = (float)v;
    }
}

static void activation_backward(float *dx, const float *dy, const float *y, size_t n, elbo_activation a, float slope) {
    for (size_t i = 0; i < n; i++) {
        double v = y[i], derivative = 0;
        switch (a) {
        case ELBO_RELU: derivative = v > 0; break;
        case ELBO_LEAKY_RELU: derivative = v > 0 ? 1 : (double)slope; break;
        case ELBO_TANH: derivative = 1 - v * v; break;
        case ELBO_SIGMOID: derivative = v * (1 - v); break;
        case ELBO_ACTIVATIONS: break;
        }
        dx[i] = (float)(dy[i] * derivative);
    }
}

/* x / 255 to the last bit, as those get who divide themselves, at the price of a product: the first one is exact. */
static void from_bytes(float *y, const uint8_t *x, size_t n, float low, float high) {
    float width = high - low;
    for (size_t i = 0; i < n; i++) y[i] = low + width * ((float)x[i] * 0x1.01p-8f + (float)x[i] * 0x1.010102p-24f);
}

static void multiply(float *y, const float *x, const float *mask, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * mask[i];
}

static void add(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void to_blocked(float *blocked, const float *plain, int channels, size_t pixels) {
    for (int block = 0; block < channels; block += ELBO_BLOCK, blocked += pixels * ELBO_BLOCK) {
        int here = channels - block < ELBO_BLOCK ? channels - block : ELBO_BLOCK;
        const float *from = plain + (size_t)block * pixels;
        for (size_t p = 0; p < pixels; p++) {
            for (int c = 0; c < here; c++) blocked[p * ELBO_BLOCK + (size_t)c] = from[(size_t)c * pixels + p];
            for (int c = here; c < ELBO_BLOCK; c++) blocked[p * ELBO_BLOCK + (size_t)c] = 0;
        }
    }
}

static void to_plain(float *plain, const float *blocked, int channels, size_t pixels) {
    for (int block = 0; block < channels; block += ELBO_BLOCK, blocked += pixels * ELBO_BLOCK) {
        int here = channels - block < ELBO_BLOCK ? channels - block : ELBO_BLOCK;
        float *to = plain + (size_t)block * pixels;
        for (int c = 0; c < here; c++)
            for (size_t p = 0; p < pixels; p++) to[(size_t)c * pixels + p] = blocked[p * ELBO_BLOCK + (size_t)c];
    }
}

const elbo_pointwise_kernels elbo_ref_pointwise = {
    "ref", activation_forward, activation_backward, from_bytes, multiply, add, to_blocked, to_plain};
