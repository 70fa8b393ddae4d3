/* Results of the analyses that measure and project, against the model asked by hand; and the report drawn of results
 * alone, after its runs and its data are closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "base/json_text.h"
#include "base/file.h"
#include "close.h"
#include "engine.h"
#include "explore/metrics/evaluation.h"
#include "explore/report_data.h"
#include "render/report_page.h"
#include "scratch.h"

enum { TRAIN = 300, TEST = 40, D = 784, Z = 3, VAE = 0, PLANE = 1, RUNS = 2 };

static scratch here;
static elbo_dataset data;
static elbo_run runs[RUNS];
static char folder[RUNS][320];
static const elbo_job job = {.threads = 2};

static void train(const char *name, const char *text, char *run) {
    char file[32];
    snprintf(file, sizeof file, "%s.yaml", name);
    elbo_recipe r;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, file, text, strlen(text)), NULL, 0, &failure));
    strcpy(run, scratch_path(&here, name));
    elbo_train_result result;
    assert_ok(elbo_train(&result, &r, &data, (elbo_train_options){.run = run}, &failure));
    elbo_recipe_close(&r);
}

static void open_data(elbo_dataset *d) {
    static char name[] = "digits", source[] = "built in",
                digits[10][6] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    static char *names[10];
    for (int i = 0; i < 10; i++) names[i] = digits[i];
    *d = (elbo_dataset){.name = name, .source = source, .classes = 10, .class_names = names};
    assert_ok(elbo_digits_make(&d->train, false, TRAIN, 1, &failure));
    assert_ok(elbo_digits_make(&d->test, true, TEST, 1, &failure));
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    open_data(&data);
    train("vae",
          "kind: vae\ndata: digits\nlatent: 3\nencoder: [flatten, linear 24, relu]\n"
          "decoder: [linear 784, sigmoid]\ntrain: {epochs: 2, batch: 20}\n",
          folder[VAE]);
    train("plane",
          "kind: ae\ndata: digits\nlatent: 2\nencoder: [flatten, linear 24, relu]\n"
          "decoder: [linear 784, sigmoid]\ntrain: {epochs: 3, batch: 20}\n",
          folder[PLANE]);
    assert_ok(elbo_runs_open(runs, (const char *const[]){folder[VAE], folder[PLANE]}, RUNS, NULL, 2, &failure));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_runs_close(runs, RUNS);
    elbo_images_free(&data.train);
    elbo_images_free(&data.test);
    scratch_remove(&here);
    return 0;
}

static void encode_one(int run, const elbo_images *images, uint32_t index, float *z) {
    float image[D];
    elbo_images_to_floats(images, &index, 1, 0, 1, image);
    assert_ok(elbo_encode(runs[run].model, 1, image, z, &failure));
}

/* Keys in their order; those of a result's JSON are what --json prints. */
static void assert_keys(json_t *o, const char *const *keys) {
    const char *key;
    json_t *value;
    assert_non_null(o);
    json_object_foreach(o, key, value) {
        assert_non_null(*keys);
        assert_string_equal(key, *keys++);
    }
    assert_null(*keys);
    json_decref(o);
}
#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- projections ---- */

