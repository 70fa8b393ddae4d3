/* A world that is not as it should be: full disks, folders that cannot be written, no gnuplot, no stdout. What was good
 * before still stands, and the program says what is wrong. */
#include "program.h"

#include <sched.h>
#include <sys/mount.h>

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", 200, 50);
    run_well("train", "mnist-ae", "-o", "good", "-e", "1", "-q");
    run_well("train", "mnist-ae", "-o", "three", "-e", "3", "-q");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char *disk = in_scratch("disk");
    umount2(disk, MNT_DETACH); // (left by a failure)
    free(disk);
    scratch_remove(&here);
    return 0;
}

/* refused_with(the world's line, said, arguments...) */
#define refused_with(line, said, ...)                                                                                  \
    do {                                                                                                               \
        line;                                                                                                          \
        refused(1, said, __VA_ARGS__);                                                                                 \
    } while (0)
#define LIMIT(bytes) world.largest_file = (bytes)

enum { KIB = 1 << 10 };

/* ---- no room ---- */

/* mnist-ae's model takes 840 kB, its checkpoint three times that. */
static void test_no_room_for_training(void **state) {
    (void)state;
    refused_with(LIMIT(100 * KIB), WORDS("fresh/model.safetensors", "cannot be written", "File too large"), "train",
                 "mnist-ae", "-o", "fresh", "-e", "3");
    assert_false(there("fresh/recipe.yaml") || there("fresh/model.safetensors")); // no run: nothing to go on with
    run_well("train", "mnist-ae", "-o", "fresh", "-e", "3", "-q");
    assert_same_bytes("fresh/model.safetensors", "three/model.safetensors");

    world.largest_file = 1500 * KIB; // enough for the model
    program p = elbo("train", "mnist-ae", "-o", "half", "-e", "3", "-q");
    expect_refusal(&p, 1, WORDS("half/checkpoint.safetensors", "File too large"));
    assert_int_equal(count_temporaries("half"), 0);
    run_well("eval", "half");
    run_well("train", "--resume", "-o", "half", "-q");
    assert_same_bytes("half/model.safetensors", "three/model.safetensors");
}

static void test_no_room_to_go_on(void **state) {
    (void)state;
    static const struct {
        rlim_t limit;
        const char *file;
    } rooms[] = {{100, "recipe.yaml"},
                 {500, "log.jsonl"},
                 {100 * KIB, "model.safetensors"},
                 {1500 * KIB, "checkpoint.safetensors"}};
    copy_run("good", "resumed");
    for (int i = 0; i < 4; i++) {
        char file[100];
        snprintf(file, sizeof file, "resumed/%s", rooms[i].file);
        refused_with(LIMIT(rooms[i].limit), WORDS(file, "cannot be written"), "train", "--resume", "-o", "resumed",
                     "-e", "3", "-q");
        assert_int_equal(count_temporaries("resumed"), 0);
        assert_same_bytes("resumed/checkpoint.safetensors", "good/checkpoint.safetensors");
        run_well("eval", "resumed");
    }
    run_well("train", "--resume", "-o", "resumed", "-e", "3", "-q");
    assert_same_bytes("resumed/model.safetensors", "three/model.safetensors");
}

