/* The kernels that work on images: convolutions, pooling and upsampling, normalisation, and the layouts. Each against
 * plain loops in double written here, `ref` and the fast ones alike, in both layouts (conv.h), on arrays that held NaN
 * before and have a guard behind them.
 *
 * Tolerances as in test_kernels.c: a sum in floats is off by at most 32 EPS = 2e-6 of the sum of its terms' sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/tree.h"
#include "base/memory.h"
#include "base/random.h"
#include "close.h"
#include "device/cpu/ref/ref.h"
#include "device/cpu/simd/simd.h"

static const double SUM = 32 * 0x1p-24;
enum { GUARD = 16 };

typedef struct kernel_set {
    const char *name;
    const elbo_pointwise_kernels *pointwise;
    const elbo_norm_kernels *norm;
    const elbo_resample_kernels *resample;
    const elbo_conv_kernels *conv;
} kernel_set;

static kernel_set sets[4];
static int set_count;
#define FOR_EACH_SET(s) for (const kernel_set *s = sets; s < sets + set_count; s++)

static int find_sets(void **state) {
    (void)state;
    omp_set_num_threads(1);
#define SET(isa)                                                                                                       \
    sets[set_count++] = (kernel_set){#isa, &elbo_simd_pointwise_##isa, &elbo_simd_norm_##isa,                          \
                                     &elbo_simd_resample_##isa, &elbo_simd_conv_##isa}
    sets[set_count++] = (kernel_set){"ref", &elbo_ref_pointwise, &elbo_ref_norm, &elbo_ref_resample, &elbo_ref_conv};
    SET(baseline);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) SET(avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        SET(avx512);
#endif
    const elbo_kernels *cpu = elbo_kernels_here(), *ref = &elbo_kernels_ref;
    const kernel_set *widest = &sets[set_count - 1];
    bool known = cpu->norm == widest->norm && cpu->resample == widest->resample && cpu->conv == widest->conv &&
                 ref->norm == &elbo_ref_norm && ref->resample == &elbo_ref_resample && ref->conv == &elbo_ref_conv;
    return known ? 0 : -1;
}

/* ---- arrays ---- */

static float *empty(size_t n) { // NaN: whatever is read before it is written shows
    float *v = elbo_alloc(n + GUARD, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) v[i] = NAN;
    for (size_t i = n; i < n + GUARD; i++) v[i] = -77;
    return v;
}

static float *normal(size_t n, uint32_t stream) {
    float *v = empty(n);
    elbo_random_normal((elbo_stream){.seed = 3, .purpose = ELBO_FOR_PICKING, .sample = stream}, v, n);
    return v;
}

static void check_guard(const char *what, const float *v, size_t n) {
    for (size_t i = n; i < n + GUARD; i++)
        if (v[i] != -77) fail_msg("%s: written past its end", what);
}

/* A result in doubles, and the sum of the sizes of what was added up for it. */
typedef struct sums {
    double *sum, *size;
} sums;

static sums new_sums(size_t n) {
    sums s = {calloc(n, sizeof(double)), calloc(n, sizeof(double))};
    assert_non_null(s.sum);
    assert_non_null(s.size);
    return s;
}

static void add_term(sums *s, size_t i, double term) {
    s->sum[i] += term;
    s->size[i] += fabs(term);
}

/* Checks `got`, and frees both. */
static void compare(const char *what, float *got, sums want, size_t n) {
    for (size_t i = 0; i < n; i++) assert_near(what, i, got[i], want.sum[i], SUM * want.size[i]);
    check_guard(what, got, n);
    free(got), free(want.sum), free(want.size);
}

/* ---- layouts ---- */

