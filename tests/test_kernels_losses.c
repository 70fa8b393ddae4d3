/* The kernels of losses against plain loops in double; and what is not finite is seen, by the optimizers' too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_rows.h"

/* ---- losses ---- */

enum { BCE, MSE, L1, CB, MSE_L1, LOSSES };
static const char *const loss_names[] = {"bce", "mse", "l1", "cb", "mse_l1"};
static const elbo_reconstruction loss_kinds[] = {ELBO_BCE, ELBO_MSE, ELBO_L1, ELBO_CB};
#define MSE_PART 1.3f
#define L1_PART 0.7f

static float run_loss(const kernel_set *s, int which, float *dy, float *squared, const float *y, const float *x,
                      size_t n, float scale) {
    if (which == MSE_L1) return s->loss->mse_l1(dy, squared, y, x, n, MSE_PART, L1_PART, scale);
    return s->loss->pixel[loss_kinds[which]](dy, squared, y, x, n, scale);
}

/* Of the continuous Bernoulli with logit l: its mean, and log(l / tanh(l / 2)). */
static double cb_mean(double l) { return fabs(l) < 1e-3 ? 0.5 + l / 12 : -1 / expm1(-l) - 1 / l; }
static double cb_normaliser(double l) { return l == 0 ? log(2) : log(l / tanh(l / 2)); }

/* Loss, squared error and gradient of one value; bce by another formula than the kernels': log(1 + e^l) - l x, which in
 * double holds up to l = 700. */
static double loss_term(int which, double y, double x, double *squared, double *gradient) {
    double e = y - x;
    if (which == BCE) e = activation(ELBO_SIGMOID, y, 0) - x;
    if (which == CB) e = cb_mean(y) - x;
    *squared = e * e;
    double sign = (e > 0) - (e < 0);
    if (which == MSE_L1) {
        *gradient = (double)MSE_PART * 2 * e + (double)L1_PART * sign;
        return fabs(e); // the squares are told beside it
    }
    *gradient = which == MSE ? 2 * e : which == L1 ? sign : e;
    double bce = (y > 30 ? y + exp(-y) : log1p(exp(y))) - y * x;
    return which == BCE ? bce : which == CB ? bce - cb_normaliser(y) : which == MSE ? e * e : fabs(e);
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
            size += fabs(term) + (which == BCE || which == CB ? fabs((double)y[i]) + 2 : 0); // max(l, 0) - l x cancels
            squares += squared;
        }
        float got_squares = NAN;
        clear(dy);
        float got = run_loss(s, which, dy, &got_squares, y, x, n, scale);
        assert_guard(what, dy, n);
        assert_near(what, 0, got, loss, allowed(s, SUM) * size);
        assert_near("squared", 0, got_squares, squares, allowed(s, SUM) * squares + VALUE);
        for (size_t i = 0; i < n; i++) { // errors of y - x and of sigmoid - x are of EPS of their parts
            double parts = which == BCE  ? 1 + fabs((double)x[i])
                           : which == CB ? 3 + fabs((double)x[i])
                                         : fabs((double)y[i]) + fabs((double)x[i]);
            assert_near(what, i, dy[i], scale * gradient[i],
                        allowed(s, VALUE) * fabs(scale * gradient[i]) + (which == L1 ? 0 : 4 * EPS * scale * parts));
        }
        // Without a gradient, as evaluation asks: the same bits.
        float again_squares, again = run_loss(s, which, NULL, &again_squares, y, x, n, scale);
        assert_true(again == got && again_squares == got_squares);
    }
}

/* ---- the discretised logistic ---- */

/* -log of a value's probability, from the smaller tails, where long doubles keep their digits; a is below x, b above. */
static long double logistic_nats(long double y, long double x, long double log_scale, const elbo_logistic *l) {
    long double s = expl(log_scale), a = (x - y + l->half) / s, b = (x - y - l->half) / s;
    if (x < l->lowest) return a > 0 ? log1pl(expl(-a)) : -a + log1pl(expl(a));
    if (x > l->highest) return b > 0 ? b + log1pl(expl(-b)) : log1pl(expl(b));
    if (x < y) return logistic_nats(-y, -x, log_scale, &(elbo_logistic){l->scale, l->half, -INFINITY, INFINITY});
    if (b > 5000) return b - logl(-expm1l(b - a)); // exp(a) is past the largest number
    return -logl(1 / (1 + expl(b)) - 1 / (1 + expl(a)));
}

