#include "explore/metrics/evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "data/table.h"
#include "run/scores_json.h"

elbo_evaluation_options elbo_evaluation_defaults(void) {
    return (elbo_evaluation_options){.split = ELBO_TEST_SPLIT, .measure = {.classes = true}};
}

static elbo_status describe(elbo_evaluation *v, const elbo_run *run, const elbo_dataset *data,
                            const elbo_evaluation_options *o, elbo_error *err) {
    const elbo_recipe *r = &run->model->recipe;
    elbo_terms computed = elbo_terms_computed(r);
    *v = (elbo_evaluation){.run = strdup(run->model->run),
                           .label = strdup(run->label),
                           .data = strdup(data->name),
                           .kind = r->kind,
                           .on_training = o->split == ELBO_TRAIN_SPLIT,
                           .mean_code = o->measure.losses.mean_code,
                           .elbo = computed.count == 1 && computed.term[0].weight == 1,
                           .low = r->image.low,
                           .high = r->image.high,
                           .image_bytes = elbo_image_bytes(run->model->network.graph.image),
                           .code_bytes = sizeof(float) * (size_t)run->model->network.graph.latent,
                           .skips = run->model->network.graph.skips > 0};
    elbo_terms_text(&computed, v->reconstruction);
    return v->run && v->label && v->data ? ELBO_OK : elbo_no_memory(err);
}

static void describe_objective(elbo_evaluation *v, const elbo_recipe *r, size_t values) {
    const elbo_quality *q = &v->quality;
    elbo_objective_text(r, &q->metrics, q->kl_weight, values, v->objective_formula);
    elbo_objective_number(r, q->losses.objective, v->objective_number);
    v->objective_is_loss = elbo_objective_is_elbo(r, q->kl_weight);
}

elbo_status elbo_evaluate_run(elbo_evaluation *v, const elbo_run *run, const elbo_dataset *data,
                              const elbo_evaluation_options *o, const elbo_job *job, elbo_error *err) {
    elbo_eval_context e = {0};
    elbo_status status = describe(v, run, data, o, err);
    if (status == ELBO_OK) status = elbo_eval_context_open(&e, run->model, &run->log, data, o->split, job, err);
    if (o->confusion) e.confusion = &v->confusion;
    if (status == ELBO_OK) status = elbo_quality_measure(&v->quality, &e, o->measure, err);
    if (status == ELBO_OK) describe_objective(v, &run->model->recipe, elbo_image_size(e.images->shape));
    if (status == ELBO_OK) status = elbo_code_use_measure(&v->code_use, run->model, e.images, e.mu, err);
    v->training_codes = e.train;
    elbo_eval_context_close(&e);
    if (status != ELBO_OK) elbo_evaluation_free(v);
    return status;
}

void elbo_evaluation_free(elbo_evaluation *v) {
    elbo_quality_free(&v->quality);
    elbo_confusion_free(&v->confusion);
    free(v->run);
    free(v->label);
    free(v->data);
    *v = (elbo_evaluation){0};
}

json_t *elbo_evaluation_json(const elbo_evaluation *v) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:o}", "run", v->run, "data", v->data, "split",
                          v->on_training ? "train" : "test", "images", (json_int_t)v->quality.losses.images, "unit",
                          "nats/image", "objective_formula", v->objective_formula, "metric_list",
                          elbo_metrics_to_json(&v->quality.metrics, v->quality.kl_weight));
    if (!o) return NULL;
    if (v->kind == ELBO_AE) json_object_set_new(o, "kl", json_real(0));
    json_t *scores = elbo_quality_to_json(&v->quality);
    if (!scores) {
        json_decref(o);
        return NULL;
    }
    json_object_update_new(o, scores);
    if (v->confusion.classes) json_object_set_new(o, "confusion", elbo_confusion_json(&v->confusion));
    json_object_set_new(o, "image_bytes", json_integer((json_int_t)v->image_bytes));
    json_object_set_new(o, "code_bytes", json_integer((json_int_t)v->code_bytes));
    if (v->code_use.images)
        json_object_update_new(
            o, json_pack("{s:f, s:f}", "loss_own_code", v->code_use.own, "loss_other_code", v->code_use.other));
    return o;
}
