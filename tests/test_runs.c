/* Runs that earlier releases wrote stay readable: tests/runs/vN is a run of format N (ELBO_RUN_VERSION), stopped in the
 * middle of its second epoch, and in expected/ what that release's own `encode`, `decode`, `eval --json` and
 * `train --resume` made of it.
 *
 * v1: elbo 0.1.0, `elbo train digits-vae.yaml -o v1`, Ctrl-C. The codes are of the first six test digits.
 * v2: the same of the release before train.keep, train.validation and train.ema. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "data/data.h"
#include "explore/metrics/quality.h"
#include "formats/npy.h"
#include "run/model.h"
#include "run/run_folder.h"

#include "close.h"
#include "engine.h"
#include "scratch.h"

static const char *const folders[] = {ELBO_TEST_SOURCE "/runs/v1", ELBO_TEST_SOURCE "/runs/v2"};
enum { FORMATS = sizeof folders / sizeof *folders };

static elbo_dataset digits;
static scratch folder;

static const char *file_of(const char *run, const char *name) {
    static char path[2][400];
    static int next;
    char *to = path[next++ % 2];
    snprintf(to, sizeof path[0], "%s/%s", run, name);
    return to;
}

static json_t *json_of(const char *run, const char *name) {
    json_error_t where;
    json_t *o = json_load_file(file_of(run, name), 0, &where);
    if (!o) fail_msg("%s: %s", file_of(run, name), where.text);
    return o;
}

static double number(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) fail_msg("no number \"%s\"", key);
    return json_number_value(v);
}

static elbo_array array_of(const char *run, const char *name) {
    elbo_array a;
    assert_ok(elbo_npy_read(&a, file_of(run, name), &failure));
    return a;
}

static void codes_and_images_are_those_of_its_release(void **state) {
    (void)state;
    for (int v = 0; v < FORMATS; v++) {
        elbo_model *m;
        assert_ok(elbo_model_open(&m, folders[v], 1, &failure));
        elbo_array codes = array_of(folders[v], "expected/codes.npy"),
                   images = array_of(folders[v], "expected/decoded.npy");
        size_t n = codes.shape[0], size = elbo_image_size(digits.test.shape);
        float *x = malloc(n * size * sizeof *x), *z = malloc(codes.count * sizeof *z);
        assert_true(x && z && n == 6 && images.count == n * size);
        elbo_images_to_floats(&digits.test, NULL, n, 0, 1, x);
        assert_ok(elbo_encode(m, n, x, z, &failure));
        const float *expected = codes.data, *decoded = images.data;
        for (size_t i = 0; i < codes.count; i++) assert_near("code", i, z[i], expected[i], 1e-5);
        assert_ok(elbo_decode(m, n, expected, x, &failure));
        for (size_t i = 0; i < images.count; i++) assert_near("pixel", i, x[i], decoded[i], 1e-5);
        free(x), free(z);
        elbo_array_free(&codes);
        elbo_array_free(&images);
        elbo_model_close(m);
    }
}

/* What its log has, and what follows from it. */
static void its_log_is_read(void **state) {
    (void)state;
    for (int v = 0; v < FORMATS; v++) {
        elbo_model *m;
        elbo_log log;
        assert_ok(elbo_model_open(&m, folders[v], 1, &failure));
        assert_ok(elbo_log_load(folders[v], &m->recipe, m->network.graph.image, &log, &failure));
        json_t *line = json_of(folders[v], "log.jsonl");
        assert_true(log.count == 1 && log.epoch[0].epoch == 1);
        assert_true(!log.epoch[0].validation.images && !log.epoch[0].best);
        assert_ptr_equal(elbo_log_kept(&log, &m->recipe), &log.epoch[0]);
        for (int test = 0; test <= 1; test++) {
            const elbo_scores *s = test ? &log.epoch[0].test : &log.epoch[0].train;
            const json_t *o = json_object_get(line, test ? "test" : "train");
            assert_true(s->images == number(o, "images") && s->loss == number(o, "loss"));
            assert_true(s->reconstruction == number(o, "reconstruction") && s->kl == number(o, "kl"));
            assert_true(s->mse == number(o, "mse") && log.epoch[0].kl_weight == number(line, "kl_weight"));
            const json_t *objective = json_object_get(o, "objective"); // from the second on; as nine digits
            if (objective) assert_true(s->objective == json_number_value(objective));
            assert_near("objective", 0, s->objective, s->reconstruction + number(line, "kl_weight") * s->kl,
                        objective ? 1e-6 : 1e-9);
            for (int k = 0; k < log.metrics.count; k++) // of one term each: all are known
                assert_true(isfinite(s->metric[k]));
            assert_near("terms", 0, elbo_metrics_sum(&log.metrics, s->metric, ELBO_METRIC_RECONSTRUCTION),
                        s->reconstruction, 1e-9);
            assert_near("squares", 0, elbo_metrics_sum(&log.metrics, s->metric, ELBO_METRIC_SQUARED_ERROR) / 784,
                        s->mse, 1e-9);
        }
        json_decref(line);
        elbo_log_free(&log);
        elbo_model_close(m);
    }
}

