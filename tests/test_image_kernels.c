/* The layouts of images, pooling and upsampling: `ref` and the fast kernels alike, in both layouts (conv.h), each
 * against plain loops in double written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image_arrays.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),    cmocka_unit_test(max_pooling), cmocka_unit_test(average_pooling),
        cmocka_unit_test(upsampling), cmocka_unit_test(nan_passes),
    };
    return cmocka_run_group_tests(tests, find_image_sets, NULL);
}
