/* Damaged, lying and unfitting input: one clear line, exit status 1, and nothing left behind. */
#include "program.h"

#include <sys/stat.h>

#include "formats/npy.h"
#include "render/render.h"

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

#define TRAIN_IMAGES "train-images-idx3-ubyte"
#define TRAIN_LABELS "train-labels-idx1-ubyte"

/* `folder` anew with the good data, and in it FILE without its last `cut` bytes and with `value` at byte `at`. */
static void spoil_data(const char *folder, const char *file, size_t cut, size_t at, uint32_t value) {
    write_data(folder, 100, 20);
    char name[100];
    snprintf(name, sizeof name, "%s/%s", folder, file);
    size_t n;
    uint8_t *bytes = bytes_of(name, &n);
    if (value) put_big_endian(bytes + at, value);
    scratch_write(&here, name, bytes, n - cut);
    free(bytes);
}

static void test_idx(void **state) {
    (void)state;
#define TRAIN_ON(folder) "train", "mnist-ae", "-o", "never", "-e", "1", "--data", folder
    spoil_data("cut", TRAIN_IMAGES, 1000, 0, 0);
    refused(1, WORDS("cut/" TRAIN_IMAGES, "100 x 28 x 28", "77400 bytes", "truncated"), TRAIN_ON("cut"));
    spoil_data("long", TRAIN_IMAGES, 0, 4, 99);
    refused(1, WORDS("long/" TRAIN_IMAGES, "99 x 28 x 28", "78400 bytes"), TRAIN_ON("long"));
    spoil_data("huge", TRAIN_IMAGES, 0, 4, 0xffffffff);
    refused(1, WORDS("huge/" TRAIN_IMAGES, "4294967295 x 28 x 28"), TRAIN_ON("huge"));
    spoil_data("wide", TRAIN_IMAGES, 0, 12, 0x7fffffff);
    refused(1, WORDS("wide/" TRAIN_IMAGES, "28 x 2147483647", "4096"), TRAIN_ON("wide"));
    spoil_data("magic", TRAIN_IMAGES, 0, 0, 0x50532d31);
    refused(1, WORDS("magic/" TRAIN_IMAGES, "0x50532d31", "0x00000803"), TRAIN_ON("magic"));
    spoil_data("swapped", TRAIN_LABELS, 0, 0, 0x803);
    refused(1, WORDS("swapped/" TRAIN_LABELS, "0x00000803", "images", "0x00000801"), TRAIN_ON("swapped"));
    spoil_data("labels", TRAIN_LABELS, 1, 4, 99);
    refused(1, WORDS("labels/" TRAIN_LABELS, "99 labels", "100 images"), TRAIN_ON("labels"));
    spoil_data("tiny", TRAIN_IMAGES, 78400 + 14, 0, 0);
    refused(1, WORDS("tiny/" TRAIN_IMAGES, "2 bytes"), TRAIN_ON("tiny"));
    spoil_data("nolabel", TRAIN_LABELS, 0, 0, 0);
    char *path = in_scratch("nolabel/" TRAIN_LABELS);
    assert_int_equal(remove(path), 0);
    free(path);
    refused(1, WORDS("nolabel", "lacks " TRAIN_LABELS), TRAIN_ON("nolabel"));
    spoil_data("half", TRAIN_LABELS, 0, 0, 0);
    path = in_scratch("half/t10k-images-idx3-ubyte");
    assert_int_equal(remove(path), 0);
    free(path);
    refused(1, WORDS("half", "lacks t10k-images-idx3-ubyte"), TRAIN_ON("half"));
    write_data("empty", 2, 2);
    path = in_scratch("empty");
    for (int i = 0; i < 4; i++) {
        static const char *const files[] = {TRAIN_IMAGES, TRAIN_LABELS, "t10k-images-idx3-ubyte",
                                            "t10k-labels-idx1-ubyte"};
        char *file = elbo_path_join(path, files[i]);
        remove(file);
        free(file);
    }
    free(path);
    refused(1, WORDS("empty", TRAIN_IMAGES), TRAIN_ON("empty"));
    refused(1, WORDS("/no/such/place"), TRAIN_ON("/no/such/place"));
    assert_false(there("never/recipe.yaml"));
    path = in_scratch("never");
    assert_false(elbo_folder_exists(path)); // nothing is made for a run that cannot begin
    free(path);
}