static void its_scores_are_recalled_and_measured_again(void **state) {
    (void)state;
    for (int v = 0; v < FORMATS; v++) {
        elbo_model *m;
        elbo_log log;
        elbo_quality kept, now;
        elbo_eval_context e;
        elbo_job work = {0};
        assert_ok(elbo_model_open(&m, folders[v], 2, &failure));
        assert_ok(elbo_log_load(folders[v], &m->recipe, m->network.graph.image, &log, &failure));
        json_t *expected = json_of(folders[v], "expected/eval.json");
        // The first looked at 64 bytes of each image, so on which images it was measured cannot be told: measured anew.
        elbo_error err;
        elbo_status known = elbo_quality_load(&kept, m, &digits, &err);
        assert_int_equal(known, v == 0 ? ELBO_NOT_FOUND : ELBO_OK);
        if (known == ELBO_OK) elbo_quality_free(&kept);
        assert_ok(elbo_quality_load(&kept, m, NULL, &failure));
        elbo_quality_set_objective(&kept, m, &log); // as elbo_run_recall does
        assert_true(kept.likelihood.samples == 4 && kept.probe == number(expected, "probe_accuracy"));
        assert_ok(elbo_eval_context_open(&e, m, &log, &digits, ELBO_TEST_SPLIT, &work, &failure));
        assert_ok(elbo_quality_measure(&now, &e, (elbo_quality_options){0}, &failure));
        for (const elbo_quality_row *row = elbo_quality_rows; row->key; row++) {
            double had = row->value(&kept), has = row->value(&now),
                   tell = json_number_value(json_object_get(expected, row->key));
            if (!json_object_get(expected, row->key)) continue; // a score that its release had not
            assert_near(row->key, v, had, tell, 1e-8 * fabs(tell));
            if (isfinite(has)) assert_near(row->key, v, has, tell, 1e-5 * fabs(tell));
        }
        assert_near("objective", v, now.losses.objective, now.losses.reconstruction + 0.4997333 * now.losses.kl, 1e-6);
        elbo_quality_free(&kept);
        elbo_quality_free(&now);
        elbo_eval_context_close(&e);
        json_decref(expected);
        elbo_log_free(&log);
        elbo_model_close(m);
    }
}

static void copy_run(const char *from, char to[320]) {
    static const char *const files[] = {"recipe.yaml", "model.safetensors", "checkpoint.safetensors", "log.jsonl"};
    snprintf(to, 320, "%s", scratch_path(&folder, strrchr(from, '/') + 1));
    assert_int_equal(mkdir(to, 0777), 0);
    for (int i = 0; i < 4; i++) {
        uint8_t *bytes;
        size_t n;
        assert_ok(elbo_file_read(file_of(from, files[i]), 1 << 20, &bytes, &n, &failure));
        assert_ok(elbo_file_write(file_of(to, files[i]), bytes, n, &failure));
        free(bytes);
    }
}

/* From the middle of an epoch, whose sums go on, to the end; from then on it is a run of this release. */
static void it_is_resumed_to_the_end_of_its_release(void **state) {
    (void)state;
    for (int v = 0; v < FORMATS; v++) {
        char run[320];
        copy_run(folders[v], run);
        elbo_run_facts facts;
        elbo_recipe r;
        elbo_train_result result;
        assert_ok(elbo_run_facts_load(run, &facts, &failure));
        assert_ok(elbo_run_recipe_open(&r, run, &facts, NULL, 0, &failure));
        elbo_train_options o = {.run = run, .resume = true, .threads = 2};
        assert_ok(elbo_train(&result, &r, &digits, o, &failure));
        assert_true(result.epochs == 2 && result.last.train.images == 60000);
        uint8_t *text;
        size_t size;
        assert_ok(elbo_file_read(file_of(folders[v], "expected/finished-log.jsonl"), 1 << 20, &text, &size, &failure));
        json_t *line = json_loads(strchr((char *)text, '\n'), 0, NULL); // the second epoch
        assert_non_null(line);
        for (int test = 0; test <= 1; test++) {
            const elbo_scores *s = test ? &result.last.test : &result.last.train;
            const json_t *expected = json_object_get(line, test ? "test" : "train");
            const double got[] = {s->loss, s->reconstruction, s->kl, s->mse};
            static const char *const names[] = {"loss", "reconstruction", "kl", "mse"};
            for (int k = 0; k < 4; k++)
                assert_near(names[k], test, got[k], number(expected, names[k]), 1e-5 * number(expected, names[k]));
            assert_near("objective", test, s->objective, s->reconstruction + 0.5 * s->kl, 1e-9);
        }
        json_decref(line);
        free(text);
        elbo_log log;
        assert_ok(elbo_log_load(run, &r, facts.image, &log, &failure));
        assert_true(log.count == 2 && fabs(log.epoch[1].train.objective - result.last.train.objective) < 1e-6);
        elbo_log_free(&log);
        elbo_recipe_close(&r);
        elbo_run_facts_free(&facts);
    }
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&folder);
    digits =
        (elbo_dataset){.name = (char *)(uintptr_t) "digits", .source = (char *)(uintptr_t) "built in", .classes = 10};
    if (elbo_digits_make(&digits.train, false, 60000, 2, NULL) != ELBO_OK) return -1;
    return elbo_digits_make(&digits.test, true, 10000, 2, NULL) == ELBO_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&folder);
    elbo_images_free(&digits.train);
    elbo_images_free(&digits.test);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_images_are_those_of_its_release),
        cmocka_unit_test(its_log_is_read),
        cmocka_unit_test(its_scores_are_recalled_and_measured_again),
        cmocka_unit_test(it_is_resumed_to_the_end_of_its_release),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
