/* The program as a user runs it, on good input: recipes, plans, data, training and scores. */
#include "program.h"

#include "base/random.h"
#include "formats/npy.h"

/* An AE and a VAE, trained for two epochs on 300 digits that lie where `mnist` is looked for. */
static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, 60);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "2", "-q");
    run_well("train", "mnist-ae", "-o", "ae", "--epochs=2", "--quiet");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

/* ---- commands that need no run ---- */

static void test_recipes(void **state) {
    (void)state;
    program p = elbo("recipes", "--json");
    json_t *list = expect_json(&p);
    assert_true(json_is_array(list) && json_array_size(list) >= 4);
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o) {
        assert_true(number(o, "parameters") > 1000 && number(o, "latent") >= 2);
        program q = elbo("recipes", text(o, "name"));
        expect_code(&q, 0);
        assert_non_null(strstr(q.out, text(o, "about")));
        assert_non_null(strstr(q.out, text(o, "kind")));
        program_free(&q);
    }
    json_decref(list);
    p = elbo("recipes");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "mnist-vae"));
    program_free(&p);
    refused(1, WORDS("mnist-va", "did you mean mnist-vae?"), "recipes", "mnist-va");
}

static void test_plan(void **state) {
    (void)state;
    program p = elbo("plan", "mnist-vae", "--json");
    json_t *o = expect_json(&p);
    assert_true(number(o, "parameters") == 652824 && number(o, "batch") == 128);
    assert_true(json_array_size(json_object_get(o, "steps")) > 10);
    json_decref(o);
    p = elbo("plan", "mnist-vae", "--mode", "encode", "--set", "train.batch=7", "--device", "ref");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "a batch of 7 "));
    program_free(&p);
}

static void test_bench(void **state) {
    (void)state;
    program p = elbo("bench", "mnist-vae", "--steps", "5", "--warmup", "1", "--threads", "1", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "recipe"), "mnist-vae");
    assert_true(number(o, "batch") == 128 && number(o, "threads") == 1);
    double rate = number(o, "images_per_second"), best = number(o, "images_per_second_best");
    double gflops = number(o, "gflops"), peak = number(o, "peak_gflops"), share = number(o, "share_of_peak");
    assert_true(rate > 0 && best >= rate && gflops > 0 && peak > 0);
    assert_true(share > 0 && share < 1.5 && share / (gflops / peak) > 0.999 && share / (gflops / peak) < 1.001);
    json_decref(o);
    run_well("bench", "mnist-ae", "-n", "3", "-w", "0", "--set", "train.batch=9");
}

static void test_data(void **state) {
    (void)state;
    program p = elbo("data", "list", "--json");
    json_t *list = expect_json(&p), *o;
    size_t i;
    int present = 0;
    json_array_foreach(list, i, o) {
        if (!strcmp(text(o, "name"), "mnist")) present += json_is_true(json_object_get(o, "present"));
        if (!strcmp(text(o, "name"), "fashion-mnist")) present += 10 * json_is_true(json_object_get(o, "present"));
    }
    assert_int_equal(present, 1);
    json_decref(list);
    run_well("data", "list");
    p = elbo("data", "info", "mnist", "--json");
    o = expect_json(&p);
    json_t *train = json_object_get(o, "train"), *classes = json_object_get(train, "classes"), *count;
    assert_true(number(train, "images") == 300 && number(json_object_get(o, "test"), "images") == 60);
    const char *name;
    double sum = 0;
    json_object_foreach(classes, name, count) sum += json_number_value(count);
    assert_true(json_object_size(classes) == 10 && sum == 300);
    json_decref(o);
    run_well("data", "info", "mnist");
    run_well("data", "preview", "mnist", "-n", "25", "-o", "some/digits.png");
    assert_figure("some/digits");
    p = elbo("data", "preview", "mnist", "--json");
    o = expect_json(&p);
    assert_string_equal(text(o, "figure"), "preview.png");
    json_decref(o);
    refused(1, WORDS("fashion-mnist: not found", "elbo data fetch fashion-mnist"), "data", "info", "fashion-mnist");
    refused(1, WORDS("mnits", "did you mean mnist?"), "data", "info", "mnits");
}

/* ---- training ---- */

