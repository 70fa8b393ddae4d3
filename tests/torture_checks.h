/* The checks of one architecture: every step of an epoch on both devices against the replay in double, the replay
 * against finite differences of itself, one thread against three, and the plans that encode, decode and evaluate. */
#ifndef ELBO_TESTS_TORTURE_CHECKS_H
#define ELBO_TESTS_TORTURE_CHECKS_H

#include "torture_bounds.h"
#include "torture_update.h"

/* Of all architectures, for the last line. */
typedef struct torture_totals {
    long architectures, steps, tensors, widened, diverged, rough;
    double worst;  // the largest difference over its bound
    long informed; // gradients whose bound is below 1e-4 of their largest value
} torture_totals;

typedef struct torture {
    architecture a;
    elbo_recipe recipe;
    torture_data data;
    machine cpu, ref;
    bounds b;
    finding *f;
    torture_totals *totals;
    bool widened; // this step's bounds, already
} torture;

/* ---- against the replay ---- */

static inline bool compare(torture *t, const char *what, const char *name, const float *got, const double *value,
                           const double *off, size_t n) {
    double bound;
    size_t i = first_off(got, value, off, n, &bound);
    if (i < n && !t->widened) {
        t->widened = true;
        t->totals->widened++;
        bounds_widen(&t->b);
        i = first_off(got, value, off, n, &bound);
    }
    t->totals->tensors++;
    for (size_t k = 0; k < n && bound > 0; k++)
        t->totals->worst = fmax(t->totals->worst, fabs(got[k] - value[k]) / bound);
    if (i == n) return true;
    return find_fault(t->f, "%s of %s, value %zu of %zu: %.9g, should be %.9g; off by %.2g, allowed are %.2g", what,
                      name, i, n, got[i], value[i], fabs(got[i] - value[i]), bound);
}

static inline bool compare_losses(torture *t, machine *m) {
    const elbo_metrics *metrics = &m->network.graph.metrics;
    int count = t->b.r.count;
    float *got = malloc((size_t)count * sizeof *got);
    bool same = true;
    for (int k = 0; k < metrics->count && same; k++) {
        elbo_plan_read(&m->plan, m->plan.metric[k], 0, count, got);
        same = compare(t, m->state.device->name, metrics->metric[k].name, got, t->b.metric + k * count,
                       t->b.metric_off + k * count, (size_t)count);
    }
    free(got);
    return same;
}

static inline bool compare_step(torture *t, machine *m) {
    const elbo_graph *g = &m->network.graph;
    if (!compare_losses(t, m)) return false;
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        const float *got = (p->buffer ? m->network.params : m->grads) + p->offset;
        const double *value = (p->buffer ? t->b.buffer : t->b.gradient) + p->offset,
                     *off = (p->buffer ? t->b.buffer_off : t->b.gradient_off) + p->offset;
        char what[60];
        snprintf(what, sizeof what, "%s: %s", m->state.device->name, p->buffer ? "new value" : "gradient");
        if (!compare(t, what, p->name, got, value, off, p->count)) return false;
        double largest = 0;
        for (size_t k = 0; k < p->count; k++) largest = fmax(largest, fabs(value[k]));
        if (p->buffer || largest == 0) continue;
        if (bound_of(value, off, p->count) < 1e-4 * largest)
            t->totals->informed++;
        else
            t->totals->rough++;
    }
    return true;
}

/* cpu against ref: both started from the same weights, and each may be off by its bound. */
static inline bool compare_devices(torture *t) {
    const elbo_graph *g = &t->cpu.network.graph;
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        if (p->buffer) continue;
        double bound = 2 * bound_of(t->b.gradient + p->offset, t->b.gradient_off + p->offset, p->count);
        for (size_t k = p->offset; k < p->offset + p->count; k++)
            if (!(fabs(t->cpu.grads[k] - t->ref.grads[k]) <= bound))
                return find_fault(t->f, "gradient of %s[%zu]: cpu %.9g, ref %.9g; apart by %.2g, allowed are %.2g",
                                  p->name, k - p->offset, t->cpu.grads[k], t->ref.grads[k],
                                  fabs(t->cpu.grads[k] - t->ref.grads[k]), bound);
    }
    return true;
}

