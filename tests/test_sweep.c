/* Sweeps: which runs they have, that results do not depend on how they were run, what is made of the numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "explore/sweep.h"
#include "training_runs.h"

/* ---- the plan ---- */

#define OVER(...) ((const char *const[]){__VA_ARGS__, NULL})

static elbo_status plan(elbo_sweep *s, const char *recipe, const char *const *sets, const char *const *over, int seeds,
                        elbo_error *err) {
    elbo_sweep_plan_options o = {.recipe = recipe, .sets = sets, .over = over, .seeds = seeds};
    while (sets && sets[o.set_count]) o.set_count++;
    while (over[o.over_count]) o.over_count++;
    return elbo_sweep_plan(s, &o, err);
}

static void every_combination_has_its_runs(void **state) {
    (void)state;
    elbo_sweep s;
    assert_ok(plan(&s, "mnist-vae", OVER("train.seed=5"), OVER("latent=2,10", "loss.kl=1,4,0.5"), 2, &failure));
    assert_true(s.settings == 6 && s.runs == 12 && s.keys == 2);
    static const int latent[] = {2, 2, 2, 10, 10, 10};
    static const float kl[] = {1, 4, 0.5f, 1, 4, 0.5f};
    for (int i = 0; i < s.runs; i++) {
        const elbo_sweep_run *r = &s.run[i];
        assert_int_equal(r->setting, i / 2);
        assert_int_equal(r->recipe.latent, latent[i / 2]);
        assert_true(r->recipe.loss.kl == kl[i / 2] && r->recipe.train.seed == 5 + (uint64_t)i % 2);
    }
    assert_string_equal(s.run[11].name, "latent=10,loss.kl=0.5,seed=6");
    assert_string_equal(s.setting[4].name, "latent=10,loss.kl=4");
    elbo_sweep_free(&s);
}

static void lists_and_paths_are_values(void **state) {
    (void)state;
    elbo_sweep s;
    assert_ok(plan(&s, "mnist-vae", NULL,
                   OVER("encoder=[flatten, linear 10, relu],[flatten, linear 20, relu]", "exclude=none,8,[1, 7]"), 1,
                   &failure));
    assert_true(s.settings == 6 && s.run[5].recipe.encoder.count == 3 && s.run[5].recipe.exclude.count == 2);
    assert_true(!s.key[0].number && !s.key[1].number);
    for (int i = 0; i < s.runs; i++) {
        assert_null(strpbrk(s.run[i].name, "/ []'\""));
        for (int j = 0; j < i; j++) assert_string_not_equal(s.run[i].name, s.run[j].name);
    }
    elbo_sweep_free(&s);
    assert_ok(plan(&s, "mnist-vae", NULL, OVER("data=../a/b,digits"), 1, &failure));
    assert_null(strchr(s.run[0].name, '/'));
    elbo_sweep_free(&s);
}