static void layouts(void **state) {
    (void)state;
    static const int channels[] = {1, 3, 8, 15, 16, 17, 33, 48};
    static const size_t pixels[] = {1, 2, 15, 16, 17, 35};
    FOR_EACH_SET(s) for (size_t c = 0; c < 8; c++) for (size_t k = 0; k < 6; k++) {
        size_t C = (size_t)channels[c], P = pixels[k], padded = (size_t)elbo_padded_channels(channels[c]) * P;
        float *x = normal(C * P, 1), *blocked = empty(padded), *back = empty(C * P);
        s->pointwise->to_blocked(blocked, x, channels[c], P);
        check_guard("blocked", blocked, padded);
        for (size_t i = 0; i < padded; i++) {
            size_t channel = i / (16 * P) * 16 + i % 16, pixel = i / 16 % P;
            float want = channel < C ? x[channel * P + pixel] : 0;
            if (blocked[i] != want)
                fail_msg("%s: %zu x %zu, value %zu: %g, not %g", s->name, C, P, i, blocked[i], want);
            if (channel >= C) blocked[i] = NAN; // not read on the way back
        }
        s->pointwise->to_plain(back, blocked, channels[c], P);
        assert_memory_equal(back, x, (C * P + GUARD) * sizeof *x);
        free(x), free(blocked), free(back);
    }
}

/* ---- pooling and upsampling ---- */

static const elbo_resample pools[] = {
    {.planes = 3, .height = 4, .width = 6, .kernel = 2, .stride = 2},
    {.planes = 2, .height = 5, .width = 7, .kernel = 3, .stride = 2, .padding = 1},
    {.planes = 1, .height = 7, .width = 3, .kernel = 3, .stride = 1, .padding = 1},
    {.planes = 5, .height = 1, .width = 1, .kernel = 1, .stride = 1},
    {.planes = 2, .height = 9, .width = 8, .kernel = 4, .stride = 3, .padding = 2},
    {.planes = 2, .height = 5, .width = 6, .kernel = 2, .stride = 3},
    {.planes = 1, .height = 2, .width = 2, .kernel = 5, .stride = 1, .padding = 2},
};
static const elbo_resample upsamplings[] = {
    {.planes = 3, .height = 4, .width = 6, .scale = 2}, {.planes = 2, .height = 1, .width = 3, .scale = 3},
    {.planes = 1, .height = 5, .width = 2, .scale = 1}, {.planes = 2, .height = 3, .width = 1, .scale = 5},
    {.planes = 2, .height = 3, .width = 4, .scale = 8},
};

static size_t x_size(const elbo_resample *r) { return r->planes * r->lanes * (size_t)(r->height * r->width); }
static size_t y_size(const elbo_resample *r) { return r->planes * r->lanes * (size_t)(r->out_height * r->out_width); }

/* Where value (row, column) of a plane's lane lies. */
static size_t place(size_t plane, size_t lane, int row, int column, int height, int width, size_t lanes) {
    return ((plane * (size_t)height + (size_t)row) * (size_t)width + (size_t)column) * lanes + lane;
}

#define X(row, column) place(plane, lane, row, column, r.height, r.width, r.lanes)
#define EACH_OUTPUT                                                                                                    \
    for (size_t plane = 0; plane < r.planes; plane++)                                                                  \
        for (size_t lane = 0; lane < r.lanes; lane++)                                                                  \
            for (int oy = 0; oy < r.out_height; oy++)                                                                  \
                for (int ox = 0; ox < r.out_width; ox++)
#define Y place(plane, lane, oy, ox, r.out_height, r.out_width, r.lanes)

static elbo_resample pool_of(size_t i, size_t lanes) {
    elbo_resample r = pools[i];
    r.lanes = lanes;
    r.out_height = (r.height + 2 * r.padding - r.kernel) / r.stride + 1;
    r.out_width = (r.width + 2 * r.padding - r.kernel) / r.stride + 1;
    return r;
}

/* Few different values, so that most windows have several largest; `what` 1: some NaN, 2: all -inf. */
static float *values_with_ties(size_t n, int what) {
    float *x = normal(n, 2);
    for (size_t i = 0; i < n; i++) x[i] = what == 2 ? -INFINITY : what == 1 && x[i] > 0.9f ? NAN : floorf(2 * x[i]) / 2;
    return x;
}

