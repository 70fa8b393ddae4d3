/* The terms over the code against plain loops in double, their gradients against central differences of these, for
 * batches that fill whole vectors and batches that do not, in one piece and in two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_rows.h"
#include "nn/distributions.h"
#include "recipe/latent_terms.h"

/* ---- what is right: codes image by image, (count, Z) ---- */

enum { CODE, MEAN, LOGVAR, DRAW, KINDS };
typedef struct codes {
    size_t count, Z;
    double *of[KINDS];
    double bound;
    unsigned choice;
} codes;

#define LOG_2_PI 1.8378770664093454836

static double at(const codes *c, int kind, size_t i, size_t d) { return c->of[kind][i * c->Z + d]; }

static double log_normal(double z, double m, double v) { return -0.5 * (LOG_2_PI + v + (z - m) * (z - m) / exp(v)); }

/* log of q(z_i)'s marginal in dimensions first .. end-1, q being the mean of the posteriors. */
static double log_q(const codes *c, size_t i, size_t first, size_t end) {
    double sum = 0;
    for (size_t j = 0; j < c->count; j++) {
        double log_p = 0;
        for (size_t d = first; d < end; d++)
            log_p += log_normal(at(c, CODE, i, d), at(c, MEAN, j, d), at(c, LOGVAR, j, d));
        sum += exp(log_p);
    }
    return log(sum / (double)c->count);
}

static double kl_of(const codes *c, size_t d) {
    double sum = 0;
    for (size_t i = 0; i < c->count; i++) {
        double m = at(c, MEAN, i, d), v = at(c, LOGVAR, i, d);
        sum += (m * m + exp(v) - 1 - v) / 2;
    }
    return sum / (double)c->count;
}

static double kernel_of(const codes *c, int a, size_t i, int b, size_t j) {
    double square = 0, sum = 0, C = 2 * (double)c->Z;
    for (size_t d = 0; d < c->Z; d++) square += pow(at(c, a, i, d) - at(c, b, j, d), 2);
    if (c->choice == ELBO_MMD_RBF) return exp(-square / C);
    const double scale[] = {0.1, 0.2, 0.5, 1, 2, 5, 10};
    for (int k = 0; k < 7; k++) sum += scale[k] * C / (scale[k] * C + square);
    return sum;
}

static double value_of(const codes *c, elbo_latent_term term, size_t i) {
    double sum = 0, kl = 0, n = (double)c->count;
    switch (term) {
    case ELBO_LATENT_PENALTY:
        for (size_t d = 0; d < c->Z; d++) sum += at(c, CODE, i, d) * at(c, CODE, i, d) / 2;
        return sum;
    case ELBO_LATENT_FREE_BITS:
        for (size_t d = 0; d < c->Z; d++) sum += fmax(c->bound, kl_of(c, d)) - kl_of(c, d);
        return sum;
    case ELBO_LATENT_CAPACITY:
        for (size_t d = 0; d < c->Z; d++) kl += kl_of(c, d);
        return fabs(kl - c->bound) - kl;
    case ELBO_LATENT_MI:
        for (size_t d = 0; d < c->Z; d++) sum += log_normal(at(c, CODE, i, d), at(c, MEAN, i, d), at(c, LOGVAR, i, d));
        return sum - log_q(c, i, 0, c->Z);
    case ELBO_LATENT_TC:
        for (size_t d = 0; d < c->Z; d++) sum += log_q(c, i, d, d + 1);
        return log_q(c, i, 0, c->Z) - sum;
    case ELBO_LATENT_MMD:
        for (size_t j = 0; j < c->count; j++) {
            if (j != i) sum += (kernel_of(c, CODE, i, CODE, j) + kernel_of(c, DRAW, i, DRAW, j)) / (n - 1);
            sum -= 2 / n * kernel_of(c, CODE, i, DRAW, j);
        }
        return sum;
    default: fail_msg("latent term %d has no formula here", (int)term);
    }
    return NAN;
}

static double whole(const codes *c, elbo_latent_term term) {
    double sum = 0;
    for (size_t i = 0; i < c->count; i++) sum += value_of(c, term, i);
    return sum;
}

/* By `kind` of number i, d. */
static double slope_of(const codes *c, elbo_latent_term term, int kind, size_t i, size_t d) {
    const double h = 1e-5;
    double *x = &c->of[kind][i * c->Z + d], kept = *x, sum[2];
    for (int side = 0; side < 2; side++) {
        *x = kept + (side ? h : -h);
        sum[side] = whole(c, term);
    }
    *x = kept;
    return (sum[1] - sum[0]) / (2 * h);
}

/* ---- what kernels compute ---- */

typedef struct arrays {
    size_t stride, floats; // floats: of one array
    float *of[KINDS], *gradient[3], *room;
} arrays;

static float *numbers(size_t n, float value) {
    float *v = malloc((n + GUARD) * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n + GUARD; i++) v[i] = i < n ? value : -77;
    return v;
}

