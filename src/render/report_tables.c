/* Scores and verdicts of some runs, for tables, the report, and the figure of what each dimension costs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "render/figures.h"

elbo_status elbo_run_recall(elbo_run *r, const elbo_dataset *d, elbo_error *err) {
    if (r->quality) return ELBO_OK;
    elbo_quality *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    elbo_status status = elbo_quality_load(q, r->model, d, err);
    if (status == ELBO_OK) {
        elbo_quality_set_objective(q, r->model, &r->log);
        r->quality = q;
    } else {
        free(q);
    }
    return status;
}

elbo_status elbo_run_measure(elbo_run *r, const elbo_eval_context *e, bool keep, elbo_error *err) {
    elbo_status status = elbo_run_recall(r, e->data, err);
    if (status != ELBO_NOT_FOUND) return status;
    elbo_quality *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    status = elbo_quality_measure(q, e, (elbo_quality_options){.classes = true}, err);
    if (status != ELBO_OK) {
        free(q);
        return status;
    }
    r->quality = q;
    if (!keep) return ELBO_OK;
    status = elbo_quality_save(q, r->model, e->data, err);
    return status == ELBO_IO ? ELBO_OK : status; // a run that may only be read is measured anew each time
}

void elbo_run_forget(elbo_run *r) {
    if (r->quality) elbo_quality_free(r->quality);
    free(r->quality);
    r->quality = NULL;
}

/* ---- which is better ---- */

bool elbo_runs_same_data(const elbo_run *r, const elbo_run *s) {
    const elbo_model *a = r->model, *b = s->model;
    const char *x = a->facts.data ? a->facts.data : "", *y = b->facts.data ? b->facts.data : "";
    return !strcmp(a->recipe.data, b->recipe.data) && !strcmp(x, y);
}

/* Losses of two kinds, or scores on two data sets, cannot be told apart by size; nor an AE's loss from a VAE's, which
 * pays for its code; nor a squared error in one range from that in another. */
static bool comparable(const elbo_quality_row *row, const elbo_run *a, const elbo_run *b) {
    const elbo_recipe *r = &a->model->recipe, *s = &b->model->recipe;
    bool range = r->image.low == s->image.low && r->image.high == s->image.high;
    if (!strcmp(row->key, "mse")) return range;
    if (strcmp(row->key, "loss") && strcmp(row->key, "reconstruction") && strcmp(row->key, "log_likelihood"))
        return true;
    bool kind = r->kind == s->kind || !strcmp(row->key, "reconstruction");
    char mine[ELBO_TERMS_TEXT], theirs[ELBO_TERMS_TEXT];
    return range && kind &&
           !strcmp(elbo_terms_text(&r->loss.reconstruction, mine), elbo_terms_text(&s->loss.reconstruction, theirs));
}

bool elbo_run_best(const elbo_run *runs, int count, int which, const elbo_quality_row *row) {
    if (!row->better || !runs[which].quality) return false;
    double mine = row->value(runs[which].quality);
    if (!isfinite(mine)) return false;
    int others = 0;
    for (int i = 0; i < count; i++) {
        if (i == which || !runs[i].quality || !isfinite(row->value(runs[i].quality))) continue;
        if (!elbo_runs_same_data(&runs[which], &runs[i]) || !comparable(row, &runs[which], &runs[i])) return false;
        if (!strcmp(row->key, "log_likelihood") &&
            runs[i].quality->likelihood.samples != runs[which].quality->likelihood.samples)
            return false;
        if (row->better * (row->value(runs[i].quality) - mine) >= 0) return false;
        others++;
    }
    return others > 0;
}

/* ---- what each dimension costs ---- */

elbo_status elbo_figure_kl(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err) {
    elbo_bar_series series[64];
    int n = 0;
    for (int i = 0; i < count && n < 12; i++) {
        const elbo_quality *q = runs[i].quality;
        if (!q || !q->latent.kl) continue;
        series[n++] =
            (elbo_bar_series){.label = runs[i].label, .value = q->latent.kl, .count = q->latent.latent, .group = i};
    }
    *drawn = n > 0;
    if (n == 0) return ELBO_OK;
    return elbo_draw_bars(
        f, n == 1 ? "latent dimension, most informative first" : "latent dimensions, most informative first",
        "KL (nats)", series, n, err);
}