static void bad_sweeps_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *over[3], *set;
        int seeds;
        const char *says[2];
    } rows[] = {
        {{"latnet=2,3"}, NULL, 1, {"--over latnet=2", "did you mean latent?"}},
        {{"latent=2,x"}, NULL, 1, {"--over latent=x", "an integer from 1 to 65536"}},
        {{"latent=2,0"}, NULL, 1, {"--over latent=0", "an integer"}},
        {{"latent"}, NULL, 1, {"--over latent", "KEY=VALUE"}},
        {{"=2"}, NULL, 1, {"--over =2", "KEY=VALUE"}},
        {{"latent="}, NULL, 1, {"latent=", "a value is empty"}},
        {{"latent=2,,3"}, NULL, 1, {"latent=2,,3", "a value is empty"}},
        {{"latent=2,"}, NULL, 1, {"latent=2,", "a value is empty"}},
        {{"latent=2,3,2"}, NULL, 1, {"the value 2", "twice"}},
        {{"loss.kl=1,1.0"}, NULL, 1, {"loss.kl=1 and loss.kl=1.0", "same recipe"}},
        {{"latent=2", "latent=3"}, NULL, 1, {"latent", "twice"}},
        {{"latent=2,3"}, "latent=7", 1, {"latent", "--set"}},
        {{"train.seed=1,2"}, NULL, 1, {"train.seed", "--seeds"}},
        {{NULL}, NULL, 1, {"nothing to sweep over", "--over latent=2,10,20"}},
        {{"latent=2,3"}, NULL, 4000, {"8000", "4096"}},
        {{"latent=2,3"}, "train.seed=18446744073709551615", 2, {"train.seed", "no room"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elbo_sweep s;
        elbo_error err = {0};
        const char *sets[] = {rows[i].set, NULL};
        if (plan(&s, "mnist-vae", sets, rows[i].over, rows[i].seeds, &err) == ELBO_OK) fail_msg("row %zu", i);
        if (rows[i].seeds == 4000) {
            assert_non_null(strstr(err.message, "4096"));
            continue;
        }
        assert_message(err, rows[i].says[0], rows[i].says[1]);
    }
}

/* ---- runs ---- */

typedef struct listener {
    int opened, ended, stop_after; // runs; 0: never
    int reports_left;              // of a run's progress, until it is stopped; -1: never
} listener;

static elbo_status open_digits(void *context, elbo_dataset *d, char **remember, const elbo_recipe *r, elbo_error *err) {
    ((listener *)context)->opened++;
    *remember = NULL;
    if (!strcmp(r->data, "missing")) return elbo_fail(err, ELBO_NOT_FOUND, "missing: not there");
    *d = (elbo_dataset){.name = strdup("digits"), .source = strdup("built in"), .classes = 10};
    ELBO_TRY(elbo_digits_make(&d->train, false, 200, 1, err));
    return elbo_digits_make(&d->test, true, 50, 1, err);
}

static bool listen(void *context, const elbo_sweep_progress *p) {
    listener *l = context;
    l->ended += p->ended;
    if (!p->ended && l->reports_left >= 0 && l->reports_left-- == 0) return true;
    return l->stop_after && l->ended >= l->stop_after;
}

#define SETS OVER("train.epochs=2", "train.batch=50")

static elbo_status sweep_into(elbo_sweep *s, const char *name, const char *const *over, int seeds, int jobs,
                              listener *l, elbo_error *err) {
    assert_ok(plan(s, "mnist-vae-2d", SETS, over, seeds, &failure));
    ELBO_TRY(elbo_sweep_claim(s, run_path(name), NULL, err));
    elbo_status status = elbo_sweep_train(
        s,
        &(elbo_sweep_training){
            .jobs = jobs, .threads = 2, .importance = 2, .open = open_digits, .tell = listen, .context = l},
        err);
    elbo_sweep_summarize(s);
    return status;
}

static void assert_same_sweep(const elbo_sweep *a, const elbo_sweep *b) {
    assert_int_equal(a->runs, b->runs);
    for (int i = 0; i < a->runs; i++) {
        char *x = elbo_sweep_run_folder(a, &a->run[i]), *y = elbo_sweep_run_folder(b, &b->run[i]);
        assert_true(same_file(x, y, "model.safetensors") && same_file(x, y, "recipe.yaml"));
        free(x);
        free(y);
        for (int m = 0; m < ELBO_SWEEP_MEASURES; m++) { // (NaN is written in one way here)
            double v = a->run[i].value[m], w = b->run[i].value[m];
            assert_true(isnan(v) ? isnan(w) : fabs(v - w) <= 1e-8 * fabs(v)); // read back, they have 9 digits
        }
    }
}

static void results_do_not_depend_on_jobs_or_interruptions(void **state) {
    (void)state;
    elbo_sweep one, four, cut;
    listener l = {.reports_left = -1}, none = {.reports_left = -1};
    const char *const *over = OVER("latent=2,3", "loss.kl=1,2");
    assert_ok(sweep_into(&one, "one", over, 2, 1, &l, &failure));
    assert_true(l.opened == 1 && l.ended == 8); // the runs share the images
    assert_ok(sweep_into(&four, "four", over, 2, 4, &none, &failure));
    assert_same_sweep(&one, &four);
    // stopped again and again: between runs, in the middle of one; then the same command to the end
    int stops = 0;
    elbo_status status = ELBO_STOPPED;
    for (; status == ELBO_STOPPED; stops++) {
        listener stopper = {.stop_after = stops % 2 ? 3 : 0, .reports_left = stops % 2 ? -1 : 3};
        if (stops > 20) stopper.stop_after = 0, stopper.reports_left = -1;
        elbo_error err;
        status = sweep_into(&cut, "cut", over, 2, 1 + stops % 3, &stopper, &err);
        if (status == ELBO_STOPPED) elbo_sweep_free(&cut);
    }
    assert_int_equal(status, ELBO_OK);
    assert_true(stops >= 4);
    assert_same_sweep(&one, &cut);
    elbo_sweep_free(&one);
    elbo_sweep_free(&four);
    elbo_sweep_free(&cut);
    // all is there: nothing is trained
    l = (listener){.reports_left = 0};
    assert_ok(sweep_into(&one, "one", over, 2, 2, &l, &failure));
    assert_int_equal(l.reports_left, 0);
    for (int i = 0; i < one.runs; i++) assert_true(one.run[i].found && one.run[i].state == ELBO_SWEEP_DONE);
    elbo_sweep_free(&one);
    // more values and seeds in the same folder: only those are
    l = (listener){.reports_left = -1};
    assert_ok(sweep_into(&one, "one", OVER("latent=3,4", "loss.kl=1,2"), 3, 2, &l, &failure));
    int found = 0;
    for (int i = 0; i < one.runs; i++) found += one.run[i].found;
    assert_true(one.runs == 12 && found == 4);
    elbo_sweep_free(&one);
}

static void a_run_that_fails_does_not_stop_the_others(void **state) {
    (void)state;
    elbo_sweep s;
    listener l = {.reports_left = -1};
    assert_ok(sweep_into(&s, "failing", OVER("train.lr=0.001,1e30"), 2, 2, &l, &failure));
    assert_true(s.setting[0].finished == 2 && s.setting[1].finished == 0 && s.setting[1].failed == 2);
    assert_non_null(strstr(s.run[2].error, "not finite"));
    assert_true(s.best == 0 && s.setting[1].spread[ELBO_SWEEP_LOSS].n == 0);
    json_t *o = elbo_sweep_json(&s);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(o, "runs"), 2), "state")),
                        "failed");
    json_decref(o);
    elbo_sweep_free(&s);
    // data that are not there fail the runs that need them
    assert_ok(sweep_into(&s, "data", OVER("data=digits,missing"), 1, 1, &l, &failure));
    assert_true(s.run[0].state == ELBO_SWEEP_DONE && s.run[1].state == ELBO_SWEEP_FAILED);
    assert_string_equal(s.run[1].error, "missing: not there");
    elbo_sweep_free(&s);
}