/* ---- recipes ---- */

static void write_text(const char *name, const char *yaml) { scratch_write(&here, name, yaml, strlen(yaml)); }

#define RECIPE(encoder, decoder, rest)                                                                                 \
    "kind: ae\ndata: mnist\nlatent: 4\nencoder: " encoder "\ndecoder: " decoder "\n" rest

static void expect_bad_recipe(const char *yaml, const char *const *words) {
    write_text("bad.yaml", yaml);
    static const char *const ways[][9] = {{"plan", "bad.yaml", NULL},
                                          {"bench", "bad.yaml", "-n", "1", NULL},
                                          {"train", "bad.yaml", "-o", "never", "-e", "1", "--force", NULL}};
    for (int i = 0; i < 3; i++) {
        program p = program_run(ways[i]);
        expect_refusal(&p, 1, words);
    }
    assert_false(there("never/recipe.yaml"));
}

static void test_recipes(void **state) {
    (void)state;
    char *pipe = in_scratch("pipe.yaml"); // nobody writes to it: refused, not waited for
    assert_int_equal(mkfifo(pipe, 0600), 0);
    free(pipe);
    refused(1, WORDS("pipe.yaml", "is not a regular file"), "train", "pipe.yaml", "-o", "never");
    expect_bad_recipe(RECIPE("[flatten]", "[linear 784, sigmoid]", "trian: {epochs: 1}\n"),
                      WORDS("bad.yaml:6", "trian", "train"));
    expect_bad_recipe(RECIPE("[flatten, linaer 8]", "[linear 784, sigmoid]", ""),
                      WORDS("bad.yaml:4", "linaer", "linear"));
    expect_bad_recipe(RECIPE("[flatten]", "[linear 783, sigmoid]", ""), WORDS("bad.yaml", "783", "784"));
    expect_bad_recipe(RECIPE("[flatten]", "[linear 64, unflatten 3 5 5, flatten, linear 784, sigmoid]", ""),
                      WORDS("bad.yaml:5", "unflatten", "64", "75"));
    expect_bad_recipe(RECIPE("[flatten]", "[linear 784]", "loss: {reconstruction: bce}\n"),
                      WORDS("bad.yaml", "bce", "sigmoid"));
    expect_bad_recipe(RECIPE("[linear 10]", "[linear 784, sigmoid]", ""), WORDS("bad.yaml:4", "flatten"));
    expect_bad_recipe(RECIPE("[flatten]", "[linear -3, linear 784, sigmoid]", ""), WORDS("bad.yaml:5", "-3"));
    expect_bad_recipe("kind: ae\n\tdata: mnist\n", WORDS("bad.yaml:2"));
    expect_bad_recipe("", WORDS("bad.yaml"));
    expect_bad_recipe("\x7f"
                      "ELF\x01\x02",
                      WORDS("bad.yaml"));
    refused(1, WORDS("--set train.batch=0", "from 1 to 65536"), "plan", "mnist-ae", "--set", "train.batch=0");
    refused(1, WORDS("--set train.epoch", "train.epochs"), "plan", "mnist-ae", "--set", "train.epoch=3");
    refused(1, WORDS("--set nonsense"), "plan", "mnist-ae", "--set", "nonsense");
    refused(1, WORDS("nowhere.yaml"), "train", "nowhere.yaml");
    refused(1, WORDS("mnits-vae", "mnist-vae"), "train", "mnits-vae");
    refused(1, WORDS("vae", "is a run", "--resume"), "train", "vae");
    refused(1, WORDS("mnist", "folder"), "plan", "./mnist");
    refused(1, WORDS("device", "gpu", "cpu"), "train", "mnist-ae", "--device", "gpu", "-o", "never");
    refused(2, WORDS("--lr", "--set train.lr="), "train", "mnist-ae", "--lr", "0.1", "-o", "never");
    assert_false(there("never/recipe.yaml"));
}

