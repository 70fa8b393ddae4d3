/* What is told of the losses: the objective where it is not the negative ELBO in nats, and every metric by name. */
#include "program.h"

#include "close.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, 60);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static void says(const char *where, const char *what) {
    if (!strstr(where, what)) fail_msg("\"%s\" does not say \"%s\"", where, what);
}

static json_t *last_line(const char *run) {
    char name[100];
    snprintf(name, sizeof name, "%s/log.jsonl", run);
    char *path = in_scratch(name), *content = read_text(path), *line = content;
    for (char *p = content; (p = strchr(p, '\n')) && p[1]; p++) line = p + 1;
    json_t *o = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(o);
    free(content);
    free(path);
    return o;
}

/* Both splits of the log's last line: objective = (reconstruction + weight kl) / divisor, the loss in nats as ever. */
static void expect_objective(const char *run, double weight, double divisor) {
    json_t *line = last_line(run);
    assert_near("kl_weight", 0, number(line, "kl_weight"), weight, 1e-6);
    for (int test = 0; test <= 1; test++) {
        const json_t *o = json_object_get(line, test ? "test" : "train"), *each = json_object_get(o, "metrics");
        double reconstruction = number(o, "reconstruction"), kl = number(o, "kl");
        assert_near("loss", test, number(o, "loss"), reconstruction + kl, 1e-5);
        assert_near("objective", test, number(o, "objective"), (reconstruction + weight * kl) / divisor, 1e-5);
        assert_near("reconstruction", test, number(each, "bce"), reconstruction, 1e-5);
        assert_near("squares", test, number(each, "squared_error") / 784, number(o, "mse"), 1e-6);
    }
    json_decref(line);
}

static void a_loss_in_nats_has_no_other_name(void **state) {
    (void)state;
    program p = elbo("train", "mnist-vae", "-o", "plain", "-e", "1");
    expect_code(&p, 0);
    says(p.err, "epoch 1/1  train ");
    says(p.out, "plain: test loss ");
    assert_null(strstr(p.err, "objective"));
    program_free(&p);
    expect_objective("plain", 1, 1);
    p = elbo("eval", "plain");
    expect_code(&p, 0);
    assert_null(strstr(p.out, "objective"));
    program_free(&p);
}

