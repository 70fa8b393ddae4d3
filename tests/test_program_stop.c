/* Training that is interrupted (Ctrl-C), killed, resumed, or done twice: the model ends in the same bits, and no moment
 * leaves a folder that elbo itself cannot read. */
#include "program.h"

#include <sys/time.h>

#include "formats/safetensors.h"
#include "train/trainer.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 600, 60);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static bool has_ended(const program *p) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == p->pid;
}

/* Until the running program has made (or removed) a file. */
static void wait_for(const program *p, const char *name, bool come) {
    for (int ms = 0; there(name) != come; ms++) {
        if (ms > 20000 || has_ended(p)) fail_msg("%s does not %s", name, come ? "come" : "go");
        pause_ms(1);
    }
}
static void wait_for_file(const program *p, const char *name) { wait_for(p, name, true); }

/* Where a checkpoint stands: finished epochs, and images of the one under way. */
static void read_position(const char *name, double *epochs, double *images_done) {
    char *path = in_scratch(name);
    elbo_safetensors file;
    elbo_error err;
    if (elbo_safetensors_open(&file, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    const elbo_st_tensor *t = elbo_safetensors_find(&file, "position");
    assert_non_null(t);
    *epochs = ((const double *)t->data)[0];
    *images_done = ((const double *)t->data)[1];
    elbo_safetensors_close(&file);
    free(path);
}

/* ---- Ctrl-C ---- */

/* In the middle of an epoch, which plain loops make long enough to hit. */
static void test_interrupt_in_an_epoch(void **state) {
    (void)state;
#define SLOW "train", "mnist-vae", "--device", "ref", "-e", "1"
    program whole = elbo_start(SLOW, "-o", "slow-whole");
    program_wait(&whole);
    expect_code(&whole, 0);
    program_free(&whole);
    program p = elbo_start(SLOW, "-o", "slow");
    wait_for_file(&p, "slow/recipe.yaml");
    pause_ms(30);
    kill(p.pid, SIGINT);
    program_wait(&p);
    expect_code(&p, 130);
    assert_string_equal(p.out, "");
    const char *last = strstr(p.err, "stopped: ");
    assert_non_null(last);
    assert_non_null(strstr(last, "`elbo train --resume -o slow`"));
    assert_ptr_equal(strchr(last, '\n'), last + strlen(last) - 1);
    program_free(&p);
    double epochs, images_done;
    read_position("slow/checkpoint.safetensors", &epochs, &images_done);
    assert_true(epochs == 0 && images_done > 0 && images_done < 600);
    assert_int_equal(count_temporaries("slow"), 0);
    run_well("eval", "slow"); // a usable model
    refused(1, WORDS("no epoch is finished"), "compare", "slow");
    run_well("train", "--resume", "-o", "slow", "--device", "ref", "-q");
    assert_same_bytes("slow/model.safetensors", "slow-whole/model.safetensors");
    assert_int_equal(count_lines("slow/log.jsonl"), 1);
}

static void test_interrupt_between_epochs(void **state) {
    (void)state;
    program p = elbo_start("train", "mnist-vae", "-o", "long", "-e", "100000", "--json");
    wait_for_file(&p, "long/checkpoint.safetensors");
    pause_ms(50);
    kill(p.pid, SIGTERM); // as Ctrl-C
    program_wait(&p);
    expect_code(&p, 130);
    p.code = 0;
    json_t *o = expect_json(&p);
    assert_true(json_is_false(json_object_get(o, "finished")));
    int epochs = (int)number(o, "epochs");
    assert_true(epochs > 0 && count_lines("long/log.jsonl") == epochs);
    json_decref(o);
    char more[20];
    snprintf(more, sizeof more, "%d", epochs + 2);
    run_well("train", "--resume", "-o", "long", "-e", more, "-t", "1", "-q");
    run_well("train", "mnist-vae", "-o", "long-whole", "-e", more, "-t", "2", "-q");
    assert_same_bytes("long/model.safetensors", "long-whole/model.safetensors");
    assert_same_bytes("long/recipe.yaml", "long-whole/recipe.yaml");
    // before the first epoch's end there is nothing to tell
    p = elbo_start("train", "mnist-vae", "-o", "short", "--device", "ref", "--json");
    wait_for_file(&p, "short/recipe.yaml");
    kill(p.pid, SIGINT);
    program_wait(&p);
    expect_code(&p, 130);
    p.code = 0;
    o = expect_json(&p);
    assert_true(json_is_null(json_object_get(o, "test")) && number(o, "epochs") == 0);
    json_decref(o);
}

/* A terminal that is closed (SIGHUP) stops a run as Ctrl-C does; what was ignored when elbo began, as SIGINT is by a
 * script's background job and SIGHUP under nohup, does nothing. */
static void test_hangup_and_ignored_signals(void **state) {
    (void)state;
    for (int ignored = 0; ignored < 2; ignored++) {
        char name[32], checkpoint[64];
        snprintf(name, sizeof name, "hangup-%d", ignored);
        snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", name);
        int ignore = ignored ? SIGHUP : SIGINT, stop = ignored ? SIGINT : SIGHUP;
        signal(ignore, SIG_IGN); // inherited, as what nohup ignores of these tests themselves
        signal(stop, SIG_DFL);
        program p = elbo_start("train", "mnist-vae", "-o", name, "-e", "100000", "-q");
        signal(ignore, SIG_DFL);
        wait_for_file(&p, checkpoint);
        kill(p.pid, ignore);
        pause_ms(300);
        assert_false(has_ended(&p));
        kill(p.pid, stop);
        program_wait(&p);
        expect_code(&p, 130);
        assert_non_null(strstr(p.err, "stopped: "));
        program_free(&p);
        assert_int_equal(count_temporaries(name), 0);
        run_well("eval", name);
    }
}

/* ---- signals at any moment ---- */

static volatile sig_atomic_t alarms;
static void on_alarm(int number) {
    (void)number;
    alarms++;
}

/* Generated code may use the stack pointer as it likes, and a handler's frame then goes where it points: see
 * elbo_team_run. So signals by the thousand must neither end the program nor change a bit. */
static void test_signals(void **state) {
    (void)state;
    elbo_recipe recipe;
    elbo_dataset d;
    elbo_error err;
    char *folder = in_scratch("mnist");
    const char *sets[] = {"train.epochs=30"};
    if (elbo_recipe_open(&recipe, "mnist-vae", sets, 1, &err) != ELBO_OK) fail_msg("%s", err.message);
    if (elbo_dataset_open(&d, "mnist", folder, ELBO_BOTH_SPLITS, 1, &err) != ELBO_OK) fail_msg("%s", err.message);
    elbo_train_result quiet, disturbed;
    for (int threads = 1; threads <= 2; threads++) {
        elbo_train_options o = {.threads = threads};
        assert_int_equal(elbo_train(&quiet, &recipe, &d, o, &err), ELBO_OK);
        alarms = 0;
        struct itimerval often = {{0, 150}, {0, 150}}, never = {{0, 0}, {0, 0}};
        struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, before;
        sigaction(SIGALRM, &action, &before);
        setitimer(ITIMER_REAL, &often, NULL);
        elbo_status status = elbo_train(&disturbed, &recipe, &d, o, &err);
        setitimer(ITIMER_REAL, &never, NULL);
        sigaction(SIGALRM, &before, NULL);
        assert_int_equal(status, ELBO_OK);
        assert_true(alarms > 100);
        assert_memory_equal(&quiet.last.train, &disturbed.last.train, sizeof quiet.last.train);
        assert_memory_equal(&quiet.last.test, &disturbed.last.test, sizeof quiet.last.test);
    }
    elbo_dataset_close(&d);
    elbo_recipe_close(&recipe);
    free(folder);
}

/* ---- kill -9 ---- */

/* A run of many short epochs, with a checkpoint after every few, killed again and again at moments that spread over its whole
 * length. */
static void test_kill(void **state) {
    (void)state;
    enum { KILLS = 20 };
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    run_well("train", "mnist-vae", "-o", "whole", "-e", "200", "-q");
    clock_gettime(CLOCK_MONOTONIC, &end);
    int length = (int)((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000); // ms
    int gone_on = 0; // kills that found an epoch more done than the one before
    double epochs = 0, images_done, last = 0;
    for (int i = 0; i < KILLS && last < 180; i++) {
        bool begun = there("killed/recipe.yaml");
        program p = begun ? elbo_start("train", "--resume", "-o", "killed", "-q")
                          : elbo_start("train", "mnist-vae", "-o", "killed", "-e", "200", "-q");
        pause_ms(i < 6 ? 4 * i : length * (1 + i % 7) / 20); // the first ones while it starts
        kill(p.pid, SIGKILL);
        program_wait(&p);
        if (p.code != 128 + SIGKILL) expect_code(&p, 0);
        program_free(&p);
        if (!there("killed/recipe.yaml")) continue;
        run_well("eval", "killed"); // a usable model at any moment
        if (there("killed/checkpoint.safetensors"))
            read_position("killed/checkpoint.safetensors", &epochs, &images_done);
        gone_on += epochs > last;
        last = epochs;
    }
    assert_true(gone_on >= 2);
    run_well("train", "--resume", "-o", "killed", "-q");
    assert_same_bytes("killed/model.safetensors", "whole/model.safetensors");
    assert_same_bytes("killed/recipe.yaml", "whole/recipe.yaml");
    assert_int_equal(count_lines("killed/log.jsonl"), 200);
    assert_int_equal(count_temporaries("killed"), 0);
}

/* What is left half-written goes when the run goes on, and only that. */
static void test_leftovers(void **state) {
    (void)state;
    run_well("train", "mnist-ae", "-o", "left", "-e", "1", "-q");
    static const char *const names[] = {"left/model.safetensors.tmp-a1B2c3", "left/log.jsonl.tmp-XyZ123",
                                        "left/recipe.yaml.tmp-000000", "left/checkpoint.safetensors.tmp-qqqqqq"};
    for (int i = 0; i < 4; i++) scratch_write(&here, names[i], "half", 4);
    scratch_write(&here, "left/model.safetensors.backup", "mine", 4);
    scratch_write(&here, "left/notes.tmp-XXXXXX", "mine", 4);
    scratch_write(&here, "left/log.jsonl.tmp-of-mine", "mine", 4);
    run_well("train", "--resume", "-o", "left", "-e", "2", "-q");
    for (int i = 0; i < 4; i++) assert_false(there(names[i]));
    assert_there("left/model.safetensors.backup");
    assert_there("left/notes.tmp-XXXXXX");
    assert_there("left/log.jsonl.tmp-of-mine");
}

/* A new run in an old one's folder, killed before its first checkpoint, must not go on from the old one's. */
static void test_kill_after_force(void **state) {
    (void)state;
    run_well("train", "mnist-ae", "-o", "forced", "-e", "2", "-q");
    program p = elbo_start("train", "mnist-ae", "-o", "forced", "-e", "2", "--seed", "5", "--force", "--device", "ref");
    wait_for(&p, "forced/checkpoint.safetensors", false); // the old one's
    wait_for_file(&p, "forced/recipe.yaml");
    kill(p.pid, SIGKILL);
    program_wait(&p);
    expect_code(&p, 128 + SIGKILL);
    program_free(&p);
    run_well("train", "--resume", "-o", "forced", "-q");
    run_well("train", "mnist-ae", "-o", "fresh", "-e", "2", "--seed", "5", "-q");
    assert_same_bytes("forced/model.safetensors", "fresh/model.safetensors");
}

/* ---- a folder that is renamed, or taken away, while a run trains in it ---- */

static void test_renamed_folder(void **state) {
    (void)state;
    program p = elbo_start("train", "mnist-ae", "-o", "here", "-e", "100000", "-q");
    wait_for_file(&p, "here/checkpoint.safetensors");
    char *from = in_scratch("here"), *to = in_scratch("elsewhere");
    assert_int_equal(rename(from, to), 0);
    program_wait(&p);
    expect_refusal(&p, 1, WORDS("here/", "no such folder"));
    assert_false(elbo_folder_exists(from));
    assert_int_equal(count_temporaries("elsewhere"), 0);
    run_well("eval", "elsewhere"); // whole, as it was when it went
    double epochs, images_done;
    read_position("elsewhere/checkpoint.safetensors", &epochs, &images_done);
    char more[20];
    snprintf(more, sizeof more, "%d", (int)epochs + 1);
    run_well("train", "--resume", "-o", "elsewhere", "-e", more, "-q");
    free(from);
    free(to);
}

/* ---- twice ---- */

static void test_twice(void **state) {
    (void)state;
    run_well("train", "mnist-ae", "-o", "once", "-e", "2", "-q");
    copy_run("once", "kept");
    refused(1, WORDS("once", "--resume", "--force", "-o"), "train", "mnist-ae", "-o", "once", "-e", "2");
    assert_same_bytes("once/model.safetensors", "kept/model.safetensors");
    run_well("train", "mnist-ae", "-o", "once", "-e", "1", "--force", "-q");
    assert_int_equal(count_lines("once/log.jsonl"), 1);
}

static void test_two_at_a_time(void **state) {
    (void)state;
    program p = elbo_start("train", "mnist-ae", "-o", "busy", "-e", "100000", "-q");
    wait_for_file(&p, "busy/recipe.yaml");
    program other = elbo_start("train", "--resume", "-o", "busy");
    // its two streams go to the same files as the first one's: which says nothing
    program_wait(&other);
    expect_refusal(&other, 1, WORDS("busy", "another elbo process is training in it"));
    kill(p.pid, SIGINT);
    program_wait(&p);
    expect_code(&p, 130);
    program_free(&p);
}

static void test_resume(void **state) {
    (void)state;
    refused(1, WORDS("nothing", "is not a run to resume", "--resume"), "train", "--resume", "-o", "nothing");
    run_well("train", "mnist-ae", "-o", "done", "-e", "2", "-q");
    copy_run("done", "kept2");
    program p = elbo("train", "--resume", "-o", "done");
    expect_code(&p, 0);
    assert_string_equal(p.err, "");
    assert_non_null(strstr(p.out, "done: already finished: test loss "));
    assert_non_null(strstr(p.out, "after 2 epochs"));
    assert_ptr_equal(strchr(p.out, '\n'), p.out + strlen(p.out) - 1);
    program_free(&p);
    assert_same_bytes("done/checkpoint.safetensors", "kept2/checkpoint.safetensors");
    refused(1, WORDS("done", "epoch 2", "train.epochs=1"), "train", "--resume", "-o", "done", "-e", "1");
    assert_same_bytes("done/recipe.yaml", "kept2/recipe.yaml");
    refused(1, WORDS("train.lr=1", "train.epochs"), "train", "--resume", "-o", "done", "--set", "train.lr=1");
    refused(1, WORDS("done", "mnist-ae", "mnist-vae"), "train", "mnist-vae", "--resume", "-o", "done");
    run_well("train", "mnist-ae", "--resume", "-o", "done", "--epochs", "3", "-q");
    run_well("train", "mnist-ae", "-o", "three", "--epochs", "3", "-q");
    assert_same_bytes("done/model.safetensors", "three/model.safetensors");
    assert_same_bytes("done/recipe.yaml", "three/recipe.yaml");
    // other data are not what it was trained on
    write_data("fewer", 500, 60);
    refused(1, WORDS("done", "600 images", "fewer", "500"), "train", "--resume", "-o", "done", "-e", "4", "--data",
            "fewer");
    assert_same_bytes("done/recipe.yaml", "three/recipe.yaml");
}

/* A checkpoint as early versions wrote it: without the images' fingerprint. */
static void take_fingerprint_away(const char *name) {
    char *path = in_scratch(name);
    elbo_safetensors file;
    elbo_error err;
    if (elbo_safetensors_open(&file, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_non_null(elbo_safetensors_metadata(&file, "elbo_images_fingerprint"));
    elbo_st_pair version = {"elbo_version", elbo_safetensors_metadata(&file, "elbo_version")};
    if (elbo_safetensors_write(path, file.tensors, file.count, &version, 1, &err) != ELBO_OK)
        fail_msg("%s", err.message);
    elbo_safetensors_close(&file);
    free(path);
}

/* The data that a run continues with are those it began with, to the last byte. */
static void test_resume_with_changed_images(void **state) {
    (void)state;
#define IMAGES "changed/train-images-idx3-ubyte"
#define RESUME "train", "--resume", "-o", "on-changed", "-q", "-e"
    write_data("changed", 600, 60);
    run_well("train", "mnist-ae", "-o", "on-changed", "-e", "1", "-q", "--data", "changed");
    size_t n, middle = 28 * 14 + 14;
    uint8_t *images = bytes_of(IMAGES, &n);
    for (size_t at = 16; at < n; at = at == 16 ? n - 1 : n) { // the first image's first pixel, the last one's last
        images[at] ^= 1;
        scratch_write(&here, IMAGES, images, n);
        refused(1, WORDS("on-changed", "other images", "though as many"), RESUME, "2");
        images[at] ^= 1;
    }
    scratch_write(&here, IMAGES, images, n);
    run_well(RESUME, "2");
    // an early checkpoint looks at the middle of each image
    take_fingerprint_away("on-changed/checkpoint.safetensors");
    images[16 + middle] ^= 1;
    scratch_write(&here, IMAGES, images, n);
    refused(1, WORDS("on-changed", "other images"), RESUME, "3");
    images[16 + middle] ^= 1;
    scratch_write(&here, IMAGES, images, n);
    run_well(RESUME, "3");
    images[16] ^= 1; // and the one after it at all
    scratch_write(&here, IMAGES, images, n);
    refused(1, WORDS("on-changed", "other images"), RESUME, "4");
    free(images);
}

static void test_interrupted_demo(void **state) {
    (void)state;
    program p = elbo_start("demo", "-o", "demo", "-e", "100000");
    wait_for_file(&p, "demo/mnist-ae/checkpoint.safetensors");
    kill(p.pid, SIGINT);
    program_wait(&p);
    expect_code(&p, 130);
    assert_non_null(strstr(p.err, "elbo train --resume -o demo/mnist-ae"));
    program_free(&p);
    run_well("eval", "demo/mnist-ae");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupt_in_an_epoch),
        cmocka_unit_test(test_interrupt_between_epochs),
        cmocka_unit_test(test_hangup_and_ignored_signals),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_kill_after_force),
        cmocka_unit_test(test_renamed_folder),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_two_at_a_time),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_with_changed_images),
        cmocka_unit_test(test_interrupted_demo),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