static void test_no_room_for_results(void **state) {
    (void)state;
    run_well("encode", "good", "test", "-o", "z.npy");
    run_well("decode", "good", "z.npy", "-o", "images.png");
    run_well("reconstruct", "good", "-o", "out/figure.png");
    run_well("compare", "good", "three", "-o", "out/loss.png");
    run_well("report", "good", "-o", "page.html");
    static const char *const files[][2] = {{"z.npy", "z.kept"},
                                           {"images.png", "images.kept"},
                                           {"out/figure.png", "figure.kept"},
                                           {"out/loss.png", "loss.kept"},
                                           {"page.html", "page.kept"}};
    for (int i = 0; i < 5; i++) copy_file(files[i][0], files[i][1]);
    refused_with(LIMIT(1000), WORDS("z.npy", "cannot be written"), "encode", "good", "train", "-o", "z.npy");
    refused_with(LIMIT(1000), WORDS("images.png", "cannot be written", "File too large"), "decode", "good", "z.npy",
                 "-o", "images.png");
    refused_with(LIMIT(100), WORDS("out/figure", "File too large"), "reconstruct", "good", "-n", "3", "-o",
                 "out/figure.png");
    refused_with(LIMIT(5 * KIB), WORDS("out/figure"), "reconstruct", "good", "-n", "3", "-o", "out/figure.png");
    refused_with(LIMIT(100), WORDS("out/loss"), "compare", "good", "-o", "out/loss.png");
    refused_with(LIMIT(5 * KIB), WORDS("out/loss"), "compare", "good", "-o", "out/loss.png");
    refused_with(LIMIT(5 * KIB), WORDS("good/figures/"), "report", "good", "-o", "page.html");
    refused_with(LIMIT(1000), WORDS("digits/x.npy", "no such folder"), "decode", "good", "z.npy", "-o", "digits/x.npy");
    for (int i = 0; i < 5; i++) assert_same_bytes(files[i][0], files[i][1]);
    assert_int_equal(count_temporaries(".") + count_temporaries("out") + count_temporaries("good/figures"), 0);
}

/* ---- no permission ---- */

static void test_no_folder(void **state) {
    (void)state;
    refused(1, WORDS("/proc/elbo", "cannot be created"), "train", "mnist-ae", "-e", "1", "-o", "/proc/elbo/run", "-q");
    refused(1, WORDS("/proc/z.npy", "cannot be written", "No such file"), "encode", "good", "test", "-o",
            "/proc/z.npy");
    refused(1, WORDS("/proc/elbo", "cannot be created"), "decode", "good", "z.npy", "-o", "/proc/elbo");
    refused(1, WORDS("/proc/elbo"), "reconstruct", "good", "-o", "/proc/elbo/x.png");
    refused(1, WORDS("nowhere/z.npy", "no such folder"), "encode", "good", "test", "-o", "nowhere/z.npy");
    scratch_write(&here, "file", "", 0);
    refused(1, WORDS("file: the folder cannot be created", "a file has its name"), "train", "mnist-ae", "-e", "1", "-o",
            "file", "-q");
    refused(1, WORDS("file", "a file has its name"), "train", "mnist-ae", "-e", "1", "-o", "file/run", "-q");
    refused(2, WORDS("three", "folder"), "encode", "good", "test", "-o", "three");
}