static void test_divergence(void **state) {
    (void)state;
    program p = elbo("train", "mnist-ae", "-o", "diverged", "-e", "3", "--set", "train.lr=1e30", "-q");
    expect_refusal(&p, 1, WORDS("step", "not finite", "train.lr"));
    run_well("eval", "diverged"); // the last good weights
    assert_int_equal(count_temporaries("diverged"), 0);
}

/* ---- runs ---- */

static void spoil(const char *name, size_t at, const char *bytes, size_t n) {
    size_t size;
    uint8_t *file = bytes_of(name, &size);
    assert_true(at + n <= size);
    memcpy(file + at, bytes, n);
    scratch_write(&here, name, file, size);
    free(file);
}

/* Replaces a text in a file by one of the same length. */
static void replace(const char *name, const char *from, const char *to) {
    size_t size;
    uint8_t *file = bytes_of(name, &size);
    assert_int_equal(strlen(from), strlen(to));
    uint8_t *at = memmem(file, size, from, strlen(from));
    if (!at) fail_msg("%s does not hold %s", name, from);
    memcpy(at, to, strlen(to));
    scratch_write(&here, name, file, size);
    free(file);
}

static void cut(const char *name, size_t left) {
    char *path = in_scratch(name);
    assert_int_equal(truncate(path, (off_t)left), 0);
    free(path);
}

static void remove_file(const char *name) {
    char *path = in_scratch(name);
    assert_int_equal(remove(path), 0);
    free(path);
}

/* Every command that opens a run says the same line. */
static void expect_bad_run(const char *run, const char *const *words) {
    const char *const ways[][10] = {{"eval", run, NULL},
                                    {"encode", run, "test", "-o", "out.npy", NULL},
                                    {"decode", run, "z.npy", "-o", "out.npy", NULL},
                                    {"reconstruct", run, "-o", "out.png", NULL},
                                    {"sample", run, "-o", "out.png", NULL},
                                    {"interpolate", run, "-o", "out.png", NULL},
                                    {"project", run, "-o", "out.png", NULL},
                                    {"compare", run, "ae", "-o", "out.png", NULL},
                                    {"report", "ae", run, "-o", "out.html", NULL}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        program p = program_run(ways[i]);
        expect_refusal(&p, 1, words);
    }
    assert_false(there("out.npy") || there("out.png") || there("out.gp") || there("out.html"));
}

