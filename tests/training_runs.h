/* Training runs in a folder of their own, on a few of the built-in digits, and what they left there. */
#ifndef ELBO_TESTS_TRAINING_RUNS_H
#define ELBO_TESTS_TRAINING_RUNS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/file.h"
#include "close.h"
#include "engine.h"
#include "formats/safetensors.h"
#include "run/run_folder.h"
#include "scratch.h"

static scratch folder;
static elbo_dataset digits; // 500 to train on: eight batches of 64, the last of them short; 100 to test
enum { TRAIN_IMAGES = 500, TEST_IMAGES = 100 };

typedef struct experiment {
    const char *recipe;  // a built-in's name, or YAML
    const char *sets[6]; // ended by NULL
} experiment;

static const char dropout_recipe[] = "kind: vae\nlatent: 4\n"
                                     "encoder: [flatten, dropout p=0.1, linear 64, leaky_relu, dropout p=0.3]\n"
                                     "decoder: [linear 64, tanh, dropout, linear 784, sigmoid]\n"
                                     "loss: {kl: {weight: 2, warmup: 1.5}}\n"
                                     "train: {epochs: 2, batch: 64, lr: 0.002, seed: 5}\n";

/* Every op that the others lack; tests/golden/everything.yaml for larger images. */
static const char everything_recipe[] =
    "kind: vae\nlatent: 3\n"
    "encoder: [conv2d 9 kernel=3 padding=1 stride=2 bias=false, batch_norm2d, relu, save a, conv2d 9 kernel=3 padding=2 "
    "dilation=2, batch_norm2d momentum=0.3, add a, relu, avg_pool2d kernel=2, save b, conv2d 5 kernel=3 padding=1, "
    "leaky_relu, concat b, layer_norm, max_pool2d kernel=3 stride=2 padding=1, flatten, linear 12, batch_norm1d, tanh]\n"
    "decoder: [linear 441, dropout p=0.1, unflatten 9 7 7, upsample mode=bilinear, save c, conv2d 9 kernel=3 padding=1, "
    "add c, relu, conv_transpose2d 3 kernel=3 stride=2 padding=1 output_padding=1, layer_norm, upsample, avg_pool2d "
    "kernel=2, conv2d 1 kernel=1, sigmoid]\n"
    "train: {epochs: 2, batch: 77, lr: 0.002, clip: 100}\n";

static const char attention_recipe[] =
    "kind: vae\nlatent: 3\n"
    "encoder: [conv2d 16 kernel=4 stride=4, group_norm 4, silu, save a, self_attention heads=4, add a, gelu, conv2d 9 "
    "kernel=3 stride=2 padding=1, self_attention]\n"
    "decoder: [linear 196, gelu approximate=tanh, unflatten 4 7 7, self_attention heads=2, silu, upsample 4, conv2d 1 "
    "kernel=3 padding=1, sigmoid]\n"
    "train: {epochs: 1, batch: 77, lr: 0.002}\n";

/* Adversaries of codes and of images, with what of each step must be the same in both players'. */
static const char aae_recipe[] =
    "kind: ae\nlatent: 4\nencoder: [flatten, linear 64, batch_norm1d, relu, dropout p=0.2]\n"
    "decoder: [linear 64, relu, linear 784, sigmoid]\n"
    "train: {epochs: 2, batch: 77, lr: 0.002, clip: 1, ema: 0.9}\n"
    "adversary: {on: code, layers: [linear 32, layer_norm, relu, dropout p=0.1, linear 1], weight: 10}\n";
static const char gan_recipe[] =
    "kind: vae\nlatent: 3\nencoder: [conv2d 9 kernel=3 stride=2 padding=1, batch_norm2d, relu, flatten]\n"
    "decoder: [linear 441, unflatten 9 7 7, upsample 4, conv2d 1 kernel=3 padding=1, sigmoid]\n"
    "corrupt: [noise 0.1]\nimage: {binary: dynamic}\ntrain: {epochs: 2, batch: 64}\n"
    "adversary: {on: image, layers: [conv2d 9 kernel=4 stride=4, group_norm 3, silu, flatten, linear 1], weight: 3}\n";