static void test_projection_pca(void **state) {
    (void)state;
    elbo_projection p;
    elbo_projection_options o = elbo_projection_defaults();
    assert_true(o.method == ELBO_PROJECT_PCA && o.splits == ELBO_TEST_SPLIT && o.most == 0);
    o.splits = ELBO_BOTH_SPLITS;
    assert_ok(elbo_project(&p, runs[VAE].model, &data, &o, &job, &failure));
    assert_true(p.n == TRAIN + TEST && p.latent == Z && !p.raw && !p.stopped && p.classes == 10);
    assert_string_equal(p.class_names[8], "eight");
    double mean[2] = {0}, square[2] = {0}, both = 0, total = 0, code_mean[Z] = {0};
    for (uint32_t i = 0; i < p.n; i++) { // training images before test images
        float z[Z];
        const elbo_images *images = i < TRAIN ? &data.train : &data.test;
        uint32_t index = i < TRAIN ? i : i - TRAIN;
        encode_one(VAE, images, index, z);
        assert_memory_equal(p.codes + (size_t)i * Z, z, sizeof z);
        assert_int_equal(p.labels[i], images->labels[index]);
        for (int c = 0; c < 2; c++) mean[c] += (double)p.xy[2 * i + (uint32_t)c] / (double)p.n;
        for (int d = 0; d < Z; d++) code_mean[d] += (double)z[d] / (double)p.n;
    }
    for (size_t i = 0; i < p.n; i++) {
        double x = (double)p.xy[2 * i] - mean[0], y = (double)p.xy[2 * i + 1] - mean[1];
        square[0] += x * x, square[1] += y * y, both += x * y;
        for (int d = 0; d < Z; d++) total += pow((double)p.codes[i * Z + (size_t)d] - code_mean[d], 2);
    }
    assert_near("centred", 0, mean[0], 0, 1e-5);
    assert_near("uncorrelated", 0, both / total, 0, 1e-6);
    assert_near("explained", 0, p.explained[0], square[0] / total, 1e-5);
    assert_near("explained", 1, p.explained[1], square[1] / total, 1e-5);
    assert_keys(elbo_projection_json(&p),
                KEYS("method", "split", "points", "latent", "raw_plane", "explained_variance_ratio"));
    assert_ok(elbo_projection_score(&p, &job, &failure));
    assert_true(p.scores.k == 10 && p.scores.trustworthiness > 0.5 && p.scores.trustworthiness <= 1);
    elbo_projection_free(&p);
}

static void test_projection_plane(void **state) {
    (void)state;
    elbo_projection p;
    elbo_projection_options o = elbo_projection_defaults();
    o.splits = ELBO_BOTH_SPLITS;
    for (size_t most = 7; most <= TRAIN + 7; most += TRAIN) { // in the first split, and beyond it
        o.most = most;
        assert_ok(elbo_project(&p, runs[PLANE].model, &data, &o, &job, &failure));
        assert_true(p.raw && p.n == most);
        assert_memory_equal(p.xy, p.codes, p.n * 2 * sizeof *p.xy);
        assert_keys(elbo_projection_json(&p), KEYS("method", "split", "points", "latent", "raw_plane"));
        elbo_projection_free(&p);
    }
    elbo_dataset none = data;
    none.test.count = 0;
    o = elbo_projection_defaults();
    elbo_error err;
    assert_int_equal(elbo_project(&p, runs[PLANE].model, &none, &o, &job, &err), ELBO_BAD_INPUT);
    assert_null(p.codes);
}

static bool after_a_while(void *context) { return ++*(int *)context > 60; }

static void test_projection_tsne(void **state) {
    (void)state;
    elbo_projection p;
    elbo_projection_options o = elbo_projection_defaults();
    o.method = ELBO_PROJECT_TSNE;
    o.tsne.iterations = 100;
    uint8_t *labels = data.test.labels;
    data.test.labels = NULL;
    assert_ok(elbo_project(&p, runs[VAE].model, &data, &o, &job, &failure));
    data.test.labels = labels;
    assert_true(p.n == TEST && p.tsne.iterations == 100 && p.tsne.kl > 0 && !p.labels && p.classes == 0);
    assert_keys(elbo_projection_json(&p), KEYS("method", "split", "points", "latent", "raw_plane", "kl", "perplexity",
                                               "iterations", "neighbour_recall"));
    elbo_projection_free(&p);
    int asked = 0;
    o.tsne.iterations = 100000;
    elbo_job stopped = {.threads = 2, .interrupted = after_a_while, .context = &asked};
    assert_ok(elbo_project(&p, runs[VAE].model, &data, &o, &stopped, &failure));
    assert_true(p.stopped && p.tsne.iterations > 0 && p.tsne.iterations < 100000);
    for (size_t i = 0; i < 2 * p.n; i++) assert_true(isfinite(p.xy[i]));
    elbo_projection_free(&p);
}

/* ---- scores and checks ---- */

