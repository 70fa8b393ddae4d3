/* Gates (silu, gelu), groups of channels and attention: `ref` and the fast kernels alike, each against plain loops in
 * double written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image_arrays.h"

/* ---- gates ---- */

static double gate_of(double x, elbo_gate kind) {
    double u = sqrt(2 / acos(-1)) * (x + 0.044715 * pow(x, 3));
    if (kind == ELBO_SILU) return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
    return kind == ELBO_GELU ? 0.5 * erfc(-x / sqrt(2)) : u < 0 ? exp(2 * u) / (1 + exp(2 * u)) : 1 / (1 + exp(-2 * u));
}

/* Of x gate(x): in double, exact to 1e-9. */
static double slope_of(double x, elbo_gate kind) {
    const double h = 1e-5;
    return ((x + h) * gate_of(x + h, kind) - (x - h) * gate_of(x - h, kind)) / (2 * h);
}

/* Everywhere from -14 to 14, and far out. A gate is a number of at most 1 that is multiplied by x, so it is held to
 * 16 EPS of x; below 0, where its tail is an exponential, to as much of itself for each unit of the exponent. Fast
 * exponentials stay at 1e-38. */
static void gates(void **state) {
    (void)state;
    static const float far_out[] = {0, -0.0f, 1e-30f, -1e-30f, 100, -100, 1e10f, -1e10f, 1e30f, -1e30f, 87, -87, 3e38f};
    enum { N = 28 * 256 + 13 };
    FOR_EACH_SET(s) for (elbo_gate kind = ELBO_SILU; kind < ELBO_GATES; kind++) {
        float *x = empty(N), *dy = normal(N, 4), *y = empty(N);
        for (int i = 0; i < N; i++) x[i] = i < 13 ? far_out[i] : (float)(i - 13) / 256 - 14;
        s->gate->forward(y, x, N, kind);
        for (size_t i = 0; i < N; i++) {
            double want = x[i] * gate_of(x[i], kind);
            double tail = x[i] < 0 ? (2 + x[i] * (double)x[i]) * fabs(want) : fabs(want);
            assert_near("gate", i, y[i], want, 16 * EPS * (x[i] > -1e4f ? tail : 0) + 4e-37 * (1 + fabs(x[i])));
        }
        check_guard("gate", y, N);
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            float *dx = accumulate ? normal(N, 5) : empty(N), *before = normal(N, 5);
            s->gate->backward(dx, dy, x, N, kind, accumulate);
            for (size_t i = 0; i < N; i++) {
                double slope = fabs(x[i]) < 50 ? slope_of(x[i], kind) : x[i] > 0;
                double was = accumulate ? before[i] : 0;
                assert_near("slope", i, dx[i], was + dy[i] * slope,
                            16 * EPS * (fabs(was) + fabs(dy[i]) * (1 + fmin(fabs(x[i]), 5))) + 1e-8 * fabs(dy[i]));
            }
            check_guard("slope", dx, N);
            free(dx), free(before);
        }
        free(x), free(dy), free(y);
    }
}

static void gates_keep_nan(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (elbo_gate kind = ELBO_SILU; kind < ELBO_GATES; kind++) {
        float x[] = {1, NAN, -1}, dy[] = {1, 1, 1}, y[3], dx[3];
        s->gate->forward(y, x, 3, kind);
        s->gate->backward(dx, dy, x, 3, kind, false);
        assert_true(isnan(y[1]) && isnan(dx[1]) && isfinite(y[0]) && isfinite(dx[2]));
    }
}

/* ---- groups of channels ---- */