static void test_runs(void **state) {
    (void)state;
    char *folder = in_scratch("nothing");
    mkdir(folder, 0777);
    free(folder);
    expect_bad_run("nothing", WORDS("nothing", "is not a run folder", "model.safetensors", "elbo train"));
    expect_bad_run("nowhere", WORDS("nowhere", "is not a run folder"));
    expect_bad_run("mnist", WORDS("mnist", "is not a run folder"));
    expect_bad_run("vae/recipe.yaml", WORDS("vae/recipe.yaml", "is not a run folder"));
    copy_run("vae", "norecipe");
    remove_file("norecipe/recipe.yaml");
    expect_bad_run("norecipe", WORDS("norecipe", "recipe.yaml"));
    copy_run("vae", "version");
    replace("version/model.safetensors", "\"elbo_version\":\"2\"", "\"elbo_version\":\"3\"");
    expect_bad_run("version", WORDS("version/model.safetensors",
                                    "was written by a newer elbo (run format 3; this one reads 1 and 2)"));
    static const char *const no_number[] = {"0", "x", "-"};
    for (int i = 0; i < 3; i++) {
        char wrong[40], says[40];
        snprintf(wrong, sizeof wrong, "\"elbo_version\":\"%s\"", no_number[i]);
        snprintf(says, sizeof says, "elbo_version is `%s`", no_number[i]);
        copy_run("vae", "version");
        replace("version/model.safetensors", "\"elbo_version\":\"2\"", wrong);
        expect_bad_run("version", WORDS("version/model.safetensors", says));
    }
    copy_run("vae", "foreign");
    replace("foreign/model.safetensors", "\"elbo_version\"", "\"some_version\"");
    expect_bad_run("foreign", WORDS("foreign/model.safetensors", "not written by elbo"));
    copy_run("vae", "shape");
    replace("shape/model.safetensors", "\"1,28,28\"", "\"1,28,x8\"");
    expect_bad_run("shape", WORDS("shape/model.safetensors", "1,28,x8", "channels,height,width"));
    copy_run("vae", "size");
    replace("size/model.safetensors", "\"1,28,28\"", "\"1,14,14\"");
    expect_bad_run("size", WORDS("size/", "784", "196"));
    copy_run("vae", "shorter");
    cut("shorter/model.safetensors", 10000);
    expect_bad_run("shorter", WORDS("shorter/model.safetensors"));
    copy_run("vae", "stub");
    cut("stub/model.safetensors", 5);
    expect_bad_run("stub", WORDS("stub/model.safetensors"));
    copy_run("vae", "lying");
    spoil("lying/model.safetensors", 0, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
    expect_bad_run("lying", WORDS("lying/model.safetensors"));
    copy_run("vae", "nan");
    size_t n;
    free(bytes_of("nan/model.safetensors", &n));
    spoil("nan/model.safetensors", n - 4, "\0\0\xc0\x7f", 4);
    expect_bad_run("nan", WORDS("nan/model.safetensors", "finite"));
    copy_run("vae", "mixed");
    copy_file("ae/recipe.yaml", "mixed/recipe.yaml");
    expect_bad_run("mixed", WORDS("mixed/model.safetensors", "encoder.1.weight", "[400, 784]", "recipe", "[128, 784]"));
    copy_run("vae", "latent");
    replace("latent/recipe.yaml", "latent: 20", "latent: 21");
    expect_bad_run("latent", WORDS("latent/model.safetensors", "[20, 400]", "[21, 400]"));
    copy_run("vae", "typo");
    replace("typo/recipe.yaml", "\nencoder", "\nencodre");
    expect_bad_run("typo", WORDS("typo/recipe.yaml:", "encodre", "encoder"));
    copy_run("vae", "\xff");
    run_well("eval", "\xff");
    refused(1, WORDS("JSON", "UTF-8"), "eval", "\xff", "--json");
    copy_run("vae", "nolog");
    remove_file("nolog/log.jsonl");
    refused(1, WORDS("nolog/log.jsonl"), "compare", "nolog");
    copy_run("vae", "badlog");
    write_text("badlog/log.jsonl", "{\"epoch\": 1}\n");
    refused(1, WORDS("badlog/log.jsonl:1"), "compare", "badlog");
}

/* A checkpoint is only read by --resume; what is there is not touched by a refusal. */
static void expect_bad_resume(const char *run, const char *const *words) {
    char model[100], kept[100];
    snprintf(model, sizeof model, "%s/model.safetensors", run);
    snprintf(kept, sizeof kept, "%s/kept", run);
    copy_file(model, kept);
    program p = elbo("train", "--resume", "-o", run, "-e", "2");
    expect_refusal(&p, 1, words);
    assert_same_bytes(model, kept);
}

static void test_checkpoints(void **state) {
    (void)state;
    copy_run("vae", "c-cut");
    cut("c-cut/checkpoint.safetensors", 100000);
    expect_bad_resume("c-cut", WORDS("c-cut/checkpoint.safetensors"));
    copy_run("vae", "c-version");
    replace("c-version/checkpoint.safetensors", "\"elbo_version\":\"2\"", "\"elbo_version\":\"9\"");
    expect_bad_resume("c-version", WORDS("c-version/checkpoint.safetensors", "newer elbo", "format 9"));
    copy_run("vae", "c-sum");
    replace("c-sum/checkpoint.safetensors", "\"sum.kl\"", "\"sum.kx\"");
    expect_bad_resume("c-sum", WORDS("c-sum/checkpoint.safetensors", "`sum.kl` is missing"));
    copy_run("vae", "c-other");
    copy_file("ae/checkpoint.safetensors", "c-other/checkpoint.safetensors");
    expect_bad_resume("c-other", WORDS("c-other/checkpoint.safetensors"));
    copy_run("vae", "c-log");
    write_text("c-log/log.jsonl", "");
    expect_bad_resume("c-log", WORDS("c-log", "log.jsonl", "checkpoint"));
    // a position that lies: doubles stand first in the file
    size_t n;
    copy_run("vae", "c-position");
    uint8_t *file = bytes_of("c-position/checkpoint.safetensors", &n);
    uint64_t header;
    memcpy(&header, file, 8);
    free(file);
    double epochs = 1e300, half = 0.5;
    spoil("c-position/checkpoint.safetensors", 8 + header, (char *)&epochs, 8);
    expect_bad_resume("c-position", WORDS("c-position/checkpoint.safetensors", "position", "1e+300", "epochs"));
    spoil("c-position/checkpoint.safetensors", 8 + header, (char *)&half, 8);
    expect_bad_resume("c-position", WORDS("position", "0.5", "epochs"));
    // as many images as before, but one of them is another
    write_data("twin", 100, 20);
    run_well("train", "mnist-ae", "-o", "c-twin", "-e", "1", "-q", "--data", "twin");
    spoil("twin/train-images-idx3-ubyte", 16 + 784 * 5 + 392, "\x7b", 1);
    expect_bad_resume("c-twin", WORDS("c-twin", "other images", "twin"));
}

/* ---- arrays and images ---- */

static void write_floats(const char *name, int dims, const size_t *shape, float value, float last) {
    size_t n = 1;
    for (int i = 0; i < dims; i++) n *= shape[i];
    float *v = malloc((n + 1) * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) v[i] = value;
    if (n) v[n - 1] = last;
    char *path = in_scratch(name);
    assert_int_equal(elbo_npy_write_f32(path, v, dims, shape, NULL), ELBO_OK);
    free(path);
    free(v);
}

#define SHAPE(...)                                                                                                     \
    (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)), (const size_t[]) { __VA_ARGS__ }
