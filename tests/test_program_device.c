/* --device: every command that runs a model knows it, computes on what it names, and refuses a name that is none. */
#include "program.h"

#include <math.h>

#include "formats/npy.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 300, 60);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "1", "-q");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

/* (n, d) floats of two files that differ by no more than `most` anywhere, but somewhere. */
static void assert_close_files(const char *a, const char *b, float most) {
    elbo_array x, y;
    elbo_error err;
    char *first = in_scratch(a), *second = in_scratch(b);
    assert_int_equal(elbo_npy_read(&x, first, &err), ELBO_OK);
    assert_int_equal(elbo_npy_read(&y, second, &err), ELBO_OK);
    assert_int_equal(x.count, y.count);
    const float *p = x.data, *q = y.data;
    for (size_t i = 0; i < x.count; i++)
        if (!(fabsf(p[i] - q[i]) <= most)) fail_msg("%s: value %zu is %g, in %s %g", a, i, p[i], b, q[i]);
    elbo_array_free(&x);
    elbo_array_free(&y);
    free(first);
    free(second);
}

static void ref_computes_what_cpu_computes(void **state) {
    (void)state;
    run_well("encode", "vae", "test", "-o", "cpu.npy", "--device", "cpu");
    run_well("encode", "vae", "test", "-o", "none.npy");
    run_well("encode", "vae", "test", "-o", "ref.npy", "--device", "ref");
    assert_same_bytes("cpu.npy", "none.npy");
    assert_close_files("cpu.npy", "ref.npy", 1e-5f);
    if (same_bytes("cpu.npy", "ref.npy")) fail_msg("ref sums in another order: it was not asked");
    run_well("decode", "vae", "cpu.npy", "-o", "x.npy", "--device", "cpu");
    run_well("decode", "vae", "cpu.npy", "-o", "y.npy", "--device", "ref");
    assert_close_files("x.npy", "y.npy", 1e-5f);
    if (same_bytes("x.npy", "y.npy")) fail_msg("ref sums in another order: it was not asked");
}

/* Losses are measured by a plan of their own. */
static void eval_measures_on_the_device(void **state) {
    (void)state;
    double loss[2];
    for (int ref = 0; ref < 2; ref++) {
        program p = elbo("eval", "vae", "--json", "--brief", "--device", ref ? "ref" : "cpu");
        json_t *o = expect_json(&p);
        loss[ref] = number(o, "loss");
        json_decref(o);
    }
    assert_true(fabs(loss[0] - loss[1]) < 1e-3);
    assert_true(loss[0] != loss[1]);
}

static void an_unknown_device_is_refused(void **state) {
    (void)state;
    static const char *const commands[][8] = {
        {"eval", "vae"},
        {"encode", "vae", "test", "-o", "z.npy"},
        {"decode", "vae", "cpu.npy", "-o", "x.npy"},
        {"doctor", "vae"},
        {"report", "vae"},
        {"compare", "vae"},
        {"project", "vae"},
        {"reconstruct", "vae"},
        {"outliers", "vae"},
        {"denoise", "vae"},
        {"sweep", "mnist-ae", "--over", "latent=2,3", "-o", "swept"},
        {"sample", "vae"},
        {"interpolate", "vae"},
        {"traverse", "vae"},
        {"arithmetic", "vae", "test:1 + test:2"},
        {"manifold", "vae"},
        {"vector", "list", "vae"},
        {"vector", "save", "v", "test:1", "vae"},
        {"train", "mnist-ae", "-o", "other", "-q"},
        {"demo", "-o", "demo", "--json"},
        {"bench", "mnist-ae"},
        {"plan", "mnist-ae"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *words[12];
        int n = 0;
        while (commands[i][n]) words[n] = commands[i][n], n++;
        words[n++] = "--device";
        words[n++] = "gpu";
        words[n] = NULL;
        program p = program_run(words);
        expect_refusal(&p, 1, WORDS("device `gpu`", "cpu, ref, cuda or auto"));
    }
    assert_false(there("other/model.safetensors"));
    assert_false(there("swept"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ref_computes_what_cpu_computes),
        cmocka_unit_test(eval_measures_on_the_device),
        cmocka_unit_test(an_unknown_device_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
