/* Curves of the runs' logs: the objective or the loss, any metric, and what the loss is made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/figures.h"

typedef struct chart {
    elbo_series *series; // (most)
    float *values;       // (most, longest)
    char (*labels)[200]; // (most)
    int count, longest;
} chart;

static void chart_free(chart *c) {
    free(c->series);
    free(c->values);
    free(c->labels);
}

static elbo_status chart_make(chart *c, const elbo_run *runs, int count, int curves, elbo_error *err) {
    *c = (chart){.longest = 1};
    for (int i = 0; i < count; i++)
        if (runs[i].log.count > c->longest) c->longest = runs[i].log.count;
    size_t most = (size_t)count * (size_t)curves;
    c->series = elbo_alloc(most, sizeof *c->series);
    c->values = elbo_alloc(most * (size_t)c->longest, sizeof *c->values);
    c->labels = elbo_alloc(most, sizeof *c->labels);
    if (c->series && c->values && c->labels) return ELBO_OK;
    chart_free(c);
    return elbo_no_memory(err);
}

static bool has_test(const elbo_run *r) { return r->log.count > 0 && r->log.epoch[0].test.images > 0; }

/* Adds a curve, where the run has a value of it: a new label for the caller to write, or NULL. */
static char *add(chart *c, const elbo_run *r, const char *metric, bool test, int group, bool dashed) {
    const elbo_log *log = &r->log;
    float *v = c->values + (size_t)c->count * (size_t)c->longest;
    bool any = false;
    for (int e = 0; e < log->count; e++) {
        v[e] = (float)elbo_scores_value(test ? &log->epoch[e].test : &log->epoch[e].train, &log->metrics, metric);
        any = any || isfinite(v[e]);
    }
    if (!any || (test && !has_test(r))) return NULL;
    c->series[c->count] =
        (elbo_series){.label = c->labels[c->count], .value = v, .count = log->count, .group = group, .dashed = dashed};
    return c->labels[c->count++];
}

bool elbo_runs_draw_objective(const elbo_run *runs, int count) {
    for (int i = 0; i < count; i++)
        if (elbo_objective_stays_elbo(&runs[i].model->recipe) ||
            !elbo_objective_same(&runs[i].model->recipe, &runs[0].model->recipe))
            return false;
    return count > 0;
}

/* "kl (nats per image)" */
static const char *axis_of(const elbo_run *runs, int count, const char *const *metrics, int n, char text[300]) {
    const char *unit = "";
    for (int i = 0; i < count && !*unit; i++) {
        const char *its = elbo_scores_unit(&runs[i].log.metrics, metrics[0]);
        unit = its ? its : "";
    }
    char formula[ELBO_OBJECTIVE_TEXT];
    const char *said = !strcmp(unit, "nats/image") ? "nats per image" : unit;
    if (n == 1 && !strcmp(metrics[0], "objective") && elbo_runs_draw_objective(runs, count)) {
        const elbo_recipe *r = &runs[0].model->recipe;
        bool moves = r->loss.kl_warmup > 0 || r->loss.kl_schedule != ELBO_KL_CONSTANT;
        snprintf(text, 300, "objective: %s",
                 elbo_objective_text(r, &runs[0].log.metrics, moves ? NAN : (double)r->loss.kl,
                                     elbo_image_size(runs[0].model->network.graph.image), formula));
    } else if (n == 1) {
        snprintf(text, 300, *said ? "%s (%s)" : "%s", metrics[0], said);
    } else {
        snprintf(text, 300, "%s", *said ? said : "value");
    }
    return text;
}

/* A name that no run knows. */
static elbo_status check_names(const elbo_run *runs, int count, const char *const *metrics, int n, elbo_error *err) {
    for (int k = 0; k < n; k++) {
        bool known = false;
        for (int i = 0; i < count; i++) known = known || elbo_scores_unit(&runs[i].log.metrics, metrics[k]);
        char names[ELBO_SCORES_NAMES];
        if (!known)
            return elbo_fail(err, ELBO_BAD_INPUT, "metric `%.60s`: %s has %s", metrics[k], runs[0].label,
                             elbo_scores_names(&runs[0].log.metrics, names));
    }
    return ELBO_OK;
}

elbo_status elbo_figure_curves(elbo_figure f, const elbo_run *runs, int count, const char *const *metrics, int n,
                               elbo_error *err) {
    const char *const usual[] = {elbo_runs_draw_objective(runs, count) ? "objective" : "loss"};
    if (n == 0) metrics = usual, n = 1;
    ELBO_TRY(check_names(runs, count, metrics, n, err));
    chart c;
    ELBO_TRY(chart_make(&c, runs, count, 2 * n, err));
    for (int i = 0; i < count; i++)
        for (int k = 0; k < n; k++)
            for (int test = 0; test <= 1; test++) {
                char *label = add(&c, &runs[i], metrics[k], test, i * n + k, test);
                const char *split = test ? "test" : "train";
                if (label && n == 1) snprintf(label, sizeof *c.labels, "%s, %s", runs[i].label, split);
                if (label && n > 1 && count == 1) snprintf(label, sizeof *c.labels, "%s, %s", metrics[k], split);
                if (label && n > 1 && count > 1)
                    snprintf(label, sizeof *c.labels, "%s, %s, %s", runs[i].label, metrics[k], split);
            }
    char axis[300];
    elbo_status status =
        c.count ? elbo_draw_curves(f, "epoch", axis_of(runs, count, metrics, n, axis), c.series, c.count, err)
                : elbo_fail(err, ELBO_BAD_INPUT, "no epoch is finished yet: there are no curves to draw");
    chart_free(&c);
    return status;
}

elbo_status elbo_figure_terms(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err) {
    static const char *const parts[] = {"reconstruction", "kl"};
    *drawn = false;
    for (int i = 0; i < count; i++)
        *drawn = *drawn || (runs[i].log.count && elbo_scores_unit(&runs[i].log.metrics, "kl"));
    if (!*drawn) return ELBO_OK;
    chart c;
    ELBO_TRY(chart_make(&c, runs, count, 2, err));
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 2; k++) {
            char *label = add(&c, &runs[i], parts[k], has_test(&runs[i]), i, k == 1);
            if (label && count == 1) snprintf(label, sizeof *c.labels, "%s", parts[k]);
            if (label && count > 1) snprintf(label, sizeof *c.labels, "%s, %s", runs[i].label, parts[k]);
        }
    elbo_status status = elbo_draw_curves(f, "epoch", "nats per image", c.series, c.count, err);
    chart_free(&c);
    return status;
}