static elbo_logistic logistic_case(int which) {
    static const float scale[] = {0.0025f, 0.03f, 1, 40}, low[] = {-1, 0}, high[] = {1, 1};
    int range = which % 2;
    float half = (high[range] - low[range]) / 510;
    return (elbo_logistic){scale[which / 2], half, low[range] + half, high[range] - half};
}
enum { LOGISTIC_CASES = 8 };

static float level(const elbo_logistic *l, int byte) { return l->lowest - l->half + 2 * l->half * (float)byte; }

static void logistic(void **state) {
    (void)state;
    static row y, x, dy;
    static const float far[] = {3, -3, 0, 1, -1, 0.5f, 100};
    const float weight = 1.0f / 37;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) for (int which = 0; which < LOGISTIC_CASES; which++) {
        elbo_logistic l = logistic_case(which);
        fill(y, n, 20, 1, far, sizeof far / sizeof *far);
        for (size_t i = 0; i < n; i++) x[i] = level(&l, i % 5 == 0 ? 0 : i % 5 == 1 ? 255 : (int)(i * 37 % 256));
        if (n > 15) y[2] = x[2];
        long double log_scale = logl((long double)l.scale), h = 1e-6L, loss = 0, slope = 0;
        double size = 0, squares = 0;
        float squared = NAN, by_scale = NAN, again_squared, again_by_scale;
        clear(dy);
        float got = s->loss->logistic(dy, &squared, &by_scale, y, x, n, &l, weight);
        assert_guard("logistic", dy, n);
        for (size_t i = 0; i < n; i++) {
            long double v = y[i], u = fabsl(v - x[i]) / l.scale, step = h * l.scale;
            loss += logistic_nats(v, x[i], log_scale, &l);
            slope += (logistic_nats(v, x[i], log_scale + h, &l) - logistic_nats(v, x[i], log_scale - h, &l)) / (2 * h);
            size += (double)(2 + u + l.half / l.scale);
            squares += (double)((v - x[i]) * (v - x[i]));
            long double want =
                (logistic_nats(v + step, x[i], log_scale, &l) - logistic_nats(v - step, x[i], log_scale, &l)) /
                (2 * step);
            assert_near("gradient", i, dy[i], (double)(weight * want), (double)(8 * EPS * weight * (2 + u) / l.scale));
        }
        assert_near("logistic", n, got, (double)loss, allowed(s, SUM) * size);
        assert_near("by scale", n, by_scale, (double)slope, allowed(s, SUM) * size + 1e-9 * size);
        assert_near("squared", n, squared, squares, allowed(s, SUM) * squares + VALUE);
        float again = s->loss->logistic(NULL, &again_squared, &again_by_scale, y, x, n, &l, weight);
        assert_true(again == got && again_squared == squared && again_by_scale == by_scale);
    }
}

/* The probabilities of a byte's 256 values, wherever the decoder points and however exact it is. */
static void logistic_probabilities_sum_to_1(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (int which = 0; which < LOGISTIC_CASES; which++) for (int at = -3; at < 12; at++) {
        elbo_logistic l = logistic_case(which);
        float y = l.lowest + (l.highest - l.lowest) * (float)at / 8.3f, squared, slope;
        double sum = 0;
        for (int byte = 0; byte < 256; byte++) {
            float x = level(&l, byte);
            sum += exp(-(double)s->loss->logistic(NULL, &squared, &slope, &y, &x, 1, &l, 1));
        }
        assert_near("sum", (size_t)which, sum, 1, 4e-6);
    }
}

