/* Every kernel: `ref` against plain loops in double written here, then the fast ones (oneDNN's products, and the vector
 * kernels of each instruction set that this CPU has) against `ref`.
 *
 * Tolerances. A float holds 24 bits: rounding a result once costs at most EPS = 2^-24 of it. `ref` computes in double
 * and rounds at the end, so it is held to 2 EPS. The fast ones round at every operation: a function of one value (exp
 * within 2 ulp, then a division) to 16 EPS = 1e-6 of the value, and a sum of n terms to 32 EPS = 2e-6 of the sum of the
 * terms' sizes, since its error grows with what was added, not with what is left after cancellation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "close.h"
#include "device/cpu/tree.h"
#include "device/cpu/ref/ref.h"
#include "device/cpu/simd/simd.h"

static const double EPS = 0x1p-24;
#define ONCE (2 * EPS)   // computed in double, rounded once
#define VALUE (16 * EPS) // a function of one value in floats
#define SUM (32 * EPS)   // a sum in floats, relative to the sum of sizes
#define TINY 1e-37       // about the smallest normal float: exp is held there

static const size_t sizes[] = {1, 3, 15, 16, 17, 31, 32, 33, 48, 784 + 5};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 784 + 5, GUARD = 16 };

/* ---- what is tested ---- */

typedef struct kernel_set {
    const char *name;
    const elbo_pointwise_kernels *pointwise;
    const elbo_loss_kernels *loss;
    const elbo_update_kernels *update;
    const elbo_linear_kernels *linear;
} kernel_set;

static kernel_set sets[4];
static int set_count;

