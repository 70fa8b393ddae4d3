#include "explore/comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/scores_json.h"

/* ---- one run ---- */

static void describe_objective(elbo_compared_run *c, const elbo_run *r) {
    const elbo_recipe *recipe = &r->model->recipe;
    c->kl_weight = elbo_log_kl_weight(&r->log, recipe);
    c->objective_is_loss = elbo_objective_is_elbo(recipe, c->kl_weight);
    elbo_objective_text(recipe, &c->metrics, c->kl_weight, elbo_image_size(r->model->network.graph.image),
                        c->objective_formula);
    const elbo_scores *last = elbo_compared_scores(c);
    if (last) elbo_objective_number(recipe, last->objective, c->objective_number);
}

static elbo_status describe(elbo_compared_run *c, const elbo_run *r, elbo_error *err) {
    const elbo_log *log = &r->log;
    *c = (elbo_compared_run){.run = strdup(r->model->run),
                             .label = strdup(r->label),
                             .data = strdup(r->model->recipe.data),
                             .kind = r->model->recipe.kind,
                             .latent = r->model->network.graph.latent,
                             .parameters = r->model->network.graph.weights,
                             .metrics = log->metrics,
                             .epoch = elbo_alloc((size_t)log->count, sizeof *c->epoch),
                             .epochs = log->count};
    if (!c->run || !c->label || !c->data || !c->epoch) return elbo_no_memory(err);
    const elbo_epoch_log *kept = elbo_log_kept(log, &r->model->recipe);
    if (kept) c->kept = (int)(kept - log->epoch) + 1;
    if (log->count) memcpy(c->epoch, log->epoch, (size_t)log->count * sizeof *c->epoch);
    for (int e = 0; e < log->count; e++) c->seconds += log->epoch[e].seconds;
    if (c->seconds > 0)
        c->images_per_second = (double)log->epoch[log->count - 1].train.images * log->count / c->seconds;
    describe_objective(c, r);
    return ELBO_OK;
}

const elbo_scores *elbo_compared_scores(const elbo_compared_run *r) {
    if (!r->epochs) return NULL;
    const elbo_epoch_log *kept = &r->epoch[r->kept - 1];
    return kept->test.images ? &kept->test : &kept->train;
}

const elbo_quality *elbo_compared_quality(const elbo_compared_run *r) { return r->scored ? &r->quality : NULL; }

/* ---- all of them ---- */

static bool draws_objective(const elbo_run *runs, int count) {
    for (int i = 0; i < count; i++)
        if (elbo_objective_stays_elbo(&runs[i].model->recipe) ||
            !elbo_objective_same(&runs[i].model->recipe, &runs[0].model->recipe))
            return false;
    return count > 0;
}

elbo_status elbo_compare(elbo_comparison *c, const elbo_run *runs, int count, elbo_error *err) {
    *c = (elbo_comparison){.run = calloc((size_t)count + 1, sizeof *c->run)};
    elbo_status status = c->run ? ELBO_OK : elbo_no_memory(err);
    while (status == ELBO_OK && c->count < count) {
        int i = c->count++; // what was made of it before a failure is freed with the rest
        status = describe(&c->run[i], &runs[i], err);
    }
    c->draws_objective = draws_objective(runs, c->count);
    if (status == ELBO_OK && c->draws_objective) {
        const elbo_recipe *r = &runs[0].model->recipe;
        elbo_objective_text(r, &runs[0].log.metrics, elbo_objective_moves(r) ? NAN : (double)r->loss.kl,
                            elbo_image_size(runs[0].model->network.graph.image), c->drawn_formula);
    }
    if (status == ELBO_OK) status = elbo_comparison_take_scores(c, runs, err);
    if (status != ELBO_OK) elbo_comparison_free(c);
    return status;
}

elbo_status elbo_comparison_take_scores(elbo_comparison *c, const elbo_run *runs, elbo_error *err) {
    for (int i = 0; i < c->count; i++) {
        elbo_compared_run *r = &c->run[i];
        if (!runs[i].quality) continue;
        elbo_quality_free(&r->quality);
        r->scored = false;
        ELBO_TRY(elbo_quality_copy(&r->quality, runs[i].quality, err));
        r->scored = true;
        for (int row = 0; elbo_quality_rows[row].key; row++)
            r->best[row] = elbo_run_best(runs, c->count, i, &elbo_quality_rows[row]);
    }
    return ELBO_OK;
}

bool elbo_comparison_has(const elbo_comparison *c, const elbo_quality_row *row) {
    static const char *const logged[] = {"objective", "loss", "reconstruction", "kl", "mse"};
    for (size_t i = 0; i < sizeof logged / sizeof *logged; i++)
        if (!strcmp(logged[i], row->key)) return false;
    for (int i = 0; i < c->count; i++)
        if (elbo_quality_shown(row, elbo_compared_quality(&c->run[i]))) return true;
    return false;
}

void elbo_comparison_free(elbo_comparison *c) {
    for (int i = 0; i < c->count; i++) {
        elbo_compared_run *r = &c->run[i];
        elbo_quality_free(&r->quality);
        free(r->run);
        free(r->label);
        free(r->data);
        free(r->epoch);
    }
    free(c->run);
    *c = (elbo_comparison){0};
}

/* ---- JSON ---- */

static json_t *run_json(const elbo_compared_run *r) {
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:I, s:i, s:i}", "run", r->run, "label", r->label, "kind", elbo_kind_name(r->kind),
                  "parameters", (json_int_t)r->parameters, "latent", r->latent, "epochs", r->epochs);
    const elbo_scores *last = elbo_compared_scores(r);
    if (last) {
        json_t *scores = elbo_scores_to_json(last, &r->metrics);
        if (scores) json_object_del(scores, "images");
        json_object_update_new(o, scores);
        const elbo_epoch_log *kept = &r->epoch[r->kept - 1];
        json_object_set_new(o, "kept_epoch", json_integer(r->kept));
        if (kept->validation.images)
            json_object_set_new(o, "validation", elbo_scores_to_json(&kept->validation, &r->metrics));
        json_object_update_new(o, json_pack("{s:s, s:s, s:o, s:f, s:f}", "unit", "nats/image", "objective_formula",
                                            r->objective_formula, "metric_list",
                                            elbo_metrics_to_json(&r->metrics, r->kl_weight), "seconds", r->seconds,
                                            "images_per_second", r->images_per_second));
    }
    if (r->scored) json_object_set_new(o, "scores", elbo_quality_to_json(&r->quality));
    return o;
}

json_t *elbo_comparison_json(const elbo_comparison *c) {
    json_t *list = json_array();
    for (int i = 0; i < c->count; i++) json_array_append_new(list, run_json(&c->run[i]));
    return list;
}