/* The density over [0, 1] of the continuous Bernoulli has integral 1, near 1/2 and near 0 and 1 too. */
static void continuous_bernoulli_integrates_to_1(void **state) {
    (void)state;
    static const float logits[] = {0, 1e-7f, -1e-3f, 0.05f, -0.499f, 0.501f, 2, -4, 11, -16, 30};
    enum { CELLS = 1 << 14 };
    FOR_EACH_SET(s) for (size_t i = 0; i < sizeof logits / sizeof *logits; i++) {
        double sum = 0, mean = 0;
        float squared, gradient, zero = 0;
        for (int c = 0; c < CELLS; c++) {
            float x = ((float)c + 0.5f) / CELLS;
            double p = exp(-(double)s->loss->pixel[ELBO_CB](NULL, &squared, &logits[i], &x, 1, 1));
            sum += p / CELLS;
            mean += p * x / CELLS;
        }
        assert_near("integral", i, sum, 1, 3e-6);
        s->loss->pixel[ELBO_CB](&gradient, &squared, &logits[i], &zero, 1, 1);
        assert_near("mean", i, gradient, mean, 3e-6);
        assert_near("squared error of the mean", i, squared, mean * mean, 6e-6);
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
                assert_near(which < LOSSES ? loss_names[which] : "kl", n, got, want, 1e-6 * fabs(want));
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

/* Outside of its bounds logvar is drawn with the bound's variance, which has no gradient, and the KL goes on as a line
 * whose gradient is that at the bound: it points back, and nothing is infinite. */
static void logvar_is_bounded(void **state) {
    (void)state;
    static const float far[] = {20.5f, 33, 100, 1e4f, 1e20f, -31, -100, -1e4f, -1e20f};
    enum { FAR = sizeof far / sizeof *far };
    const float weight = 0.25f;
    float mu[FAR], eps[FAR], dz[FAR], z[FAR], dmu[FAR], dlogvar[FAR];
    for (int i = 0; i < FAR; i++) mu[i] = 0.5f, eps[i] = -1.5f, dz[i] = 3;
    FOR_EACH_SET(s) {
        s->loss->reparameterize(z, mu, far, eps, FAR);
        s->loss->reparameterize_backward(dmu, dlogvar, dz, mu, far, eps, FAR, weight);
        for (int i = 0; i < FAR; i++) {
            double v = far[i], b = v > 0 ? 20 : -30, one = 0.5 * (0.25 + exp(b) - 1 - b + (exp(b) - 1) * (v - b));
            float kl = s->loss->reparameterize(z + i, mu + i, far + i, eps + i, 1);
            assert_near("kl", (size_t)i, kl, one, allowed(s, SUM) * fabs(one));
            assert_near("z", (size_t)i, z[i], 0.5 - 1.5 * exp(b / 2), VALUE * (1 + 1.5 * exp(b / 2)));
            assert_near("dlogvar", (size_t)i, dlogvar[i], weight * 0.5 * (exp(b) - 1), VALUE * weight * (exp(b) + 1));
            assert_true(v > 0 ? dlogvar[i] > 0 : dlogvar[i] < 0);
            assert_near("dmu", (size_t)i, dmu[i], 3 + weight * 0.5, VALUE * 4);
        }
        const float lost[] = {NAN, INFINITY, -INFINITY};
        for (int i = 0; i < 3; i++) assert_false(isfinite(s->loss->reparameterize(z, mu, lost + i, eps, 1)));
    }
}

/* log q(z|x) - log p(z) of a drawn z, as two densities. The bounds of logvar are as the KL's. */
static void the_kl_of_a_sample(void **state) {
    (void)state;
    static const float extreme[] = {10, -29, 0, -10, 5, 1e-6f, 25, -35};
    static row mu, logvar, eps, dz, z, dmu, dlogvar;
    const float weight = 0.5f / 37;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) {
        fill(mu, n, 7, 1, NULL, 0);
        fill(logvar, n, 8, 2, extreme, sizeof extreme / sizeof *extreme);
        fill(eps, n, 9, 1, NULL, 0);
        FILL_HARD(dz, n, 10, 1e3f);
        s->loss->reparameterize(z, mu, logvar, eps, n);
        double want = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            double b = fmin(fmax(logvar[i], -30), 20), log_q = -0.5 * (eps[i] * (double)eps[i] + b),
                   log_p = -0.5 * ((double)z[i] * z[i]);
            want += log_q - log_p;
            size += fabs(log_q) + fabs(log_p);
        }
        assert_near("kl", n, s->loss->sampled_kl(z, logvar, eps, n), want, allowed(s, SUM) * size);
        clear(dmu);
        clear(dlogvar);
        s->loss->sampled_kl_backward(dmu, dlogvar, dz, z, logvar, eps, n, weight);
        assert_guard("dmu", dmu, n);
        assert_guard("dlogvar", dlogvar, n);
        for (size_t i = 0; i < n; i++) {
            double b = fmin(fmax(logvar[i], -30), 20), part = eps[i] * exp(0.5 * b), own = weight * (double)z[i],
                   d = b == logvar[i] ? dz[i] : 0;
            assert_near("dmu", i, dmu[i], dz[i] + own, VALUE * (fabs(dz[i]) + fabs(own)) + TINY);
            assert_near("dlogvar", i, dlogvar[i], 0.5 * ((own + d) * part - weight),
                        allowed(s, VALUE) * ((fabs(d) + fabs(own)) * fabs(part) + weight) + TINY);
        }
        s->loss->scale(dmu, n, 0.3f);
        assert_guard("scaled", dmu, n);
    }
    FOR_EACH_SET(s) {
        const float lost[] = {NAN, INFINITY, -INFINITY}, one = 1;
        float y[2] = {3, -2};
        for (int i = 0; i < 3; i++) assert_false(isfinite(s->loss->sampled_kl(lost + i, &one, &one, 1)));
        assert_true(isnan(s->loss->sampled_kl(&one, lost, &one, 1)));
        s->loss->scale(y, 2, -0.5f);
        assert_true(y[0] == -1.5f && y[1] == 1);
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
        for (int side = 0; side < 2; side++) {
            elbo_logistic l = logistic_case(2);
            float squared, slope;
            assert_true(isnan(s->loss->logistic(dy, &squared, &slope, side ? image : x, side ? x : image, N, &l, 1)));
            assert_true(isnan(squared) && isnan(slope) && isnan(dy[where]));
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
    static row x, image, z;
    FOR_EACH_SET(s) for (size_t where = 0; where < N; where++) for (int sign = -1; sign <= 1; sign += 2) {
        fill(x, N, 16, 1, NULL, 0);
        fill(image, N, 17, 1, NULL, 0);
        for (size_t i = 0; i < N; i++) image[i] = fabsf(image[i]) / (1 + fabsf(image[i]));
        x[where] = sign * INFINITY;
        float squared;
        assert_false(isfinite(s->loss->pixel[ELBO_BCE](NULL, &squared, x, image, N, 1)));
        assert_false(isfinite(s->loss->pixel[ELBO_MSE](NULL, &squared, x, image, N, 1)));
        assert_false(isfinite(s->loss->pixel[ELBO_L1](NULL, &squared, x, image, N, 1)));
        assert_false(isfinite(s->loss->pixel[ELBO_CB](NULL, &squared, x, image, N, 1)));
        elbo_logistic l = logistic_case(2);
        float slope;
        assert_false(isfinite(s->loss->logistic(NULL, &squared, &slope, x, image, N, &l, 1)));
        assert_false(isfinite(s->loss->reparameterize(z, x, image, NULL, N)));
        assert_false(isfinite(s->loss->reparameterize(z, image, x, NULL, N)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses),
        cmocka_unit_test(logistic),
        cmocka_unit_test(logistic_probabilities_sum_to_1),
        cmocka_unit_test(continuous_bernoulli_integrates_to_1),
        cmocka_unit_test(losses_of_large_images),
        cmocka_unit_test(logvar_is_bounded),
        cmocka_unit_test(the_kl_of_a_sample),
        cmocka_unit_test(reparameterization),
        cmocka_unit_test(nan_stays_nan),
        cmocka_unit_test(infinity_is_seen),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
