/* elbo doctor on runs that were made to have each problem, and on a healthy one that has none. */
#include "program.h"

#include "formats/npy.h"

/* Small networks on elbo's own digits, of which `many` holds enough and `few` too few. `%s` is the rest. */
static void train(const char *run, const char *data, const char *recipe, const char *epochs) {
    char file[100];
    snprintf(file, sizeof file, "%s.yaml", run);
    scratch_write(&here, file, recipe, strlen(recipe));
    run_well("train", file, "-d", data, "-o", run, "-e", epochs, "-q");
}

#define DENSE "latent: 4\nencoder: [flatten, linear 64, relu]\ndecoder: [linear 64, relu, linear 784, sigmoid]\n"
static const char healthy[] = "kind: vae\ndata: mnist\n" DENSE "train: {batch: 32, lr: 0.002, schedule: cosine}\n";

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("many", 3000, 500);
    write_data("few", 12, 200);
    train("healthy", "many", healthy, "16");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static json_t *examine(const char *run) {
    program p = elbo("doctor", run, "--json");
    if (getenv("ELBO_SHOW")) {
        program shown = elbo("doctor", run);
        fputs(shown.out, stdout);
        program_free(&shown);
    }
    return expect_json(&p);
}

static const json_t *check_of(const json_t *o, const char *name) {
    const json_t *list = json_object_get(o, "checks"), *v;
    size_t i;
    json_array_foreach(list, i, v) if (!strcmp(text(v, "name"), name)) return v;
    fail_msg("no check `%s`", name);
    return NULL;
}

static double measured(const json_t *o, const char *name, const char *key) {
    return number(json_object_get(check_of(o, name), "numbers"), key);
}

/* It is as said, with evidence, and with advice where it is not ok. */
static void expect(const json_t *o, const char *name, const char *health) {
    const json_t *v = check_of(o, name);
    if (strcmp(text(v, "health"), health))
        fail_msg("%s: `%s` is %s, not %s: %s", text(o, "run"), name, text(v, "health"), health, text(v, "evidence"));
    bool fine = !strcmp(health, "ok") || !strcmp(health, "not checked");
    assert_true(fine == !*text(v, "advice"));
    assert_true(!strcmp(health, "not checked") == !*text(v, "evidence"));
}

static void test_healthy(void **state) {
    (void)state;
    json_t *o = examine("healthy");
    static const char *const all[] = {"finished", "diverged",  "range",   "underfitting", "overfitting", "observation",
                                      "dead",     "collapsed", "ignored", "prior",        "memorised",   "samples"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) expect(o, all[i], "ok");
    expect(o, "adversary", "not checked");
    assert_int_equal(json_array_size(json_object_get(o, "checks")), sizeof all / sizeof *all + 1);
    assert_true(number(o, "problems") == 0);
    json_decref(o);
}

static void test_stopped(void **state) {
    (void)state;
    scratch_write(&here, "stopped.yaml", healthy, strlen(healthy));
    program p = elbo_start("train", "stopped.yaml", "-d", "many", "-o", "stopped", "-e", "1000", "-q");
    while (!there("stopped/log.jsonl") || count_lines("stopped/log.jsonl") < 2) pause_ms(5);
    kill(p.pid, SIGINT);
    program_wait(&p);
    program_free(&p);
    json_t *o = examine("stopped");
    expect(o, "finished", "note");
    assert_true(measured(o, "finished", "epochs") >= 2 && measured(o, "finished", "epochs_wanted") == 1000);
    json_decref(o);
}

static void test_still_falling(void **state) {
    (void)state;
    train("short", "many", healthy, "2");
    json_t *o = examine("short");
    expect(o, "underfitting", "problem");
    assert_true(measured(o, "underfitting", "fall") > 0.02);
    json_decref(o);
}

