/* train.history: weights of some epochs, each a run of its own, the same after a stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/history.h"
#include "run/model.h"
#include "train/trainer.h"
#include "training_runs.h"

static const experiment nine = {"mnist-vae-2d", {"train.batch=100", "train.epochs=9", "train.history=4"}};

static void assert_epochs(const char *run, const int *expected, int n) {
    int *epochs, count;
    assert_ok(elbo_history_list(run, &epochs, &count, &failure));
    assert_int_equal(count, n);
    for (int i = 0; i < n; i++) assert_int_equal(epochs[i], expected[i]);
    free(epochs);
}

/* At every moment: epoch 0, evenly spread, at most as many as were asked for, and more than half as many. */
static void epochs_are_thinned(void **state) {
    (void)state;
    for (int most = 2; most < 30; most++) {
        bool kept[500] = {false};
        for (int epoch = 0; epoch < 500; epoch++) {
            kept[epoch] = elbo_history_keeps(epoch, most);
            int step = 1, count = 0;
            while (epoch / step + 1 > most) step *= 2;
            for (int e = 0; e <= epoch; e++) {
                if (e % step) kept[e] = false; // as elbo_history_thin removes
                count += kept[e];
                assert_true(kept[e] == (e % step == 0));
            }
            assert_true(count <= most && (epoch < most || 2 * count >= most));
        }
    }
    assert_false(elbo_history_keeps(0, 0));
}

static void an_epoch_is_a_run_of_its_weights(void **state) {
    (void)state;
    const char *run = run_path("nine"), *four = run_path("four");
    assert_ok(train(&nine, (elbo_train_options){.run = run}, &failure));
    assert_epochs(run, (int[]){0, 4, 8}, 3);
    static const experiment shorter = {"mnist-vae-2d", {"train.batch=100", "train.epochs=4"}};
    assert_ok(train(&shorter, (elbo_train_options){.run = four}, &failure));
    elbo_model *m[3];
    char *epoch[2] = {elbo_history_folder(run, 4), elbo_history_folder(run, 0)};
    assert_ok(elbo_model_open(&m[0], epoch[0], 1, &failure));
    assert_ok(elbo_model_open(&m[1], four, 1, &failure));
    assert_ok(elbo_model_open(&m[2], epoch[1], 1, &failure));
    assert_true(elbo_model_epoch(m[0]) == 4 && elbo_model_epoch(m[2]) == 0);
    assert_string_equal(elbo_model_fingerprint(m[0]), elbo_model_fingerprint(m[1]));
    assert_string_not_equal(elbo_model_fingerprint(m[0]), elbo_model_fingerprint(m[2]));
    elbo_log log = log_of(epoch[0]);
    assert_int_equal(log.count, 4);
    elbo_log_free(&log);
    for (int i = 0; i < 3; i++) elbo_model_close(m[i]);
    for (int i = 0; i < 2; i++) free(epoch[i]);
    static const experiment none = {"mnist-vae-2d", {"train.batch=100", "train.epochs=1"}};
    assert_ok(train(&none, (elbo_train_options){.run = run, .replace = true}, &failure));
    assert_epochs(run, NULL, 0); // of the run that was replaced
}

static bool stop_in_epoch(void *context, const elbo_progress *p) { return p->finished && p->epoch == *(int *)context; }

static void a_stopped_run_keeps_the_same(void **state) {
    (void)state;
    const char *whole = run_path("whole"), *parts = run_path("parts");
    assert_ok(train(&nine, (elbo_train_options){.run = whole, .threads = 2}, &failure));
    elbo_error err;
    for (int epoch = 3; epoch <= 6; epoch += 3) {
        elbo_train_options o = {
            .run = parts, .threads = 1, .resume = epoch > 3, .progress = stop_in_epoch, .context = &epoch};
        assert_int_equal(train(&nine, o, &err), ELBO_STOPPED);
    }
    assert_ok(train(&nine, (elbo_train_options){.run = parts, .resume = true}, &failure));
    assert_same_run(whole, parts);
    assert_epochs(parts, (int[]){0, 4, 8}, 3);
    for (int epoch = 0; epoch <= 8; epoch += 4) {
        char *a = elbo_history_folder(whole, epoch), *b = elbo_history_folder(parts, epoch);
        assert_true(same_file(a, b, "model.safetensors"));
        assert_true(same_file(a, b, "recipe.yaml"));
        free(a);
        free(b);
    }
}

/* The average is what an epoch is judged by. */
static void the_average_is_kept_where_there_is_one(void **state) {
    (void)state;
    static const experiment averaged = {"mnist-vae-2d",
                                        {"train.batch=100", "train.epochs=2", "train.ema=0.9", "train.history=8"}};
    const char *run = run_path("averaged");
    assert_ok(train(&averaged, (elbo_train_options){.run = run}, &failure));
    assert_epochs(run, (int[]){0, 1, 2}, 3);
    char *last = elbo_history_folder(run, 2);
    assert_true(same_file(run, last, "model.safetensors"));
    free(last);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_are_thinned),
        cmocka_unit_test(an_epoch_is_a_run_of_its_weights),
        cmocka_unit_test(a_stopped_run_keeps_the_same),
        cmocka_unit_test(the_average_is_kept_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