static const char factor_recipe[] =
    "kind: vae\nlatent: 5\nencoder: [flatten, concat class, linear 32, relu]\n"
    "decoder: [concat class, linear 64, relu, linear 784, sigmoid]\nlabels: 10\n"
    "train: {epochs: 2, batch: 64, optimizer: sgd, lr: 0.001, momentum: 0.9}\n"
    "adversary: {on: code, against: shuffled, layers: [linear 32, leaky_relu, linear 1], weight: 6, lr: 0.01}\n";

static const experiment experiments[] = {
    {aae_recipe, {NULL}},
    {gan_recipe, {NULL}},
    {factor_recipe, {NULL}},
    {"mnist-ae", {"train.batch=64", "train.epochs=2"}},
    {"mnist-ae-2d", {"train.batch=64", "train.epochs=2"}},
    {"mnist-vae", {"train.batch=64", "train.epochs=2"}},
    {"mnist-vae-2d", {"train.batch=64", "train.epochs=2"}},
    {"fashion-vae", {"train.batch=100", "train.epochs=1"}},
    {"mnist-vae-2d", {"train.batch=64", "train.epochs=2", "train.clip=5", "train.schedule=cosine"}},
    {"mnist-vae-2d",
     {"train.batch=100", "train.epochs=2", "train.optimizer=sgd", "train.momentum=0.9", "train.lr=0.0001"}},
    {"mnist-ae-2d",
     {"train.batch=77", "train.epochs=2", "train.optimizer=adamw", "train.weight_decay=0.1", "loss.reconstruction=l1"}},
    {dropout_recipe, {NULL}},
    {everything_recipe, {NULL}},
    {"mnist-vae-2d", {"train.batch=64", "train.epochs=2", "loss.reconstruction=gaussian", "loss.scale=mean"}},
    {"mnist-vae-2d", {"train.batch=100", "train.epochs=2", "loss.reconstruction=logistic", "train.clip=5"}},
    {"mnist-vae-2d", {"train.batch=77", "train.epochs=1", "loss.reconstruction=cb"}},
    {"mnist-vae-2d",
     {"train.batch=64", "train.epochs=3", "train.ema=0.9", "train.validation=0.1", "train.keep=best",
      "train.patience=2"}},
    {everything_recipe, {"train.ema=0.99", "train.validation=0.2", "train.keep=best"}},
    {attention_recipe, {NULL}},
    {"mnist-conv-vae", {"train.batch=64", "train.epochs=1", "latent=16"}},
    {"mnist-vae-2d", {"train.batch=100", "train.epochs=2", "loss.kl={mi: 2, tc: 4, free: 0.4}", "loss.mmd=5"}},
    {"mnist-vae-2d", {"train.batch=77", "train.epochs=2", "loss.kl={capacity: 5, over: 2}", "loss.penalty=0.1"}},
    {"mnist-ae-2d", {"train.batch=150", "train.epochs=2", "loss.mmd={weight: 10, kernel: rbf}", "loss.penalty=0.1"}},
    {"mnist-vae-2d", {"train.batch=77", "train.epochs=2", "prior=mixture 5", "loss.samples=2", "loss.kl={warmup: 1}"}},
    {"mnist-cvae", {"train.batch=64", "train.epochs=2", "image.binary=dynamic"}},
    {"mnist-ae-2d", {"train.batch=77", "train.epochs=2", "corrupt=[noise 0.3, mask 0.25, salt 0.1, occlude 8]"}},
    {"mnist-iwae", {"train.batch=64", "train.epochs=2", "loss.samples=3", "loss.reconstruction=gaussian"}},
    {everything_recipe, {"train.epochs=1", "train.batch=50", "loss.samples=2", "loss.kl={free: 0.1}"}},
};
enum { EXPERIMENTS = sizeof experiments / sizeof *experiments };

/* Of them are trained on: all but those held out. */
static inline uint32_t trained_on(const elbo_recipe *r) {
    return TRAIN_IMAGES - (uint32_t)lround((double)r->train.validation * TRAIN_IMAGES);
}

static inline elbo_recipe open_recipe(const experiment *x) {
    elbo_recipe r;
    int sets = 0;
    while (sets < 6 && x->sets[sets]) sets++;
    const char *name = x->recipe;
    if (strchr(name, '\n')) name = scratch_write(&folder, "written.yaml", name, strlen(name));
    assert_ok(elbo_recipe_open(&r, name, x->sets, sets, &failure));
    return r;
}