#define ENCODE(file) "encode", "vae", file, "-o", "out.npy"
#define DECODE(file) "decode", "vae", file, "-o", "out.npy"

/* "<f4" becomes another dtype of the same size. */
static void test_arrays(void **state) {
    (void)state;
    write_floats("i27.npy", SHAPE(3, 1, 27, 28), 0, 0);
    refused(1, WORDS("i27.npy", "(3, 1, 27, 28)", "(N, 1, 28, 28)", "(N, 784)"), ENCODE("i27.npy"));
    write_floats("i783.npy", SHAPE(3, 783), 0, 0);
    refused(1, WORDS("i783.npy", "(3, 783)", "(N, 784)"), ENCODE("i783.npy"));
    write_floats("i1.npy", SHAPE(784), 0, 0);
    refused(1, WORDS("i1.npy", "(784,)", "(N, 784)"), ENCODE("i1.npy"));
    write_floats("i0.npy", SHAPE(0, 784), 0, 0);
    refused(1, WORDS("i0.npy", "0 images"), ENCODE("i0.npy"));
    write_floats("t255.npy", SHAPE(40, 784), 0, 255); // bce of these has no lowest value
    refused(1, WORDS("t255.npy", "0 to 255", "bce needs floats from 0 to 1", "uint8", "loss.reconstruction=mse"),
            "train", "mnist-ae", "-o", "never", "--data", "t255.npy");
    assert_false(there("never"));
    refused(1, WORDS("t255.npy", "bce needs"), "eval", "ae", "--data", "t255.npy");
    write_floats("below.npy", SHAPE(40, 784), -0.01f, 1);
    refused(1, WORDS("below.npy", "from -0.01", "bce needs"), "train", "mnist-ae", "-o", "never", "--data",
            "below.npy");
    run_well("train", "mnist-ae", "-o", "any", "-e", "1", "-q", "--data", "below.npy", "--set",
             "loss.reconstruction=mse");
    write_floats("rounded.npy", SHAPE(40, 784), -1e-6f, 1.00001f);
    run_well("train", "mnist-ae", "-o", "any", "-e", "1", "-q", "--force", "--data", "rounded.npy");
    write_floats("i255.npy", SHAPE(2, 784), 0, 255);
    refused(1, WORDS("i255.npy", "0 to 255", "0 to 1", "uint8"), ENCODE("i255.npy"));
    write_floats("inan.npy", SHAPE(2, 784), 0, (float)NAN);
    refused(1, WORDS("inan.npy", "[1, 783]", "NaN"), ENCODE("inan.npy"));
    write_floats("int.npy", SHAPE(2, 784), 0, 0);
    replace("int.npy", "<f4", "<i4");
    refused(1, WORDS("int.npy", "int32", "float32", "uint8"), ENCODE("int.npy"));
    write_floats("half.npy", SHAPE(2, 784), 0, 0);
    replace("half.npy", "<f4", "<c8");
    refused(1, WORDS("half.npy", "<c8"), ENCODE("half.npy"));
    write_floats("short.npy", SHAPE(2, 784), 0, 0);
    cut("short.npy", 1000);
    refused(1, WORDS("short.npy", "6272 bytes", "872"), ENCODE("short.npy"));
    cut("short.npy", 50);
    refused(1, WORDS("short.npy", "header"), ENCODE("short.npy"));
    cut("short.npy", 3);
    refused(1, WORDS("short.npy", "not a .npy file"), ENCODE("short.npy"));
    refused(1, WORDS("missing.npy", "No such file"), ENCODE("missing.npy"));
    refused(1, WORDS("vae/recipe.yaml", ".npy", ".png"), ENCODE("vae/recipe.yaml"));
    refused(1, WORDS("ae", "no image files"), ENCODE("ae"));

    write_floats("z21.npy", SHAPE(3, 21), 0, 0);
    refused(1, WORDS("z21.npy", "(3, 21)", "(N, 20)"), DECODE("z21.npy"));
    write_floats("z0.npy", SHAPE(0, 20), 0, 0);
    refused(1, WORDS("z0.npy", "(0, 20)", "at least one"), DECODE("z0.npy"));
    refused(1, WORDS("z0.npy", "at least one"), "decode", "vae", "z0.npy", "-o", "out.png");
    write_floats("zinf.npy", SHAPE(3, 20), 0, (float)INFINITY);
    refused(1, WORDS("zinf.npy", "[2, 19]", "infinite"), DECODE("zinf.npy"));
    write_floats("zint.npy", SHAPE(3, 20), 0, 0);
    replace("zint.npy", "<f4", "<i4");
    refused(1, WORDS("zint.npy", "int32", "float32"), DECODE("zint.npy"));
    write_floats("eps.npy", SHAPE(7, 20), 0, 0);
    refused(1, WORDS("eps.npy", "(7, 20)", "(50, 20)"), "eval", "vae", "--noise", "eps.npy");
    assert_false(there("out.npy") || there("out.png"));
}