/* ---- the replay against finite differences of itself, along a direction at random ---- */

static inline double objective_at(torture *t, const float *start, const double *way, double h) {
    replay *r = &t->b.r;
    size_t n = r->graph->param_floats;
    r->t.noise = false;
    for (size_t i = 0; i < n; i++) r->shift[i] = h * way[i];
    r->params = start;
    r->forward_only = true;
    replay_run(r);
    r->forward_only = false;
    memset(r->shift, 0, n * sizeof *r->shift);
    return r->objective;
}

/* Central differences in double; a corner of a relu between the two ends spoils one, so a smaller step is tried, too. */
static inline bool check_slope(torture *t, const float *start) {
    const elbo_graph *g = t->b.r.graph;
    double *way = calloc(g->param_floats + 1, sizeof *way), norm = 0, slope = 0, found = 0, apart = INFINITY;
    for (int i = 0; i < g->params; i++)
        for (size_t k = g->param[i].offset; !g->param[i].buffer && k < g->param[i].offset + g->param[i].count; k++)
            way[k] = uniform(&t->a, -1, 1), norm += way[k] * way[k];
    double size = 0;
    for (size_t k = 0; k < g->param_floats; k++) {
        way[k] /= norm > 0 ? sqrt(norm) : 1;
        slope += way[k] * t->b.gradient[k];
        size += t->b.gradient[k] * t->b.gradient[k];
    }
    for (double h = 1e-5; h > 1e-8 && !(apart <= 1e-5 * sqrt(size) + 1e-9); h /= 10) {
        double above = objective_at(t, start, way, h), below = objective_at(t, start, way, -h);
        found = (above - below) / (2 * h);
        // what the two objectives' own rounding makes of the quotient does not count
        apart = fmax(0, fabs(found - slope) - 1e-14 * fabs(above) / h);
    }
    free(way);
    if (apart <= 1e-5 * sqrt(size) + 1e-9) return true;
    return find_fault(t->f, "the replay's own slope is %.9g by its tape, %.9g by differences: a bug of the test", slope,
                      found);
}

/* ---- an epoch ---- */

static inline elbo_batch_args args_of(torture *t, machine *m, int s) {
    return elbo_training_args(&t->recipe, &m->network.graph, &t->data.images, t->data.index[s], t->data.count[s],
                              t->a.epoch, (uint64_t)(t->a.epoch * STEPS + s + 1), STEPS);
}

static inline void replay_step(torture *t, const float *params, int s) {
    replay *r = &t->b.r;
    const elbo_metrics *m = &r->graph->metrics;
    static double weight[ELBO_MAX_METRICS];
    double values = t->recipe.loss.scale == ELBO_MEAN ? (double)elbo_image_size(t->a.image) : 1;
    for (int k = 0; k < m->count; k++)
        weight[k] =
            (m->metric[k].role == ELBO_METRIC_KL ? torture_kl_weight(&t->recipe, t->a.epoch, t->a.epoch * STEPS + s)
                                                 : m->metric[k].weight) /
            t->data.count[s] / values;
    r->params = params;
    r->images = &t->data.images;
    r->index = t->data.index[s];
    r->count = t->data.count[s];
    r->epoch = (uint32_t)t->a.epoch;
    r->training = true;
    r->weight = weight;
    t->widened = false;
    bounds_make(&t->b);
    t->totals->steps++;
}

/* One step on one device, from the weights that both start from. */
static inline bool check_step(torture *t, machine *m, float *const *before, int s) {
    elbo_batch_args args = args_of(t, m, s);
    if (!machine_run(m, &args, t->f)) return false;
    if (m->diverged && isfinite(t->b.r.objective) && fabs(t->b.r.objective) < 1e30)
        return find_fault(t->f, "%s: step %d diverges; the replay's objective is %g", m->state.device->name, s,
                          t->b.r.objective);
    if (m->diverged) return true;
    for (size_t i = 0; i < m->network.graph.param_floats; i++)
        if (!(fabs(m->grads[i]) < 1e18)) return m->diverged = true; // its square is infinite in floats
    return compare_step(t, m) && check_update(m, &t->recipe, t->a.epoch, t->a.epoch * STEPS + s + 1, before, t->f);
}