static void what_is_trained_is_what_is_printed(void **state) {
    (void)state;
    static const struct {
        const char *run, *set, *heading;
        double weight, divisor; // at the end of two epochs
    } rows[] = {{"free", "loss.kl=0", "objective: bce + 0 kl\n", 0, 1},
                {"beta", "loss.kl=4", "objective: bce + 4 kl\n", 4, 1},
                {"mean", "loss.scale=mean", "objective: (bce + kl) / 784 values\n", 1, 784},
                {"sine", "loss={kl: {schedule: sine, period: 8}}",
                 "objective: bce + w kl, w by the recipe's schedule\n", 0.85355339, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        program p = elbo("train", "mnist-vae", "-o", rows[i].run, "-e", "2", "--set", rows[i].set);
        expect_code(&p, 0);
        says(p.err, rows[i].heading);
        says(p.out, ": test objective ");
        says(p.out, " nats/image) after 2 epochs");
        expect_objective(rows[i].run, rows[i].weight, rows[i].divisor);
        json_t *line = last_line(rows[i].run), *test = json_object_get(line, "test");
        char nats[80], trained[80];
        int decimals = rows[i].divisor > 1 ? 5 : 2;
        snprintf(trained, sizeof trained, "epoch 2/2  objective: train %.*f  test %.*f (nats", decimals,
                 number(json_object_get(line, "train"), "objective"), decimals, number(test, "objective"));
        says(p.err, trained);
        snprintf(nats, sizeof nats, "(nats: %.2f + kl %.2f = %.2f)", number(test, "reconstruction"), number(test, "kl"),
                 number(test, "loss"));
        says(p.err, nats);
        program_free(&p);
        p = elbo("eval", rows[i].run, "--json", "-b"); // at the same weight; of other noise than nothing
        json_t *o = expect_json(&p);
        assert_near("objective", i, number(o, "objective"),
                    (number(o, "reconstruction") + rows[i].weight * number(o, "kl")) / rows[i].divisor, 1e-4);
        assert_near("trained", i, number(json_array_get(json_object_get(o, "metric_list"), 1), "weight"),
                    rows[i].weight, 1e-6);
        json_decref(o);
        json_decref(line);
        p = elbo("eval", rows[i].run, "-b");
        expect_code(&p, 0);
        says(p.out, "  objective ");
        says(p.out, "\n  loss ");
        program_free(&p);
        p = elbo("doctor", rows[i].run);
        expect_code(&p, 0);
        says(p.out, "training objective = ");
        program_free(&p);
    }
}

/* With a warm-up the objective has the weight of the epoch's last step: of 3 x 300 images in batches of 128, step 2 of
 * the first and step 5 of the second epoch, of 6 that it lasts. */
static void a_warm_up_moves_it(void **state) {
    (void)state;
    run_well("train", "mnist-vae", "-o", "warm", "-e", "1", "-q", "--set", "loss.kl.warmup=2");
    expect_objective("warm", 2. / 6, 1);
    run_well("train", "--resume", "-o", "warm", "-e", "2", "-q");
    expect_objective("warm", 5. / 6, 1);
    program p = elbo("train", "--resume", "-o", "warm", "-e", "3");
    expect_code(&p, 0);
    says(p.out, "warm: test loss "); // full weight is reached
    program_free(&p);
}

/* A warm-up that the epochs cut off is refused, unless it is they that were set for a trial. */
static void a_warm_up_longer_than_the_training_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *set, *says;
    } rows[] = {
        {"loss.kl.warmup=50", "--set loss.kl.warmup=50: loss.kl.warmup: 50 epochs of 10, so that the KL's weight "
                              "would end at 0.2 of 1; a warm-up is at most as long as train.epochs\n"},
        {"loss.kl={capacity: 25, over: 20}", "recipes/mnist-vae.yaml:17: loss.kl.over: 20 epochs of 10, so that the "
                                             "capacity would end at 12.5 of 25; it grows over at most train.epochs\n"}};
    for (size_t i = 0; i < 2; i++)
        for (int c = 0; c < 2; c++) {
            program p = c ? elbo("plan", "mnist-vae", "--set", rows[i].set)
                          : elbo("train", "mnist-vae", "-o", "long", "--set", rows[i].set);
            expect_code(&p, 1);
            says(p.err, rows[i].says);
            program_free(&p);
        }
    run_well("plan", "mnist-vae", "--set", "loss.kl.warmup=10");
}

/* A term over the code has its line wherever losses stand, and the ELBO none of it. */
static void terms_over_the_code_are_told(void **state) {
    (void)state;
    program p = elbo("train", "mnist-wae", "-o", "wae", "-e", "1", "--set", "train.batch=100");
    expect_code(&p, 0);
    says(p.err, "objective: bce + 100 mmd\n");
    program_free(&p);
    p = elbo("eval", "wae", "-b");
    expect_code(&p, 0);
    says(p.out, "\n  mmd ");
    says(p.out, "squared, weight 100");
    program_free(&p);
    p = elbo("eval", "wae", "-b", "--json");
    json_t *o = expect_json(&p);
    assert_true(isfinite(number(json_object_get(o, "metrics"), "mmd")));
    json_decref(o);
    p = elbo("sample", "wae", "-n", "4", "-o", "s.npy"); // from the prior, which its codes are trained towards
    expect_code(&p, 0);
    program_free(&p);
    p = elbo("compare", "wae", "plain", "-o", "c.png");
    expect_code(&p, 0);
    says(p.out, "wae");
    says(p.out, ": mmd ");
    program_free(&p);
}

/* Both players' steps, terms and curves. */
static void both_players_are_told(void **state) {
    (void)state;
    program p = elbo("plan", "mnist-aae");
    expect_code(&p, 0);
    says(p.out, "The adversary's step");
    says(p.out, "versus");
    says(p.out, "two sides");
    program_free(&p);
    p = elbo("plan", "mnist-aae", "--json");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "player"), "model");
    assert_string_equal(text(json_object_get(o, "adversary"), "player"), "adversary");
    json_decref(o);
    p = elbo("train", "mnist-aae", "-o", "aae", "-e", "2", "--set", "train.batch=100");
    expect_code(&p, 0);
    says(p.err, "objective: bce + 10 adversary\n");
    program_free(&p);
    p = elbo("eval", "aae", "-b");
    expect_code(&p, 0);
    says(p.out, "\n  discriminator ");
    says(p.out, "\n  d_accuracy ");
    program_free(&p);
    p = elbo("compare", "aae", "--metric", "discriminator", "--metric", "d_accuracy", "-o", "players.png");
    expect_code(&p, 0);
    program_free(&p);
    p = elbo("sample", "aae", "-n", "4", "-o", "s.npy"); // from the prior
    expect_code(&p, 0);
    program_free(&p);
    p = elbo("export", "aae", "-o", "aae.py"); // without the adversary
    expect_code(&p, 0);
    program_free(&p);
}

