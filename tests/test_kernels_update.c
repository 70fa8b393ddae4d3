/* The kernels of optimizers: one step in double, after the formulas of torch.optim's documentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel_rows.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers),
        cmocka_unit_test(squares),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