static inline bool check_epoch(torture *t) {
    size_t floats = t->cpu.network.graph.param_floats;
    float *before[ELBO_MAX_OPTIMIZER_ARRAYS + 1] = {0}, *cpu[ELBO_MAX_OPTIMIZER_ARRAYS + 1],
                                              *ref[ELBO_MAX_OPTIMIZER_ARRAYS + 1];
    state_blocks(&t->cpu, cpu);
    state_blocks(&t->ref, ref);
    for (int i = 0; i <= ELBO_MAX_OPTIMIZER_ARRAYS; i++)
        if (cpu[i]) before[i] = malloc((floats + 1) * sizeof(float));
    bool well = true;
    for (int s = 0; s < STEPS && well; s++) {
        state_copy(before, cpu, floats);
        state_copy(ref, cpu, floats);
        replay_step(t, before[0], s);
        well = check_step(t, &t->cpu, before, s) && (t->cpu.diverged || check_step(t, &t->ref, before, s));
        if (well && t->cpu.diverged) {
            t->totals->diverged++;
            break;
        }
        well = well && compare_devices(t) && (s > 0 || check_slope(t, before[0]));
    }
    for (int i = 0; i <= ELBO_MAX_OPTIMIZER_ARRAYS; i++) free(before[i]);
    return well;
}

/* Training keeps no gradients, and its threads share a batch as they come: the same bits as those that were checked. */
static inline bool check_threads(torture *t) {
    static const int threads[] = {1, 3};
    if (t->cpu.diverged) return true;
    for (int i = 0; i < 2; i++) {
        machine m;
        elbo_error err;
        machine_options o = {"cpu", threads[i], ELBO_TRAIN, false};
        bool well = machine_open(&m, &t->recipe, t->a.image, o, &err) == ELBO_OK ||
                    find_fault(t->f, "%d threads: %s", threads[i], err.message);
        if (well) vary_constants(&m.network.graph, m.network.params);
        for (int s = 0; s < STEPS && well && !m.diverged; s++) {
            elbo_batch_args args = args_of(t, &m, s);
            well = machine_run(&m, &args, t->f);
        }
        size_t bytes = t->cpu.network.graph.param_floats * sizeof(float);
        if (well && memcmp(m.network.params, t->cpu.network.params, bytes))
            well = find_fault(t->f, "%d threads without gradients kept train to other bits", threads[i]);
        machine_close(&m);
        if (!well) return false;
    }
    return true;
}

/* ---- encode, decode, evaluate ---- */

static inline bool run_plan(torture *t, machine *m, const char *device, elbo_mode mode, const elbo_batch_args *args) {
    elbo_error err;
    const elbo_network *trained = &t->cpu.network;
    if (machine_open(m, &t->recipe, t->a.image, (machine_options){device, 2, mode, false}, &err) != ELBO_OK)
        return find_fault(t->f, "%s, mode %d: %s", device, (int)mode, err.message);
    memcpy(m->network.params, trained->params, trained->graph.param_floats * sizeof(float));
    return machine_run(m, args, t->f);
}

static inline float *read_all(machine *m, const elbo_tensor *tensor, int count) {
    float *values = malloc((size_t)count * elbo_shape_size(tensor->shape) * sizeof *values);
    elbo_plan_read(&m->plan, tensor, 0, count, values);
    return values;
}

static inline float *read_skips(machine *m, int count) {
    const elbo_graph *g = &m->network.graph;
    float *skips = malloc(((size_t)count * g->skip_floats + 1) * sizeof *skips);
    size_t offset = 0;
    for (int k = 0; k < g->skips; k++) {
        size_t size = elbo_shape_size(m->plan.skip[k]->shape);
        for (int i = 0; i < count; i++)
            elbo_plan_read(&m->plan, m->plan.skip[k], i, 1, skips + (size_t)i * g->skip_floats + offset);
        offset += size;
    }
    return skips;
}