static void max_pooling(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) for (int k = 0; k < 6; k++) {
        elbo_resample r = pool_of(i, k % 2 ? 16 : 1);
        float *x = values_with_ties(x_size(&r), k / 2), *y = empty(y_size(&r)), *dy = normal(y_size(&r), 3);
        float *dx = normal(x_size(&r), 4); // it is added to
        sums want = new_sums(x_size(&r));
        for (size_t j = 0; j < x_size(&r); j++) add_term(&want, j, dx[j]);
        s->resample->max_pool(y, x, &r);
        check_guard("max_pool", y, y_size(&r));
        s->resample->max_pool_backward(dx, dy, x, &r);
        EACH_OUTPUT {
            size_t first = (size_t)-1, last_nan = (size_t)-1; // PyTorch: the first of the largest, the last NaN
            for (int iy = oy * r.stride - r.padding; iy < oy * r.stride - r.padding + r.kernel; iy++)
                for (int ix = ox * r.stride - r.padding; ix < ox * r.stride - r.padding + r.kernel; ix++) {
                    if (iy < 0 || ix < 0 || iy >= r.height || ix >= r.width) continue;
                    if (isnan(x[X(iy, ix)])) last_nan = X(iy, ix);
                    if (first == (size_t)-1 || x[X(iy, ix)] > x[first]) first = X(iy, ix);
                }
            size_t chosen = last_nan != (size_t)-1 ? last_nan : first;
            if (!(y[Y] == x[chosen] || (isnan(y[Y]) && isnan(x[chosen]))))
                fail_msg("%s: max_pool %zu: %g, should be %g", s->name, i, y[Y], x[chosen]);
            add_term(&want, chosen, dy[Y]);
        }
        compare("max_pool_backward", dx, want, x_size(&r));
        free(x), free(y), free(dy);
    }
}

static void average_pooling(void **state) {
    (void)state;
    FOR_EACH_SET(s)
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        for (size_t lanes = 1; lanes <= 16; lanes += 15) {
            elbo_resample r = pool_of(i, lanes);
            float *x = normal(x_size(&r), 5), *y = empty(y_size(&r)), *dy = normal(y_size(&r), 6),
                  *dx = normal(x_size(&r), 7);
            sums forward = new_sums(y_size(&r)), backward = new_sums(x_size(&r));
            for (size_t j = 0; j < x_size(&r); j++) add_term(&backward, j, dx[j]);
            EACH_OUTPUT for (int k = 0; k < r.kernel * r.kernel; k++) {
                int iy = oy * r.stride - r.padding + k / r.kernel, ix = ox * r.stride - r.padding + k % r.kernel;
                if (iy < 0 || ix < 0 || iy >= r.height || ix >= r.width) continue;
                add_term(&forward, Y, (double)x[X(iy, ix)] / (r.kernel * r.kernel));
                add_term(&backward, X(iy, ix), (double)dy[Y] / (r.kernel * r.kernel));
            }
            s->resample->average_pool(y, x, &r);
            s->resample->average_pool_backward(dx, dy, &r);
            compare("average_pool", y, forward, y_size(&r));
            compare("average_pool_backward", dx, backward, x_size(&r));
            free(x), free(dy);
        }
}

/* How much pixel `in` counts for output `out`: nearest, the one it lies in; bilinear, a tent, held at the edge. */
static double weight_of(bool bilinear, int out, int in, int scale, int size) {
    if (!bilinear) return out / scale == in;
    double at = (out + 0.5) / scale - 0.5;
    at = fmin(fmax(at, 0), size - 1);
    return fmax(0, 1 - fabs(at - in));
}

static void upsampling(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (size_t i = 0; i < sizeof upsamplings / sizeof *upsamplings; i++) for (int k = 0; k < 4; k++) {
        bool bilinear = k / 2;
        elbo_resample r = upsamplings[i];
        r.lanes = k % 2 ? 16 : 1;
        r.out_height = r.scale * r.height;
        r.out_width = r.scale * r.width;
        float *x = normal(x_size(&r), 8), *y = empty(y_size(&r)), *dy = normal(y_size(&r), 9),
              *dx = normal(x_size(&r), 10);
        sums forward = new_sums(y_size(&r)), backward = new_sums(x_size(&r));
        for (size_t j = 0; j < x_size(&r); j++) add_term(&backward, j, dx[j]);
        EACH_OUTPUT for (int iy = 0; iy < r.height; iy++) for (int ix = 0; ix < r.width; ix++) {
            double w = weight_of(bilinear, oy, iy, r.scale, r.height) * weight_of(bilinear, ox, ix, r.scale, r.width);
            add_term(&forward, Y, w * x[X(iy, ix)]);
            add_term(&backward, X(iy, ix), w * dy[Y]);
        }
        (bilinear ? s->resample->bilinear : s->resample->nearest)(y, x, &r);
        (bilinear ? s->resample->bilinear_backward : s->resample->nearest_backward)(dx, dy, &r);
        compare(bilinear ? "bilinear" : "nearest", y, forward, y_size(&r));
        compare(bilinear ? "bilinear_backward" : "nearest_backward", dx, backward, x_size(&r));
        free(x), free(dy);
    }
}

