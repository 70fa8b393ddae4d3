#include "explore/diagnostics/doctor.h"

#include <stdarg.h>
#include <stdio.h>

const elbo_check_row elbo_check_rows[] = {
    {"finished", "Training", elbo_check_finished},
    {"diverged", "Course of the loss", elbo_check_diverged},
    {"range", "Range of the output layer", elbo_check_range},
    {"underfitting", "Length of training", elbo_check_underfitting},
    {"overfitting", "Training and test images", elbo_check_overfitting},
    {"dead", "Relu units", elbo_check_dead},
    {"collapsed", "Latent dimensions", elbo_check_collapsed},
    {"ignored", "Decoder and code", elbo_check_ignored},
    {"prior", "Codes and prior", elbo_check_prior},
    {"memorised", "New images", elbo_check_memorised},
    {0},
};

elbo_status elbo_doctor(elbo_check *verdict, int *count, const elbo_eval_context *e, elbo_error *err) {
    *count = 0;
    int rows = 0;
    while (elbo_check_rows[rows].name) rows++;
    for (int i = 0; i < rows && i < ELBO_MOST_VERDICTS; i++) {
        const elbo_check_row *row = &elbo_check_rows[i];
        elbo_check *v = &verdict[(*count)++];
        *v = (elbo_check){.name = row->name, .title = row->title};
        ELBO_TRY(elbo_eval_context_step(e->work, row->title, (double)i / rows, err));
        ELBO_TRY(row->check(v, e, err));
    }
    return ELBO_OK;
}

const char *elbo_health_name(elbo_health h) {
    static const char *const names[] = {"not asked", "well", "note", "ill"};
    return names[h];
}

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
    for (int i = 0; i < ELBO_VERDICT_NUMBERS; i++) {
        if (v->number[i].name) continue;
        v->number[i].name = name;
        v->number[i].value = value;
        return;
    }
}
