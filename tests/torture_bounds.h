/* A step replayed in double, and how far a computation in floats may be off from it.
 *
 * The bounds are not chosen, they are measured of the replay itself: the step is repeated with every addition and product
 * of it rounded as a float would be, at random (tape.h), and with decisions turned that lie within rounding (a relu's
 * input next to 0, two equal values of a window). The largest difference of a tensor in these runs is what rounding makes
 * of it; a device may be off by SLACK = 16 times that. Not by once that, because (a) a device has other roundings than
 * these runs (sums in other orders, minimal filtering, exp within 2 units in the last place) and (b) the largest of a
 * few runs is not the largest there is. A wrong formula, a row too many in a sum, a race or a stale buffer is off by
 * thousands of times that: with 16, a gradient is mostly held to 1e-5 of the tensor's largest.
 *
 * Two such runs may both be lucky, above all where a tensor has one value. So where a bound fails, EXTRA runs more are
 * made before it is called a fault. */
#ifndef ELBO_TESTS_TORTURE_BOUNDS_H
#define ELBO_TESTS_TORTURE_BOUNDS_H

#include "replay_ops.h"

enum { SLACK = 16, EXTRA = 24 };
/* Besides, floats hold what is compared: half a unit in the last place of a tensor's largest, some times over. */
static const double FLOOR = 4 * 0x1p-24;
/* And below 1e-38 they hold nothing (kernels' exp stays there), also where that is multiplied by some weights. */
static const double NOTHING = 1e-28;

typedef struct bounds {
    replay r;
    int most;
    double *gradient, *gradient_off; // (param_floats), and how far the noisy runs were off
    double *buffer, *buffer_off;
    double *metric, *metric_off; // (metrics, count)
    double **out, **out_off;     // (graph->count): (count, size); in evaluation the code and the output are read
    double *turn;                // (graph->count)
    double widest;               // of the gradients' bounds, relative to the gradient's largest value
} bounds;

static inline void bounds_open(bounds *b, const elbo_graph *g, const elbo_recipe *recipe, int most) {
    *b = (bounds){.most = most};
    replay_open(&b->r, g, recipe, most);
    double **arrays[] = {&b->gradient, &b->gradient_off, &b->buffer, &b->buffer_off};
    for (int i = 0; i < 4; i++) *arrays[i] = calloc(g->param_floats + 1, sizeof(double));
    b->metric = calloc((size_t)most * ELBO_MAX_METRICS, sizeof(double));
    b->metric_off = calloc((size_t)most * ELBO_MAX_METRICS, sizeof(double));
    b->turn = calloc((size_t)g->count, sizeof(double));
    b->out = calloc((size_t)g->count, sizeof *b->out);
    b->out_off = calloc((size_t)g->count, sizeof *b->out_off);
    for (int i = 0; i < g->count; i++) {
        b->out[i] = calloc((size_t)most * replay_size(&g->node[i]), sizeof(double));
        b->out_off[i] = calloc((size_t)most * replay_size(&g->node[i]), sizeof(double));
    }
}

static inline void bounds_close(bounds *b) {
    for (int i = 0; i < b->r.graph->count; i++) free(b->out[i]), free(b->out_off[i]);
    free(b->out), free(b->out_off), free(b->turn), free(b->metric), free(b->metric_off);
    free(b->gradient), free(b->gradient_off), free(b->buffer), free(b->buffer_off);
    replay_close(&b->r);
}

/* A value of the exact run, or how far off one of a noisy run is. */
static inline void bounds_take(double *value, double *off, double found, bool exact) {
    if (exact) {
        *value = found;
        *off = 0;
    } else if (!(fabs(found - *value) <= *off)) {
        *off = fabs(found - *value);
    }
}

static inline void bounds_run(bounds *b, bool exact) {
    const elbo_graph *g = b->r.graph;
    replay *r = &b->r;
    r->t.noise = !exact;
    replay_run(r);
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        for (size_t k = p->offset; k < p->offset + p->count; k++) {
            double slope = r->training ? r->t.step[r->param[k]].slope : 0;
            bounds_take(&b->gradient[k], &b->gradient_off[k], slope, exact);
            bounds_take(&b->buffer[k], &b->buffer_off[k], r->buffer[k], exact);
        }
    }
    for (int k = 0; k < g->metrics.count * r->count; k++)
        bounds_take(&b->metric[k], &b->metric_off[k], r->metric[k], exact);
    for (int i = 0; i < g->count; i++) {
        bool loss = elbo_loss_find(g->node[i].op->name) != NULL;
        for (size_t k = 0; !loss && k < (size_t)r->count * replay_size(&g->node[i]); k++)
            bounds_take(&b->out[i][k], &b->out_off[i][k], at(&r->t, r->out[i][k]), exact);
    }
}

/* How far off the largest of n values may be, for all of them. */
static inline double bound_of(const double *value, const double *off, size_t n) {
    double most = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(off[i] <= most)) most = off[i];
        largest = fmax(largest, fabs(value[i]));
    }
    return SLACK * most + FLOOR * largest + NOTHING;
}

static inline void bounds_noise(bounds *b, bool turned) {
    const elbo_graph *g = b->r.graph;
    for (int i = 0; i < g->count; i++)
        b->turn[i] = turned ? bound_of(b->out[i], b->out_off[i], (size_t)b->r.count * replay_size(&g->node[i])) : 0;
    b->r.turn = turned ? b->turn : NULL;
    bounds_run(b, false);
    b->r.turn = NULL;
}

/* The step and its bounds. */
static inline void bounds_make(bounds *b) {
    bounds_run(b, true);
    bounds_noise(b, false);
    bounds_noise(b, true);
}

static inline void bounds_widen(bounds *b) {
    for (int i = 0; i < EXTRA; i++) bounds_noise(b, i % 2 == 1);
}

/* The first of n values that is off by more than all of them may be; n: none. */
static inline size_t first_off(const float *got, const double *value, const double *off, size_t n, double *bound) {
    *bound = bound_of(value, off, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - value[i]) <= *bound)) return i;
    return n;
}

#endif
