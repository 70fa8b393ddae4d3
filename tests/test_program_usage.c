/* Command lines as people write them: help, wrong usage, what was meant, and names of outputs. */
#include "program.h"

#include "../apps/cli/cli.h"
#include "device/device.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 200, 50);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "1", "-q");
    run_well("train", "mnist-ae", "-o", "ae", "-e", "1", "-q");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static void test_help(void **state) {
    (void)state;
    program p = elbo("help");
    expect_code(&p, 0);
    for (int i = 0; cli_commands[i]; i++) {
        const char *name = cli_commands[i]->name;
        if (!strstr(p.out, name)) fail_msg("`elbo help` does not say %s", name);
        program q = elbo(name, "--help"), r = elbo("help", name);
        expect_code(&q, 0);
        assert_non_null(strstr(q.out, "example"));
        assert_non_null(strstr(q.out, "usage: elbo "));
        assert_string_equal(q.out, r.out);
        assert_string_equal(q.err, "");
        for (const char *line = q.out, *end; *line && (end = strchr(line, '\n')); line = end + 1) {
            if (end - line > 120) fail_msg("%s --help: a line of %d letters", name, (int)(end - line));
        }
        program_free(&q);
        program_free(&r);
    }
    program_free(&p);
    program none = elbo_start(NULL);
    program_wait(&none);
    expect_code(&none, 2);
    assert_non_null(strstr(none.err, "usage"));
    program_free(&none);
    program version = elbo("--version");
    expect_code(&version, 0);
    assert_non_null(strstr(version.out, "elbo "));
    program_free(&version);
}

/* Every device by its name; earlier names of options are read, not shown. */
static void test_help_of_options(void **state) {
    (void)state;
    program p = elbo("eval", "--help");
    expect_code(&p, 0);
    for (int i = 0; elbo_devices[i]; i++) {
        char line[200];
        snprintf(line, sizeof line, "%s%s: %s\n", elbo_devices[i]->name, i ? "" : " (default)", elbo_devices[i]->about);
        if (!strstr(p.out, line)) fail_msg("eval --help does not say %s", line);
    }
    program_free(&p);
    p = elbo("tsne", "--help");
    assert_non_null(strstr(p.out, "--embedding Y.npy"));
    assert_null(strstr(p.out, "--map"));
    program_free(&p);
}

static void test_wrong_usage(void **state) {
    (void)state;
    refused(2, WORDS("trian", "did you mean `train`?"), "trian");
    refused(2, WORDS("frobnicate", "elbo help"), "frobnicate");
    refused(2, WORDS("trian"), "help", "trian");
    refused(2, WORDS("--epoch", "did you mean --epochs?"), "train", "mnist-ae", "--epoch", "3");
    refused(2, WORDS("--jsno", "--json"), "eval", "vae", "--jsno");
    refused(2, WORDS("-z", "elbo eval --help"), "eval", "vae", "-z");
    refused(2, WORDS("--epochs needs a value", "N"), "train", "mnist-ae", "--epochs");
    refused(2, WORDS("--epochs needs a value"), "train", "mnist-ae", "-e");
    refused(2, WORDS("--data needs a value"), "eval", "vae", "--data", "--json");
    refused(2, WORDS("empty", "--output"), "train", "mnist-ae", "-o", "");
    refused(2, WORDS("empty"), "eval", "");
    refused(2, WORDS("--epochs", "1.5", "expected an integer"), "train", "mnist-ae", "-e", "1.5");
    refused(2, WORDS("--epochs", "from 1"), "train", "mnist-ae", "-e", "0");
    refused(2, WORDS("--seed", "expected an integer >= 0"), "train", "mnist-ae", "-s", "-1");
    refused(2, WORDS("--seed", "99999999999999999999"), "train", "mnist-ae", "-s", "99999999999999999999");
    refused(2, WORDS("--json", "no value"), "eval", "vae", "--json=1");
    refused(2, WORDS("expected a recipe"), "train");
    refused(2, WORDS("usage: elbo eval RUN"), "eval");
    refused(2, WORDS("unexpected argument: ae"), "eval", "vae", "ae");
    refused(2, WORDS("-o"), "encode", "vae", "test");
    refused(2, WORDS("-o"), "decode", "vae", "z.npy");
    refused(2, WORDS("train or test"), "eval", "vae", "--split", "validation");
    refused(2, WORDS("test, train or all"), "project", "vae", "--split", "validation");
    refused(2, WORDS("pca"), "project", "vae", "--method", "umap");
    refused(2, WORDS("train, eval, encode or decode"), "plan", "mnist-ae", "--mode", "run");
    refused(2, WORDS("list, fetch, info or preview"), "data", "lst");
    refused(2, WORDS("expected a data set's name"), "data", "info");
}