static int find_sets(void **state) {
    (void)state;
    omp_set_num_threads(1); // as inside a team: oneDNN on the calling thread
#define SET(isa)                                                                                                       \
    sets[set_count++] = (kernel_set){#isa, &elbo_simd_pointwise_##isa, &elbo_simd_loss_##isa, &elbo_simd_update_##isa, \
                                     &elbo_simd_linear_##isa}
    sets[set_count++] = (kernel_set){"ref", &elbo_ref_pointwise, &elbo_ref_loss, &elbo_ref_update, &elbo_ref_linear};
    SET(baseline);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) SET(avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        SET(avx512);
#endif
    return 0;
}

/* The device takes its kernels from the sets above, so what holds for them holds for it. */
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

#define FOR_EACH_SET(s) for (const kernel_set *s = sets; s < sets + set_count; s++)
#define FOR_EACH_SIZE(n) for (size_t at_ = 0, n = sizes[0]; at_ < SIZES; n = sizes[++at_ < SIZES ? at_ : 0])

static double allowed(const kernel_set *s, double fast) { return s == sets ? ONCE : fast; }

/* ---- inputs ---- */

/* Normal numbers times `scale`, the first few replaced by what functions find hard. */
static void fill(float *v, size_t n, uint32_t stream, float scale, const float *special, size_t specials) {
    elbo_random_normal((elbo_stream){.seed = 7, .purpose = ELBO_FOR_PICKING, .sample = stream}, v, n);
    for (size_t i = 0; i < n; i++) v[i] *= scale;
    for (size_t i = 0; i < specials && i < n; i++) v[n - 1 - i] = special[i]; // at the end, where vectors are cut short
}

static const float hard[] = {0,     -0.0f, 100,  -100,  0.625f, -0.625f, 0.62f, 1e-6f, -1e-6f, 1e-30f, 87,  -87,
                             88.5f, -88.5, 1000, -1000, 9,      -9,      0.3f,  16.6f, -16.6f, 1e-40f, 5e4f};
#define FILL_HARD(v, n, stream, scale) fill(v, n, stream, scale, hard, sizeof hard / sizeof *hard)

/* An output with a guard behind it: a kernel that writes past the end of a row is found. */
typedef float row[MOST + GUARD];
static void clear(float *v) {
    for (size_t i = 0; i < MOST + GUARD; i++) v[i] = -77;
}
static void assert_guard(const char *what, const float *v, size_t n) {
    for (size_t i = n; i < MOST + GUARD; i++)
        if (v[i] != -77) fail_msg("%s: of %zu values, value %zu was written", what, n, i);
}

/* ---- pointwise ---- */

static const char *const activation_names[] = {"relu", "leaky_relu", "tanh", "sigmoid"};

static double activation(elbo_activation a, double x, double slope) {
    switch (a) {
    case ELBO_RELU: return x < 0 ? 0 : x;
    case ELBO_LEAKY_RELU: return x < 0 ? slope * x : x;
    case ELBO_TANH: return tanh(x);
    case ELBO_SIGMOID: return x < 0 ? exp(x) / (exp(x) + 1) : 1 / (1 + exp(-x));
    default: fail_msg("activation %d has no formula here", (int)a);
    }
    return NAN;
}

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

/* All over its range, in steps that meet every part of it: what vector.h promises of exp, through the only kernel that
 * shows it bare (z = 0 + 1 exp(logvar / 2)), and as much of tanh and sigmoid. */
static void exp_tanh_and_sigmoid_everywhere(void **state) {
    (void)state;
    static row zero, one, x, y;
    for (size_t i = 0; i < MOST; i++) one[i] = 1, zero[i] = 0;
    double worst[3] = {0};
    FOR_EACH_SET(s)
    for (double start = -86.9; start < 87.6; start += 0.25) {
        for (size_t i = 0; i < MOST; i++) x[i] = 2 * (float)(start + 0.25 * (double)i / MOST);
        s->loss->reparameterize(y, zero, x, one, MOST);
        for (size_t i = 0; i < MOST; i++) {
            double want = exp(0.5 * x[i]);
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

/* ---- losses ---- */

enum { BCE, MSE, L1, MSE_L1, LOSSES };
static const char *const loss_names[] = {"bce", "mse", "l1", "mse_l1"};
#define MSE_PART 1.3f
#define L1_PART 0.7f

static float run_loss(const kernel_set *s, int which, float *dy, float *squared, const float *y, const float *x,
                      size_t n, float scale) {
    if (which == MSE_L1) return s->loss->mse_l1(dy, squared, y, x, n, MSE_PART, L1_PART, scale);
    return s->loss->pixel[which == BCE ? ELBO_BCE : which == MSE ? ELBO_MSE : ELBO_L1](dy, squared, y, x, n, scale);
}

/* Loss, squared error and gradient of one value; bce by another formula than the kernels': log(1 + e^l) - l x, which in
 * double holds up to l = 700. */
static double loss_term(int which, double y, double x, double *squared, double *gradient) {
    double e = y - x;
    if (which == BCE) e = activation(ELBO_SIGMOID, y, 0) - x;
    *squared = e * e;
    double sign = (e > 0) - (e < 0);
    if (which == MSE_L1) {
        *gradient = (double)MSE_PART * 2 * e + (double)L1_PART * sign;
        return fabs(e); // the squares are told beside it
    }
    *gradient = which == MSE ? 2 * e : which == L1 ? sign : e;
    return which == BCE ? (y > 30 ? y + exp(-y) : log1p(exp(y))) - y * x : which == MSE ? e * e : fabs(e);
}

static void losses(void **state) {
    (void)state;
    static const float extreme[] = {100, -100, 0, -0.0f, 88.5f, -88.5f, 30, -30, 1e-6f, 300, -300};
    static row y, x, dy;
    const float scale = 1.0f / 37;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) for (int which = 0; which < LOSSES; which++) {
        const char *what = loss_names[which];
        fill(y, n, 5, 2, extreme, sizeof extreme / sizeof *extreme);
        fill(x, n, 6, 1, NULL, 0);
        for (size_t i = 0; i < n; i++) x[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : fabsf(x[i]) / (1 + fabsf(x[i]));
        if (n > 15) y[2] = x[2]; // no difference: no gradient
        double loss = 0, size = 0, squares = 0;
        static double gradient[MOST];
        for (size_t i = 0; i < n; i++) {
            double squared, term = loss_term(which, y[i], x[i], &squared, &gradient[i]);
            loss += term;
            size += fabs(term) + (which == BCE ? fabs((double)y[i]) : 0); // max(l, 0) - l x cancels
            squares += squared;
        }
        float got_squares = NAN;
        clear(dy);
        float got = run_loss(s, which, dy, &got_squares, y, x, n, scale);
        assert_guard(what, dy, n);
        assert_near(what, 0, got, loss, allowed(s, SUM) * size);
        assert_near("squared", 0, got_squares, squares, allowed(s, SUM) * squares + VALUE);
        for (size_t i = 0; i < n; i++) { // errors of y - x and of sigmoid - x are of EPS of their parts
            double parts = which == BCE ? 1 + fabs((double)x[i]) : fabs((double)y[i]) + fabs((double)x[i]);
            assert_near(what, i, dy[i], scale * gradient[i],
                        allowed(s, VALUE) * fabs(scale * gradient[i]) + (which == L1 ? 0 : 4 * EPS * scale * parts));
        }
        // Without a gradient, as evaluation asks: the same bits.
        float again_squares, again = run_loss(s, which, NULL, &again_squares, y, x, n, scale);
        assert_true(again == got && again_squares == got_squares);
    }
}

/* Of large images: an error of 1e-6 of the sum, as PyTorch's, where sums in floats alone were off by 7e-5 (1024x1024)
 * and 5e-4 (2048x2048). The plain images are the hard ones: equal terms are rounded the same way every time. */
static void losses_of_large_images(void **state) {
    (void)state;
    const size_t sizes_here[] = {4096, 4097, 3 * 256 * 256, 1024 * 1024 + 5};
    const size_t most = 1024 * 1024 + 5;
    float *y = malloc(most * sizeof *y), *x = malloc(most * sizeof *x), *z = malloc(most * sizeof *z);
    assert_non_null(y), assert_non_null(x), assert_non_null(z);
    FOR_EACH_SET(s)
    for (size_t at = 0; at < sizeof sizes_here / sizeof *sizes_here; at++)
        for (int plain = 0; plain < 2; plain++) {
            size_t n = sizes_here[at];
            fill(y, n, 30, 1, NULL, 0);
            fill(x, n, 31, 1, NULL, 0);
            for (size_t i = 0; i < n; i++) {
                x[i] = plain ? 0.7f + 1e-4f * x[i] : 1 / (1 + expf(-x[i]));
                y[i] = plain ? 0.3f + 1e-4f * y[i] : y[i];
            }
            for (int which = 0; which <= LOSSES; which++) {
                double want = 0, squares = 0, gradient, squared;
                float got_squares = 0, got;
                for (size_t i = 0; i < n; i++) {
                    double m = y[i], v = x[i];
                    want += which < LOSSES ? loss_term(which, m, v, &squared, &gradient) : 0.5 * (m * m + expm1(v) - v);
                    if (which < LOSSES) squares += squared;
                }
                if (which < LOSSES)
                    got = run_loss(s, which, NULL, &got_squares, y, x, n, 1);
                else
                    got = s->loss->reparameterize(z, y, x, NULL, n);
                assert_near(which < LOSSES ? loss_names[which] : "kl", n, got, want, 1e-6 * want);
                assert_near("squared", n, got_squares, squares, 1e-6 * squares);
            }
        }
    free(y), free(x), free(z);
}

static void reparameterization(void **state) {
    (void)state;
    static const float extreme[] = {10, -30, 0, -10, 5, 1e-6f, -20};
    static row mu, logvar, eps, dz, z, dmu, dlogvar;
    const float weight = 0.5f / 37;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) for (int noise = 0; noise < 2; noise++) {
        const float *e = noise ? eps : NULL;
        FILL_HARD(mu, n, 7, 1);
        fill(logvar, n, 8, 2, extreme, sizeof extreme / sizeof *extreme);
        fill(eps, n, 9, 1, NULL, 0);
        FILL_HARD(dz, n, 10, 1e3f);
        clear(z);
        double kl = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            double m = mu[i], v = logvar[i];
            kl += 0.5 * (m * m + exp(v) - 1 - v);
            size += 0.5 * (m * m + exp(v) + 1 + fabs(v));
        }
        float got = s->loss->reparameterize(z, mu, logvar, e, n);
        assert_guard("z", z, n);
        assert_near("kl", 0, got, kl, allowed(s, SUM) * size);
        clear(dmu);
        clear(dlogvar);
        s->loss->reparameterize_backward(dmu, dlogvar, dz, mu, logvar, e, n, weight);
        assert_guard("dmu", dmu, n);
        assert_guard("dlogvar", dlogvar, n);
        for (size_t i = 0; i < n; i++) {
            double m = mu[i], v = logvar[i], d = dz[i], part = noise ? eps[i] * exp(0.5 * v) : 0;
            assert_near("z", i, z[i], m + part, allowed(s, VALUE) * (fabs(m) + fabs(part)) + TINY);
            assert_near("dmu", i, dmu[i], d + weight * m, VALUE * (fabs(d) + weight * fabs(m)) + TINY);
            assert_near("dlogvar", i, dlogvar[i], 0.5 * d * part + 0.5 * weight * (exp(v) - 1),
                        VALUE * (fabs(d * part) + weight * (exp(v) + 1)) + TINY);
        }
    }
}

/* ---- what is not finite must be seen ---- */

static float nan_of(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Quiet NaNs of either sign, and some with other bits set, as a damaged file has them. */
static const uint32_t nans[] = {0x7fc00000, 0xffc00000, 0x7fc00001, 0x7fffffff, 0xffc00155};
#define FOR_EACH_NAN(v)                                                                                                \
    for (size_t bits_ = 0; bits_ < 5; bits_++)                                                                         \
        for (float v = nan_of(nans[bits_]), *once_ = &v; once_; once_ = NULL)

static void nan_stays_nan(void **state) {
    (void)state;
    enum { N = 37 };
    static row x, y, image, eps, z, dy, dz, w, m, v;
    elbo_update u = {.lr = 0.1f,
                     .beta1 = 0.9f,
                     .beta2 = 0.999f,
                     .eps = 1e-8f,
                     .correction1 = 0.1f,
                     .correction2 = 0.03f,
                     .gradient_scale = 1};
    FOR_EACH_SET(s) FOR_EACH_NAN(nan) for (size_t where = 0; where < N; where++) {
        fill(x, N, 11, 1, NULL, 0);
        x[where] = nan;
        for (elbo_activation a = ELBO_RELU; a <= ELBO_SIGMOID; a++) {
            s->pointwise->activation_forward(y, x, N, a, 0.01f);
            for (size_t i = 0; i < N; i++)
                if (isnan(y[i]) != (i == where))
                    fail_msg("%s of %s: NaN at %zu gives %g at %zu", s->name, activation_names[a], where, y[i], i);
        }
        fill(image, N, 12, 1, NULL, 0);
        for (int which = 0; which < LOSSES; which++)
            for (int side = 0; side < 2; side++) { // in the prediction, in the image
                float squared = 0, loss = run_loss(s, which, dy, &squared, side ? image : x, side ? x : image, N, 1);
                if (!isnan(loss) || !isnan(squared)) fail_msg("%s: %s hides NaN", s->name, loss_names[which]);
                if (which != L1 && !isnan(dy[where]))
                    fail_msg("%s: %s's gradient hides NaN", s->name, loss_names[which]);
            }
        fill(eps, N, 13, 1, NULL, 0);
        assert_true(isnan(s->loss->reparameterize(z, x, image, eps, N)) && isnan(z[where]));
        assert_true(isnan(s->loss->reparameterize(z, image, x, eps, N)) && isnan(z[where]));
        s->loss->reparameterize(z, image, image, x, N);
        assert_true(isnan(z[where]));
        fill(dz, N, 14, 1, NULL, 0);
        s->loss->reparameterize_backward(y, dy, x, image, image, eps, N, 1);
        assert_true(isnan(y[where]) && isnan(dy[where]));
        for (int rule = 0; rule < 3; rule++) {
            memset(m, 0, sizeof m);
            memset(v, 0, sizeof v);
            fill(w, N, 15, 1, NULL, 0);
            if (rule == 0) s->update->step[ELBO_SGD](w, (float *const[]){m, v}, x, N, &u);
            if (rule == 1) s->update->step[ELBO_ADAM](w, (float *const[]){m, v}, x, N, &u);
            if (rule == 2) s->update->step[ELBO_ADAMW](w, (float *const[]){m, v}, x, N, &u);
            for (size_t i = 0; i < N; i++) assert_true(isnan(w[i]) == (i == where));
        }
        assert_true(isnan(s->update->sum_of_squares(x, N)));
    }
}

/* A loss of an infinity is an infinity or NaN, never a number; nor is one that is past the largest float. */
static void infinity_is_seen(void **state) {
    (void)state;
    enum { N = 21 };
    static row x, image, z, dz, dmu, dlogvar;
    FOR_EACH_SET(s) for (size_t where = 0; where < N; where++) for (int sign = -1; sign <= 1; sign += 2) {
        fill(x, N, 16, 1, NULL, 0);
        fill(image, N, 17, 1, NULL, 0);
        for (size_t i = 0; i < N; i++) image[i] = fabsf(image[i]) / (1 + fabsf(image[i]));
        x[where] = sign * INFINITY;
        float squared;
        assert_false(isfinite(s->loss->pixel[ELBO_BCE](NULL, &squared, x, image, N, 1)));
        assert_false(isfinite(s->loss->pixel[ELBO_MSE](NULL, &squared, x, image, N, 1)));
        assert_false(isfinite(s->loss->pixel[ELBO_L1](NULL, &squared, x, image, N, 1)));
        assert_false(isfinite(s->loss->reparameterize(z, x, image, NULL, N)));
        assert_false(isfinite(s->loss->reparameterize(z, image, x, NULL, N)));
        if (sign < 0) continue;
        x[where] = 200; // exp(200) is past the largest float
        assert_false(isfinite(s->loss->reparameterize(z, image, x, NULL, N)));
        fill(dz, N, 18, 1, NULL, 0);
        s->loss->reparameterize_backward(dmu, dlogvar, dz, image, x, image, N, 1);
        assert_false(isfinite(dlogvar[where]));
    }
}

/* ---- optimisers ---- */

typedef struct rule {
    const char *name;
    int which; // 0: sgd, 1: adam, 2: adamw
    elbo_update u;
} rule;

/* One step in double, after the formulas of torch.optim's documentation. */
static void plain_step(const rule *r, double *w, double *m, double *v, double g) {
    const elbo_update *u = &r->u;
    g *= u->gradient_scale;
    if (r->which == 2)
        *w -= (double)u->lr * u->weight_decay * *w;
    else
        g += (double)u->weight_decay * *w;
    if (r->which == 0) {
        if (u->momentum > 0) g = *m = u->first ? g : u->momentum * *m + g;
        *w -= u->lr * g;
        return;
    }
    *m = u->beta1 * *m + (1 - (double)u->beta1) * g;
    *v = u->beta2 * *v + (1 - (double)u->beta2) * g * g;
    *w -= u->lr * (*m / u->correction1) / (sqrt(*v) / u->correction2 + u->eps);
}

static void optimizers(void **state) {
    (void)state;
#define ADAM .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .correction1 = 0.271f, .correction2 = 0.0547f
    const rule rules[] = {
        {"sgd", 0, {.lr = 0.1f, .gradient_scale = 1}},
        {"sgd, decay, clipped", 0, {.lr = 0.1f, .weight_decay = 0.01f, .gradient_scale = 0.37f}},
        {"sgd, momentum, first", 0, {.lr = 0.1f, .momentum = 0.9f, .gradient_scale = 1, .first = true}},
        {"sgd, momentum", 0, {.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.1f, .gradient_scale = 1}},
        {"adam", 1, {ADAM, .gradient_scale = 1}},
        {"adam, decay, clipped", 1, {ADAM, .weight_decay = 0.1f, .gradient_scale = 0.37f}},
        {"adamw", 2, {ADAM, .weight_decay = 0.1f, .gradient_scale = 1}},
        {"adamw, clipped", 2, {ADAM, .weight_decay = 0.01f, .gradient_scale = 0.37f, .first = true}},
    };
    static const float extreme[] = {0, 1e-12f, -1e-12f, 1e9f, -1e9f, 1e-30f};
    static row w, m, v, g, before_w, before_m, before_v;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) for (const rule *r = rules; r < rules + sizeof rules / sizeof *rules; r++) {
        clear(w), clear(m), clear(v);
        fill(w, n, 20, 0.1f, NULL, 0);
        fill(m, n, 21, 0.01f, NULL, 0);
        fill(v, n, 22, 0.01f, NULL, 0);
        for (size_t i = 0; i < n; i++) v[i] *= v[i];
        fill(g, n, 23, 0.01f, extreme, sizeof extreme / sizeof *extreme);
        memcpy(before_w, w, sizeof w), memcpy(before_m, m, sizeof m), memcpy(before_v, v, sizeof v);
        if (r->which == 0) s->update->step[ELBO_SGD](w, (float *const[]){m, v}, g, n, &r->u);
        if (r->which == 1) s->update->step[ELBO_ADAM](w, (float *const[]){m, v}, g, n, &r->u);
        if (r->which == 2) s->update->step[ELBO_ADAMW](w, (float *const[]){m, v}, g, n, &r->u);
        assert_guard(r->name, w, n), assert_guard(r->name, m, n), assert_guard(r->name, v, n);
        for (size_t i = 0; i < n; i++) {
            double ww = before_w[i], mm = before_m[i], vv = before_v[i], gg = fabs(g[i]) * r->u.gradient_scale;
            plain_step(r, &ww, &mm, &vv, g[i]);
            // Relative to what was added: the old value, the gradient (with decay), the step.
            double parts = fabs(before_w[i]) + gg + fabs(before_m[i]), step = fabs(ww - before_w[i]);
            assert_near(r->name, i, w[i], ww, VALUE * (fabs(before_w[i]) + step + (r->which ? 0 : r->u.lr * parts)));
            assert_near(r->name, i, m[i], mm, VALUE * parts + TINY);
            assert_near(r->name, i, v[i], vv, 2 * VALUE * (vv + r->u.weight_decay * parts * parts) + TINY);
        }
    }
}

static void squares(void **state) {
    (void)state;
    enum { LONG = 4096 * 3 + 7 }; // more than one piece of the fast sum
    float *g = malloc(LONG * sizeof *g);
    assert_non_null(g);
    fill(g, LONG, 24, 1e-3f, NULL, 0);
    const size_t lengths[] = {0, 1, 15, 17, 4095, 4096, 4097, LONG};
    FOR_EACH_SET(s) for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        double want = 0;
        for (size_t i = 0; i < lengths[k]; i++) want += (double)g[i] * g[i];
        assert_near("sum of squares", lengths[k], s->update->sum_of_squares(g, lengths[k]), want,
                    allowed(s, VALUE) * want);
    }
    g[5000] = 1e15f; // its square fits a float, the sum of the rest is not lost in it but for rounding
    FOR_EACH_SET(s) assert_near("large", 0, s->update->sum_of_squares(g, LONG), 1e30, 1e-6 * 1e30);
    free(g);
}

/* ---- products ---- */

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
        cmocka_unit_test(losses),
        cmocka_unit_test(losses_of_large_images),
        cmocka_unit_test(reparameterization),
        cmocka_unit_test(nan_stays_nan),
        cmocka_unit_test(infinity_is_seen),
        cmocka_unit_test(optimizers),
        cmocka_unit_test(squares),
        cmocka_unit_test(linear),
        cmocka_unit_test(nan_in_products),
        cmocka_unit_test(peak),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