/* A device is not replaced by a file, which root could; a link stays one. */
static void test_special_files(void **state) {
    (void)state;
    struct stat st;
    refused(2, WORDS("/dev/null", ".npy or .csv"), "encode", "good", "test", "-o", "/dev/null");
    assert_true(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    scratch_write(&here, "real.npy", "old", 3);
    char *link = in_scratch("link.npy"), *loose = in_scratch("loose.npy");
    assert_int_equal(symlink("real.npy", link), 0);
    assert_int_equal(symlink("made/by/nobody.npy", loose), 0);
    run_well("encode", "good", "test", "-o", "link.npy");
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    run_well("encode", "good", "test", "-o", "plain.npy");
    assert_same_bytes("real.npy", "plain.npy");
    run_well("encode", "good", "test", "-o", "loose.npy"); // nothing to lose
    free(link);
    free(loose);
}

/* ---- no gnuplot ---- */

static void test_no_gnuplot(void **state) {
    (void)state;
    run_well("reconstruct", "good");
    copy_file("good/figures/reconstructions.png", "before.png");
    static const char *const ways[][8] = {{"reconstruct", "good", "-n", "2", NULL},
                                          {"compare", "good", NULL},
                                          {"project", "good", NULL},
                                          {"interpolate", "good", NULL},
                                          {"report", "good", NULL},
                                          {"demo", "-o", "demo", "-e", "100000", NULL}};
    for (int i = 0; i < 6; i++) {
        world.path = "/nowhere";
        program p = program_run(ways[i]);
        expect_refusal(&p, 1, WORDS("gnuplot is not installed", "install it"));
    }
    assert_same_bytes("good/figures/reconstructions.png", "before.png");
    assert_int_equal(count_temporaries("good/figures"), 0);
    assert_false(there("demo/mnist-ae/recipe.yaml")); // said before the training, not after it
}

/* ---- no stdout ---- */

static void test_full_stdout(void **state) {
    (void)state;
    static const char *const ways[][8] = {{"eval", "good", "--json", NULL},
                                          {"eval", "good", NULL},
                                          {"recipes", NULL},
                                          {"data", "list", NULL},
                                          {"plan", "mnist-ae", NULL},
                                          {"--version", NULL},
                                          {"help", NULL},
                                          {"train", "--help", NULL},
                                          {"encode", "good", "test", "-o", "full.npy", NULL}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        for (int closed = 0; closed <= 1; closed++) {
            world.stdout_file = closed ? "-" : "/dev/full";
            program p = program_run(ways[i]);
            expect_refusal(&p, 1, WORDS("stdout", "cannot be written"));
        }
    run_well("encode", "good", "test", "-o", "plain.npy");
    assert_same_bytes("full.npy", "plain.npy"); // nothing that was to be printed went into it
}

/* ---- a disk of our own ---- */

static void write_proc(const char *name, const char *what) {
    FILE *f = fopen(name, "w");
    if (!f) return;
    fputs(what, f);
    fclose(f);
}

/* As root, or as root of a namespace of our own. */
static bool mount_small_disk(const char *path, const char *size) {
    mkdir(path, 0777);
    if (mount("tmpfs", path, "tmpfs", 0, size) == 0) return true;
    char uids[40], gids[40];
    snprintf(uids, sizeof uids, "0 %d 1", (int)getuid());
    snprintf(gids, sizeof gids, "0 %d 1", (int)getgid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    write_proc("/proc/self/setgroups", "deny");
    write_proc("/proc/self/uid_map", uids);
    write_proc("/proc/self/gid_map", gids);
    return mount("tmpfs", path, "tmpfs", 0, size) == 0;
}

/* The last test: it may leave this process in a namespace of its own. */
static void test_full_and_read_only_disk(void **state) {
    (void)state;
    char *disk = in_scratch("disk");
    if (!mount_small_disk(disk, "size=2000k")) {
        free(disk);
        skip();
    }
    refused(1, WORDS("disk/run/checkpoint.safetensors", "No space left on device"), "train", "mnist-ae", "-o",
            "disk/run", "-e", "1", "-q");
    assert_int_equal(count_temporaries("disk/run"), 0);
    run_well("eval", "disk/run");
    static const char filler[1100 * KIB];
    scratch_write(&here, "disk/filler", filler, sizeof filler);
    refused(1, WORDS("disk/x.npy", "No space left"), "decode", "good", "z.npy", "-o", "disk/x.npy");
    assert_int_equal(count_temporaries("disk"), 0);
    assert_int_equal(mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    run_well("eval", "disk/run");
    refused(1, WORDS("disk/run/", "Read-only file system"), "train", "--resume", "-o", "disk/run", "-q");
    refused(1, WORDS("disk/run", "Read-only file system"), "train", "mnist-ae", "-o", "disk/run", "--force", "-q");
    refused(1, WORDS("disk/run/figures", "Read-only file system"), "reconstruct", "disk/run");
    refused(1, WORDS("disk/new", "Read-only file system"), "train", "mnist-ae", "-o", "disk/new", "-q");
    run_well("eval", "disk/run");
    assert_int_equal(umount(disk), 0);
    free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room_for_training), cmocka_unit_test(test_no_room_to_go_on),
        cmocka_unit_test(test_no_room_for_results),  cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_special_files),        cmocka_unit_test(test_no_gnuplot),
        cmocka_unit_test(test_full_stdout),          cmocka_unit_test(test_full_and_read_only_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