static void tables_and_json_tell_both(void **state) {
    (void)state;
    program p = elbo("train", "mnist-vae", "-o", "json", "-e", "1", "--json", "--set", "loss.kl=0.5");
    json_t *o = expect_json(&p), *test = json_object_get(o, "test");
    assert_string_equal(text(o, "objective_formula"), "bce + 0.5 kl");
    assert_near("objective", 0, number(test, "objective"), number(test, "reconstruction") + 0.5 * number(test, "kl"),
                1e-4);
    assert_true(number(json_object_get(test, "metrics"), "kl") == number(test, "kl"));
    assert_int_equal(json_array_size(json_object_get(o, "metric_list")), 3);
    json_decref(o);
    p = elbo("compare", "json", "plain", "-o", "c.png");
    expect_code(&p, 0);
    says(p.out, "model  objective  test loss");
    says(p.out, "objective of json: bce + 0.5 kl\n");
    assert_null(strstr(p.out, "objective of plain"));
    program_free(&p);
    p = elbo("compare", "plain", "-o", "c.png");
    expect_code(&p, 0);
    assert_null(strstr(p.out, "objective"));
    program_free(&p);
    run_well("report", "json");
    char *page = in_scratch("json/report.html"), *html = read_text(page);
    says(html, ">objective<");
    says(html, "bce + 0.5 kl");
    free(html);
    free(page);
}

static void expect_columns(const char *csv, const char *header) {
    char *path = in_scratch(csv), *content = read_text(path);
    if (strncmp(content, header, strlen(header)) || content[strlen(header)] != '\n')
        fail_msg("%s begins %.120s, not %s", csv, content, header);
    free(content);
    free(path);
}

static void curves_of_any_metric(void **state) {
    (void)state;
    run_well("train", "mnist-ae", "-o", "ae", "-e", "1", "-q");
    run_well("compare", "free", "ae", "--metric", "kl"); // an autoencoder has none
    expect_columns("free/figures/curves-kl.csv", "epoch,\"free, train\",\"free, test\"");
    run_well("compare", "free", "--metric", "reconstruction", "--metric", "kl");
    expect_columns("free/figures/curves.csv",
                   "epoch,\"reconstruction, train\",\"reconstruction, test\",\"kl, train\",\"kl, test\"");
    run_well("compare", "beta", "--metric", "squared_error", "-o", "squares.png");
    expect_columns("squares.csv", "epoch,\"beta, train\",\"beta, test\"");
    refused(1, WORDS("metric `nope`", "objective, loss, reconstruction, kl, mse, bce and squared_error"), "compare",
            "free", "--metric", "nope");
    refused(1, WORDS("metric `kl`", "objective, loss, reconstruction, mse, bce and squared_error"), "compare", "ae",
            "--metric", "kl");
    // without a name: what was trained, where it is one and the same; else nats, which can be compared
    json_t *line = last_line("free");
    double objective = number(json_object_get(line, "test"), "objective"),
           loss = number(json_object_get(line, "test"), "loss");
    json_decref(line);
    for (int alone = 0; alone <= 1; alone++) {
        program p = alone ? elbo("compare", "free", "-o", "d.png") : elbo("compare", "free", "beta", "-o", "d.png");
        expect_code(&p, 0);
        program_free(&p);
        char *path = in_scratch("d.csv"), *content = read_text(path), *second = strstr(content, "\n2,");
        double train, test;
        assert_non_null(second);
        assert_int_equal(sscanf(second, "\n2,%lf,%lf", &train, &test), 2);
        assert_near("drawn", alone, test, alone ? objective : loss, 1e-3);
        free(content);
        free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_in_nats_has_no_other_name),
        cmocka_unit_test(what_is_trained_is_what_is_printed),
        cmocka_unit_test(a_warm_up_moves_it),
        cmocka_unit_test(a_warm_up_longer_than_the_training_is_refused),
        cmocka_unit_test(terms_over_the_code_are_told),
        cmocka_unit_test(both_players_are_told),
        cmocka_unit_test(tables_and_json_tell_both),
        cmocka_unit_test(curves_of_any_metric),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