static void group_normalisation(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},  {3, 9, 6},   {2, 4, 16},
                                       {5, 5, 35}, {4, 32, 17}, {1, 3, 1025}}; // G, C, pixels
    const double eps = (double)1e-3f;
    FOR_EACH_SET(s) for (size_t at = 0; at < sizeof shapes / sizeof *shapes; at++) for (int k = 0; k < 3; k++) {
        bool accumulate = k == 1, asked = k < 2;
        size_t groups = shapes[at][0], channels = shapes[at][1], pixels = shapes[at][2], n = channels * pixels,
               size = n / groups;
        float *x = normal(n, 30), *w = normal(channels, 31), *b = normal(channels, 32), *dy = normal(n, 33),
              *y = empty(n), *moments = empty(2 * groups);
        float *dx = accumulate ? normal(n, 34) : empty(n), *dw = normal(channels, 35), *db = normal(channels, 36);
        sums forward = new_sums(n), back = new_sums(n), of_w = new_sums(channels), of_b = new_sums(channels);
        for (size_t i = 0; i < n; i++) x[i] += 0.7f;
        for (size_t c = 0; c < channels; c++) add_term(&of_w, c, dw[c]), add_term(&of_b, c, db[c]);
        for (size_t g = 0; g < groups; g++) {
            double mean = 0, variance = 0, sum = 0, product = 0, sum_size = 0;
            for (size_t i = g * size; i < (g + 1) * size; i++) mean += x[i] / (double)size;
            for (size_t i = g * size; i < (g + 1) * size; i++) variance += pow(x[i] - mean, 2) / (double)size;
            double inverse = 1 / sqrt(variance + eps);
            for (size_t i = g * size; i < (g + 1) * size; i++) {
                size_t c = i / pixels;
                double xhat = (x[i] - mean) * inverse, gradient = (double)dy[i] * w[c];
                add_term(&forward, i, xhat * w[c]);
                add_term(&forward, i, b[c]);
                forward.size[i] += fabs(inverse * w[c]) * (fabs(mean) + fabs((double)x[i]));
                add_term(&of_w, c, dy[i] * xhat);
                of_w.size[c] += fabs(inverse * dy[i]) * (fabs(mean) + fabs((double)x[i]));
                add_term(&of_b, c, dy[i]);
                sum += gradient / (double)size, product += gradient * xhat / (double)size;
                sum_size += fabs(gradient) / (double)size;
            }
            for (size_t i = g * size; i < (g + 1) * size; i++) {
                double xhat = (x[i] - mean) * inverse;
                if (accumulate) add_term(&back, i, dx[i]);
                add_term(&back, i, inverse * dy[i] * w[i / pixels]);
                add_term(&back, i, -inverse * sum);
                add_term(&back, i, -inverse * xhat * product);
                back.size[i] += inverse * sum_size * (1 + fabs(xhat) * inverse * (fabs(mean) + 1));
            }
        }
        elbo_group_norm_image image = {
            .dy = dy, .x = x, .w = w, .b = b, .groups = groups, .channels = channels, .pixels = pixels};
        s->norm->group(y, moments, &image, (float)eps);
        s->norm->group_backward(asked ? dx : NULL, dw, db, moments, &image, accumulate);
        compare("group", y, forward, n);
        compare("gradient of the weight", dw, of_w, channels);
        compare("gradient of the bias", db, of_b, channels);
        if (asked)
            compare("group_backward", dx, back, n);
        else
            free(dx), free(back.sum), free(back.size);
        free(x), free(w), free(b), free(dy), free(moments);
    }
}

/* ---- attention ---- */

typedef struct attention {
    elbo_attention_shape s;
    double *w[4], *x, *qkv, *joined, *y; // in_w, in_b, out_w, out_b
} attention;

static double *doubles(const float *v, size_t n) {
    double *d = calloc(n, sizeof *d);
    assert_non_null(d);
    for (size_t i = 0; v && i < n; i++) d[i] = v[i];
    return d;
}

static void attend(attention *a) {
    int C = a->s.channels, T = a->s.positions, d = C / a->s.heads;
    for (int i = 0; i < 3 * C * T; i++) {
        a->qkv[i] = a->w[1][i / T];
        for (int c = 0; c < C; c++) a->qkv[i] += a->w[0][i / T * C + c] * a->x[c * T + i % T];
    }
    for (int i = 0; i < C * T; i++) {
        double sum = 0, all = 0;
        for (int u = 0; u < T; u++) {
            double score = 0;
            for (int c = i / T / d * d; c < (i / T / d + 1) * d; c++)
                score += a->qkv[c * T + i % T] * a->qkv[(C + c) * T + u] / sqrt(d);
            sum += exp(score) * a->qkv[(2 * C + i / T) * T + u];
            all += exp(score);
        }
        a->joined[i] = sum / all;
    }
    for (int i = 0; i < C * T; i++) {
        a->y[i] = a->w[3][i / T];
        for (int c = 0; c < C; c++) a->y[i] += a->w[2][i / T * C + c] * a->joined[c * T + i % T];
    }
}

