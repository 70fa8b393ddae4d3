/* Several samples of an image: who draws what, the gradient of their bound, and that it rises with their number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "train/evaluate.h"
#include "training_runs.h"

static const char *const iwae_3[] = {"loss.bound=iwae", "loss.samples=3", "train.batch=7"};

/* The codes of a batch, (7, samples, 2). */
static void codes_of(engine *e, const uint32_t *index, float *z) {
    bool *watch = calloc((size_t)e->network.graph.count, sizeof *watch);
    assert_non_null(watch);
    int latent = e->network.graph.at.latent;
    watch[latent] = true;
    elbo_plan_options options = e->plan.options;
    options.watch = watch;
    elbo_plan plan;
    assert_ok(elbo_plan_make(&plan, &e->state, &options, &failure));
    elbo_batch_args args = engine_args(e, &digits.train, index, 7, 0, 1, 1);
    assert_ok(elbo_plan_run_one(&plan, &args, &failure));
    elbo_plan_read(&plan, plan.watched[latent], 0, 7 * elbo_plan_samples(&plan), z);
    elbo_plan_free(&plan);
    free(watch);
}

/* The first is what an image would have if it had one; each has noise of its own, wherever in a batch the image is. */
static void each_sample_has_its_own_noise(void **state) {
    (void)state;
    for (int d = 0; elbo_devices[d] && elbo_device_is_there(elbo_devices[d]); d++) {
        engine one, three;
        const char *device = elbo_devices[d]->name;
        engine_open(&one, "mnist-vae-2d", iwae_3 + 2, 1, digits.train.shape, device, ELBO_EVAL, 0);
        engine_open(&three, "mnist-vae-2d", iwae_3, 3, digits.train.shape, device, ELBO_EVAL, 0);
        const uint32_t index[7] = {4, 9, 2, 77, 1, 0, 5}, turned[7] = {5, 0, 1, 77, 2, 9, 4};
        float z[7][2], all[7][3][2], other[7][3][2];
        codes_of(&one, index, z[0]);
        codes_of(&three, index, all[0][0]);
        codes_of(&three, turned, other[0][0]);
        for (int i = 0; i < 7; i++) {
            for (int k = 0; k < 2; k++) {
                assert_near("first", (size_t)i, all[i][0][k], z[i][k], 1e-5);
                for (int n = 0; n < 3; n++) assert_near("turned", (size_t)i, other[6 - i][n][k], all[i][n][k], 1e-5);
            }
            for (int k = 0; k < 3; k++) assert_true(fabsf(all[i][k][0] - all[i][(k + 1) % 3][0]) > 1e-4f);
        }
        engine_close(&one);
        engine_close(&three);
    }
}

static double objective_of(engine *e, const elbo_batch_args *args) {
    engine_run(e, args);
    elbo_scores s = engine_scores(e, args->count);
    return s.metric[elbo_metrics_find(&e->network.graph.metrics, "iwae")];
}

/* Of the parameters with the largest gradients, a few of each tensor, and of sigma. */
static void gradients_are_differences(void **state) {
    (void)state;
    const char *const sets[] = {"loss.bound=iwae", "loss.samples=3", "train.batch=7", "loss.reconstruction=gaussian",
                                "loss.kl=0.8"};
    const uint32_t index[7] = {4, 9, 2, 77, 1, 0, 5};
    engine e;
    engine_open(&e, "mnist-vae-2d", sets, 5, digits.train.shape, "ref", ELBO_TRAIN, 0);
    elbo_batch_args args = engine_args(&e, &digits.train, index, 7, 0, 1, 1);
    args.no_update = true;
    engine_run(&e, &args);
    const elbo_graph *g = &e.network.graph;
    float *grads = malloc(g->param_floats * sizeof *grads);
    assert_non_null(grads);
    memcpy(grads, e.grads, g->param_floats * sizeof *grads);
    for (int i = 0; i < g->params; i++) {
        size_t most = g->param[i].offset;
        for (size_t k = most; k < g->param[i].offset + g->param[i].count; k++)
            if (fabsf(grads[k]) > fabsf(grads[most])) most = k;
        float was = e.network.params[most], step = 0.01f;
        double side[2];
        for (int k = 0; k < 2; k++) {
            e.network.params[most] = k ? was + step : was - step;
            side[k] = objective_of(&e, &args);
        }
        e.network.params[most] = was;
        double want = (side[1] - side[0]) / (2 * (double)step), allowed = 2e-3 * fabs(want) + 0.05; // objectives of 1e3
        assert_near(g->param[i].name, 0, grads[most], want, allowed);
    }
    free(grads);
    engine_close(&e);
}

/* Burda et al. 2015, theorem 1: in expectation the bound does not fall with k. One sample's is the ELBO. */
static void the_bound_rises_with_samples(void **state) {
    (void)state;
    static const experiment x = {"mnist-vae", {"train.batch=20", "train.epochs=4"}};
    static const int samples[] = {1, 5, 50};
    const char *run = run_path("trained");
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    double before = INFINITY, elbo = 0;
    for (int i = 0; i < 3; i++) {
        char set[40];
        snprintf(set, sizeof set, "loss.samples=%d", samples[i]);
        for (int iwae = 0; iwae < 2; iwae++) {
            const char *const sets[] = {set, iwae ? "loss.bound=iwae" : "loss.bound=elbo"};
            elbo_recipe r;
            elbo_network n;
            elbo_scores s;
            assert_ok(elbo_recipe_open(&r, "mnist-vae", sets, 2, &failure));
            assert_ok(elbo_network_make(&n, &r, digits.train.shape, &failure));
            assert_ok(elbo_model_load(run, &n, &failure));
            assert_ok(elbo_evaluate(&s, &n, &r, &digits.train, (elbo_eval_options){0}, &failure));
            if (!iwae) {
                elbo = s.loss;
                assert_near("objective", 0, s.objective, s.loss, 1e-9 * s.loss);
            } else {
                assert_near("loss", (size_t)i, s.loss, elbo, 1e-9 * elbo); // the ELBO stays beside the bound
                if (samples[i] > 1)
                    assert_true(s.objective < before - 1);
                else
                    assert_near("one sample", 0, s.objective, s.loss, 0.01 * s.loss);
                before = s.objective;
            }
            elbo_network_free(&n);
            elbo_recipe_close(&r);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sample_has_its_own_noise),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(the_bound_rises_with_samples),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