static void test_evaluation(void **state) {
    (void)state;
    elbo_evaluation v;
    elbo_evaluation_options o = elbo_evaluation_defaults();
    elbo_scores by_hand;
    const elbo_model *m = runs[VAE].model;
    assert_ok(elbo_evaluate_run(&v, &runs[VAE], &data, &o, &job, &failure));
    assert_ok(elbo_evaluate(&by_hand, &m->network, &m->recipe, &data.test, (elbo_eval_options){0}, &failure));
    assert_true(v.quality.losses.loss == by_hand.loss && v.quality.losses.kl == by_hand.kl);
    assert_true(v.kind == ELBO_VAE && v.elbo && v.objective_is_loss && !v.on_training && !v.skips);
    assert_true(v.training_codes == TRAIN && v.code_use.images == TEST && v.quality.latent.latent == Z);
    assert_string_equal(v.label, "vae");
    assert_string_equal(v.reconstruction, "bce");
    json_t *o_json = elbo_evaluation_json(&v);
    assert_true(json_number_value(json_object_get(o_json, "loss")) == by_hand.loss);
    assert_string_equal(json_string_value(json_object_get(o_json, "split")), "test");
    assert_int_equal(json_array_size(json_object_get(o_json, "kl_per_dimension")), Z);
    json_decref(o_json);
    elbo_evaluation_free(&v);
    o.split = ELBO_TRAIN_SPLIT;
    o.measure.classes = false;
    assert_ok(elbo_evaluate_run(&v, &runs[PLANE], &data, &o, &job, &failure));
    assert_true(v.on_training && v.quality.losses.images == TRAIN && isnan(v.quality.knn) && !v.quality.latent.kl);
    elbo_evaluation_free(&v);
}

static void test_diagnosis(void **state) {
    (void)state;
    elbo_diagnosis d;
    assert_ok(elbo_diagnose(&d, &runs[PLANE], &data, &job, &failure));
    assert_int_equal(d.count, 13);
    int told = 0;
    for (elbo_health h = ELBO_CHECK_NOT_ASKED; h <= ELBO_CHECK_PROBLEM; h++) told += elbo_diagnosis_count(&d, h);
    assert_int_equal(told, d.count);
    for (int i = 0; i < d.count; i++)
        if (!strcmp(d.check[i].name, "prior")) assert_true(d.check[i].health == ELBO_CHECK_NOT_ASKED); // no VAE
    assert_keys(elbo_diagnosis_json(&d), KEYS("problems", "checks"));
}

/* ---- runs beside each other ---- */

static void test_comparison(void **state) {
    (void)state;
    elbo_comparison c;
    assert_ok(elbo_compare(&c, runs, RUNS, &failure));
    assert_true(c.count == RUNS && !c.draws_objective && !c.run[0].scored);
    assert_true(c.run[VAE].epochs == 2 && c.run[PLANE].epochs == 3 && c.run[PLANE].latent == 2);
    const elbo_log *log = &runs[PLANE].log;
    assert_true(elbo_compared_scores(&c.run[PLANE])->loss == log->epoch[2].test.loss);
    double seconds = 0;
    for (int e = 0; e < 3; e++) seconds += log->epoch[e].seconds;
    assert_near("seconds", 0, c.run[PLANE].seconds, seconds, 1e-12);
    assert_near("images/s", 0, c.run[PLANE].images_per_second * seconds, 3 * TRAIN, 1e-6);
    assert_null(elbo_compared_quality(&c.run[VAE]));
    assert_false(elbo_comparison_has(&c, &elbo_quality_rows[5]));
    for (int i = 0; i < RUNS; i++) {
        elbo_eval_context e;
        assert_ok(elbo_eval_context_open(&e, runs[i].model, &runs[i].log, &data, ELBO_TEST_SPLIT, &job, &failure));
        assert_ok(elbo_run_measure(&runs[i], &e, false, &failure));
        elbo_eval_context_close(&e);
    }
    assert_ok(elbo_comparison_take_scores(&c, runs, &failure));
    for (int row = 0; elbo_quality_rows[row].key; row++) { // of two, one is the best where more or less is better
        double a = elbo_quality_rows[row].value(&c.run[0].quality), b = elbo_quality_rows[row].value(&c.run[1].quality);
        if (!strcmp(elbo_quality_rows[row].key, "psnr"))
            assert_true(c.run[0].best[row] == (a > b) && c.run[1].best[row] == (b > a));
        if (!strcmp(elbo_quality_rows[row].key, "loss")) // an autoencoder's and a VAE's are not compared
            assert_true(!c.run[0].best[row] && !c.run[1].best[row]);
    }
    for (int i = 0; i < RUNS; i++) elbo_run_forget(&runs[i]); // the comparison has its own
    assert_int_equal(c.run[VAE].quality.latent.latent, Z);
    assert_true(isfinite(c.run[VAE].quality.latent.kl[Z - 1]));
    json_t *o = elbo_comparison_json(&c);
    assert_int_equal(json_array_size(o), RUNS);
    assert_non_null(json_object_get(json_array_get(o, 1), "scores"));
    json_decref(o);
    elbo_comparison_free(&c);
}