/* A diverged run must be seen: a NaN reaches every output that it is part of, and no other. */
static void nan_passes(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (size_t lanes = 1; lanes <= 16; lanes += 15) for (int at = 0; at < 24; at++) {
        elbo_resample r = {.planes = 1,
                           .lanes = lanes,
                           .height = 4,
                           .width = 6,
                           .out_height = 2,
                           .out_width = 3,
                           .kernel = 2,
                           .stride = 2,
                           .scale = 2};
        size_t plane = 0, lane = lanes / 2;
        float *x = normal(24 * lanes, 11), *y = empty(96 * lanes);
        x[X(at / 6, at % 6)] = NAN;
        for (int average = 0; average < 2; average++) {
            (average ? s->resample->average_pool : s->resample->max_pool)(y, x, &r);
            for (int oy = 0; oy < 2; oy++)
                for (int ox = 0; ox < 3; ox++) assert_true(isnan(y[Y]) == (oy == at / 12 && ox == at % 6 / 2));
        }
        r.out_height = 8, r.out_width = 12;
        s->resample->nearest(y, x, &r);
        size_t seen = 0;
        for (size_t i = 0; i < 96 * lanes; i++) seen += isnan(y[i]);
        assert_int_equal(seen, 4);
        s->resample->bilinear(y, x, &r);
        int oy = 2 * (at / 6), ox = 2 * (at % 6);
        assert_true(isnan(y[Y]));
        free(x), free(y);
    }
}

/* ---- normalisation ---- */

static const elbo_planes planes[] = {
    {3, 2, 6, 16},  {5, 3, 7, 1},  {1, 1, 1, 1},       {33, 1, 1, 19},
    {2, 1, 35, 16}, {4, 2, 1, 16}, {1, 1, 1 << 17, 16}}; // a large picture, over which floats lose count

#define EACH_VALUE                                                                                                     \
    for (size_t i = 0; i < n; i++)                                                                                     \
        for (size_t c = i / (p->pixels * p->lanes) % p->groups * p->lanes + i % p->lanes, once = 1; once; once = 0)

static void batch_normalisation(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (const elbo_planes *p = planes; p < planes + sizeof planes / sizeof *planes; p++) {
        size_t n = p->rows * p->groups * p->pixels * p->lanes, channels = p->groups * p->lanes;
        double count = (double)(p->rows * p->pixels);
        float *x = normal(n, 20), *dy = normal(n, 21), *scale = normal(channels, 22), *shift = normal(channels, 23);
        float *b = normal(channels, 24), *mean = empty(channels), *squares = empty(channels);
        EACH_VALUE x[i] += 3 * b[c]; // channels are not centred
        sums means = new_sums(channels), deviations = new_sums(channels), sum = new_sums(channels),
             product = new_sums(channels);
        EACH_VALUE add_term(&means, c, x[i] / count);
        EACH_VALUE add_term(&deviations, c, (x[i] - means.sum[c]) * (x[i] - means.sum[c]));
        s->norm->moments(mean, squares, x, p);
        float *used = normal(channels, 20); // a mean that is a float, for what follows
        memcpy(used, mean, channels * sizeof *used);
        // A value is off by EPS of itself, and so is its distance from the mean.
        EACH_VALUE deviations.size[c] += fabs((double)x[i]) * fabs(x[i] - means.sum[c]);
        compare("mean", mean, means, channels);
        compare("squares", squares, deviations, channels);

        float *y = empty(n);
        sums want = new_sums(n);
        EACH_VALUE {
            add_term(&want, i, (double)x[i] * scale[c]);
            add_term(&want, i, -(double)used[c] * scale[c]);
            add_term(&want, i, shift[c]);
        }
        s->norm->normalise(y, x, used, scale, shift, p);
        compare("normalise", y, want, n);

        float *got_sum = empty(channels), *got_product = empty(channels);
        EACH_VALUE add_term(&sum, c, dy[i]);
        EACH_VALUE {
            add_term(&product, c, dy[i] * ((double)x[i] - used[c]));
            product.size[c] += fabs(dy[i] * (double)used[c]);
        }
        s->norm->gradient_sums(got_sum, got_product, dy, x, used, p);
        compare("sum", got_sum, sum, channels);
        compare("product", got_product, product, channels);
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            float *dx = accumulate ? normal(n, 25) : empty(n);
            want = new_sums(n);
            EACH_VALUE {
                if (accumulate) add_term(&want, i, dx[i]);
                add_term(&want, i, (double)scale[c] * dy[i]);
                add_term(&want, i, (double)b[c] * x[i]);
                add_term(&want, i, -(double)b[c] * used[c]);
                add_term(&want, i, shift[c]);
            }
            const elbo_norm_gradient of = {.mean = used, .a = scale, .b = b, .c0 = shift};
            s->norm->backward(dx, dy, x, &of, p, accumulate);
            compare("backward", dx, want, n);
        }
        free(x), free(dy), free(scale), free(shift), free(b), free(used);
    }
}

