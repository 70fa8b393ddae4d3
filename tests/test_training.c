/* Training as a user has it: the same bits for any number of threads, and runs that are replaced only when asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "training_runs.h"

static void same_bits_for_any_number_of_threads(void **state) {
    (void)state;
    for (int i = 0; i < EXPERIMENTS; i++) {
        const char *one = run_path("threads-1");
        for (int threads = 1; threads <= 3; threads++) {
            char name[32];
            snprintf(name, sizeof name, "threads-%d", threads);
            const char *run = run_path(name);
            assert_ok(train(&experiments[i], (elbo_train_options){.run = run, .replace = true, .threads = threads},
                            &failure));
            if (threads > 1) assert_same_run(one, run);
        }
        elbo_log log = log_of(one); // and something was learned
        if (log.count > 1) assert_true(log.epoch[log.count - 1].train.loss < log.epoch[0].train.loss);
        elbo_log_free(&log);
    }
}

/* What stands in the folder when training begins decides, not what stood there when its caller looked: two trainings
 * that were started at once both find nothing. */
static void a_run_is_replaced_only_when_asked(void **state) {
    (void)state;
    static const experiment x = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    static const experiment other = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", "train.seed=5", NULL}};
    const char *run = run_path("replaced"), *model = "model.safetensors";
    elbo_error err = {0};
    assert_ok(elbo_run_folder_check(run, false, false, &failure));
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    file before = read_run_file(run, model);
    assert_int_equal(train(&other, (elbo_train_options){.run = run}, &err), ELBO_BAD_INPUT);
    assert_message(err, "replaced: already holds a trained run", "--force");
    file after = read_run_file(run, model);
    assert_true(after.size == before.size && !memcmp(after.bytes, before.bytes, before.size));
    free(after.bytes);
    assert_ok(train(&other, (elbo_train_options){.run = run, .replace = true}, &failure));
    after = read_run_file(run, model);
    assert_true(memcmp(after.bytes, before.bytes, before.size));
    free(before.bytes);
    free(after.bytes);
}

/* A folder that cannot be looked into, for a moment, is no empty folder. */
static void what_cannot_be_looked_at_is_not_replaced(void **state) {
    (void)state;
    static const experiment x = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    const char *run = run_path("unseen");
    elbo_error err = {0};
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    static const char *const files[] = {"model.safetensors", "checkpoint.safetensors"};
    char *aside = elbo_path_join(run, "aside");
    file before = read_run_file(run, "recipe.yaml");
    for (int i = 0; i < 2; i++) { // stat fails, and not with ENOENT: a new run, then one that is resumed
        const elbo_train_options o = {.run = run, .resume = i == 1};
        char *path = elbo_path_join(run, files[i]);
        assert_int_equal(rename(path, aside), 0);
        assert_int_equal(symlink(files[i], path), 0);
        assert_int_equal(train(&x, o, &err), ELBO_IO);
        assert_message(err, files[i], ": cannot be read: ");
        assert_int_equal(rename(aside, path), 0);
        free(path);
    }
    file after = read_run_file(run, "recipe.yaml");
    assert_true(after.size == before.size && !memcmp(after.bytes, before.bytes, before.size));
    free(before.bytes);
    free(after.bytes);
    assert_int_equal(train(&x, (elbo_train_options){.run = run}, &err), ELBO_BAD_INPUT); // it is there again
    free(aside);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_run_is_replaced_only_when_asked),
        cmocka_unit_test(what_cannot_be_looked_at_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
