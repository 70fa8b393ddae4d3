/* An optimiser's step in double, from a device's own gradient: the new weights and what the optimiser keeps, value by
 * value. The rules are torch.optim's; nothing of elbo's kernels or schedules is used. */
#ifndef ELBO_TESTS_TORTURE_UPDATE_H
#define ELBO_TESTS_TORTURE_UPDATE_H

#include "torture_machine.h"

/* The schedules, from their definitions (torch.optim.lr_scheduler's, stepped once per epoch). */
static inline double torture_lr(const elbo_recipe *r, int epoch) {
    double lr = r->train.lr;
    if (r->train.schedule == ELBO_COSINE) {
        double least = r->train.eta_min;
        return least + (lr - least) * (1 + cos(acos(-1) * epoch / r->train.epochs)) / 2;
    }
    for (int e = 1; r->train.schedule == ELBO_STEP && e <= epoch; e++)
        if (e % r->train.step_size == 0) lr *= r->train.gamma;
    return lr;
}

/* The KL's weight: the schedule's of the epoch, and over the first epochs a part of it that grows step by step. */
static inline double torture_kl_weight(const elbo_recipe *r, int epoch, int step) { // step from 0
    double weight = r->loss.kl, warm = r->loss.kl_warmup * STEPS;
    if (r->loss.kl_schedule == ELBO_KL_SINE)
        weight = fmax(r->loss.kl_min, weight * (1 + sin(2 * acos(-1) * epoch / r->loss.kl_period)) / 2);
    return step < warm ? weight * step / warm : weight;
}

typedef struct update_of {
    const elbo_recipe *recipe;
    double lr, scale; // of the gradient, where it is clipped
    int step;         // from 1
} update_of;

/* The new value of one weight, and of what is kept of it. Each with how far floats may be off: some roundings (ROUND) of
 * each term that is added, carried through what is computed of it. */
typedef struct updated {
    double w, w_off, kept[2], kept_off[2];
} updated;

static const double ROUND = 4 * 0x1p-24;

static inline updated torture_sgd(const update_of *u, double w, const double *kept, double g) {
    double momentum = u->recipe->train.momentum, decay = u->recipe->train.weight_decay * w;
    double off = 8 * ROUND * (fabs(g) + fabs(decay)), step = g + decay;
    if (momentum > 0 && u->step > 1) {
        off += ROUND * fabs(momentum * kept[0]);
        step += momentum * kept[0];
    }
    updated n = {.w = w - u->lr * step, .kept = {kept[0], kept[1]}};
    if (momentum > 0) n.kept[0] = step, n.kept_off[0] = off;
    n.w_off = ROUND * fabs(n.w) + u->lr * (off + 8 * ROUND * fabs(step));
    return n;
}

static inline updated torture_adam(const update_of *u, double w, const double *kept, double g) {
    double b1 = u->recipe->train.betas[0], b2 = u->recipe->train.betas[1], decay = u->recipe->train.weight_decay;
    bool apart = u->recipe->train.optimizer == ELBO_ADAMW;
    double g_off = 8 * ROUND * (fabs(g) + (apart ? 0 : fabs(decay * w)));
    if (apart)
        w *= 1 - u->lr * decay;
    else
        g += decay * w;
    double m = b1 * kept[0] + (1 - b1) * g, v = b2 * kept[1] + (1 - b2) * g * g;
    updated n = {.kept = {m, v}};
    n.kept_off[0] = ROUND * (fabs(b1 * kept[0]) + fabs((1 - b1) * g)) + (1 - b1) * g_off +
                    1e-43; // below 1e-38 floats have few digits
    n.kept_off[1] = 2 * ROUND * v + (1 - b2) * g_off * (2 * fabs(g) + g_off) + 1e-37;
    double c1 = 1 - pow(b1, u->step), c2 = sqrt(1 - pow(b2, u->step)), rate = u->lr / c1;
    double root = sqrt(v), below = root / c2 + u->recipe->train.eps;
    double root_off = fmin(root > 0 ? n.kept_off[1] / root : INFINITY, sqrt(n.kept_off[1])) + ROUND * root;
    n.w = w - rate * m / below;
    n.w_off =
        ROUND * (fabs(w) + fabs(n.w)) + rate / below * (n.kept_off[0] + fabs(m) * (root_off / c2 / below + 8 * ROUND));
    return n;
}

/* gradient: the device's own (param_floats); before, after: weights, then what the optimiser keeps */
static inline bool check_update(const machine *m, const elbo_recipe *r, int epoch, int step, float *const *before,
                                finding *f) {
    const elbo_graph *g = &m->network.graph;
    float *after[ELBO_MAX_OPTIMIZER_ARRAYS + 1];
    state_blocks(m, after);
    double squares = 0;
    for (int i = 0; i < g->params; i++)
        for (size_t k = g->param[i].offset; !g->param[i].buffer && k < g->param[i].offset + g->param[i].count; k++)
            squares += (double)m->grads[k] * m->grads[k];
    update_of u = {.recipe = r, .lr = torture_lr(r, epoch), .scale = 1, .step = step};
    if (r->train.clip > 0 && sqrt(squares) > r->train.clip) u.scale = r->train.clip / (sqrt(squares) + 1e-6);
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        for (size_t k = p->offset; !p->buffer && k < p->offset + p->count; k++) {
            double kept[2] = {before[1] ? before[1][k] : 0, before[2] ? before[2][k] : 0};
            bool sgd = r->train.optimizer == ELBO_SGD;
            updated n = (sgd ? torture_sgd : torture_adam)(&u, before[0][k], kept, m->grads[k] * u.scale);
            if (!(fabs(after[0][k] - n.w) <= n.w_off))
                return find_fault(
                    f,
                    "%s: weight %s[%zu] after step %d is %.9g, should be %.9g, off by %.2g of %.2g; gradient %g, "
                    "kept %g and %g, weight before %.9g",
                    m->state.device->name, p->name, k - p->offset, step, after[0][k], n.w, fabs(after[0][k] - n.w),
                    n.w_off, m->grads[k], kept[0], kept[1], before[0][k]);
            for (int a = 0; a < m->state.optimizer->arrays; a++)
                if (!(fabs(after[a + 1][k] - n.kept[a]) <= n.kept_off[a]))
                    return find_fault(f, "%s: %s[%zu], array %s, is %.9g, should be %.9g, off by %.2g of %.2g",
                                      m->state.device->name, p->name, k - p->offset, m->state.optimizer->array[a].name,
                                      after[a + 1][k], n.kept[a], fabs(after[a + 1][k] - n.kept[a]), n.kept_off[a]);
        }
    }
    return true;
}

#endif