/* A decode plan is given the codes of the encode plan, and what else the decoder reads of the encoder. */
static inline bool check_decoded(torture *t, const char *device, const float *code, size_t width, const float *skips,
                                 int count) {
    const elbo_graph *g = &t->cpu.network.graph;
    size_t Z = (size_t)g->latent;
    float *z = malloc((size_t)count * Z * sizeof *z);
    uint32_t *row = malloc((size_t)count * sizeof *row);
    for (int i = 0; i < count; i++) {
        row[i] = (uint32_t)i;
        memcpy(z + (size_t)i * Z, code + (size_t)i * width, Z * sizeof *z); // of mu and logvar the mean
    }
    elbo_images codes = {.shape = {1, 1, (int)Z}, .count = (uint32_t)count, .floats = z};
    elbo_batch_args args = {.images = &codes, .index = row, .count = count, .skips = skips, .skip_row = row};
    machine m;
    bool well = run_plan(t, &m, device, ELBO_DECODE, &args);
    if (well) {
        float *output = read_all(&m, m.plan.output, count);
        well = compare(t, device, "decoded output", output, t->b.out[g->at.output], t->b.out_off[g->at.output],
                       (size_t)count * elbo_image_size(g->image));
        free(output);
    }
    machine_close(&m);
    free(z), free(row);
    return well;
}

static inline bool check_plans_of(torture *t, const char *device) {
    const elbo_graph *g = &t->cpu.network.graph;
    int count = t->data.count[0];
    elbo_batch_args args = {.images = &t->data.images,
                            .index = t->data.index[0],
                            .count = count,
                            .low = t->recipe.image.low,
                            .high = t->recipe.image.high,
                            .no_noise = true};
    machine m;
    bool well = run_plan(t, &m, device, ELBO_EVAL, &args) && compare_losses(t, &m);
    machine_close(&m);
    if (!well) return false;
    well = run_plan(t, &m, device, ELBO_ENCODE, &args);
    if (well) {
        size_t width = elbo_shape_size(m.plan.code->shape);
        float *code = read_all(&m, m.plan.code, count), *skips = read_skips(&m, count);
        well =
            compare(t, device, "code", code, t->b.out[g->at.code], t->b.out_off[g->at.code], (size_t)count * width) &&
            check_decoded(t, device, code, width, skips, count);
        free(code), free(skips);
    }
    machine_close(&m);
    return well;
}

static inline bool check_plans(torture *t) {
    replay *r = &t->b.r;
    if (t->cpu.diverged) return true;
    r->params = t->cpu.network.params;
    r->index = t->data.index[0];
    r->count = t->data.count[0];
    r->training = false;
    t->widened = false;
    bounds_make(&t->b);
    for (int k = 0; k < r->graph->metrics.count * r->count; k++)
        if (!(fabs(t->b.metric[k]) < 1e30)) return t->totals->diverged++, true; // the last step was too long
    return check_plans_of(t, "cpu") && check_plans_of(t, "ref");
}

/* ---- all of it ---- */

static inline bool check_architecture(const architecture *a, torture_totals *totals, finding *f) {
    torture t = {.a = *a, .f = f, .totals = totals};
    elbo_error err;
    *f->text = 0;
    if (open_recipe_of(a, &t.recipe, &err) != ELBO_OK) return find_fault(f, "refused: %s", err.message);
    data_make(&t.data, &t.a, &t.recipe);
    bool well =
        (machine_open(&t.cpu, &t.recipe, a->image, (machine_options){"cpu", 2, ELBO_TRAIN, true}, &err) == ELBO_OK &&
         machine_open(&t.ref, &t.recipe, a->image, (machine_options){"ref", 2, ELBO_TRAIN, true}, &err) == ELBO_OK) ||
        find_fault(f, "refused: %s", err.message);
    if (well) {
        vary_constants(&t.cpu.network.graph, t.cpu.network.params);
        bounds_open(&t.b, &t.cpu.network.graph, &t.recipe, a->batch > a->last ? a->batch : a->last);
        well = check_epoch(&t) && check_threads(&t) && check_plans(&t);
        bounds_close(&t.b);
    }
    totals->architectures++;
    machine_close(&t.cpu), machine_close(&t.ref);
    data_free(&t.data);
    elbo_recipe_close(&t.recipe);
    return well;
}

#endif