/* Plateaus of a bright channel that varies little: equal terms are rounded the same way every time, and what is wrong
 * with the mean is much of the distances from it. Held to the mean of doubles as a float, and squares to 2e-6. */
static void moments_of_bright_channels(void **state) {
    (void)state;
    static const elbo_planes shapes[] = {{3, 2, 64 * 64, 16}, {1, 1, 256 * 256 + 1, 16}, {3, 2, 64 * 64, 1}};
    FOR_EACH_SET(s)
    for (size_t at = 0; at < sizeof shapes / sizeof *shapes; at++)
        for (double contrast = 0.1; contrast > 5e-4; contrast /= 10) {
            const elbo_planes *p = &shapes[at];
            size_t n = p->rows * p->groups * p->pixels * p->lanes, channels = p->groups * p->lanes;
            float *x = normal(n, 20), *mean = empty(channels), *squares = empty(channels);
            sums means = new_sums(channels), deviations = new_sums(channels);
            EACH_VALUE {
                size_t pixel = i / p->lanes % p->pixels;
                x[i] = (float)(0.9 + contrast * ((pixel / 32 + c) % 2 ? 0.7 : -0.5) + 0.01 * contrast * x[i]);
                means.sum[c] += x[i] / (double)(p->rows * p->pixels);
            }
            EACH_VALUE deviations.sum[c] += pow(x[i] - means.sum[c], 2);
            s->norm->moments(mean, squares, x, p);
            for (size_t c = 0; c < channels; c++) {
                assert_near("mean", c, mean[c], means.sum[c], 0x1p-24 * means.sum[c] + 1e-12);
                assert_near("squares", c, squares[c], deviations.sum[c], SUM * deviations.sum[c]);
            }
            free(x), free(mean), free(squares);
            free(means.sum), free(means.size), free(deviations.sum), free(deviations.size);
        }
}

