/* Losses of a split, image by image summed in a fixed order. */
#include "train/evaluate.h"

#include <stdlib.h>

#include "nn/vgg16.h"

enum { MOST = 512 }; // images at once

elbo_status elbo_evaluator_make(elbo_evaluator *e, const elbo_network *n, const elbo_recipe *r,
                                const elbo_device *device, elbo_team *team, const elbo_network *features,
                                elbo_error *err) {
    *e = (elbo_evaluator){
        .network = n, .recipe = r, .metrics = elbo_metrics_of(r), .batch = (uint32_t)elbo_graph_batch(&n->graph, MOST)};
    elbo_plan_options options = {.mode = ELBO_EVAL,
                                 .batch = (int)e->batch,
                                 .team = team,
                                 .reconstruction = r->loss.reconstruction,
                                 .features = features};
    e->index = malloc(e->batch * sizeof *e->index);
    if (!e->index) return elbo_no_memory(err);
    elbo_status status = elbo_plan_make(&e->plan, &n->graph, device, options, err);
    if (status != ELBO_OK) elbo_evaluator_free(e); // the caller may free it again
    return status;
}

void elbo_evaluator_free(elbo_evaluator *e) {
    if (!e->index) return;
    elbo_plan_free(&e->plan);
    free(e->index);
    e->index = NULL;
}

void elbo_evaluator_run(elbo_evaluator *e, elbo_scores *s, const elbo_images *images, const elbo_eval_options *o) {
    elbo_metric_sums sums = {0};
    for (uint32_t start = 0; start < images->count; start += e->batch) {
        uint32_t count = images->count - start < e->batch ? images->count - start : e->batch;
        for (uint32_t i = 0; i < count; i++) e->index[i] = start + i;
        elbo_batch_args pass = {
            .images = images,
            .index = e->index,
            .count = (int)count,
            .params = e->network->params,
            .low = e->recipe->image.low,
            .high = e->recipe->image.high,
            .noise = {.seed = o->seed, .purpose = ELBO_FOR_TEST_NOISE},
            .no_noise = o->mean_code,
            .given_noise = o->noise,
        };
        elbo_plan_run(&e->plan, &pass);
        double batch[ELBO_MAX_METRICS] = {0};
        elbo_plan_add_metrics(&e->plan, (int)count, batch);
        elbo_metric_sums_add(&sums, &e->metrics, batch);
    }
    size_t values = elbo_image_size(images->shape);
    *s = elbo_scores_of(&e->metrics, &sums, images->count, values);
    elbo_scores_set_objective(s, e->recipe, e->recipe->loss.kl, values);
}

elbo_status elbo_evaluate(elbo_scores *s, const elbo_network *n, const elbo_recipe *r, const elbo_images *images,
                          elbo_eval_options o, elbo_error *err) {
    elbo_team *team;
    elbo_network *features;
    ELBO_TRY(elbo_features_open(&features, r, images->shape, err));
    elbo_status status = elbo_team_make(&team, o.threads, err);
    if (status != ELBO_OK) {
        elbo_features_free(features);
        return status;
    }
    elbo_evaluator e;
    status = elbo_evaluator_make(&e, n, r, elbo_device_find("cpu"), team, features, err);
    if (status == ELBO_OK) {
        elbo_evaluator_run(&e, s, images, &o);
        elbo_evaluator_free(&e);
    }
    elbo_team_free(team);
    elbo_features_free(features);
    return status;
}
