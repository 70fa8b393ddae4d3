/* `elbo sweep`, and training on some classes, as users run them. */
#include "program.h"

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

#define SWEEP "sweep", "mnist-vae-2d", "--over", "latent=2,3", "--seeds", "2", "-e", "2", "-t", "2"

static const json_t *item(const json_t *o, const char *list, size_t i) {
    const json_t *v = json_array_get(json_object_get(o, list), i);
    assert_non_null(v);
    return v;
}

/* The numbers of the table are those of the runs, which are runs as any other. */
static void test_a_sweep(void **state) {
    (void)state;
    program p = elbo(SWEEP, "-o", "a", "--json", "-k", "3");
    json_t *o = expect_json(&p);
    assert_string_equal(text(o, "score"), "log_likelihood");
    assert_int_equal(json_array_size(json_object_get(o, "runs")), 4);
    for (size_t i = 0; i < 2; i++) {
        double loss = 0;
        for (size_t k = 0; k < 2; k++) {
            const json_t *r = item(o, "runs", 2 * i + k);
            char *folder = elbo_format("a/%s", text(r, "run"));
            program e = elbo("eval", folder, "--json", "--brief", "--seed", k ? "1" : "0"); // of the noise
            json_t *scores = expect_json(&e);
            assert_true(fabs(number(scores, "loss") - number(r, "loss")) < 1e-5 * number(r, "loss"));
            assert_true(number(scores, "active_units") == number(r, "active_units"));
            loss += number(r, "loss") / 2;
            json_decref(scores);
            free(folder);
        }
        assert_true(fabs(number(json_object_get(item(o, "settings", i), "loss"), "mean") - loss) < 1e-8 * loss);
    }
    json_decref(o);
    assert_there("a/figures/loss.png");
    assert_there("a/figures/log_likelihood.png");
    assert_int_equal(count_lines("a/results.csv"), 5);
    p = elbo(SWEEP, "-o", "a", "-q");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "-ELBO"));
    assert_non_null(strstr(p.out, "smallest latent within two standard errors"));
    program_free(&p);
    p = elbo(SWEEP, "-o", "a", "--over", "loss.kl=1,2"); // another sweep
    expect_refusal(&p, 1, WORDS("a: holds another sweep", "over latent;", "over latent and loss.kl"));
    refused(2, WORDS("--over latent=2,10,20"), "sweep", "mnist-vae");
    refused(1, WORDS("--over latnet=2", "did you mean latent?"), "sweep", "mnist-vae", "--over", "latnet=2");
}

static void test_failures_are_told(void **state) {
    (void)state;
    program p = elbo("sweep", "mnist-vae-2d", "--over", "train.lr=0.001,1e30", "--seeds", "1", "-e", "1", "-q");
    expect_code(&p, 1);
    assert_non_null(strstr(p.out, "1 failed"));
    assert_non_null(strstr(p.out, "failed: train.lr=1e30,seed=0: step "));
    assert_non_null(strstr(p.err, "elbo: 1 of 2 runs failed"));
    assert_there("runs/mnist-vae-2d-train.lr/figures/loss.png");
    program_free(&p);
}

/* Ctrl-C and kill -9, at any moment: the same command ends in the same bits. */
static void test_interrupted_and_killed(void **state) {
    (void)state;
#define LONG "sweep", "mnist-vae-2d", "--over", "latent=2,3", "--seeds", "2", "-e", "40", "--jobs", "2", "-q"
    program p = elbo_start(LONG, "-o", "whole");
    program_wait(&p);
    expect_code(&p, 0);
    program_free(&p);
    int interrupted = 0;
    for (int i = 0; i < 6; i++) {
        p = elbo_start(LONG, "-o", "cut");
        for (int ms = 0; !there("cut/latent=2,seed=0/recipe.yaml") && ms < 20000; ms++) pause_ms(1);
        pause_ms(20 + 37 * i);
        kill(p.pid, i % 2 ? SIGKILL : SIGINT);
        program_wait(&p);
        if (p.code != 0) expect_code(&p, i % 2 ? 137 : 130);
        interrupted += p.code != 0;
        if (p.code == 130 && (i == 0 || *p.err)) // (else it came before there was anything to stop)
            assert_non_null(strstr(p.err, "the same command continues"));
        program_free(&p);
    }
    print_message("interrupted %d times\n", interrupted);
    run_well(LONG, "-o", "cut");
    static const char *const runs[] = {"latent=2,seed=0", "latent=2,seed=1", "latent=3,seed=0", "latent=3,seed=1"};
    for (int i = 0; i < 4; i++) {
        char a[100], b[100];
        snprintf(a, sizeof a, "whole/%s/model.safetensors", runs[i]);
        snprintf(b, sizeof b, "cut/%s/model.safetensors", runs[i]);
        assert_same_bytes(a, b);
    }
}

/* ---- some classes ---- */

static int images_of(json_t *o, const char *split) { return (int)number(json_object_get(o, split), "images"); }

static json_t *train_json(const char *run, const char *a, const char *b, const char *c, const char *d) {
    const char *words[] = {"train", "mnist-vae-2d", "-e", "1", "--json", "--force", "-o", run, a, b, c, d, NULL};
    program p = program_run(words);
    return expect_json(&p);
}

static void test_classes(void **state) {
    (void)state;
    json_t *all = train_json("all", "-t", "1", NULL, NULL),
           *without = train_json("without", "--exclude", "class:8", NULL, NULL),
           *only = train_json("only", "--set", "classes=8", NULL, NULL),
           *more = train_json("more", "--exclude", "8", "--exclude", "class:1"),
           *list = train_json("list", "--set", "exclude=[8,1]", NULL, NULL);
    assert_int_equal(images_of(all, "train"), 300);
    assert_true(images_of(only, "train") > 0 && images_of(more, "train") < images_of(without, "train"));
    assert_int_equal(images_of(without, "train") + images_of(only, "train"), 300);
    json_t *each[] = {all, without, only, more, list};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(images_of(each[i], "test"), 60); // which keeps all
        json_decref(each[i]);
    }
    assert_same_bytes("more/model.safetensors", "list/model.safetensors");
    // recipe.yaml repeats it, a longer run goes on with it, others see the same images
    copy_file("without/recipe.yaml", "mnist-vae-2d.yaml"); // (the file has the recipe's name)
    run_well("train", "./mnist-vae-2d.yaml", "-o", "again", "-q");
    assert_same_bytes("without/model.safetensors", "again/model.safetensors");
    run_well("train", "--resume", "-o", "without", "-e", "2", "-q");
    run_well("train", "./mnist-vae-2d.yaml", "-o", "two", "-e", "2", "-q");
    assert_same_bytes("without/model.safetensors", "two/model.safetensors");
    run_well("eval", "only", "--json");
    refused(1, WORDS("exclude: mnist has no class `X`", "0 to 9"), "train", "mnist-vae", "--exclude", "class:X", "-o",
            "x");
    refused(1, WORDS("exclude", "cannot be combined with classes"), "train", "mnist-vae", "--exclude", "8", "--set",
            "classes=[1]", "-o", "x");
    refused(1, WORDS("leaves none of the 300"), "train", "mnist-vae", "--set", "exclude=[0,1,2,3,4,5,6,7,8,9]", "-o",
            "x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_sweep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupted_and_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_classes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
