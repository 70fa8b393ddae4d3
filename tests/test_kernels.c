/* Kernels that work value by value, the tree in which gradients are summed, and the peak: `ref` against plain loops in
 * double written here, then the vector kernels of each instruction set that this CPU has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "device/cpu/tree.h"
#include "kernel_rows.h"

/* The device takes its kernels from the sets (kernel_sets.h), so what holds for them holds for it. */
static void the_cpu_device_is_among_them(void **state) {
    (void)state;
    const elbo_kernels *cpu = elbo_kernels_here(), *ref = &elbo_kernels_ref;
    assert_ptr_equal(ref->linear, &elbo_ref_linear);
    assert_ptr_equal(ref->pointwise, &elbo_ref_pointwise);
    const kernel_set *widest = &sets[set_count - 1];
    assert_ptr_equal(cpu->linear, widest->linear);
    assert_ptr_equal(cpu->pointwise, widest->pointwise);
    assert_ptr_equal(cpu->loss, widest->loss);
    assert_ptr_equal(cpu->update, widest->update);
}

/* ---- pointwise ---- */

/* Of the activation's input, not its output as the kernels have it. */
static double activation_slope(elbo_activation a, double x, double slope) {
    double s = activation(ELBO_SIGMOID, x, 0);
    switch (a) {
    case ELBO_RELU: return x > 0;
    case ELBO_LEAKY_RELU: return x > 0 ? 1 : slope;
    case ELBO_TANH: return 1 / (cosh(x) * cosh(x));
    case ELBO_SIGMOID: return s * (1 - s);
    default: fail_msg("activation %d has no derivative here", (int)a);
    }
    return NAN;
}

static void activations(void **state) {
    (void)state;
    static row x, y, dy, dx;
    const float slope = 0.2f;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) for (elbo_activation a = ELBO_RELU; a <= ELBO_SIGMOID; a++) {
        const char *what = activation_names[a];
        FILL_HARD(x, n, 1, 3);
        clear(y);
        s->pointwise->activation_forward(y, x, n, a, slope);
        assert_guard(what, y, n);
        for (size_t i = 0; i < n; i++) {
            double want = activation(a, x[i], slope);
            assert_near(what, i, y[i], want, allowed(s, VALUE) * fabs(want) + TINY);
        }
        // Backward. Where tanh or sigmoid is nearly flat, the output's last bit is all that is left of the slope: its
        // error is EPS of 1, not of itself.
        fill(dy, n, 2, 1e4f, NULL, 0);
        clear(dx);
        s->pointwise->activation_backward(dx, dy, y, n, a, slope);
        assert_guard(what, dx, n);
        for (size_t i = 0; i < n; i++) {
            double want = dy[i] * activation_slope(a, x[i], slope);
            double flat = a == ELBO_TANH || a == ELBO_SIGMOID ? 2 * VALUE * fabs(dy[i]) : 0;
            assert_near(what, i, dx[i], want, VALUE * fabs(want) + flat + TINY);
        }
        // In place, as the planner uses them: the same bits.
        static row forward, backward;
        memcpy(forward, x, sizeof forward);
        s->pointwise->activation_forward(forward, forward, n, a, slope);
        assert_memory_equal(forward, y, n * sizeof(float));
        memcpy(backward, dy, sizeof backward);
        s->pointwise->activation_backward(backward, backward, y, n, a, slope);
        assert_memory_equal(backward, dx, n * sizeof(float));
    }
}

/* All over the range in which it is asked, in steps that meet every part of it: what vector.h promises of exp, through
 * the kernels that show it bare (z = 0 + 1 exp(logvar / 2) between logvar's bounds; far below 0 the gradient of bce,
 * exp(l) / (1 + exp(l))), and as much of tanh and sigmoid. */
static void exp_tanh_and_sigmoid_everywhere(void **state) {
    (void)state;
    static row zero, one, x, y;
    for (size_t i = 0; i < MOST; i++) one[i] = 1, zero[i] = 0;
    double worst[3] = {0};
    FOR_EACH_SET(s)
    for (double start = -86.9; start < 87.6; start += 0.25) {
        for (size_t i = 0; i < MOST; i++) x[i] = 2 * (float)(start + 0.25 * (double)i / MOST);
        bool bounded = start > -15 && start < 9.75;
        s->loss->reparameterize(y, zero, x, one, MOST);
        for (size_t i = 0; bounded && i < MOST; i++) {
            double want = exp(0.5 * x[i]);
            worst[0] = fmax(worst[0], fabs(y[i] - want) / want);
            assert_near("exp", i, y[i], want, 4 * EPS * want);
        }
        float squared;
        for (size_t i = 0; i < MOST; i++) x[i] /= 2;
        s->loss->pixel[ELBO_BCE](y, &squared, x, zero, MOST, 1);
        for (size_t i = 0; start < -17 && i < MOST; i++) {
            double want = exp(x[i]) / (1 + exp(x[i]));
            worst[0] = fmax(worst[0], fabs(y[i] - want) / want);
            assert_near("exp", i, y[i], want, 4 * EPS * want);
        }
        for (int a = ELBO_TANH; a <= ELBO_SIGMOID; a++) {
            for (size_t i = 0; i < MOST; i++) x[i] = (float)(start + 0.25 * (double)i / MOST) / 8;
            s->pointwise->activation_forward(y, x, MOST, (elbo_activation)a, 0);
            for (size_t i = 0; i < MOST; i++) {
                double want = activation((elbo_activation)a, x[i], 0);
                worst[a - 1] = fmax(worst[a - 1], fabs(y[i] - want) / fabs(want));
                assert_near(activation_names[a], i, y[i], want, 8 * EPS * fabs(want));
            }
        }
    }
    print_message("worst relative errors, in units of 2^-24: exp %.2f, tanh %.2f, sigmoid %.2f\n", worst[0] / EPS,
                  worst[1] / EPS, worst[2] / EPS);
}