static void layer_normalisation(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 15, 16, 17, 48, 1023, 1024, 1025, 3001};
    const double eps = (double)1e-3f;
    FOR_EACH_SET(s) for (size_t at = 0; at < sizeof sizes / sizeof *sizes; at++) for (int k = 0; k < 3; k++) {
        bool accumulate = k == 1, asked = k < 2;
        size_t n = sizes[at];
        float *x = normal(n, 30), *w = normal(n, 31), *b = normal(n, 32), *dy = normal(n, 33), *y = empty(n),
              moments[2];
        float *dx = accumulate ? normal(n, 34) : empty(n), *dw = normal(n, 35), *db = normal(n, 36);
        double mean = 0, variance = 0, sum = 0, product = 0, sum_size = 0;
        for (size_t i = 0; i < n; i++) x[i] += 0.7f, mean += x[i] / (double)n;
        for (size_t i = 0; i < n; i++) variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        double inverse = 1 / sqrt(variance + eps);
        sums forward = new_sums(n), gradient = new_sums(n), of_w = new_sums(n), of_b = new_sums(n);
        for (size_t i = 0; i < n; i++) {
            double xhat = (x[i] - mean) * inverse, g = (double)dy[i] * w[i];
            add_term(&forward, i, xhat * w[i]);
            add_term(&forward, i, b[i]);
            forward.size[i] += fabs(inverse * w[i]) * (fabs(mean) + fabs((double)x[i]));
            add_term(&of_w, i, dw[i]);
            add_term(&of_w, i, dy[i] * xhat);
            of_w.size[i] += fabs(inverse * dy[i]) * (fabs(mean) + fabs((double)x[i]));
            add_term(&of_b, i, db[i]);
            add_term(&of_b, i, dy[i]);
            sum += g / (double)n, product += g * xhat / (double)n, sum_size += fabs(g) / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            double xhat = (x[i] - mean) * inverse;
            if (accumulate) add_term(&gradient, i, dx[i]);
            add_term(&gradient, i, inverse * dy[i] * w[i]);
            add_term(&gradient, i, -inverse * sum);
            add_term(&gradient, i, -inverse * xhat * product);
            gradient.size[i] += inverse * sum_size * (1 + fabs(xhat) * inverse * (fabs(mean) + 1));
        }
        s->norm->layer(y, &moments[0], &moments[1], x, w, b, n, (float)eps);
        const elbo_layer_norm_image image = {
            .dy = dy, .x = x, .w = w, .mean = moments[0], .inverse = moments[1], .n = n};
        s->norm->layer_backward(asked ? dx : NULL, dw, db, &image, accumulate);
        compare("layer", y, forward, n);
        compare("gradient of the weight", dw, of_w, n);
        compare("gradient of the bias", db, of_b, n);
        if (asked)
            compare("layer_backward", dx, gradient, n);
        else
            free(dx), free(gradient.sum), free(gradient.size);
        free(x), free(w), free(b), free(dy);
    }
}

/* ---- convolutions ---- */

typedef struct layer {
    bool transposed;
    int rows, in, height, width, out, kernel, stride, padding, dilation, output_padding;
    bool bias;
} layer;

static const layer convolutions[] = {
    {false, 3, 1, 7, 6, 20, 3, 2, 1, 1, 0, true},
    {false, 2, 3, 5, 5, 16, 5, 1, 2, 1, 0, true},
    {false, 2, 17, 6, 5, 9, 3, 3, 1, 1, 0, false},
    {false, 1, 20, 4, 4, 3, 2, 2, 0, 1, 0, true},
    {false, 2, 8, 9, 7, 33, 3, 1, 3, 2, 0, true},
    {false, 4, 16, 1, 1, 1, 1, 1, 0, 1, 0, true},
    {false, 1, 5, 7, 9, 8, 4, 3, 2, 1, 0, true},
    {true, 3, 20, 4, 3, 1, 3, 2, 1, 1, 1, true},
    {true, 2, 17, 3, 4, 3, 5, 3, 2, 1, 2, true},
    {true, 2, 9, 3, 3, 5, 5, 1, 2, 1, 0, false},
    {true, 2, 3, 3, 2, 20, 4, 2, 1, 1, 0, true},
    {true, 1, 16, 2, 3, 17, 3, 2, 1, 2, 1, true},
    {true, 5, 8, 1, 1, 8, 7, 1, 0, 1, 0, true},
    {true, 2, 33, 3, 3, 9, 2, 3, 0, 1, 2, false},
    // What minimal filtering takes, in tiles that hang over and in panels of every width.
    {false, 3, 16, 7, 6, 32, 3, 1, 1, 1, 0, true},
    {false, 2, 32, 5, 8, 48, 3, 1, 0, 1, 0, false},
    {false, 1, 80, 3, 3, 16, 3, 1, 2, 1, 0, true},
    {false, 2, 16, 1, 1, 96, 3, 1, 1, 1, 0, true},
    {false, 3, 16, 16, 13, 16, 3, 1, 1, 1, 0, true},
};