static void test_diverged(void **state) {
    (void)state;
    static const char calm[] = "kind: ae\ndata: mnist\n" DENSE "train: {batch: 32, lr: 0.002}\n";
    train("wild", "many", calm, "3");
    char *path = in_scratch("wild/recipe.yaml"), *recipe = read_text(path), *rate = strstr(recipe, "lr: 0.002");
    assert_non_null(rate);
    memcpy(rate, "lr: 0.1  ", 9); // from here on fifty times as fast
    scratch_write(&here, "wild/recipe.yaml", recipe, strlen(recipe));
    free(recipe);
    free(path);
    run_well("train", "wild.yaml", "-o", "wild", "--resume", "-e", "5", "-q");
    json_t *o = examine("wild");
    expect(o, "diverged", "problem");
    assert_true(measured(o, "diverged", "last_train_loss") > measured(o, "diverged", "best_train_loss"));
    json_decref(o);
}

static void test_dead(void **state) {
    (void)state;
    train("dead", "many", "kind: ae\ndata: mnist\n" DENSE "train: {batch: 32, lr: 0.1}\n", "2");
    json_t *o = examine("dead");
    expect(o, "dead", "problem");
    expect(o, "collapsed", "problem"); // nothing comes through
    expect(o, "ignored", "problem");
    json_decref(o);
}

static void test_overfitted_and_memorised(void **state) {
    (void)state;
    train("learnt-by-heart", "few",
          "kind: vae\ndata: mnist\nlatent: 2\nencoder: [flatten, linear 128, relu]\n"
          "decoder: [linear 128, relu, linear 784, sigmoid]\ntrain: {batch: 4, lr: 0.002}\n",
          "400");
    json_t *o = examine("learnt-by-heart");
    expect(o, "overfitting", "problem");
    expect(o, "memorised", "problem");
    json_decref(o);
}

static void test_collapsed(void **state) {
    (void)state;
    train("collapsed", "many", "kind: vae\ndata: mnist\n" DENSE "loss: {kl: 100}\ntrain: {batch: 64}\n", "3");
    json_t *o = examine("collapsed");
    expect(o, "collapsed", "problem");
    expect(o, "ignored", "problem");
    assert_true(measured(o, "collapsed", "collapsed") == 4);
    json_decref(o);
    train("beta", "many", "kind: vae\ndata: mnist\n" DENSE "loss: {kl: 16}\ntrain: {batch: 64}\n", "6");
    o = examine("beta");
    expect(o, "collapsed", "note");
    expect(o, "ignored", "ok");
    json_decref(o);
}

/* Of one test image nothing can be said about what varies. */
static void test_one_image(void **state) {
    (void)state;
    write_data("lone", 40, 1);
    train("lonely", "lone", "kind: vae\ndata: mnist\n" DENSE "train: {batch: 32}\n", "1");
    json_t *o = examine("lonely");
    expect(o, "collapsed", "not checked");
    expect(o, "ignored", "not checked");
    json_decref(o);
}

static void test_far_from_the_prior(void **state) {
    (void)state;
    train("free", "many", "kind: vae\ndata: mnist\n" DENSE "loss: {kl: 0.01}\ntrain: {batch: 64}\n", "4");
    json_t *o = examine("free");
    expect(o, "prior", "problem");
    assert_true(measured(o, "prior", "largest_variance") > 2);
    json_decref(o);
    write_data("few-test", 400, 5); // too few for a covariance: those of training are looked at
    train("free-few", "few-test", "kind: vae\ndata: mnist\n" DENSE "loss: {kl: 0.01}\ntrain: {batch: 64}\n", "20");
    o = examine("free-few");
    expect(o, "prior", "problem");
    assert_true(measured(o, "prior", "largest_variance") > 2);
    json_decref(o);
    train("ae", "many", "kind: ae\ndata: mnist\n" DENSE "train: {batch: 64}\n", "2");
    o = examine("ae");
    expect(o, "prior", "not checked");
    program p = elbo("eval", "ae", "--json"); // one count of active units, whoever tells it
    json_t *scores = expect_json(&p);
    assert_true(number(scores, "active_units") == 4 - measured(o, "collapsed", "collapsed"));
    json_decref(scores);
    json_decref(o);
}