/* Everything is gathered, all is closed, then the page is drawn. */
/* Every image is counted once, in the row of its class, and the diagonal is the accuracy. */
static void check_confusion(const elbo_confusion *c, const elbo_data_sheet *d, double knn, double probe) {
    assert_int_equal(c->classes, d->classes);
    double right[2] = {0, 0}, all = 0;
    for (int row = 0; row < c->classes; row++) {
        size_t seen[2] = {0, 0};
        for (int k = 0; k < c->classes; k++) {
            seen[0] += c->knn[row * c->classes + k];
            seen[1] += c->probe[row * c->classes + k];
        }
        assert_true(seen[0] == d->count[1][row] && seen[1] == seen[0]);
        right[0] += c->knn[row * c->classes + row];
        right[1] += c->probe[row * c->classes + row];
        all += (double)seen[0];
    }
    assert_true(all == (double)d->test);
    assert_near("5-NN", 0, right[0] / all, knn, 1e-12);
    assert_near("probe", 0, right[1] / all, probe, 1e-12);
}

/* Each link of the page leads to a file beside it. */
static void check_links(const char *page) {
    int links = 0;
    for (const char *at = page; (at = strstr(at, "href=\"")); links++) {
        char name[200];
        at += strlen("href=\"");
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\""), at);
        assert_int_equal(strncmp(name, "figures/report/", 15), 0);
        assert_true(elbo_file_exists(scratch_path(&here, name)));
    }
    assert_true(links >= 20);
}

static void test_report(void **state) {
    (void)state;
    elbo_run own[RUNS];
    elbo_dataset d;
    elbo_report_data r;
    elbo_report_options o = elbo_report_defaults();
    o.own_data = false;
    open_data(&d);
    assert_ok(elbo_runs_open(own, (const char *const[]){folder[VAE], folder[PLANE]}, RUNS, NULL, 2, &failure));
    assert_ok(elbo_report_gather(&r, own, RUNS, &d, &o, &job, &failure));
    elbo_runs_close(own, RUNS);
    elbo_images_free(&d.train);
    elbo_images_free(&d.test);

    assert_true(r.analysed && r.data.train == TRAIN && r.data.test == TEST && r.comparison.count == RUNS);
    assert_true(r.run[VAE].samples.count == 64 && !r.run[VAE].samples.no_prior && !r.run[VAE].mixture.count);
    assert_true(r.run[PLANE].samples.count == 64 && r.run[PLANE].samples.no_prior && r.run[PLANE].mixture.count == 64);
    assert_true(r.run[VAE].plane.steps == 0 && r.run[PLANE].plane.steps > 0 && r.run[VAE].traversal.rows > 0);
    assert_true(r.shift.pairs > 0 && r.shift.from != r.shift.to && r.run[VAE].arithmetic.operands == 3);
    assert_true(r.shift.share >= r.shift.all && r.shift.share <= 1);
    for (int i = 0; i < RUNS; i++)
        check_confusion(&r.run[i].confusion, &r.data, r.comparison.run[i].quality.knn,
                        r.comparison.run[i].quality.probe);
    // few test images: those of training are shown
    assert_true(r.run[VAE].pca.n == TRAIN && r.run[VAE].tsne.n == TRAIN && r.run[PLANE].pca.raw);
    assert_true(r.run[PLANE].tsne.n == 0 && r.reconstructions.runs == RUNS && r.interpolation.steps == 10);
    assert_string_equal(r.from, "three");
    char *page = elbo_path_join(scratch_path(&here, ""), "report.html");
    assert_ok(elbo_figure_report(page, scratch_path(&here, ""), &r, "elbo report 'a b'", &failure));
    uint8_t *text;
    size_t size;
    assert_ok(elbo_file_read(page, 1 << 26, &text, &size, &failure));
    assert_non_null(strstr((char *)text, "From three to eight"));
    assert_non_null(strstr((char *)text, ">Diagnosis</h2>"));
    assert_non_null(strstr((char *)text, "<code>elbo report &#39;a b&#39;</code>"));
    assert_true(strstr((char *)text, "<ul class=\"found\">") < strstr((char *)text, "<img"));
    check_links((char *)text);
    free(text);
    free(page);
    elbo_report_data_free(&r);
}

