#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

/* y[i] = expression of x = x[i], for whole vectors and then for what is left. */
#define MAP(y, x, n, expression)                                                                                       \
    do {                                                                                                               \
        size_t i_ = 0;                                                                                                 \
        for (; i_ + WIDTH <= (n); i_ += WIDTH) {                                                                       \
            vec v = vload((x) + i_);                                                                                   \
            vstore((y) + i_, expression);                                                                              \
        }                                                                                                              \
        if (i_ < (n)) {                                                                                                \
            vec v = vload_part((x) + i_, (n)-i_);                                                                      \
            vstore_part((y) + i_, expression, (n)-i_);                                                                 \
        }                                                                                                              \
    } while (0)

/* NaN passes through each of them, so that a diverged run is seen. */
static inline vec relu(vec v) { return vselect(v <= 0.0f, vset(0), v); }
static inline vec leaky_relu(vec v, float slope) { return vselect(v > 0.0f, v, v * slope); }
static inline vec sigmoid(vec v) {
    vec e;
    return vsigmoid(v, &e);
}

static void activation_forward(float *y, const float *x, size_t n, elbo_activation a, float slope) {
    switch (a) {
    case ELBO_RELU: MAP(y, x, n, relu(v)); break;
    case ELBO_LEAKY_RELU: MAP(y, x, n, leaky_relu(v, slope)); break;
    case ELBO_TANH: MAP(y, x, n, vtanh(v)); break;
    case ELBO_SIGMOID: MAP(y, x, n, sigmoid(v)); break;
    case ELBO_ACTIVATIONS: break;
    }
}

/* dx[i] = expression of dy's d and y's v. */
#define MAP2(dx, dy, y, n, expression)                                                                                 \
    do {                                                                                                               \
        size_t i_ = 0;                                                                                                 \
        for (; i_ + WIDTH <= (n); i_ += WIDTH) {                                                                       \
            vec d = vload((dy) + i_), v = vload((y) + i_);                                                             \
            vstore((dx) + i_, expression);                                                                             \
        }                                                                                                              \
        if (i_ < (n)) {                                                                                                \
            vec d = vload_part((dy) + i_, (n)-i_), v = vload_part((y) + i_, (n)-i_);                                   \
            vstore_part((dx) + i_, expression, (n)-i_);                                                                \
        }                                                                                                              \
    } while (0)

static void activation_backward(float *dx, const float *dy, const float *y, size_t n, elbo_activation a, float slope) {
    switch (a) {
    case ELBO_RELU: MAP2(dx, dy, y, n, vselect(v > 0.0f, d, vset(0))); break;
    case ELBO_LEAKY_RELU: MAP2(dx, dy, y, n, vselect(v > 0.0f, d, d * slope)); break;
    case ELBO_TANH: MAP2(dx, dy, y, n, d * (1.0f - v * v)); break;
    case ELBO_SIGMOID: MAP2(dx, dy, y, n, d * (v * (1.0f - v))); break;
    case ELBO_ACTIVATIONS: break;
    }
}

/* x / 255 to the last bit, as those get who divide themselves, at the price of a product: the first one is exact. */
static void from_bytes(float *y, const uint8_t *x, size_t n, float low, float high) {
    float width = high - low;
    for (size_t i = 0; i < n; i++) y[i] = low + width * ((float)x[i] * 0x1.01p-8f + (float)x[i] * 0x1.010102p-24f);
}

static void multiply(float *y, const float *x, const float *mask, size_t n) { MAP2(y, mask, x, n, v * d); }

static void add(float *y, const float *x, size_t n) { MAP2(y, x, y, n, v + d); }

/* ---- layouts: squares of a register's channels and as many pixels are turned ---- */

static inline size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

static void to_blocked(float *blocked, const float *plain, int channels, size_t pixels) {
    for (int first = 0; first < channels; first += LANES, blocked += pixels * LANES)
        for (size_t p = 0; p < pixels; p += WIDTH) {
            size_t left = at_most(pixels - p, WIDTH);
            for (int part = 0; part < LANES; part += WIDTH) {
                vec tile[WIDTH];
                for (int i = 0; i < WIDTH; i++) {
                    int c = first + part + i;
                    const float *from = plain + (size_t)c * pixels + p;
                    tile[i] = c >= channels ? vset(0) : left == WIDTH ? vload(from) : vload_part(from, left);
                }
                transpose(tile);
                for (size_t k = 0; k < left; k++) vstore(blocked + (p + k) * LANES + part, tile[k]);
            }
        }
}

static void to_plain(float *plain, const float *blocked, int channels, size_t pixels) {
    for (int first = 0; first < channels; first += LANES, blocked += pixels * LANES)
        for (size_t p = 0; p < pixels; p += WIDTH) {
            size_t left = at_most(pixels - p, WIDTH);
            for (int part = 0; part < LANES && first + part < channels; part += WIDTH) {
                vec tile[WIDTH];
                for (size_t k = 0; k < WIDTH; k++)
                    tile[k] = k < left ? vload(blocked + (p + k) * LANES + part) : vset(0);
                transpose(tile);
                for (int i = 0; i < WIDTH && first + part + i < channels; i++) {
                    float *to = plain + (size_t)(first + part + i) * pixels + p;
                    if (left == WIDTH)
                        vstore(to, tile[i]);
                    else
                        vstore_part(to, tile[i], left);
                }
            }
        }
}

const elbo_pointwise_kernels ELBO_SIMD(pointwise) = {
    ELBO_ISA_NAME, activation_forward, activation_backward, from_bytes, multiply, add, to_blocked, to_plain};
