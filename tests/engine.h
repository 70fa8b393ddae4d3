/* A recipe, its network and a plan to run it, through the same functions as `elbo train` uses. */
#ifndef ELBO_TESTS_ENGINE_H
#define ELBO_TESTS_ENGINE_H

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "nn/ops/op.h"
#include "device/cpu/program.h"
#include "train/trainer.h"
#include "nn/vgg16.h"

/* assert_ok(f(..., &failure)): the test fails with elbo's own message. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        elbo_error failure;                                                                                            \
        if ((call) != ELBO_OK) fail_msg("%s", failure.message);                                                        \
    } while (0)

enum { ENGINE_THREADS = 2 };

/* Where the kernels of `cuda` are tested: on the CPU, in place of a GPU, unless tools/cuda.sh has one. */
static inline const char *test_device(void) {
    const char *device = getenv("ELBO_TEST_DEVICE");
    return device ? device : "shim";
}

/* One model on one device. */
typedef struct engine {
    elbo_recipe recipe;
    elbo_network network, *features;
    elbo_team *team;
    elbo_state state;
    elbo_plan plan, adversary; // adversary: of its own step, where the recipe has one
    float *grads;              // (param_floats) of the last run
    bool diverged;             // the last run
} engine;

static inline void engine_close(engine *e);

/* False where the device has no kernel for one of the layers, and says so. */
static inline bool engine_open_if_can(engine *e, const char *recipe, const char *const *sets, int set_count,
                                      elbo_image_shape image, const char *device, elbo_mode mode, int batch) {
    *e = (engine){0};
    assert_ok(elbo_recipe_open(&e->recipe, recipe, sets, set_count, &failure));
    const elbo_recipe *r = &e->recipe;
    assert_ok(elbo_network_make(&e->network, r, image, &failure));
    assert_ok(elbo_features_open(&e->features, r, image, &failure));
    assert_ok(elbo_team_make(&e->team, ENGINE_THREADS, &failure));
    const elbo_device *where;
    assert_ok(elbo_device_find(&where, device, &failure));
    const elbo_optimizer_rule *rule = mode == ELBO_TRAIN ? elbo_optimizer_rule_of(r->train.optimizer) : NULL;
    assert_ok(elbo_state_open(&e->state, where, &e->network, e->team, rule, &failure));
    elbo_plan_options options = {.mode = mode,
                                 .batch = batch ? batch : r->train.batch,
                                 .samples = r->loss.samples,
                                 .clip = r->train.clip,
                                 .features = e->features,
                                 .keep_gradients = true};
    elbo_error refusal;
    if (elbo_plan_make(&e->plan, &e->state, &options, &refusal) != ELBO_OK) {
        if (!strstr(refusal.message, "cannot compute `")) fail_msg("%s", refusal.message);
        print_message("%s\n", refusal.message);
        engine_close(e);
        return false;
    }
    options.player = ELBO_PLAYER_ADVERSARY;
    if (elbo_has_adversary(r) && (mode == ELBO_TRAIN || mode == ELBO_EVAL))
        assert_ok(elbo_plan_make(&e->adversary, &e->state, &options, &failure));
    e->grads = calloc(e->network.graph.param_floats + 1, sizeof *e->grads);
    assert_non_null(e->grads);
    return true;
}

/* `batch` 0: the recipe's. `keep_grads` without clipping hands tiles to the update all the same. */
static inline void engine_open(engine *e, const char *recipe, const char *const *sets, int set_count,
                               elbo_image_shape image, const char *device, elbo_mode mode, int batch) {
    assert_true(engine_open_if_can(e, recipe, sets, set_count, image, device, mode, batch));
}

/* What `elbo train` runs a step with. */
static inline elbo_batch_args engine_args(const engine *e, const elbo_images *images, const uint32_t *index, int count,
                                          int epoch, uint64_t step, uint64_t steps_an_epoch) {
    return elbo_training_args(&e->recipe, &e->network.graph, images, index, count, epoch, step, steps_an_epoch);
}

static inline void engine_run(engine *e, const elbo_batch_args *args) {
    elbo_run_report report;
    assert_ok(elbo_state_put(&e->state, &failure)); // a test may have changed the weights
    assert_ok(elbo_plan_run(&e->plan, args, 1, &failure));
    assert_ok(elbo_plan_wait(&e->plan, &report, &failure));
    assert_ok(elbo_state_get(&e->state, &failure));
    e->diverged = report.diverged;
    if (e->plan.options.mode == ELBO_TRAIN && e->plan.options.keep_gradients)
        elbo_plan_read_gradients(&e->plan, e->grads);
}

static inline void engine_close(engine *e) {
    elbo_plan_free(&e->plan);
    elbo_plan_free(&e->adversary);
    elbo_state_close(&e->state);
    elbo_team_free(e->team);
    elbo_network_free(&e->network);
    elbo_features_free(e->features);
    elbo_recipe_close(&e->recipe);
    free(e->grads);
}

/* Of each of the first `count` images, the weighted sum of the metrics of a role.  to: (count) */
static inline void engine_losses(engine *e, elbo_metric_role role, int count, double *to) {
    const elbo_metrics *m = &e->network.graph.metrics;
    memset(to, 0, (size_t)count * sizeof *to);
    for (int k = 0; k < m->count; k++)
        for (int i = 0; e->plan.metric[k] && m->metric[k].role == role && i < count; i++) {
            float value;
            elbo_plan_read(&e->plan, e->plan.metric[k], i, 1, &value);
            to[i] += (role == ELBO_METRIC_RECONSTRUCTION ? m->metric[k].weight : 1) * (double)value;
        }
}

/* Means over the images of a run. */
static inline elbo_scores engine_scores(engine *e, int count) {
    const elbo_metrics *m = &e->network.graph.metrics;
    elbo_metric_sums sums = {0};
    double batch[ELBO_MAX_METRICS] = {0};
    for (int k = 0; k < m->count; k++)
        for (int i = 0; e->plan.metric[k] && i < count * elbo_plan_samples(&e->plan); i++) {
            float value;
            elbo_plan_read(&e->plan, e->plan.metric[k], i, 1, &value);
            batch[k] += (double)value / elbo_plan_samples(&e->plan);
        }
    elbo_metric_sums_add(&sums, m, batch);
    elbo_scores s = elbo_scores_of(m, &sums, (uint32_t)count, elbo_image_size(e->network.graph.image));
    return s;
}

#endif
