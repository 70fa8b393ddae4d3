/* A recipe, its network and a plan to run it, through the same functions as `elbo train` uses. */
#ifndef ELBO_TESTS_ENGINE_H
#define ELBO_TESTS_ENGINE_H

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "nn/ops/op.h"
#include "train/trainer.h"
#include "nn/vgg16.h"

/* assert_ok(f(..., &failure)): the test fails with elbo's own message. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        elbo_error failure;                                                                                            \
        if ((call) != ELBO_OK) fail_msg("%s", failure.message);                                                        \
    } while (0)

/* One model on one device. */
typedef struct engine {
    elbo_recipe recipe;
    elbo_network network, *features;
    elbo_team *team;
    elbo_plan plan;
    float *m, *v; // (param_floats)
} engine;

/* `batch` 0: the recipe's. `keep_grads` without clipping hands tiles to the update all the same. */
static inline void engine_open(engine *e, const char *recipe, const char *const *sets, int set_count,
                               elbo_image_shape image, const char *device, elbo_mode mode, int batch, int threads) {
    *e = (engine){0};
    assert_ok(elbo_recipe_open(&e->recipe, recipe, sets, set_count, &failure));
    const elbo_recipe *r = &e->recipe;
    assert_ok(elbo_network_make(&e->network, r, image, &failure));
    assert_ok(elbo_features_open(&e->features, r, image, &failure));
    assert_ok(elbo_team_make(&e->team, threads, &failure));
    elbo_plan_options options = {.mode = mode,
                                 .batch = batch ? batch : r->train.batch,
                                 .team = e->team,
                                 .reconstruction = r->loss.reconstruction,
                                 .optimizer = r->train.optimizer,
                                 .clip = r->train.clip,
                                 .features = e->features,
                                 .keep_grads = true};
    assert_ok(elbo_plan_make(&e->plan, &e->network.graph, elbo_device_find(device), options, &failure));
    size_t n = e->network.graph.param_floats;
    e->m = calloc(n + 1, sizeof *e->m);
    e->v = calloc(n + 1, sizeof *e->v);
    assert_non_null(e->m);
    assert_non_null(e->v);
}

static inline void engine_close(engine *e) {
    elbo_plan_free(&e->plan);
    elbo_team_free(e->team);
    elbo_network_free(&e->network);
    elbo_features_free(e->features);
    elbo_recipe_close(&e->recipe);
    free(e->m);
    free(e->v);
}

/* Means over the images of a run. */
static inline elbo_scores engine_scores(const engine *e, int count) {
    elbo_metrics metrics = elbo_metrics_of(&e->recipe);
    elbo_metric_sums sums = {0};
    double batch[ELBO_MAX_METRICS] = {0};
    elbo_plan_add_metrics(&e->plan, count, batch);
    elbo_metric_sums_add(&sums, &metrics, batch);
    elbo_scores s = elbo_scores_of(&metrics, &sums, (uint32_t)count, elbo_image_size(e->network.graph.image));
    return s;
}

#endif