/* Options as newcomers write them. */
static void test_what_was_meant(void **state) {
    (void)state;
    refused(2, WORDS("-epochs", "did you mean --epochs?"), "train", "mnist-ae", "-epochs", "1");
    refused(2, WORDS("-epoch", "did you mean --epochs?"), "train", "mnist-ae", "-epoch", "1");
    refused(2, WORDS("-json", "did you mean --json?"), "eval", "vae", "-json");
    refused(2, WORDS("--latent", "--set latent=10"), "train", "mnist-vae", "--latent", "10");
    refused(2, WORDS("--lr=0.1", "--set train.lr=0.1"), "train", "mnist-ae", "--lr=0.1");
    refused(2, WORDS("--kl", "--set loss.kl=4"), "train", "mnist-vae", "--kl", "4");
    refused(2, WORDS("--beta", "--set loss.kl=4"), "train", "mnist-vae", "--beta", "4");
    refused(2, WORDS("--batch-size"), "train", "mnist-vae", "--batch-size", "4");
    program version = elbo("-V");
    expect_code(&version, 0);
    program_free(&version);
    program p = elbo("denoise-all");
    assert_null(strstr(p.err, "decode"));
    program_free(&p);
    // a run to resume is named in any place
    run_well("train", "mnist-ae", "-o", "to-resume", "-e", "1", "-q");
    run_well("train", "to-resume", "--resume", "-e", "2", "-q");
    run_well("train", "--resume", "to-resume", "-e", "3", "-q");
    assert_int_equal(count_lines("to-resume/log.jsonl"), 3);
    // several runs, several expressions
    run_well("sample", "vae", "to-resume", "-n", "4");
    assert_there("to-resume/figures/samples.png");
    refused(2, WORDS("2 runs", "-o"), "sample", "vae", "to-resume", "-o", "both.png");
    run_well("arithmetic", "vae", "to-resume", "test:1", "test:2 - test:1 + test:3");
    assert_there("vae/figures/arithmetic-2.png");
    assert_there("to-resume/figures/arithmetic-2.png");
    run_well("arithmetic", "vae", "test:1", "test:2", "-o", "sum.png");
    assert_there("sum-2.png");
    refused(2, WORDS("expected an expression behind to-resume"), "arithmetic", "vae", "to-resume");
    refused(2, WORDS("z.npy", "2 would"), "arithmetic", "vae", "test:1", "test:2", "--npy", "z.npy");
    // a folder of runs
    run_well("train", "mnist-ae", "-o", "all/a", "-e", "1", "-q");
    run_well("train", "mnist-ae", "-o", "all/b", "-e", "1", "-q");
    p = elbo("compare", "all", "--json");
    json_t *o = expect_json(&p);
    assert_int_equal(json_array_size(json_object_get(o, "runs")), 2);
    json_decref(o);
    run_well("report", "all");
    assert_there("all/report.html");
}

/* Every command's outputs are honoured or refused by their ending before any work, all by one function. */
static void test_names_of_outputs(void **state) {
    (void)state;
    static const char *const commands[][5] = {{"encode", "vae", "test"},
                                              {"decode", "vae", "none.npy"},
                                              {"reconstruct", "vae"},
                                              {"sample", "vae"},
                                              {"interpolate", "vae"},
                                              {"arithmetic", "vae", "test:1"},
                                              {"traverse", "vae"},
                                              {"manifold", "vae"},
                                              {"project", "vae"},
                                              {"compare", "vae"},
                                              {"report", "vae"},
                                              {"outliers", "vae"},
                                              {"pca", "none.npy"},
                                              {"tsne", "none.npy"},
                                              {"data", "preview", "mnist"},
                                              {"train", "mnist-ae"},
                                              {"demo"}};
    static const char *const outputs[] = {"-", "w.mp4"};
    for (size_t c = 0; c < sizeof commands / sizeof *commands; c++)
        for (size_t o = 0; o < 2; o++) {
            const char *words[8] = {0};
            int n = 0;
            for (; commands[c][n]; n++) words[n] = commands[c][n];
            words[n++] = "-o";
            words[n++] = outputs[o];
            program p = program_run(words);
            expect_refusal(&p, 2, WORDS("--output", outputs[o], "expected", "such as"));
        }
    refused(2, WORDS("--output mnist", "is a folder"), "encode", "vae", "test", "-o", "mnist");
    refused(2, WORDS("--output w.html", ".png or .svg"), "compare", "vae", "-o", "w.html");
    refused(2, WORDS("--npy w.csv", ".npy"), "sample", "vae", "--npy", "w.csv");
    refused(2, WORDS("--logvar w.txt", ".npy or .csv"), "encode", "vae", "test", "-o", "w.npy", "--logvar", "w.txt");
    refused(2, WORDS("--frames w.mp4", "folder"), "interpolate", "vae", "--frames", "w.mp4");
    assert_false(there("w.mp4") || there("w.mp4.png") || there("w.npy") || there("-"));
    char *dash = in_scratch("-");
    assert_false(elbo_folder_exists(dash));
    free(dash);
    // codes to text and back
    run_well("encode", "vae", "test", "-o", "codes.csv");
    run_well("encode", "vae", "test", "-o", "codes.npy");
    char *path = in_scratch("codes.csv"), *csv = read_text(path);
    assert_true(strchr(csv, ',') && strspn(csv, "-+.,0123456789e\n") == strlen(csv));
    free(csv);
    free(path);
    run_well("decode", "vae", "codes.csv", "-o", "a.npy");
    run_well("decode", "vae", "codes.npy", "-o", "b.npy");
    assert_same_bytes("a.npy", "b.npy");
    refused(1, WORDS("none.csv"), "decode", "vae", "none.csv", "-o", "a.npy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),           cmocka_unit_test(test_help_of_options),
        cmocka_unit_test(test_wrong_usage),    cmocka_unit_test(test_names_of_outputs),
        cmocka_unit_test(test_what_was_meant),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