static void make(codes *c, arrays *a, size_t count, size_t Z) {
    *c = (codes){.count = count, .Z = Z};
    *a = (arrays){.stride = (count + 15) / 16 * 16};
    a->floats = a->stride * Z;
    for (int kind = 0; kind < KINDS; kind++) {
        c->of[kind] = malloc(count * Z * sizeof(double));
        a->of[kind] = numbers(a->floats, 0);
        float *given = numbers(count * Z, 0);
        elbo_random_normal((elbo_stream){.seed = 3, .purpose = ELBO_FOR_PICKING, .sample = (uint32_t)kind}, given,
                           count * Z);
        for (size_t i = 0; i < count * Z; i++) {
            if (kind == LOGVAR) given[i] = 0.7f * given[i] - 1;
            c->of[kind][i] = given[i];
            a->of[kind][i % Z * a->stride + i / Z] = given[i];
        }
        free(given);
    }
    // Codes near their posteriors: mean plus noise.
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < Z; d++) {
            float z = (float)(at(c, MEAN, i, d) + at(c, CODE, i, d) * exp(at(c, LOGVAR, i, d) / 2));
            c->of[CODE][i * Z + d] = a->of[CODE][d * a->stride + i] = z;
        }
    for (int k = 0; k < 3; k++) a->gradient[k] = numbers(a->floats, 0);
    a->room = numbers(elbo_batch_term_room(Z, a->stride), NAN);
}

static void unmake(codes *c, arrays *a) {
    for (int kind = 0; kind < KINDS; kind++) free(c->of[kind]), free(a->of[kind]);
    for (int k = 0; k < 3; k++) free(a->gradient[k]);
    free(a->room);
}

static void assert_kept(const char *what, const float *v, size_t n) {
    for (size_t i = n; i < n + GUARD; i++)
        if (v[i] != -77) fail_msg("%s: value %zu behind %zu was written", what, i - n, n);
}

/* In two pieces, as two shards would. */
static void run(const kernel_set *s, const codes *c, const arrays *a, elbo_latent_term term, float scale, bool back,
                float *value) {
    elbo_codes all = {.z = a->of[CODE],
                      .mu = a->of[MEAN],
                      .logvar = a->of[LOGVAR],
                      .draw = a->of[DRAW],
                      .Z = c->Z,
                      .count = c->count,
                      .stride = a->stride};
    elbo_code_gradients g = {a->gradient[0], a->gradient[1], a->gradient[2]};
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < a->floats; i++) a->gradient[k][i] = 0;
    size_t cut = c->count / 3;
    for (int piece = 0; piece < 2; piece++) {
        elbo_batch_term_args args = {.first = piece ? cut : 0,
                                     .rows = piece ? c->count - cut : cut,
                                     .scale = scale,
                                     .bound = (float)c->bound,
                                     .choice = c->choice,
                                     .room = a->room};
        s->latent->batch[term](value + args.first, back ? &g : NULL, &all, &args);
    }
    for (int k = 0; k < 3; k++) assert_kept("gradient", a->gradient[k], a->floats);
    assert_kept("room", a->room, elbo_batch_term_room(c->Z, a->stride));
}

static void check_batch_term(const kernel_set *s, const codes *c, const arrays *a, elbo_latent_term term,
                             const double *want, double *const *slopes) {
    const float scale = 0.3f;
    float *value = numbers(c->count, 0), *again = numbers(c->count, 0);
    const char *name = elbo_latent_rows[term].name;
    run(s, c, a, term, scale, false, again);
    run(s, c, a, term, scale, true, value);
    assert_kept(name, value, c->count);
    for (size_t i = 0; i < c->count; i++) {
        // log densities of Z dimensions, kernels of seven scales: each rounded to a float
        assert_near(name, i, value[i], want[i], SUM * (1 + fabs(want[i]) + (double)c->Z));
        assert_true(value[i] == again[i]);
    }
    for (int k = 0; k < 3; k++) {
        double largest = 0.1; // a weight is a difference of shares of 1, each rounded
        for (size_t i = 0; i < c->count * c->Z; i++) largest = fmax(largest, fabs(slopes[k][i]));
        for (size_t i = 0; i < c->count; i++)
            for (size_t d = 0; d < c->Z; d++)
                assert_near(name, i * c->Z + d, a->gradient[k][d * a->stride + i], scale * slopes[k][i * c->Z + d],
                            1e-5 * scale * largest);
    }
    free(value), free(again);
}

