/* Normalisation over a batch and of one image: `ref` and the fast kernels alike, in both layouts (conv.h), each against
 * plain loops in double written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "image_arrays.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_normalisation),
        cmocka_unit_test(moments_of_bright_channels),
        cmocka_unit_test(layer_normalisation),
    };
    return cmocka_run_group_tests(tests, find_image_sets, NULL);
}