static void test_report_of_nothing(void **state) {
    (void)state;
    elbo_report_data r;
    elbo_report_options o = elbo_report_defaults();
    elbo_error err;
    int epochs = runs[VAE].log.count;
    runs[VAE].log.count = 0;
    assert_int_equal(elbo_report_gather(&r, runs, 1, &data, &o, &job, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "no epoch is finished"));
    runs[VAE].log.count = epochs;
    elbo_dataset none = data;
    none.test.count = 0;
    assert_ok(elbo_report_gather(&r, runs, 1, &none, &o, &job, &failure));
    assert_true(!r.analysed && !r.run[0].pca.n && !r.run[0].diagnosis.count && r.comparison.run[0].epochs == 2);
    elbo_report_data_free(&r);
}

/* jansson leaves out what it has no memory for, and says nothing. */
static long json_left; // allocations until one fails
static void *take_or_fail(size_t n) {
    if (json_left-- != 0) return malloc(n);
    errno = ENOMEM;
    return NULL;
}

static void test_scores_are_kept_whole_or_not(void **state) {
    (void)state;
    const elbo_evaluation_options o = elbo_evaluation_defaults();
    elbo_evaluation v;
    elbo_error err;
    uint8_t *whole, *bytes;
    size_t n, m;
    assert_ok(elbo_evaluate_run(&v, &runs[VAE], &data, &o, &job, &failure));
    char *path = elbo_path_join(folder[VAE], "scores.json");
    assert_ok(elbo_quality_save(&v.quality, runs[VAE].model, &data, &failure));
    assert_ok(elbo_file_read(path, 1 << 20, &whole, &n, &failure));
    long failed = 0;
    elbo_status status = ELBO_NO_MEMORY;
    for (long at = 0; status != ELBO_OK; at++) {
        assert_int_equal(unlink(path), 0);
        assert_ok(elbo_file_write(path, "", 0, &failure));
        json_left = at;
        json_set_alloc_funcs(take_or_fail, free);
        status = elbo_quality_save(&v.quality, runs[VAE].model, &data, &err);
        json_set_alloc_funcs(malloc, free);
        assert_ok(elbo_file_read(path, 1 << 20, &bytes, &m, &failure));
        assert_true(status == ELBO_OK ? m == n && !memcmp(bytes, whole, n) : m == 0);
        free(bytes);
        failed += status != ELBO_OK;
    }
    assert_true(failed > 50);
    free(whole);
    free(path);
    elbo_evaluation_free(&v);
}

/* Nor does it look whether there is memory for a string's characters, while it reads. */
static void test_json_is_read_whole_or_not(void **state) {
    (void)state;
    static const char text[] = "{\"a name that is long enough\": \"1,28,28\", \"list\": [1, 2.5, \"\\u00e9\"]}";
    json_t *whole = json_loads(text, 0, NULL), *o = NULL;
    long failed = 0;
    for (long at = 0; !o; at++) {
        json_error_t why;
        json_left = at;
        json_set_alloc_funcs(take_or_fail, free);
        o = elbo_json_read(text, strlen(text), 0, &why);
        if (o)
            assert_true(json_equal(o, whole));
        else
            assert_int_equal(errno, ENOMEM);
        json_set_alloc_funcs(malloc, free);
        failed += !o;
    }
    assert_true(json_equal(o, whole) && failed > 20);
    json_decref(o);
    json_decref(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projection_pca),
        cmocka_unit_test(test_projection_plane),
        cmocka_unit_test(test_projection_tsne),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_scores_are_kept_whole_or_not),
        cmocka_unit_test(test_json_is_read_whole_or_not),
        cmocka_unit_test(test_diagnosis),
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_report_of_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
