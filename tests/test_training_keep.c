/* What a training keeps: images held out for validation, the moving average of the weights, the best epoch, and where it
 * stops early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/model.h"
#include "train/keep.h"
#include "training_runs.h"

/* ---- images held out ---- */

static elbo_holdout hold(float share, uint64_t seed, uint32_t images) {
    elbo_recipe r = {.train = {.validation = share, .seed = seed}};
    elbo_holdout h;
    assert_ok(elbo_holdout_make(&h, &r, images, "images", &failure));
    return h;
}

static void every_image_is_trained_on_or_held_out(void **state) {
    (void)state;
    static const struct {
        float share;
        uint32_t images, held;
    } rows[] = {{0.1f, 500, 50}, {0.001f, 500, 1}, {0.5f, 3, 2}, {0.999f, 1000, 999}, {0.25f, 60000, 15000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elbo_holdout h = hold(rows[i].share, 7, rows[i].images), again = hold(rows[i].share, 7, rows[i].images);
        assert_int_equal(h.validation_count, rows[i].held);
        assert_int_equal(h.train_count, rows[i].images - rows[i].held);
        assert_memory_equal(h.validation, again.validation, h.validation_count * sizeof *h.validation);
        uint32_t a = 0, b = 0;
        for (uint32_t k = 0; k < rows[i].images; k++) { // each is in one of them, which ascend
            bool held = b < h.validation_count && h.validation[b] == k;
            assert_true(held || (a < h.train_count && h.train[a] == k));
            *(held ? &b : &a) += 1;
        }
        elbo_holdout_free(&h);
        elbo_holdout_free(&again);
    }
    elbo_holdout a = hold(0.1f, 1, 1000), b = hold(0.1f, 2, 1000);
    uint32_t same = 0;
    for (uint32_t i = 0; i < 100; i++)
        for (uint32_t k = 0; k < 100; k++) same += a.validation[i] == b.validation[k];
    assert_true(same < 40); // 10 are expected by chance
    elbo_holdout_free(&a);
    elbo_holdout_free(&b);
    elbo_recipe r = {.train = {.validation = 0.9f}};
    elbo_error err;
    elbo_holdout none;
    assert_int_equal(elbo_holdout_make(&none, &r, 1, "one.npy", &err), ELBO_BAD_INPUT);
    assert_message(err, "train.validation", "one.npy");
}

/* The order of an epoch is a permutation of what is trained on, so that no step sees a held out image. */
static void the_order_has_each_image_once(void **state) {
    (void)state;
    elbo_holdout h = hold(0.2f, 3, 500);
    uint32_t order[500], count[500] = {0};
    elbo_holdout_order(&h, (elbo_stream){.seed = 3, .purpose = ELBO_FOR_SHUFFLE}, order);
    for (uint32_t i = 0; i < h.train_count; i++) count[order[i]]++;
    for (uint32_t i = 0; i < h.validation_count; i++) count[h.validation[i]]++;
    for (int i = 0; i < 500; i++) assert_int_equal(count[i], 1);
    elbo_holdout_free(&h);
}

/* ---- the best epoch, early stopping ---- */

#define OVERFITS "train.batch=50", "train.validation=0.2", "train.lr=0.01"

/* The weights are those of a training that ended with the epoch. */
static void the_best_epoch_is_kept(void **state) {
    (void)state;
    static const experiment best = {"mnist-vae",
                                    {OVERFITS, "train.epochs=40", "train.keep=best", "loss.kl.warmup=3.5"}};
    const char *run = run_path("best");
    assert_ok(train(&best, (elbo_train_options){.run = run}, &failure));
    elbo_log log = log_of(run);
    int lowest = 0;
    for (int e = 1; e <= log.count; e++) {
        const elbo_epoch_log *line = &log.epoch[e - 1];
        assert_int_equal(line->train.images, 400);
        assert_int_equal(line->validation.images, 100);
        // compared with the full KL weight, from the first epoch that ends behind the warm-up
        assert_near("objective", (size_t)e, line->validation.objective,
                    line->validation.reconstruction + line->validation.kl, 1e-6 * line->validation.objective);
        if (e >= 4 && (!lowest || line->validation.objective < log.epoch[lowest - 1].validation.objective)) lowest = e;
        assert_int_equal(line->best, lowest);
    }
    assert_true(lowest >= 4 && lowest < 40); // else the test says nothing
    elbo_recipe r = open_recipe(&best);
    assert_int_equal(elbo_log_kept(&log, &r)->epoch, lowest);
    elbo_recipe_close(&r);
    char epochs[32];
    snprintf(epochs, sizeof epochs, "train.epochs=%d", lowest);
    const experiment shorter = {"mnist-vae", {OVERFITS, epochs, "train.keep=last", "loss.kl.warmup=3.5"}};
    const char *other = run_path("until-the-best");
    assert_ok(train(&shorter, (elbo_train_options){.run = other}, &failure));
    assert_true(same_file(run, other, "model.safetensors"));
    elbo_log_free(&log);
}

static void training_stops_when_patience_is_over(void **state) {
    (void)state;
    static const experiment patient = {"mnist-vae", {OVERFITS, "train.epochs=60", "train.patience=3"}};
    const char *run = run_path("patient");
    elbo_recipe r = open_recipe(&patient);
    elbo_train_result result, again;
    assert_ok(elbo_train(&result, &r, &digits, (elbo_train_options){.run = run}, &failure));
    assert_true(result.stopped_early && result.epochs < 60 && result.last.best == result.epochs - 3);
    assert_int_equal(result.kept.epoch, result.epochs); // keep: last
    elbo_log log = log_of(run);
    for (int e = 1; e < log.count; e++) // not before
        assert_true(e - log.epoch[e - 1].best < 3);
    assert_ok(elbo_train(&again, &r, &digits, (elbo_train_options){.run = run, .resume = true}, &failure));
    assert_true(again.was_finished && again.stopped_early && again.epochs == result.epochs);
    elbo_log_free(&log);
    elbo_recipe_close(&r);
}

/* ---- the moving average ---- */

static elbo_safetensors open_file(const char *run, const char *name) {
    elbo_safetensors f;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", run, name);
    assert_ok(elbo_safetensors_open(&f, path, &failure));
    return f;
}

/* One step an epoch: the weights after each are known from shorter runs, the average follows in doubles. */
static void the_average_is_that_of_the_weights_after_each_step(void **state) {
    (void)state;
    enum { STEPS = 4 };
    const double decay = 0.3; // the warm-up, (1 + t) / (10 + t), is below it for two steps: 2/11, 3/12
    elbo_safetensors weights[STEPS + 1];
    char epochs[32];
    snprintf(epochs, sizeof epochs, "train.epochs=%d", STEPS);
    const experiment averaged = {everything_recipe, {"train.batch=500", epochs, "train.ema=0.3"}};
    assert_ok(train(&averaged, (elbo_train_options){.run = run_path("averaged")}, &failure));
    for (int k = 1; k <= STEPS; k++) {
        char name[32], set[32];
        snprintf(name, sizeof name, "steps-%d", k);
        snprintf(set, sizeof set, "train.epochs=%d", k);
        const experiment plain = {everything_recipe, {"train.batch=500", set}};
        assert_ok(train(&plain, (elbo_train_options){.run = run_path(name)}, &failure));
        weights[k] = open_file(run_path(name), "model.safetensors");
    }
    elbo_recipe r = open_recipe(&averaged);
    elbo_network n;
    assert_ok(elbo_network_make(&n, &r, digits.train.shape, &failure)); // the seed's
    const char *run = run_path("averaged");
    elbo_safetensors model = open_file(run, "model.safetensors"), checkpoint = open_file(run, "checkpoint.safetensors");
    for (int i = 0; i < n.graph.params; i++) {
        const elbo_param *p = &n.graph.param[i];
        const float *got = elbo_safetensors_find(&model, p->name)->data;
        const float *raw = elbo_safetensors_find(&checkpoint, p->name)->data;
        const float *last = elbo_safetensors_find(&weights[STEPS], p->name)->data;
        assert_memory_equal(raw, last, p->count * sizeof *raw); // training itself is the same to the bit
        for (size_t k = 0; k < p->count; k++) {
            double average = n.params[p->offset + k], size = fabs(average);
            for (int t = 1; t <= STEPS; t++) {
                double early = (1.0 + t) / (10.0 + t), d = early < decay ? early : decay;
                double w = ((const float *)elbo_safetensors_find(&weights[t], p->name)->data)[k];
                average = d * average + (1 - d) * w;
                if (fabs(w) > size) size = fabs(w);
            }
            assert_near(p->name, k, got[k], average, 1e-6 * size + 1e-9);
        }
    }
    elbo_safetensors_close(&model);
    elbo_safetensors_close(&checkpoint);
    for (int k = 1; k <= STEPS; k++) elbo_safetensors_close(&weights[k]);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

/* The log is of what is saved: the model, evaluated anew, has the scores of the epoch that is kept. */
static void the_log_is_of_the_weights_that_are_kept(void **state) {
    (void)state;
    static const experiment x = {
        "mnist-vae", {"train.batch=50", "train.validation=0.2", "train.epochs=6", "train.keep=best", "train.ema=0.98"}};
    const char *run = run_path("scores");
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run, 1, &failure));
    elbo_log log = log_of(run);
    const elbo_epoch_log *kept = elbo_log_kept(&log, &m->recipe);
    elbo_holdout h = hold(0.2f, 0, TRAIN_IMAGES);
    elbo_scores s;
    assert_ok(elbo_evaluate(&s, &m->network, &m->recipe, &digits.test, (elbo_eval_options){0}, &failure));
    assert_near("test", 0, s.loss, kept->test.loss, 1e-6 * s.loss);
    assert_ok(elbo_evaluate(&s, &m->network, &m->recipe, &digits.train,
                            (elbo_eval_options){.only = h.validation, .only_count = h.validation_count}, &failure));
    assert_near("validation", 0, s.loss, kept->validation.loss, 1e-6 * s.loss);
    elbo_holdout_free(&h);
    elbo_log_free(&log);
    elbo_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_image_is_trained_on_or_held_out),
        cmocka_unit_test(the_order_has_each_image_once),
        cmocka_unit_test(the_best_epoch_is_kept),
        cmocka_unit_test(training_stops_when_patience_is_over),
        cmocka_unit_test(the_average_is_that_of_the_weights_after_each_step),
        cmocka_unit_test(the_log_is_of_the_weights_that_are_kept),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
