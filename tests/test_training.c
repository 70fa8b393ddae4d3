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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_run_is_replaced_only_when_asked),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