/* Of sum(dy y) by one value, by central differences in double: exact to 1e-9. */
static double difference(attention *a, const float *dy, double *value) {
    const double h = 1e-5, at = *value;
    double sum[2] = {0};
    for (int side = 0; side < 2; side++) {
        *value = at + (side ? h : -h);
        attend(a);
        for (int i = 0; i < a->s.channels * a->s.positions; i++) sum[side] += dy[i] * a->y[i];
    }
    *value = at;
    return (sum[1] - sum[0]) / (2 * h);
}

static void all_near(const char *what, const float *got, const double *want, const float *before, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        assert_near(what, i, got[i], want[i] + (before ? before[i] : 0), SUM * 2 * (1 + largest));
}

static void attention_once(const kernel_set *s, elbo_attention_shape shape, bool accumulate) {
    size_t C = (size_t)shape.channels, T = (size_t)shape.positions, n = C * T;
    size_t sizes[] = {3 * C * C, 3 * C, C * C, C};
    float *w[4], *g[4], *start[4], *x = normal(n, 50), *dy = normal(n, 51), *y = empty(n), *qkv = empty(3 * n),
                                   *joined = empty(n), *dx = normal(n, 52), *dx_start = normal(n, 52),
                                   *scratch = empty(elbo_attention_scratch(&shape));
    attention a = {
        .s = shape, .x = doubles(x, n), .qkv = doubles(NULL, 3 * n), .joined = doubles(NULL, n), .y = doubles(NULL, n)};
    for (uint32_t k = 0; k < 4; k++) {
        w[k] = normal(sizes[k], 40 + k), g[k] = normal(sizes[k], 44 + k), start[k] = normal(sizes[k], 44 + k);
        for (size_t i = 0; i < sizes[k]; i++) w[k][i] /= sqrtf((float)C);
        a.w[k] = doubles(w[k], sizes[k]);
    }
    attend(&a);
    elbo_attention_weights weights = {w[0], w[1], w[2], w[3]};
    s->attention->forward(y, qkv, joined, x, &weights, &shape, scratch);
    all_near("attention", y, a.y, NULL, n);
    elbo_attention_gradients gradients = {g[0], g[1], g[2], g[3]};
    elbo_attention_image image = {.dy = dy, .x = x, .qkv = qkv, .joined = joined};
    s->attention->backward(dx, &gradients, &image, &weights, &shape, accumulate, scratch);
    for (int k = 0; k < 5; k++) { // of each weight, and of x
        size_t count = k < 4 ? sizes[k] : n;
        double *of = k < 4 ? a.w[k] : a.x, *want = doubles(NULL, count);
        for (size_t i = 0; i < count; i++) want[i] = difference(&a, dy, &of[i]);
        all_near(k < 4 ? "gradient of a weight" : "dx", k < 4 ? g[k] : dx, want,
                 k < 4        ? start[k]
                 : accumulate ? dx_start
                              : NULL,
                 count);
        free(want);
    }
    check_guard("y", y, n), check_guard("qkv", qkv, 3 * n), check_guard("joined", joined, n), check_guard("dx", dx, n);
    check_guard("scratch", scratch, elbo_attention_scratch(&shape));
    for (int k = 0; k < 4; k++)
        check_guard("gradient", g[k], sizes[k]), free(w[k]), free(g[k]), free(start[k]), free(a.w[k]);
    free(x), free(dy), free(y), free(qkv), free(joined), free(dx), free(dx_start), free(scratch);
    free(a.x), free(a.qkv), free(a.joined), free(a.y);
}

static void attention_of_positions(void **state) {
    (void)state;
    static const elbo_attention_shape shapes[] = {{1, 1, 1}, {4, 2, 5}, {6, 3, 17}, {8, 1, 16}, {9, 9, 3}, {17, 1, 9}};
    FOR_EACH_SET(s)
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int accumulate = 0; accumulate < 2; accumulate++) attention_once(s, shapes[i], accumulate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates),
        cmocka_unit_test(gates_keep_nan),
        cmocka_unit_test(group_normalisation),
        cmocka_unit_test(attention_of_positions),
    };
    return cmocka_run_group_tests(tests, find_image_sets, NULL);
}