static void test_training(void **state) {
    (void)state;
    static const char *const files[] = {"recipe.yaml", "model.safetensors", "checkpoint.safetensors", "log.jsonl"};
    program p = elbo("train", "mnist-vae", "-o", "deep/down/run", "-e", "2", "--json", "-t", "2");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "recipe"), "mnist-vae");
    assert_true(json_is_true(json_object_get(o, "finished")) && number(o, "epochs") == 2);
    assert_true(number(json_object_get(o, "test"), "loss") > 10 && number(json_object_get(o, "train"), "kl") > 0);
    json_decref(o);
    char name[100];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "deep/down/run/%s", files[i]);
        assert_there(name);
    }
    assert_int_equal(count_temporaries("deep/down/run"), 0);
    assert_int_equal(count_lines("deep/down/run/log.jsonl"), 2);
    assert_same_bytes("deep/down/run/model.safetensors", "vae/model.safetensors"); // the same seed, the same bits
    p = elbo("train", "mnist-vae", "-o", "seed", "-e", "2", "--seed", "1", "-t", "1");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "seed: test loss "));
    assert_non_null(strstr(p.out, "after 2 epochs"));
    assert_non_null(strstr(p.err, "mnist-vae on mnist ("));
    assert_non_null(strstr(p.err, "epoch 2/2  train "));
    assert_null(strchr(p.err, '\r')); // no bar where there is no terminal
    assert_false(same_bytes("seed/model.safetensors", "vae/model.safetensors"));
    program_free(&p);
}

/* What --data named is remembered, by whatever way it was named. */
static void test_remembered_data(void **state) {
    (void)state;
    write_data("other", 50, 40);
    run_well("train", "mnist-ae", "-o", "far/run", "-e", "1", "--data", "other");
    assert_there("far/run/figures/training.png");
    assert_false(there("ae/figures/training.png")); // --quiet
    program p = elbo("eval", "far/run", "--json");
    json_t *o = expect_json(&p);
    assert_true(number(o, "images") == 40);
    json_decref(o);
    run_well("train", "mnist-ae", "-o", "by-word", "-e", "1", "--data", "digits", "--set", "train.batch=2000", "-q");
    p = elbo("eval", "by-word", "--json");
    o = expect_json(&p);
    assert_string_equal(text(o, "data"), "digits");
    assert_true(number(o, "images") == 10000);
    json_decref(o);
    char *from = in_scratch("other"), *to = in_scratch("moved");
    assert_int_equal(rename(from, to), 0);
    refused(1, WORDS("other", "training data of the run are missing", "--data"), "eval", "far/run");
    p = elbo("eval", "far/run", "--data", "moved", "--json");
    o = expect_json(&p);
    assert_true(number(o, "images") == 40);
    json_decref(o);
    free(from);
    free(to);
}

/* ---- numbers ---- */

static void test_eval(void **state) {
    (void)state;
    program p = elbo("eval", "vae", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "split"), "test");
    assert_string_equal(text(o, "unit"), "nats/image");
    assert_string_equal(text(o, "data"), "mnist");
    assert_true(number(o, "images") == 60 && number(o, "mse") > 0);
    double difference = number(o, "loss") - number(o, "reconstruction") - number(o, "kl");
    assert_true(number(o, "kl") > 0 && difference < 1e-3 && difference > -1e-3);
    json_decref(o);
    p = elbo("eval", "ae", "--split", "train", "--json", "--data", "mnist");
    o = expect_json(&p);
    assert_string_equal(text(o, "split"), "train");
    assert_true(number(o, "images") == 300 && number(o, "kl") == 0);
    json_decref(o);
    program a = elbo("eval", "vae", "-t", "1"), b = elbo("eval", "vae", "-t", "2"),
            c = elbo("eval", "vae", "--seed", "9");
    expect_code(&a, 0);
    expect_code(&c, 0);
    assert_string_equal(a.out, b.out);
    assert_string_not_equal(a.out, c.out);
    program_free(&a);
    program_free(&b);
    program_free(&c);
    a = elbo("eval", "vae", "--mean");
    b = elbo("eval", "vae", "--mean", "--seed", "5");
    expect_code(&a, 0);
    assert_string_equal(a.out, b.out);
    program_free(&a);
    program_free(&b);
}