static elbo_conv_shape shape_of(const layer *l) {
    elbo_conv_shape s = {.transposed = l->transposed,
                         .rows = l->rows,
                         .in = l->in,
                         .height = l->height,
                         .width = l->width,
                         .out = l->out,
                         .kernel = l->kernel,
                         .stride = l->stride,
                         .padding = l->padding,
                         .dilation = l->dilation,
                         .bias = l->bias};
    int reach = l->dilation * (l->kernel - 1) + 1, *out[] = {&s.out_height, &s.out_width};
    for (int i = 0; i < 2; i++) {
        int size = i ? l->width : l->height;
        *out[i] = l->transposed ? (size - 1) * l->stride - 2 * l->padding + reach + l->output_padding
                                : (size + 2 * l->padding - reach) / l->stride + 1;
    }
    return s;
}

/* A layer's arrays, plain, and what they should become. */
typedef struct expected {
    size_t x, y, w; // sizes
    float *px, *pw, *pb, *pdy;
    sums forward, dx, dw, db;
} expected;

static expected expect(const elbo_conv_shape *s) {
    size_t k = (size_t)s->kernel, in = (size_t)s->in, out = (size_t)s->out;
    size_t x_pixels = (size_t)(s->height * s->width), y_pixels = (size_t)(s->out_height * s->out_width);
    expected e = {.x = (size_t)s->rows * in * x_pixels, .y = (size_t)s->rows * out * y_pixels, .w = in * out * k * k};
    e.px = normal(e.x, 40), e.pw = normal(e.w, 41), e.pb = normal(out, 42), e.pdy = normal(e.y, 43);
    e.forward = new_sums(e.y), e.dx = new_sums(e.x), e.dw = new_sums(e.w), e.db = new_sums(out);
    for (size_t i = 0; i < e.y; i++) {
        if (s->bias) add_term(&e.forward, i, e.pb[i / y_pixels % out]);
        add_term(&e.db, i / y_pixels % out, e.pdy[i]);
    }
    for (size_t n = 0; n < (size_t)s->rows; n++)
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                for (int a = 0; a < (int)x_pixels; a++)
                    for (int b = 0; b < (int)y_pixels;
                         b++) // do pixel a of x and pixel b of y meet, and by which weight?
                    {
                        int few = s->transposed ? a : b, many = s->transposed ? b : a;
                        int few_width = s->transposed ? s->width : s->out_width,
                            many_width = s->transposed ? s->out_width : s->width;
                        int ky = many / many_width - few / few_width * s->stride + s->padding;
                        int kx = many % many_width - few % few_width * s->stride + s->padding;
                        if (ky < 0 || kx < 0 || ky % s->dilation || kx % s->dilation) continue;
                        ky /= s->dilation, kx /= s->dilation;
                        if (ky >= s->kernel || kx >= s->kernel) continue;
                        size_t w = ((s->transposed ? i * out + o : o * in + i) * k + (size_t)ky) * k + (size_t)kx;
                        size_t x = (n * in + i) * x_pixels + (size_t)a, y = (n * out + o) * y_pixels + (size_t)b;
                        add_term(&e.forward, y, (double)e.px[x] * e.pw[w]);
                        add_term(&e.dx, x, (double)e.pdy[y] * e.pw[w]);
                        add_term(&e.dw, w, (double)e.px[x] * e.pdy[y]);
                    }
    return e;
}

static size_t laid_out(int rows, int channels, size_t pixels, bool blocked) {
    return (size_t)rows * pixels * (size_t)(blocked ? elbo_padded_channels(channels) : channels);
}

/* The images as the kernels want them. */
static float *lay_out(const float *plain, int rows, int channels, size_t pixels, bool blocked) {
    size_t image = laid_out(1, channels, pixels, blocked), from = (size_t)channels * pixels;
    float *v = empty((size_t)rows * image);
    for (int r = 0; r < rows; r++, plain += from)
        if (blocked)
            elbo_ref_pointwise.to_blocked(v + (size_t)r * image, plain, channels, pixels);
        else
            memcpy(v + (size_t)r * image, plain, from * sizeof *v);
    return v;
}

