/* The products of a fully connected layer, oneDNN's among them, against plain loops in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_rows.h"

typedef struct product {
    int rows, in, out;
} product;

static const product products[] = {{1, 1, 1},    {1, 3, 2},        {3, 1, 15},   {15, 16, 17},
                                   {32, 33, 31}, {32, 784 + 5, 3}, {37, 42, 12}, {31, 17, 40},
                                   {2, 100, 64}, {33, 5, 784 + 5}, {128, 65, 33}};

static float *random_block(size_t n, uint32_t stream) {
    float *v = malloc((n + GUARD) * sizeof *v);
    assert_non_null(v);
    fill(v, n, stream, 1, NULL, 0);
    for (int i = 0; i < GUARD; i++) v[n + (size_t)i] = -77;
    return v;
}

static void assert_block_guard(const char *what, const float *v, size_t n) {
    for (int i = 0; i < GUARD; i++)
        if (v[n + (size_t)i] != -77) fail_msg("%s: written past its end", what);
}

static void linear_forward(const elbo_linear_kernels *k, product p, double tolerance) {
    size_t rows = (size_t)p.rows, in = (size_t)p.in, out = (size_t)p.out;
    float *x = random_block(rows * in, 30), *w = random_block(out * in, 31), *b = random_block(out, 32);
    for (int with = 0; with < 2; with++) {
        float *y = random_block(rows * out, 33);
        y[0] = NAN; // what was there before must not matter
        float *scratch = random_block(rows * out, 34);
        k->forward(y, x, w, with ? b : NULL, p.rows, p.in, p.out, scratch);
        free(scratch);
        assert_block_guard("y", y, rows * out);
        for (size_t r = 0; r < rows; r++)
            for (size_t o = 0; o < out; o++) {
                double sum = with ? b[o] : 0, size = fabs(sum);
                for (size_t i = 0; i < in; i++) {
                    double term = (double)w[o * in + i] * x[r * in + i];
                    sum += term, size += fabs(term);
                }
                assert_near("y", r * out + o, y[r * out + o], sum, tolerance * size);
            }
        free(y);
    }
    free(x), free(w), free(b);
}

static void linear_backward_data(const elbo_linear_kernels *k, product p, double tolerance) {
    size_t rows = (size_t)p.rows, in = (size_t)p.in, out = (size_t)p.out;
    float *dy = random_block(rows * out, 34), *w = random_block(out * in, 35);
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        float *dx = random_block(rows * in, 36), *before = random_block(rows * in, 36);
        if (!accumulate) dx[0] = NAN;
        k->backward_data(dx, dy, w, p.rows, p.in, p.out, accumulate);
        assert_block_guard("dx", dx, rows * in);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < in; i++) {
                double sum = accumulate ? before[r * in + i] : 0, size = fabs(sum);
                for (size_t o = 0; o < out; o++) {
                    double term = (double)dy[r * out + o] * w[o * in + i];
                    sum += term, size += fabs(term);
                }
                assert_near("dx", r * in + i, dx[r * in + i], sum, tolerance * size);
            }
        free(dx), free(before);
    }
    free(dy), free(w);
}

/* In two tiles, the second starting in the middle of dy's rows. */
static void linear_backward_weights(const elbo_linear_kernels *k, product p, double tolerance) {
    size_t rows = (size_t)p.rows, in = (size_t)p.in, out = (size_t)p.out, cut = (out + 1) / 2;
    float *dy = random_block(rows * out, 37), *x = random_block(rows * in, 38);
    for (int bias = 0; bias < 2; bias++) {
        float *dw = random_block(out * in, 39), *db = random_block(out, 40);
        dw[0] = db[0] = NAN;
        k->backward_weights(dw, bias ? db : NULL, dy, x, p.rows, p.in, p.out, (int)cut);
        if (out > cut)
            k->backward_weights(dw + cut * in, bias ? db + cut : NULL, dy + cut, x, p.rows, p.in, p.out,
                                (int)(out - cut));
        assert_block_guard("dw", dw, out * in);
        assert_block_guard("db", db, out);
        for (size_t o = 0; o < out; o++) {
            double total = 0, total_size = 0;
            for (size_t r = 0; r < rows; r++) total += dy[r * out + o], total_size += fabs(dy[r * out + o]);
            if (bias) assert_near("db", o, db[o], total, tolerance * total_size);
            for (size_t i = 0; i < in; i++) {
                double sum = 0, size = 0;
                for (size_t r = 0; r < rows; r++) {
                    double term = (double)dy[r * out + o] * x[r * in + i];
                    sum += term, size += fabs(term);
                }
                assert_near("dw", o * in + i, dw[o * in + i], sum, tolerance * size);
            }
        }
        free(dw), free(db);
    }
    free(dy), free(x);
}

static void linear(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) FOR_EACH_SET(s) {
            const elbo_linear_kernels *k = s->linear;
            double tolerance = allowed(s, SUM);
            linear_forward(k, products[i], tolerance);
            linear_backward_data(k, products[i], tolerance);
            linear_backward_weights(k, products[i], tolerance);
        }
}

/* A NaN anywhere in a product is NaN in every sum that it is part of. */
static void nan_in_products(void **state) {
    (void)state;
    enum { ROWS = 5, IN = 19, OUT = 7 };
    FOR_EACH_SET(s) {
        const elbo_linear_kernels *k = s->linear;
        float *x = random_block(ROWS * IN, 41), *w = random_block(OUT * IN, 42), *b = random_block(OUT, 43),
              y[ROWS * OUT], scratch[ROWS * OUT];
        x[2 * IN + 18] = NAN;
        k->forward(y, x, w, b, ROWS, IN, OUT, scratch);
        for (int i = 0; i < ROWS * OUT; i++) assert_true(isnan(y[i]) == (i / OUT == 2));
        x[2 * IN + 18] = 0; // 0 times NaN is NaN
        w[4 * IN + 18] = NAN;
        k->forward(y, x, w, b, ROWS, IN, OUT, scratch);
        for (int i = 0; i < ROWS * OUT; i++) assert_true(isnan(y[i]) == (i % OUT == 4));
        free(x), free(w), free(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),
        cmocka_unit_test(nan_in_products),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