static void bytes_products_and_sums(void **state) {
    (void)state;
    static uint8_t bytes[MOST];
    static row x, mask, y, before;
    for (size_t i = 0; i < MOST; i++) bytes[i] = (uint8_t)(i * 37);
    bytes[0] = 255;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) {
        for (int range = 0; range < 2; range++) {
            float low = range ? -1 : 0;
            clear(y);
            s->pointwise->from_bytes(y, bytes, n, low, 1);
            assert_guard("from_bytes", y, n);
            // low + step * x, the step rounded: three roundings of numbers of at most 2
            for (size_t i = 0; i < n; i++)
                assert_near("from_bytes", i, y[i], low + (1 - (double)low) * bytes[i] / 255, 6 * EPS);
        }
        FILL_HARD(x, n, 3, 2);
        fill(mask, n, 4, 1, NULL, 0);
        for (size_t i = 0; i < n; i++) mask[i] = mask[i] < 0 ? 0 : 1 / 0.7f;
        clear(y);
        s->pointwise->multiply(y, x, mask, n);
        assert_guard("multiply", y, n);
        for (size_t i = 0; i < n; i++)
            assert_near("multiply", i, y[i], (double)x[i] * mask[i], ONCE * fabs(y[i]) + TINY);
        memcpy(before, mask, sizeof before);
        memcpy(y, mask, n * sizeof(float));
        s->pointwise->add(y, x, n);
        assert_guard("add", y, n);
        for (size_t i = 0; i < n; i++) assert_near("add", i, y[i], (double)before[i] + x[i], ONCE * fabs(y[i]) + TINY);
    }
}

/* ---- the tree in which gradients are summed ---- */

/* Level by level: neighbours are joined, one without a neighbour moves up as it is. */
static float tree_by_levels(const float *leaf, int leaves) {
    float level[16];
    for (int i = 0; i < leaves; i++) level[i] = leaf[i];
    for (int n = leaves; n > 1; n = (n + 1) / 2)
        for (int i = 0; i < n; i += 2) level[i / 2] = i + 1 < n ? level[i] + level[i + 1] : level[i];
    return level[0];
}

static void tree_sums(void **state) {
    (void)state;
    enum { N = 1300, STRIDE = 1312, LEAVES = 11 };
    float *leaf = malloc(sizeof(float) * LEAVES * STRIDE), *sum = malloc(sizeof(float) * N);
    elbo_random_normal((elbo_stream){.seed = 3, .purpose = ELBO_FOR_PICKING}, leaf, (size_t)LEAVES * STRIDE);
    for (int leaves = 1; leaves <= LEAVES; leaves++) {
        elbo_tree_sum(elbo_kernels_here(), sum, leaf, STRIDE, leaves, N);
        for (size_t i = 0; i < N; i++) {
            float column[LEAVES];
            for (int k = 0; k < leaves; k++) column[k] = leaf[(size_t)k * STRIDE + i];
            assert_true(sum[i] == tree_by_levels(column, leaves)); // to the bit
        }
    }
    free(leaf), free(sum);
}

/* ---- the peak ---- */

/* FLOP per second of a product that fits into the caches. */
static double product_rate(const elbo_linear_kernels *k) {
    enum { ROWS = 192, IN = 384, OUT = 192 };
    static float x[ROWS * IN], w[OUT * IN], y[ROWS * OUT], scratch[ROWS * OUT];
    double start = elbo_now();
    for (int i = 0; i < 8; i++) k->forward(y, x, w, NULL, ROWS, IN, OUT, scratch);
    return 8 * 2.0 * ROWS * IN * OUT / (elbo_now() - start);
}

static double loop_rate(double (*loop)(long rounds)) {
    double start = elbo_now(), flop = loop(100000);
    return flop / (elbo_now() - start);
}

/* What `elbo bench` measures shares of: no product is faster, and no registers are slower than narrower ones. The best
 * of a few attempts, and of many where other programs take the core meanwhile. */
static void peak(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); // the loop is slowed down, the library's product is not
#endif
    enum { FEW = 3, MANY = 300 };
    double most = 0, reached = 0;
    for (int i = 0; i < FEW; i++) reached = fmax(reached, product_rate(sets[set_count - 1].linear));
    for (int i = 0; i < MANY && (i < FEW || most < reached); i++) most = fmax(most, elbo_measure_peak(1));
    print_message("peak %.1f GFLOP/s, a product %.1f\n", most * 1e-9, reached * 1e-9);
    assert_true(most >= 0.8 * reached);
    double (*const loops[])(long) = {
        elbo_simd_fma_loop_baseline,
#if defined(__x86_64__)
        elbo_simd_fma_loop_avx2,
        elbo_simd_fma_loop_avx512,
#endif
    };
    double narrower = 0;
    for (int set = 1; set < set_count; set++) { // the first is `ref`, which has no loop
        double rate = 0;
        for (int i = 0; i < MANY && (i < FEW || rate < narrower); i++) rate = fmax(rate, loop_rate(loops[set - 1]));
        print_message("%s %.1f GFLOP/s\n", sets[set].name, rate * 1e-9);
        assert_true(rate >= 0.8 * narrower);
        narrower = rate;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cpu_device_is_among_them),
        cmocka_unit_test(activations),
        cmocka_unit_test(exp_tanh_and_sigmoid_everywhere),
        cmocka_unit_test(bytes_products_and_sums),
        cmocka_unit_test(tree_sums),
        cmocka_unit_test(peak),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