/* Back again: `v` is freed, and its padding must be 0, for the next layer's sums run over it. */
static float *take_out(float *v, int rows, int channels, size_t pixels, bool blocked) {
    size_t size = laid_out(rows, channels, pixels, blocked), image = size / (size_t)rows,
           to = (size_t)channels * pixels;
    check_guard("an image", v, size);
    float *plain = empty((size_t)rows * to);
    for (int r = 0; r < rows; r++)
        for (size_t i = 0; i < image; i++) {
            size_t channel = blocked ? i / (16 * pixels) * 16 + i % 16 : i / pixels;
            size_t pixel = blocked ? i / 16 % pixels : i % pixels;
            float value = v[(size_t)r * image + i];
            if (channel < (size_t)channels)
                plain[(size_t)r * to + channel * pixels + pixel] = value;
            else if (value != 0)
                fail_msg("padded channel %zu is %g", channel, value);
        }
    free(v);
    return plain;
}

static void check_convolution(const elbo_conv_kernels *k, const elbo_conv_shape *s) {
    expected e = expect(s);
    size_t x_pixels = (size_t)(s->height * s->width), y_pixels = (size_t)(s->out_height * s->out_width);
    elbo_conv *c;
    elbo_error err;
    if (k->make(&c, s, true, true, 2, &err) != ELBO_OK) fail_msg("%s", err.message);
    enum { THREAD = 1, SHARES = 2 };
    size_t share = k->gradient_floats(c);
    float *packed = empty(k->packed_floats(c)), *scratch = empty(k->scratch_floats(c)),
          *gradients = empty(SHARES * share);
    float *x = lay_out(e.px, s->rows, s->in, x_pixels, s->x_blocked),
          *dy = lay_out(e.pdy, s->rows, s->out, y_pixels, s->y_blocked);
    float *y = empty(laid_out(s->rows, s->out, y_pixels, s->y_blocked)),
          *dx = empty(laid_out(s->rows, s->in, x_pixels, s->x_blocked));
    float *dw = empty(e.w), *db = empty((size_t)s->out);
    k->pack(c, packed, e.pw, scratch, THREAD);
    k->forward(c, y, x, packed, s->bias ? e.pb : NULL, scratch, THREAD);
    k->backward_data(c, dx, dy, packed, scratch, THREAD);
    for (size_t i = 0; i < SHARES; i++) k->backward_weights(c, gradients + i * share, x, dy, scratch, THREAD);
    elbo_tree_sum(elbo_kernels_here(), gradients, gradients, share, SHARES, share);
    k->unpack_gradient(c, dw, s->bias ? db : NULL, gradients, scratch, THREAD);
    check_guard("packed", packed, k->packed_floats(c));
    check_guard("scratch", scratch, k->scratch_floats(c));
    check_guard("gradients", gradients, SHARES * share);
    for (size_t i = 0; i < e.w; i++) e.dw.sum[i] *= SHARES, e.dw.size[i] *= SHARES;
    for (int i = 0; i < s->out; i++) e.db.sum[i] *= SHARES, e.db.size[i] *= SHARES;
    compare("y", take_out(y, s->rows, s->out, y_pixels, s->y_blocked), e.forward, e.y);
    compare("dx", take_out(dx, s->rows, s->in, x_pixels, s->x_blocked), e.dx, e.x);
    compare("dw", dw, e.dw, e.w);
    if (s->bias)
        compare("db", db, e.db, (size_t)s->out);
    else
        free(db), free(e.db.sum), free(e.db.size);
    k->free(c);
    free(packed), free(scratch), free(gradients), free(x), free(dy);
    free(e.px), free(e.pw), free(e.pb), free(e.pdy);
}

/* In every layout: channels may be blocked on one side only. */
static void convolving(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        elbo_conv_shape s = shape_of(&convolutions[i]);
        check_convolution(&elbo_ref_conv, &s);
        for (int k = 0; k < 4; k++) {
            s.x_blocked = k & 1;
            s.y_blocked = k & 2;
            check_convolution(&elbo_onednn_conv, &s);
            FOR_EACH_SET(set) if (set->conv->blocked) check_convolution(set->conv, &s);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),
        cmocka_unit_test(max_pooling),
        cmocka_unit_test(average_pooling),
        cmocka_unit_test(upsampling),
        cmocka_unit_test(nan_passes),
        cmocka_unit_test(batch_normalisation),
        cmocka_unit_test(moments_of_bright_channels),
        cmocka_unit_test(layer_normalisation),
        cmocka_unit_test(convolving),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