static void test_pictures(void **state) {
    (void)state;
    static uint8_t pixels[30 * 40];
    char *path = in_scratch("big.png");
    assert_int_equal(elbo_png_write(path, pixels, 40, 30, 1, NULL), ELBO_OK);
    free(path);
    cut("big.png", 40);
    refused(1, WORDS("big.png", "truncated"), ENCODE("big.png"));
    write_text("text.png", "this is no picture");
    refused(1, WORDS("text.png", "not a PNG"), ENCODE("text.png"));
    assert_false(there("out.npy"));
}

/* Data of another size than the run's. */
static void test_other_size(void **state) {
    (void)state;
    uint8_t *pixels = calloc(40, 14 * 14);
    char *path = in_scratch("small.npy");
    assert_int_equal(elbo_npy_write_u8(path, pixels, 3, (size_t[]){40, 14, 14}, NULL), ELBO_OK);
    free(path);
    free(pixels);
    refused(1, WORDS("small.npy", "1x14x14", "vae", "1x28x28"), "eval", "vae", "--data", "small.npy");
    refused(1, WORDS("small.npy", "1x14x14"), "encode", "vae", "test", "-o", "out.npy", "--data", "small.npy");
    refused(1, WORDS("small.npy", "1x14x14"), "report", "vae", "--data", "small.npy", "-o", "out.html");
    refused(1, WORDS("1x14x14", "784", "196"), "train", "mnist-ae", "--data", "small.npy", "-o", "never");
    write_text("small.yaml", RECIPE("[flatten]", "[linear 196, sigmoid]", "train: {epochs: 1}\n"));
    run_well("train", "small.yaml", "--data", "small.npy", "-o", "small", "-q");
    refused(1, WORDS("small", "1x14x14", "1x28x28"), "compare", "vae", "small", "-o", "out.png");
    refused(1, WORDS("small", "1x14x14", "1x28x28"), "reconstruct", "vae", "small", "-o", "out.png");
    refused(1, WORDS("small.npy", "1x14x14", "1x28x28"), "demo", "--data", "small.npy", "-o", "never");
    assert_false(there("out.npy") || there("out.html") || there("out.png") || there("never/recipe.yaml"));
}

