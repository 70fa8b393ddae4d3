#include "explore/diagnostics/diagnosis.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "explore/diagnostics/checks.h"

static const struct {
    const char *name, *title;
    elbo_status (*check)(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
} checks[] = {
    {"finished", "Completion", elbo_check_finished},
    {"diverged", "Divergence", elbo_check_diverged},
    {"range", "Range of the output layer", elbo_check_range},
    {"underfitting", "Underfitting", elbo_check_underfitting},
    {"overfitting", "Overfitting", elbo_check_overfitting},
    {"observation", "Observation model", elbo_check_observation},
    {"dead", "Dead ReLU units", elbo_check_dead},
    {"collapsed", "Latent dimensions", elbo_check_collapsed},
    {"ignored", "Decoder use of the code", elbo_check_ignored},
    {"prior", "Aggregate posterior and prior", elbo_check_prior},
    {"memorised", "Memorisation: copies of training images", elbo_check_memorised},
    {"adversary", "Discriminator", elbo_check_adversary},
    {"samples", "Likeness of samples to the data", elbo_check_samples},
};
enum { CHECKS = sizeof checks / sizeof *checks };
_Static_assert((int)CHECKS <= (int)ELBO_MOST_CHECKS, "a diagnosis holds every check");

elbo_status elbo_diagnose_context(elbo_diagnosis *d, const elbo_eval_context *e, elbo_error *err) {
    *d = (elbo_diagnosis){0};
    for (int i = 0; i < CHECKS; i++) {
        elbo_check *v = &d->check[d->count++];
        *v = (elbo_check){.name = checks[i].name, .title = checks[i].title};
        ELBO_TRY(elbo_eval_context_step(e->work, v->title, (double)i / CHECKS, err));
        ELBO_TRY(checks[i].check(v, e, err));
    }
    return ELBO_OK;
}

elbo_status elbo_diagnose(elbo_diagnosis *d, const elbo_run *run, const elbo_dataset *data, const elbo_job *job,
                          elbo_error *err) {
    elbo_eval_context e = {0};
    elbo_splits split = data->test.count ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT;
    ELBO_TRY(elbo_eval_context_open(&e, run->model, &run->log, data, split, job, err));
    elbo_status status = elbo_diagnose_context(d, &e, err);
    elbo_eval_context_close(&e);
    return status;
}

/* ---- what was found, in words ---- */

const char *elbo_health_name(elbo_health h) {
    static const char *const names[] = {"not checked", "ok", "note", "problem"};
    return names[h];
}

int elbo_diagnosis_count(const elbo_diagnosis *d, elbo_health health) {
    int n = 0;
    for (int i = 0; i < d->count; i++) n += d->check[i].health == health;
    return n;
}

json_t *elbo_diagnosis_json(const elbo_diagnosis *d) {
    json_t *list = json_array();
    for (int i = 0; i < d->count; i++) {
        const elbo_check *v = &d->check[i];
        json_t *numbers = json_object();
        for (int k = 0; k < ELBO_CHECK_NUMBERS && v->number[k].name; k++)
            if (isfinite(v->number[k].value))
                json_object_set_new(numbers, v->number[k].name, json_real(v->number[k].value));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", v->name, "title", v->title,
                                              "health", elbo_health_name(v->health), "evidence", v->evidence, "advice",
                                              v->advice, "numbers", numbers));
    }
    return json_pack("{s:i, s:o}", "problems", elbo_diagnosis_count(d, ELBO_CHECK_PROBLEM), "checks", list);
}

/* ---- for checks ---- */

void elbo_found(elbo_check *v, elbo_health health, const char *format, ...) {
    va_list args;
    v->health = health;
    va_start(args, format);
    vsnprintf(v->evidence, sizeof v->evidence, format, args);
    va_end(args);
}

void elbo_advise(elbo_check *v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(v->advice, sizeof v->advice, format, args);
    va_end(args);
}

void elbo_number(elbo_check *v, const char *name, double value) {
    for (int i = 0; i < ELBO_CHECK_NUMBERS; i++) {
        if (v->number[i].name) continue;
        v->number[i].name = name;
        v->number[i].value = value;
        return;
    }
}
