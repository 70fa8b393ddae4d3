/* Rows of numbers for the kernels that work value by value, and what they are compared with. */
#ifndef ELBO_TESTS_KERNEL_ROWS_H
#define ELBO_TESTS_KERNEL_ROWS_H

#include "kernel_sets.h"

#define ONCE (2 * EPS)   // computed in double, rounded once
#define VALUE (16 * EPS) // a function of one value in floats
#define TINY 1e-37       // about the smallest normal float: exp is held there

static const size_t sizes[] = {1, 3, 15, 16, 17, 31, 32, 33, 48, 784 + 5};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 784 + 5 };
#define FOR_EACH_SIZE(n) for (size_t at_ = 0, n = sizes[0]; at_ < SIZES; n = sizes[++at_ < SIZES ? at_ : 0])

static inline double allowed(const kernel_set *s, double fast) { return s == sets ? ONCE : fast; }

/* ---- inputs ---- */

/* Normal numbers times `scale`, the first few replaced by what functions find hard. */
static inline void fill(float *v, size_t n, uint32_t stream, float scale, const float *special, size_t specials) {
    elbo_random_normal((elbo_stream){.seed = 7, .purpose = ELBO_FOR_PICKING, .sample = stream}, v, n);
    for (size_t i = 0; i < n; i++) v[i] *= scale;
    for (size_t i = 0; i < specials && i < n; i++) v[n - 1 - i] = special[i]; // at the end, where vectors are cut short
}

static const float hard[] = {0,     -0.0f, 100,  -100,  0.625f, -0.625f, 0.62f, 1e-6f, -1e-6f, 1e-30f, 87,  -87,
                             88.5f, -88.5, 1000, -1000, 9,      -9,      0.3f,  16.6f, -16.6f, 1e-40f, 5e4f};
#define FILL_HARD(v, n, stream, scale) fill(v, n, stream, scale, hard, sizeof hard / sizeof *hard)

/* An output with a guard behind it: a kernel that writes past the end of a row is found. */
typedef float row[MOST + GUARD];
static inline void clear(float *v) {
    for (size_t i = 0; i < MOST + GUARD; i++) v[i] = -77;
}
static inline void assert_guard(const char *what, const float *v, size_t n) {
    for (size_t i = n; i < MOST + GUARD; i++)
        if (v[i] != -77) fail_msg("%s: of %zu values, value %zu was written", what, n, i);
}

static const char *const activation_names[] = {"relu", "leaky_relu", "tanh", "sigmoid"};

static inline double activation(elbo_activation a, double x, double slope) {
    switch (a) {
    case ELBO_RELU: return x < 0 ? 0 : x;
    case ELBO_LEAKY_RELU: return x < 0 ? slope * x : x;
    case ELBO_TANH: return tanh(x);
    case ELBO_SIGMOID: return x < 0 ? exp(x) / (exp(x) + 1) : 1 / (1 + exp(-x));
    default: fail_msg("activation %d has no formula here", (int)a);
    }
    return NAN;
}

#endif