/* Scores beyond the loss, and where they are kept. */
static void test_scores(void **state) {
    (void)state;
    run_well("train", "mnist-vae", "-o", "scored", "-e", "1", "-q");
    program p = elbo("eval", "scored", "--all", "-k", "5", "--json");
    json_t *o = expect_json(&p), *each = json_object_get(o, "kl_per_dimension"), *v;
    double sum = 0;
    size_t i;
    json_array_foreach(each, i, v) sum += json_number_value(v);
    assert_true(json_array_size(each) == 20 && sum > 0.999 * number(o, "kl") && sum < 1.001 * number(o, "kl"));
    assert_true(number(o, "active_units") >= 0 && number(o, "active_units") <= 20);
    assert_true(number(o, "psnr") > 1 && number(o, "ssim") > 0 && number(o, "ssim") < 1);
    assert_true(number(o, "knn_accuracy") > 0.2 && number(o, "probe_accuracy") > 0.2);
    assert_true(number(o, "importance_samples") == 5 && number(o, "log_likelihood_error") > 0);
    assert_true(number(o, "log_likelihood") > -number(o, "loss") - 5);
    json_decref(o);
    assert_there("scored/scores.json");
    p = elbo("eval", "scored", "--all", "--json", "-t", "1");
    program q = elbo("eval", "scored", "--all", "--json", "-t", "3");
    expect_code(&p, 0);
    assert_string_equal(p.out, q.out);
    program_free(&p);
    program_free(&q);
    run_well("eval", "scored"); // without the likelihood, which stays
    // what was measured is told again; other weights are not taken for the same
    copy_file("scored/scores.json", "kept.json");
    p = elbo("compare", "scored", "--json", "-o", "scored.png");
    o = expect_json(&p);
    assert_string_equal(text(o, "kl_figure"), "scored-kl.png");
    assert_figure("scored-kl");
    json_t *scores = json_object_get(json_array_get(json_object_get(o, "runs"), 0), "scores");
    assert_true(number(scores, "importance_samples") == 64);
    json_decref(o);
    assert_same_bytes("scored/scores.json", "kept.json");
    run_well("train", "mnist-vae", "-o", "scored", "-e", "1", "-q", "--seed", "1", "--force");
    copy_file("kept.json", "scored/scores.json");
    p = elbo("compare", "scored", "--json", "-o", "scored.png");
    o = expect_json(&p);
    scores = json_object_get(json_array_get(json_object_get(o, "runs"), 0), "scores");
    assert_null(json_object_get(scores, "importance_samples"));
    assert_true(number(scores, "ssim") > 0);
    json_decref(o);
    refused(1, WORDS("--importance", "autoencoder"), "eval", "ae", "-k", "4");
    refused(2, WORDS("--importance", "from 1"), "eval", "vae", "-k", "0");
}

static void test_given_noise(void **state) {
    (void)state;
    static float eps[2][60 * 20], none[60 * 20];
    char *path = NULL;
    for (int k = 0; k < 2; k++) {
        elbo_random_normal((elbo_stream){.seed = (uint64_t)k, .purpose = ELBO_FOR_TEST_NOISE}, eps[k], 60 * 20);
        path = in_scratch(k ? "eps1.npy" : "eps0.npy");
        assert_int_equal(elbo_npy_write_f32(path, eps[k], 2, (size_t[]){60, 20}, NULL), ELBO_OK);
        free(path);
    }
    path = in_scratch("none.npy");
    assert_int_equal(elbo_npy_write_f32(path, none, 2, (size_t[]){60, 20}, NULL), ELBO_OK);
    free(path);
    program a = elbo("eval", "vae", "--noise", "eps0.npy", "--json", "-s", "3");
    program b = elbo("eval", "vae", "--noise", "eps0.npy", "--json", "-s", "4");
    program c = elbo("eval", "vae", "--noise", "eps1.npy", "--json");
    program zero = elbo("eval", "vae", "--noise", "none.npy", "--json"), mean = elbo("eval", "vae", "--mean", "--json");
    expect_code(&a, 0);
    assert_string_equal(a.out, b.out);
    assert_string_not_equal(a.out, c.out);
    assert_string_equal(zero.out, mean.out); // no noise is the mean code
    program_free(&a);
    program_free(&b);
    program_free(&c);
    program_free(&zero);
    program_free(&mean);
    refused(1, WORDS("eps0.npy", "(60, 20)", "300"), "eval", "vae", "--noise", "eps0.npy", "--split", "train");
    refused(1, WORDS("ae", "autoencoder"), "eval", "ae", "--noise", "eps0.npy");
}

static void test_compare(void **state) {
    (void)state;
    program p = elbo("compare", "ae", "vae", "--json", "-o", "both.png");
    json_t *o = expect_json(&p), *runs = json_object_get(o, "runs");
    assert_string_equal(text(o, "figure"), "both.png");
    assert_int_equal(json_array_size(runs), 2);
    assert_string_equal(text(json_array_get(runs, 1), "label"), "vae");
    assert_true(number(json_array_get(runs, 1), "loss") > 0 && number(json_array_get(runs, 0), "epochs") == 2);
    json_decref(o);
    assert_figure("both");
    assert_there("both.csv");
    p = elbo("compare", "ae/", "./vae", "--svg");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "test loss"));
    assert_figure("ae/figures/loss");
    assert_there("ae/figures/loss.svg");
    program_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipes), cmocka_unit_test(test_plan),     cmocka_unit_test(test_bench),
        cmocka_unit_test(test_data),    cmocka_unit_test(test_training), cmocka_unit_test(test_remembered_data),
        cmocka_unit_test(test_eval),    cmocka_unit_test(test_scores),   cmocka_unit_test(test_given_noise),
        cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