static void test_downloads(void **state) {
    (void)state;
    refused(1, WORDS("mnits", "mnist"), "data", "fetch", "mnits");
    refused(1, WORDS("digits"), "data", "fetch", "digits");
    refused(1, WORDS("train-images", "http://127.0.0.1:1/x"), "data", "fetch", "fashion-mnist", "--mirror",
            "http://127.0.0.1:1/x");
}

/* Text from outside may hold what a terminal obeys. program_wait fails where any of it comes through; here it is seen
 * to be shown. */
#define RED "\x1b[31m"
#define SHOWN_RED "\\x1b[31m"
static void test_control_characters(void **state) {
    (void)state;
    char header[128] = "\x93NUMPY\x01\x00v\0";
    memset(header + 10, ' ', sizeof header - 10);
    int n = sprintf(header + 10, "{'descr': '" RED "', 'fortran_order': False, 'shape': (1, 28, 28), }");
    header[10 + n] = ' ';
    header[127] = '\n';
    scratch_write(&here, "red.npy", header, sizeof header);
    refused(1, WORDS("red.npy", SHOWN_RED), "pca", "red.npy", "-o", "never.npy");
    refused(1, WORDS("red.npy", SHOWN_RED), "train", "mnist-ae", "-o", "never", "--data", "red.npy");
    static const char *const recipes[] = {
        "kind: \"\\e[31m\"\nlatent: 2\n",
        "kind: ae\nlatent: \"\\e[31m\"\n",
        "kind: ae\n\"\\e[31m\": 2\n",
        "kind: ae\ndata: \"\\e[31m\"\nlatent: 2\nencoder: [flatten]\ndecoder: [linear 784]\n",
        "kind: ae\ndata: mnist\nlatent: 2\nencoder: [flatten, \"\\e[31m 3\"]\ndecoder: [linear 784]\n",
        "kind: ae\ndata: mnist\nlatent: 2\nencoder: [flatten, \"linear \\e[31m\"]\ndecoder: [linear 784]\n",
    };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        scratch_write(&here, "red.yaml", recipes[i], strlen(recipes[i]));
        refused(1, WORDS(SHOWN_RED), "plan", "red.yaml");
    }
    refused(1, WORDS(SHOWN_RED), "plan", "mnist-ae", "--set", "train.lr=\"\\e[31m\"");
    refused(2, WORDS(SHOWN_RED), RED);
    refused(2, WORDS(SHOWN_RED), "eval", "--" RED, "ae");
    refused(1, WORDS(SHOWN_RED), "eval", RED);
    refused(1, WORDS(SHOWN_RED, "\\n"), "eval", "a\n" RED);
    refused(1, WORDS(SHOWN_RED), "arithmetic", "vae", "test:1 + \"" RED "\"");
    // what a run's files say
    size_t size;
    copy_run("ae", "red");
    uint8_t *bytes = bytes_of("red/model.safetensors", &size);
    uint8_t *name = memmem(bytes, size, "mnist-ae", 8);
    assert_non_null(name);
    memcpy(name, "\\u001b[m", 8);
    scratch_write(&here, "red/model.safetensors", bytes, size);
    free(bytes);
    refused(1, WORDS("\\x1b[m"), "train", "mnist-vae", "--resume", "-o", "red");
    run_well("eval", "red");
    run_well("report", "red");
    // tables, and a folder's name
    copy_run("ae", "ae" RED "\n\x7f");
    program p = elbo("compare", "ae", "ae" RED "\n\x7f");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "ae" SHOWN_RED "\\n\\x7f "));
    program_free(&p);
    p = elbo("eval", "ae" RED "\n\x7f", "--json");
    json_decref(expect_json(&p));
    run_well("report", "ae" RED "\n\x7f");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_idx),
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_other_size),
        cmocka_unit_test(test_downloads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