#define SHORT "latent: 4\nencoder: [flatten, linear 16, relu]\nloss: {reconstruction: mse}\ntrain: {batch: 100}\n"
/* Images of 4 x 4 pixels, however well they are learnt, are not what the data are; nor is the mean of all. */
/* A discriminator of codes that a model has no time to follow. */
static void test_discriminator_won(void **state) {
    (void)state;
    static const char game[] = "kind: ae\ndata: mnist\n" DENSE "train: {batch: 64}\n"
                               "adversary: {on: code, layers: [linear 64, relu, linear 1], weight: %s}\n";
    static const char *const weight[] = {"0.001, lr: 0.01", "10"};
    for (int fair = 0; fair < 2; fair++) {
        char recipe[600];
        snprintf(recipe, sizeof recipe, game, weight[fair]);
        train(fair ? "fair" : "won", "many", recipe, "6");
        json_t *o = examine(fair ? "fair" : "won");
        expect(o, "adversary", fair ? "ok" : "problem");
        assert_true((measured(o, "adversary", "d_accuracy") > 0.97) != fair);
        assert_true((measured(o, "adversary", "discriminator") < 0.2) != fair);
        json_decref(o);
    }
}

/* A decoder that only has to please the discriminator: all its images are the same. */
static void test_mode_collapse(void **state) {
    (void)state;
    train("same", "many",
          "kind: vae\ndata: mnist\n" DENSE "loss: {reconstruction: [0.001 bce], kl: 1}\ntrain: {batch: 32, lr: 0.002}\n"
          "adversary: {on: image, layers: [flatten, linear 64, leaky_relu 0.2, linear 1], weight: 20, lr: 0.001}\n",
          "8");
    json_t *o = examine("same");
    expect(o, "samples", "problem");
    assert_non_null(strstr(text(check_of(o, "samples"), "evidence"), "mode collapse"));
    json_decref(o);
}

static void test_blurred(void **state) {
    (void)state;
    train("blurred", "many",
          "kind: vae\ndata: mnist\nlatent: 4\nencoder: [flatten, linear 64, relu]\n"
          "decoder: [linear 64, relu, linear 16, unflatten 1 4 4, upsample 7 mode=bilinear, sigmoid]\n"
          "train: {batch: 32, lr: 0.002, schedule: cosine}\n",
          "16");
    json_t *o = examine("blurred");
    expect(o, "samples", "problem");
    expect(o, "memorised", "ok");
    assert_true(measured(o, "samples", "test_precision") > 0.7);
    json_decref(o);
}

static void test_range(void **state) {
    (void)state;
    static const struct {
        const char *name, *recipe, *health;
    } runs[] = {
        {"sigmoid", "kind: ae\ndata: mnist\n" SHORT "decoder: [linear 784, sigmoid]\nimage: {range: [-1, 1]}\n",
         "problem"},
        {"tanh", "kind: ae\ndata: mnist\n" SHORT "decoder: [linear 784, tanh]\n", "note"},
        {"tanh-fits", "kind: ae\ndata: mnist\n" SHORT "decoder: [linear 784, tanh]\nimage: {range: [-1, 1]}\n", "ok"},
        {"relu", "kind: ae\ndata: mnist\n" SHORT "decoder: [linear 784, relu]\nimage: {range: [-1, 1]}\n", "problem"},
        {"linear", "kind: ae\ndata: mnist\n" SHORT "decoder: [linear 784]\nimage: {range: [-1, 1]}\n", "ok"},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        train(runs[i].name, "few", runs[i].recipe, "1");
        json_t *o = examine(runs[i].name);
        expect(o, "range", runs[i].health);
        json_decref(o);
    }
}

/* Float images far beyond what a sigmoid gives: a range in the recipe changes nothing about them. */
static void test_range_of_floats(void **state) {
    (void)state;
    static float images[40 * 784];
    for (size_t i = 0; i < 40 * 784; i++) images[i] = (float)(i * 7919 % 256);
    char *path = in_scratch("bright.npy");
    assert_int_equal(elbo_npy_write_f32(path, images, 2, (size_t[]){40, 784}, NULL), ELBO_OK);
    free(path);
    train("bright", "bright.npy", "kind: ae\ndata: mnist\n" SHORT "decoder: [linear 784, sigmoid]\n", "1");
    json_t *o = examine("bright");
    expect(o, "range", "problem");
    assert_non_null(strstr(text(check_of(o, "range"), "advice"), "scale the file's values"));
    json_decref(o);
}

