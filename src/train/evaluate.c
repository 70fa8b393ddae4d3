/* Losses of a split, image by image summed in a fixed order. */
#include "train/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/vgg16.h"
#include "recipe/latent_terms.h"

enum { MOST = 512 }; // images at once

elbo_status elbo_evaluator_make(elbo_evaluator *e, elbo_state *s, const elbo_recipe *r, const elbo_network *features,
                                elbo_error *err) {
    uint32_t samples = r->loss.samples > 1 ? (uint32_t)r->loss.samples : 1;
    *e = (elbo_evaluator){.recipe = r, .batch = ((uint32_t)elbo_graph_batch(s->graph, MOST) + samples - 1) / samples};
    if (elbo_latent_terms_of_batches(r) && e->batch > (uint32_t)r->train.batch) e->batch = (uint32_t)r->train.batch;
    elbo_plan_options options = {
        .mode = ELBO_EVAL, .batch = (int)e->batch, .samples = (int)samples, .features = features};
    e->index = malloc(e->batch * sizeof *e->index);
    if (!e->index) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    e->players = elbo_recipe_players(r);
    for (int i = 0; i < e->players && status == ELBO_OK; i++) {
        options.player = (elbo_player)i;
        status = elbo_plan_make(&e->plan[i], s, &options, err);
    }
    if (status != ELBO_OK) elbo_evaluator_free(e); // the caller may free it again
    return status;
}

void elbo_evaluator_free(elbo_evaluator *e) {
    if (!e->index) return;
    for (int i = 0; i < ELBO_PLAYERS; i++) elbo_plan_free(&e->plan[i]);
    free(e->index);
    e->index = NULL;
}

elbo_status elbo_evaluator_run(elbo_evaluator *e, elbo_scores *s, const elbo_images *images, const elbo_eval_options *o,
                               elbo_error *err) {
    elbo_metric_sums sums = {0};
    const elbo_graph *g = e->plan[0].graph;
    const elbo_metrics *m = &g->metrics;
    if (g->at.label >= 0 && !images->labels)
        return elbo_fail(err, ELBO_BAD_INPUT, "the images have no labels, which a conditional model needs");
    uint32_t all = o->only ? o->only_count : images->count;
    for (uint32_t start = 0; start < all; start += e->batch) {
        uint32_t count = all - start < e->batch ? all - start : e->batch;
        for (uint32_t i = 0; i < count; i++) e->index[i] = o->only ? o->only[start + i] : start + i;
        elbo_batch_args args = {
            .images = images,
            .index = e->index,
            .count = (int)count,
            .low = e->recipe->image.low,
            .high = e->recipe->image.high,
            .noise = {.seed = o->seed, .purpose = ELBO_FOR_TEST_NOISE},
            .binary = e->recipe->image.binary != ELBO_BINARY_NONE,
            .binary_seed = e->recipe->train.seed,
            .corrupt = e->recipe->corrupts,
            .no_noise = o->mean_code,
            .given_noise = o->noise,
        };
        for (int k = 0; k < m->count && elbo_metrics_count(m, ELBO_METRIC_BOUND); k++)
            args.loss_weight[k] = (float)elbo_metric_weight(&m->metric[k], e->recipe->loss.kl);
        elbo_loss_bounds(e->recipe, g, o->epochs > 0 ? o->epochs : INFINITY, args.loss_bound);
        for (int i = 0; i < e->players; i++) {
            memset(e->plan[i].total, 0, sizeof e->plan[i].total);
            ELBO_TRY(elbo_plan_run_one(&e->plan[i], &args, err));
            elbo_metric_sums_add(&sums, m, e->plan[i].total);
        }
    }
    size_t values = elbo_image_size(images->shape);
    *s = elbo_scores_of(m, &sums, all, values);
    elbo_scores_set_objective(s, e->recipe, e->recipe->loss.kl, values);
    return ELBO_OK;
}

static elbo_status evaluate(elbo_scores *s, elbo_state *state, const elbo_recipe *r, const elbo_images *images,
                            const elbo_network *features, const elbo_eval_options *o, elbo_error *err) {
    elbo_evaluator e;
    ELBO_TRY(elbo_evaluator_make(&e, state, r, features, err));
    elbo_status status = elbo_evaluator_run(&e, s, images, o, err);
    elbo_evaluator_free(&e);
    return status;
}

elbo_status elbo_evaluate(elbo_scores *s, const elbo_network *n, const elbo_recipe *r, const elbo_images *images,
                          elbo_eval_options o, elbo_error *err) {
    elbo_team *team = NULL;
    elbo_state state = {0};
    elbo_network *features;
    ELBO_TRY(elbo_features_open(&features, r, images->shape, err));
    if (!o.device) o.device = elbo_devices[0];
    elbo_status status = elbo_team_make(&team, o.threads, err);
    if (status == ELBO_OK) status = elbo_state_open(&state, o.device, n, team, NULL, err);
    if (status == ELBO_OK) status = evaluate(s, &state, r, images, features, &o, err);
    elbo_state_close(&state);
    elbo_team_free(team);
    elbo_features_free(features);
    return status;
}
