/* Curves of the runs' logs: the objective or the loss, any metric, and what the loss is made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/charts.h"

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

static elbo_status chart_make(chart *c, const elbo_comparison *of, int curves, elbo_error *err) {
    *c = (chart){.longest = 1};
    for (int i = 0; i < of->count; i++)
        if (of->run[i].epochs > c->longest) c->longest = of->run[i].epochs;
    size_t most = (size_t)of->count * (size_t)curves;
    c->series = elbo_alloc(most, sizeof *c->series);
    c->values = elbo_alloc(most * (size_t)c->longest, sizeof *c->values);
    c->labels = elbo_alloc(most, sizeof *c->labels);
    if (c->series && c->values && c->labels) return ELBO_OK;
    chart_free(c);
    return elbo_no_memory(err);
}

static bool has_test(const elbo_compared_run *r) { return r->epochs > 0 && r->epoch[0].test.images > 0; }

enum { TRAIN, TEST, VALIDATION, SPLITS };
static const char *const split_names[] = {"train", "test", "validation"};

static const elbo_scores *scores_of(const elbo_epoch_log *e, int split) {
    return split == TRAIN ? &e->train : split == TEST ? &e->test : &e->validation;
}

/* Adds a curve, where the run has a value of it: a new label for the caller to write, or NULL. */
static char *add(chart *c, const elbo_compared_run *r, const char *metric, int split, int group, bool dashed) {
    float *v = c->values + (size_t)c->count * (size_t)c->longest;
    bool any = false;
    for (int e = 0; e < r->epochs; e++) {
        v[e] = (float)elbo_scores_value(scores_of(&r->epoch[e], split), &r->metrics, metric);
        any = any || isfinite(v[e]);
    }
    if (!any || !r->epochs || !scores_of(&r->epoch[0], split)->images) return NULL;
    c->series[c->count] =
        (elbo_series){.label = c->labels[c->count], .value = v, .count = r->epochs, .group = group, .dashed = dashed};
    return c->labels[c->count++];
}

/* "kl (nats per image)" */
static const char *axis_of(const elbo_comparison *of, const char *const *metrics, int n, char text[300]) {
    const char *unit = "";
    for (int i = 0; i < of->count && !*unit; i++) {
        const char *its = elbo_scores_unit(&of->run[i].metrics, metrics[0]);
        unit = its ? its : "";
    }
    const char *said = !strcmp(unit, "nats/image") ? "nats per image" : unit;
    if (n == 1 && !strcmp(metrics[0], "objective") && of->draws_objective) // as long as the axis
        snprintf(text, 300, strlen(of->drawn_formula) < 50 ? "objective: %s" : "objective", of->drawn_formula);
    else if (n == 1)
        snprintf(text, 300, *said ? "%s (%s)" : "%s", metrics[0], said);
    else
        snprintf(text, 300, "%s", *said ? said : "value");
    return text;
}

/* A name that no run knows. */
static elbo_status check_names(const elbo_comparison *of, const char *const *metrics, int n, elbo_error *err) {
    for (int k = 0; k < n; k++) {
        bool known = false;
        for (int i = 0; i < of->count; i++) known = known || elbo_scores_unit(&of->run[i].metrics, metrics[k]);
        char names[ELBO_SCORES_NAMES];
        if (!known)
            return elbo_fail(err, ELBO_BAD_INPUT, "metric `%.60s`: %s has %s", metrics[k], of->run[0].label,
                             elbo_scores_names(&of->run[0].metrics, names));
    }
    return ELBO_OK;
}

elbo_status elbo_figure_curves(elbo_figure f, const elbo_comparison *of, const char *const *metrics, int n,
                               elbo_error *err) {
    const char *const objective[] = {of->draws_objective ? "objective" : "loss"};
    if (n == 0) metrics = objective, n = 1;
    ELBO_TRY(check_names(of, metrics, n, err));
    chart c;
    ELBO_TRY(chart_make(&c, of, SPLITS * n, err));
    for (int i = 0; i < of->count; i++)
        for (int k = 0; k < n; k++)
            for (int s = 0; s < SPLITS; s++) { // validation's colour comes behind those of all runs
                int group = i * n + k + (s == VALIDATION ? of->count * n : 0);
                char *label = add(&c, &of->run[i], metrics[k], s, group, s != TRAIN);
                const char *split = split_names[s], *run = of->run[i].label;
                if (label && n == 1) snprintf(label, sizeof *c.labels, "%s, %s", run, split);
                if (label && n > 1 && of->count == 1) snprintf(label, sizeof *c.labels, "%s, %s", metrics[k], split);
                if (label && n > 1 && of->count > 1)
                    snprintf(label, sizeof *c.labels, "%s, %s, %s", run, metrics[k], split);
            }
    char axis[300];
    elbo_status status = c.count
                             ? elbo_draw_curves(f, "epoch", axis_of(of, metrics, n, axis), c.series, c.count, err)
                             : elbo_fail(err, ELBO_BAD_INPUT, "no epoch is finished yet: there are no curves to draw");
    chart_free(&c);
    return status;
}

elbo_status elbo_figure_terms(elbo_figure f, const elbo_comparison *of, bool *drawn, elbo_error *err) {
    static const char *const parts[] = {"reconstruction", "kl"};
    *drawn = false;
    for (int i = 0; i < of->count; i++)
        *drawn = *drawn || (of->run[i].epochs && elbo_scores_unit(&of->run[i].metrics, "kl"));
    if (!*drawn) return ELBO_OK;
    chart c;
    ELBO_TRY(chart_make(&c, of, 2, err));
    for (int i = 0; i < of->count; i++)
        for (int k = 0; k < 2; k++) {
            const elbo_compared_run *r = &of->run[i];
            char *label = add(&c, r, parts[k], has_test(r), i, k == 1);
            if (label && of->count == 1) snprintf(label, sizeof *c.labels, "%s", parts[k]);
            if (label && of->count > 1) snprintf(label, sizeof *c.labels, "%s, %s", r->label, parts[k]);
        }
    elbo_status status = elbo_draw_curves(f, "epoch", "nats per image", c.series, c.count, err);
    chart_free(&c);
    return status;
}

elbo_status elbo_figure_players(elbo_figure f, const elbo_comparison *of, bool *drawn, elbo_error *err) {
    static const char *const parts[] = {"adversary", "discriminator", "d_accuracy"};
    enum { PARTS = sizeof parts / sizeof *parts };
    *drawn = false;
    for (int i = 0; i < of->count; i++)
        *drawn = *drawn || (of->run[i].epochs && elbo_scores_unit(&of->run[i].metrics, "discriminator"));
    if (!*drawn) return ELBO_OK;
    chart c;
    ELBO_TRY(chart_make(&c, of, PARTS, err));
    for (int i = 0; i < of->count; i++)
        for (int k = 0; k < PARTS; k++) {
            const elbo_compared_run *r = &of->run[i];
            char *label = add(&c, r, parts[k], TRAIN, i * PARTS + k, k > 0);
            if (label && of->count == 1) snprintf(label, sizeof *c.labels, "%s", parts[k]);
            if (label && of->count > 1) snprintf(label, sizeof *c.labels, "%s, %s", r->label, parts[k]);
        }
    elbo_status status = elbo_draw_curves(f, "epoch", "nats; share told right", c.series, c.count, err);
    chart_free(&c);
    return status;
}