static void check_batch_terms(const codes *c, const arrays *a) {
    static const int reads[] = {ELBO_LATENT_READS_CODE, ELBO_LATENT_READS_POSTERIOR, ELBO_LATENT_READS_POSTERIOR};
    double *want = malloc(c->count * sizeof *want), *slopes[3];
    for (int k = 0; k < 3; k++) slopes[k] = malloc(c->count * c->Z * sizeof **slopes);
    for (int t = 0; t < ELBO_LATENT_TERMS; t++) {
        if (!elbo_latent_rows[t].batch) continue;
        elbo_latent_term term = (elbo_latent_term)t;
        for (size_t i = 0; i < c->count; i++) want[i] = value_of(c, term, i);
        for (int k = 0; k < 3; k++)
            for (size_t i = 0; i < c->count * c->Z; i++)
                slopes[k][i] = elbo_latent_rows[t].reads & reads[k] ? slope_of(c, term, k, i / c->Z, i % c->Z) : 0;
        FOR_EACH_SET(s) check_batch_term(s, c, a, term, want, slopes);
    }
    for (int k = 0; k < 3; k++) free(slopes[k]);
    free(want);
}

static void batch_terms(void **state) {
    (void)state;
    static const size_t size[][2] = {{1, 1}, {2, 3}, {7, 3}, {16, 2}, {17, 5}, {37, 4}};
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        codes c;
        arrays a;
        make(&c, &a, size[k][0], size[k][1]);
        for (unsigned variant = 0; variant < 2; variant++) { // kernels; KL above and below its bound
            double kl = 0;
            for (size_t d = 0; d < c.Z; d++) kl += kl_of(&c, d);
            c.choice = variant;
            c.bound = (variant ? 1.03 : 0.97) * (c.Z > 1 ? kl_of(&c, 1) : kl);
            check_batch_terms(&c, &a);
            c.bound = 1.5 * kl;
            check_batch_terms(&c, &a);
        }
        unmake(&c, &a);
    }
}

static void row_terms(void **state) {
    (void)state;
    static row x, dx;
    FOR_EACH_SET(s) FOR_EACH_SIZE(n) for (int t = 0; t < ELBO_LATENT_TERMS; t++) {
        if (elbo_latent_rows[t].batch) continue;
        double of[MOST];
        fill(x, n, 5, 1, NULL, 0);
        for (size_t i = 0; i < n; i++) of[i] = x[i];
        codes c = {.count = 1, .Z = n, .of = {of}};
        double want = value_of(&c, (elbo_latent_term)t, 0);
        for (size_t i = 0; i < MOST + GUARD; i++) dx[i] = i < n ? 2 : -77;
        assert_near("value", n, s->latent->row[t](NULL, x, n, 0.5f), want, SUM * (1 + fabs(want)));
        assert_near("value", n, s->latent->row[t](dx, x, n, 0.5f), want, SUM * (1 + fabs(want)));
        assert_guard("gradient", dx, n);
        for (size_t i = 0; i < n; i += 1 + n / 40)
            assert_near("gradient", i, dx[i], 2 + 0.5 * slope_of(&c, (elbo_latent_term)t, CODE, 0, i), 1e-6);
    }
}

/* A logvar far out: nothing is infinite, and what a term gives to it is 0, so that the KL alone brings it back. */
static void bounded(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (int t = ELBO_LATENT_MI; t <= ELBO_LATENT_TC; t++) for (int side = 0; side < 2; side++) {
        codes c;
        arrays a;
        make(&c, &a, 7, 3);
        a.of[LOGVAR][a.stride + 4] = side ? 1e4f : -1e4f;
        a.of[CODE][a.stride + 4] = a.of[MEAN][a.stride + 4];
        float *value = numbers(c.count, 0);
        run(s, &c, &a, (elbo_latent_term)t, 1, true, value);
        for (size_t i = 0; i < c.count; i++) assert_true(isfinite(value[i]));
        for (int k = 0; k < 3; k++)
            for (size_t i = 0; i < a.floats; i++) assert_true(isfinite(a.gradient[k][i]));
        assert_true(a.gradient[2][a.stride + 4] == 0);
        free(value);
        unmake(&c, &a);
    }
}

/* What is not finite is seen: in a value, and so by the trainer. */
static void not_finite(void **state) {
    (void)state;
    FOR_EACH_SET(s) for (int t = 0; t < ELBO_LATENT_TERMS; t++) {
        if (!elbo_latent_rows[t].batch) continue;
        codes c;
        arrays a;
        make(&c, &a, 17, 3);
        c.bound = 1;
        for (int kind = CODE; kind <= LOGVAR; kind++) a.of[kind][a.stride + 4] = NAN;
        float *value = numbers(c.count, 0);
        run(s, &c, &a, (elbo_latent_term)t, 1, true, value);
        bool seen = false;
        for (size_t i = 0; i < c.count; i++) seen |= isnan(value[i]);
        if (!seen) fail_msg("%s: %s", s->name, elbo_latent_rows[t].name);
        free(value);
        unmake(&c, &a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(batch_terms), cmocka_unit_test(row_terms),
                                       cmocka_unit_test(bounded), cmocka_unit_test(not_finite)};
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