static void another_sweeps_folder_is_refused(void **state) {
    (void)state;
    elbo_sweep s, other;
    listener l = {.reports_left = -1};
    elbo_error err;
    const char *mine = run_path("mine");
    assert_ok(sweep_into(&s, "mine", OVER("latent=2,3"), 1, 1, &l, &failure));
    assert_ok(plan(&other, "mnist-vae-2d", SETS, OVER("latent=2,3"), 1, &failure));
    assert_int_equal(elbo_sweep_claim(&other, mine, NULL, &err), ELBO_BAD_INPUT); // while it is in use
    assert_message(err, "another elbo process is sweeping", mine);
    elbo_sweep_free(&s);
    elbo_sweep_free(&other);
    static const struct {
        const char *recipe, *set, *over, *data, *says[2];
    } rows[] = {
        {"mnist-vae", "train.epochs=2", "latent=2,3", NULL, {"another sweep, of mnist-vae-2d", "of mnist-vae over"}},
        {"mnist-vae-2d", "train.epochs=2", "loss.kl=2,3", NULL, {"over latent", "over loss.kl"}},
        {"mnist-vae-2d",
         "train.epochs=3",
         "latent=3,4",
         NULL,
         {"latent=3,seed=0", "`epochs: 2`, this sweep's `epochs: 3`"}},
        {"mnist-vae-2d", "train.epochs=2", "latent=2,3", "/data/x", {"on other data", "the recipe's"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *sets[] = {rows[i].set, "train.batch=50", NULL};
        assert_ok(plan(&s, rows[i].recipe, sets, OVER(rows[i].over), 1, &failure));
        assert_int_equal(elbo_sweep_claim(&s, mine, rows[i].data, &err), ELBO_BAD_INPUT);
        assert_message(err, rows[i].says[0], rows[i].says[1]);
        elbo_sweep_free(&s);
    }
    char run[300];
    snprintf(run, sizeof run, "%s/latent=2,seed=0", mine);
    assert_ok(plan(&s, "mnist-vae-2d", SETS, OVER("latent=2,3"), 1, &failure));
    assert_int_equal(elbo_sweep_claim(&s, run, NULL, &err), ELBO_BAD_INPUT);
    assert_message(err, "is a run, not a sweep", "-o");
    elbo_sweep_free(&s);
}

/* ---- the numbers ---- */

static void finish(elbo_sweep *s, int run, double loss) {
    s->run[run].state = ELBO_SWEEP_DONE;
    for (int m = 0; m < ELBO_SWEEP_MEASURES; m++) s->run[run].value[m] = NAN;
    s->run[run].value[ELBO_SWEEP_LOSS] = s->run[run].value[ELBO_SWEEP_OBJECTIVE] = loss;
}

static void spreads_and_the_smallest_value(void **state) {
    (void)state;
    elbo_sweep s;
    assert_ok(plan(&s, "mnist-vae", NULL, OVER("latent=20,5,10,2"), 3, &failure));
    // python: statistics.stdev; pooled = sqrt(mean of the variances) = 0.7348..., its error 0.4242...
    static const double loss[] = {100, 101, 99, 100.5, 101.5, 101, 100, 99.4, 99.4, 120, 120.6, 119.4};
    for (int i = 0; i < 12; i++) finish(&s, i, loss[i]);
    elbo_sweep_summarize(&s);
    assert_true(s.score == ELBO_SWEEP_LOSS && !s.objective_differs);
    const elbo_spread *v = &s.setting[0].spread[ELBO_SWEEP_LOSS];
    assert_true(v->n == 3);
    assert_near("mean", 0, v->mean, 100, 1e-12);
    assert_near("deviation", 0, v->deviation, 1, 1e-12);
    assert_int_equal(s.best, 2); // latent=10: 99.6
    double pooled = sqrt((1 + 0.25 + 0.12 + 0.36) / 4);
    assert_near("error", 0, s.standard_error, pooled / sqrt(3), 1e-12); // 0.38
    assert_int_equal(s.smallest, 2);                                    // latent=5, at 101, is beyond 99.6 + 0.76
    finish(&s, 3, 100.1), finish(&s, 4, 100.6), finish(&s, 5, 100.2);   // 100.3: within
    elbo_sweep_summarize(&s);
    assert_true(s.best == 2 && s.smallest == 1);
    // log p is better the larger it is, and comes first where each run has it
    for (int i = 0; i < 12; i++) s.run[i].value[ELBO_SWEEP_LOG_P] = loss[i];
    elbo_sweep_summarize(&s);
    assert_true(s.score == ELBO_SWEEP_LOG_P && s.best == 3 && s.smallest == 3);
    elbo_sweep_free(&s);
    // one seed has no error; a key that is no number no smallest value; swept objectives are not compared
    assert_ok(plan(&s, "mnist-vae", NULL, OVER("loss.kl=1,4"), 1, &failure));
    finish(&s, 0, 5), finish(&s, 1, 6);
    s.run[1].value[ELBO_SWEEP_OBJECTIVE] = 1;
    elbo_sweep_summarize(&s);
    assert_true(s.score == ELBO_SWEEP_LOSS && s.best == 0 && s.smallest == -1 && isnan(s.standard_error));
    elbo_sweep_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_has_its_runs),
        cmocka_unit_test(lists_and_paths_are_values),
        cmocka_unit_test(bad_sweeps_are_refused),
        cmocka_unit_test(results_do_not_depend_on_jobs_or_interruptions),
        cmocka_unit_test(a_run_that_fails_does_not_stop_the_others),
        cmocka_unit_test(another_sweeps_folder_is_refused),
        cmocka_unit_test(spreads_and_the_smallest_value),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