/* A log of four epochs in a healthy run's folder. */
static void write_log(const char *run, const double *train_loss, const double *test_loss) {
    char name[100], lines[4000] = "";
    for (int i = 0; i < 4; i++)
        sprintf(
            lines + strlen(lines),
            "{\"epoch\":%d,\"unit\":\"nats/image\",\"train\":{\"images\":3000,\"loss\":%g,\"reconstruction\":%g,"
            "\"kl\":0.0,\"mse\":0.1},\"test\":{\"images\":500,\"loss\":%g,\"reconstruction\":%g,\"kl\":0.0,\"mse\":0.1},"
            "\"seconds\":1.0,\"images_per_second\":1.0,\"lr\":0.001,\"kl_weight\":1.0}\n",
            i + 1, train_loss[i], train_loss[i], test_loss[i], test_loss[i]);
    copy_run("healthy", run);
    snprintf(name, sizeof name, "%s/log.jsonl", run);
    scratch_write(&here, name, lines, strlen(lines));
}

static void assert_close(double a, double b) {
    if (!(fabs(a - b) < 1e-6)) fail_msg("%g is not %g", a, b);
}

/* What earlier versions trained to negative losses: shares are of the loss's size, and a fall is a fall. */
static void test_negative_losses(void **state) {
    (void)state;
    write_log("negative", (double[]){-100, -150, -180, -200}, (double[]){-90, -140, -160, -180});
    json_t *o = examine("negative");
    expect(o, "diverged", "ok");
    expect(o, "underfitting", "problem");
    assert_close(measured(o, "underfitting", "fall"), 20.0 / 160);
    expect(o, "overfitting", "ok");
    assert_close(measured(o, "overfitting", "gap"), 20.0 / 200);
    json_decref(o);
    write_log("risen", (double[]){-100, -200, -150, -210}, (double[]){-90, -190, -180, -100});
    o = examine("risen");
    expect(o, "diverged", "note");
    assert_close(measured(o, "diverged", "largest_leap"), 1 + 50.0 / 200);
    expect(o, "overfitting", "problem");
    assert_close(measured(o, "overfitting", "rise"), 90.0 / 190);
    char *all = json_dumps(o, 0);
    assert_non_null(strstr(all, "train.keep=best")); // what would have kept the epoch of -190
    free(all);
    expect(o, "underfitting", "ok");
    json_decref(o);
}

/* The same words for any number of threads; exit status 0 where there are problems too, and the words are those of the JSON. */
static void test_threads(void **state) {
    (void)state;
    program a = elbo("doctor", "healthy", "-t", "1"), b = elbo("doctor", "healthy", "-t", "3");
    expect_code(&a, 0);
    assert_string_equal(a.out, b.out);
    assert_non_null(strstr(a.out, "all checks ok"));
    program_free(&a);
    program_free(&b);
    a = elbo("doctor", "dead");
    expect_code(&a, 0);
    assert_non_null(strstr(a.out, "\nproblem Dead ReLU units\n"));
    assert_non_null(strstr(a.out, "\nok      Completion\n"));
    program_free(&a);
    refused(1, WORDS("nowhere"), "doctor", "nowhere");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_healthy),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_still_falling),
        cmocka_unit_test(test_diverged),
        cmocka_unit_test(test_dead),
        cmocka_unit_test(test_overfitted_and_memorised),
        cmocka_unit_test(test_collapsed),
        cmocka_unit_test(test_far_from_the_prior),
        cmocka_unit_test(test_one_image),
        cmocka_unit_test(test_discriminator_won),
        cmocka_unit_test(test_mode_collapse),
        cmocka_unit_test(test_blurred),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_range_of_floats),
        cmocka_unit_test(test_negative_losses),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
