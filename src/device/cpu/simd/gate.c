#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

/* The normal distribution's function. What lies between it and 0 or 1 is half of erfc(|x| / sqrt(2)), by a formula whose
 * error is 1.2e-7 of it everywhere, in the tail, too (Press et al., "Numerical recipes", erfcc). */
static inline vec normal_below(vec x) {
    vec z = vmin(vabs(x) * 0.70710678f, vset(9.2f)), t = 1.0f / (1.0f + 0.5f * z); // beyond, exp stays as it is
    vec r = vset(0.17087277f);
    r = r * t + -0.82215223f;
    r = r * t + 1.48851587f;
    r = r * t + -1.13520398f;
    r = r * t + 0.27886807f;
    r = r * t + -0.18628806f;
    r = r * t + 0.09678418f;
    r = r * t + 0.37409196f;
    r = r * t + 1.00002368f;
    vec outside = 0.5f * t * vexp(r * t + -1.26551223f - z * z);
    return vselect(x > 0.0f, 1.0f - outside, vselect(x <= 0.0f, outside, x)); // NaN stays
}

#define ROOT_2_OVER_PI 0.79788456f
#define CUBE 0.044715f

static inline vec bell(vec x) { return 0.39894228f * vexp(vmax(x * x * -0.5f, vset(-87.0f))); }

static inline vec sigmoid(vec v) {
    vec e;
    return vsigmoid(v, &e);
}

/* Beyond 10 the gate is 0 or 1, and its slope 0: no cube of x runs over. */
static inline vec held(vec x) { return vmin(vmax(x, vset(-10.0f)), vset(10.0f)); }
static inline vec tanh_gate(vec x) {
    vec h = held(x);
    return vselect(x == x, sigmoid(2 * ROOT_2_OVER_PI * (h + CUBE * h * h * h)), x);
}

static inline __attribute__((always_inline)) vec gate(vec x, elbo_gate kind) {
    return kind == ELBO_SILU ? sigmoid(x) : kind == ELBO_GELU ? normal_below(x) : tanh_gate(x);
}

/* g(x) + x g'(x) */
static inline __attribute__((always_inline)) vec slope(vec x, elbo_gate kind) {
    vec g = gate(x, kind), h = held(x);
    if (kind == ELBO_SILU) return g + x * g * (1.0f - g);
    if (kind == ELBO_GELU) return g + vmin(vmax(x, vset(-1e4f)), vset(1e4f)) * bell(x);
    return g + h * g * (1.0f - g) * (2 * ROOT_2_OVER_PI) * (1.0f + 3 * CUBE * h * h);
}

static inline __attribute__((always_inline)) void forward_as(float *y, const float *x, size_t n, elbo_gate kind) {
    for (size_t i = 0; i < n; i += WIDTH) {
        vec v = vload_of(x, i, n);
        vstore_of(y, i, n, v * gate(v, kind));
    }
}

static void forward(float *y, const float *x, size_t n, elbo_gate kind) {
    switch (kind) {
    case ELBO_SILU: forward_as(y, x, n, ELBO_SILU); break;
    case ELBO_GELU: forward_as(y, x, n, ELBO_GELU); break;
    default: forward_as(y, x, n, ELBO_GELU_TANH); break;
    }
}

static inline __attribute__((always_inline)) void backward_as(float *dx, const float *dy, const float *x, size_t n,
                                                              elbo_gate kind, bool accumulate) {
    for (size_t i = 0; i < n; i += WIDTH) {
        vec d = vload_of(dy, i, n) * slope(vload_of(x, i, n), kind);
        vstore_of(dx, i, n, accumulate ? vload_of(dx, i, n) + d : d);
    }
}

static void backward(float *dx, const float *dy, const float *x, size_t n, elbo_gate kind, bool accumulate) {
    switch (kind) {
    case ELBO_SILU: backward_as(dx, dy, x, n, ELBO_SILU, accumulate); break;
    case ELBO_GELU: backward_as(dx, dy, x, n, ELBO_GELU, accumulate); break;
    default: backward_as(dx, dy, x, n, ELBO_GELU_TANH, accumulate); break;
    }
}

const elbo_gate_kernels ELBO_SIMD(gate) = {ELBO_ISA_NAME, forward, backward};