static inline const char *run_path(const char *run) {
    static char path[4][200]; // the last four stay valid
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", folder.folder, run);
    return to;
}

static inline elbo_status train(const experiment *x, elbo_train_options o, elbo_error *err) {
    elbo_recipe r = open_recipe(x);
    elbo_train_result result;
    elbo_status status = elbo_train(&result, &r, &digits, o, err);
    elbo_recipe_close(&r);
    return status;
}

typedef struct file {
    uint8_t *bytes;
    size_t size;
} file;

static inline file read_run_file(const char *run, const char *name) {
    file f;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", run, name);
    assert_ok(elbo_file_read(path, 1 << 28, &f.bytes, &f.size, &failure));
    return f;
}

static inline bool same_file(const char *run_a, const char *run_b, const char *name) {
    file a = read_run_file(run_a, name), b = read_run_file(run_b, name);
    bool same = a.size == b.size && !memcmp(a.bytes, b.bytes, a.size);
    free(a.bytes);
    free(b.bytes);
    return same;
}

static inline elbo_log log_of(const char *run) {
    elbo_run_facts facts;
    elbo_recipe r;
    elbo_log log;
    assert_ok(elbo_run_facts_load(run, &facts, &failure));
    assert_ok(elbo_run_recipe_open(&r, run, &facts, NULL, 0, &failure));
    assert_ok(elbo_log_load(run, &r, facts.image, &log, &failure));
    elbo_recipe_close(&r);
    elbo_run_facts_free(&facts);
    return log;
}

/* Weights to the bit, and the losses of every epoch to the last digit written. */
static inline void assert_same_run(const char *a, const char *b) {
    if (!same_file(a, b, "model.safetensors")) fail_msg("%s and %s: other weights", a, b);
    elbo_log log[2] = {log_of(a), log_of(b)};
    assert_int_equal(log[0].count, log[1].count);
    for (int i = 0; i < log[0].count; i++) {
        const elbo_epoch_log *x = &log[0].epoch[i], *y = &log[1].epoch[i];
        assert_memory_equal(&x->train, &y->train, sizeof x->train);
        assert_memory_equal(&x->test, &y->test, sizeof x->test);
        assert_true(x->epoch == i + 1 && y->epoch == i + 1 && x->lr == y->lr && x->kl_weight == y->kl_weight);
        assert_true(isfinite(x->train.loss) && x->test.images == TEST_IMAGES && x->best == y->best);
        assert_memory_equal(&x->validation, &y->validation, sizeof x->validation);
        assert_int_equal(x->train.images + x->validation.images, TRAIN_IMAGES);
    }
    elbo_log_free(&log[0]);
    elbo_log_free(&log[1]);
}

static inline elbo_position position_of(const experiment *x, const char *run) {
    elbo_recipe r = open_recipe(x);
    elbo_network n;
    elbo_position at;
    assert_ok(elbo_network_make(&n, &r, digits.train.shape, &failure));
    elbo_team *team;
    elbo_state state;
    assert_ok(elbo_team_make(&team, 1, &failure));
    assert_ok(elbo_state_open(&state, elbo_devices[0], &n, team, elbo_optimizer_rule_of(r.train.optimizer), &failure));
    assert_ok(elbo_checkpoint_load(run, &state, &at, NULL, &failure));
    elbo_state_close(&state);
    elbo_team_free(team);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
    return at;
}

static inline int set_up(void **state) {
    (void)state;
    elbo_error err;
    digits =
        (elbo_dataset){.name = (char *)(uintptr_t) "digits", .source = (char *)(uintptr_t) "built in", .classes = 10};
    if (elbo_digits_make(&digits.train, false, TRAIN_IMAGES, 0, &err) != ELBO_OK) return -1;
    return elbo_digits_make(&digits.test, true, TEST_IMAGES, 0, &err) == ELBO_OK ? 0 : -1;
}

static inline int enter(void **state) {
    scratch_make(&folder);
    return set_up(state);
}

static inline int leave(void **state) {
    (void)state;
    scratch_remove(&folder);
    elbo_images_free(&digits.train);
    elbo_images_free(&digits.test);
    return 0;
}

#endif
