/* Training as a user has it: the same bits for any number of threads, after a stop, after kill -9; a clear end when it
 * diverges; no allocation in the loop; and evaluation, encoding and decoding that give what plain loops give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "close.h"
#include "elbo/elbo.h"
#include "engine.h"
#include "oracle.h"
#include "scratch.h"
#include "run/run_folder.h"
#include "formats/safetensors.h"

static scratch folder;
static elbo_dataset digits; // 500 to train on: eight batches of 64, the last of them short; 100 to test
enum { TRAIN_IMAGES = 500, TEST_IMAGES = 100 };

/* ---- a clock that the tests move ----
 *
 * The trainer looks at the clock once a step: to report every tenth of a second, to save every minute. Here each look
 * moves it on by as much as a test likes. */

static double seconds_per_look; // 0: the machine's clock
static double clock_now = 1000;

int clock_gettime(clockid_t id, struct timespec *t) {
    if (seconds_per_look == 0) return (int)syscall(SYS_clock_gettime, id, t);
    clock_now += seconds_per_look;
    t->tv_sec = (time_t)clock_now;
    t->tv_nsec = (long)(1e9 * (clock_now - (double)t->tv_sec));
    return 0;
}

/* ---- allocations, counted ----
 *
 * All but those that oneDNN makes: its sgemm takes room for a packed matrix in each call (0.7 MB for 32 x 784 by 784 x
 * 400), and offers no way to give it that room. */

static atomic_long allocations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { COUNTS_ALLOCATIONS = 0 }; // the sanitizer has its own
static void find_libraries(void) {}
#else
enum { COUNTS_ALLOCATIONS = 1 };
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

/* Where the code of oneDNN, and of what it allocates through, lies. */
static struct { uintptr_t from, to; } library[8];
static int libraries;

static int find_library(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!strstr(info->dlpi_name, "libdnnl") && !strstr(info->dlpi_name, "libstdc++")) return 0;
    uintptr_t end = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
            end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    library[libraries].from = info->dlpi_addr;
    library[libraries++].to = end;
    return libraries == 8;
}

static void find_libraries(void) { dl_iterate_phdr(find_library, NULL); }

static void count(void *caller) {
    for (int i = 0; i < libraries; i++)
        if ((uintptr_t)caller >= library[i].from && (uintptr_t)caller < library[i].to) return;
    atomic_fetch_add(&allocations, 1);
}
#define COUNT() count(__builtin_return_address(0))

#pragma GCC visibility push(default) // for the libraries, too
void *malloc(size_t n) {
    COUNT();
    return __libc_malloc(n);
}
void *calloc(size_t members, size_t size) {
    COUNT();
    return __libc_calloc(members, size);
}
void *realloc(void *p, size_t n) {
    COUNT();
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t alignment, size_t n) {
    COUNT();
    return __libc_memalign(alignment, n);
}
int posix_memalign(void **p, size_t alignment, size_t n) {
    COUNT();
    *p = __libc_memalign(alignment, n);
    return *p ? 0 : ENOMEM;
}
#pragma GCC visibility pop
#endif

/* ---- training runs ---- */

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

static const experiment experiments[] = {
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
    {"mnist-conv-vae", {"train.batch=64", "train.epochs=1", "latent=16"}},
};
enum { EXPERIMENTS = sizeof experiments / sizeof *experiments };

static elbo_recipe open_recipe(const experiment *x) {
    elbo_recipe r;
    int sets = 0;
    while (sets < 6 && x->sets[sets]) sets++;
    const char *name = x->recipe;
    if (strchr(name, '\n')) name = scratch_write(&folder, "written.yaml", name, strlen(name));
    assert_ok(elbo_recipe_open(&r, name, x->sets, sets, &failure));
    return r;
}

static const char *run_path(const char *run) {
    static char path[4][200]; // the last four stay valid
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", folder.folder, run);
    return to;
}

static elbo_status train(const experiment *x, elbo_train_options o, elbo_error *err) {
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

static file read_run_file(const char *run, const char *name) {
    file f;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", run, name);
    assert_ok(elbo_file_read(path, 1 << 28, &f.bytes, &f.size, &failure));
    return f;
}

static bool same_file(const char *run_a, const char *run_b, const char *name) {
    file a = read_run_file(run_a, name), b = read_run_file(run_b, name);
    bool same = a.size == b.size && !memcmp(a.bytes, b.bytes, a.size);
    free(a.bytes);
    free(b.bytes);
    return same;
}

static elbo_log log_of(const char *run) {
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
static void assert_same_run(const char *a, const char *b) {
    if (!same_file(a, b, "model.safetensors")) fail_msg("%s and %s: other weights", a, b);
    elbo_log log[2] = {log_of(a), log_of(b)};
    assert_int_equal(log[0].count, log[1].count);
    for (int i = 0; i < log[0].count; i++) {
        const elbo_epoch_log *x = &log[0].epoch[i], *y = &log[1].epoch[i];
        assert_memory_equal(&x->train, &y->train, sizeof x->train);
        assert_memory_equal(&x->test, &y->test, sizeof x->test);
        assert_true(x->epoch == i + 1 && y->epoch == i + 1 && x->lr == y->lr && x->kl_weight == y->kl_weight);
        assert_true(isfinite(x->train.loss) && x->train.images == TRAIN_IMAGES && x->test.images == TEST_IMAGES);
    }
    elbo_log_free(&log[0]);
    elbo_log_free(&log[1]);
}

/* ---- threads ---- */

static void same_bits_for_any_number_of_threads(void **state) {
    (void)state;
    for (int i = 0; i < EXPERIMENTS; i++) {
        const char *one = run_path("threads-1");
        for (int threads = 1; threads <= 3; threads++) {
            char name[32];
            snprintf(name, sizeof name, "threads-%d", threads);
            const char *run = run_path(name);
            assert_ok(train(&experiments[i], (elbo_train_options){.run = run, .replace = true, .threads = threads},
                            &failure));
            if (threads > 1) assert_same_run(one, run);
        }
        elbo_log log = log_of(one); // and something was learned
        if (log.count > 1) assert_true(log.epoch[log.count - 1].train.loss < log.epoch[0].train.loss);
        elbo_log_free(&log);
    }
}

/* ---- stopping and resuming ---- */

typedef struct stopper {
    int reports_left;
    int told_in; // the epoch in which it said stop; 0: not yet
} stopper;

static bool stop_after(void *context, const elbo_progress *p) {
    stopper *s = context;
    assert_true(p->epoch >= 1 && p->epoch <= p->epochs && p->images == TRAIN_IMAGES && p->images_done <= p->images);
    if (p->images_per_second == 0) return false; // before the first step
    if (!(isfinite(p->loss) && isfinite(p->objective) && p->images_per_second > 0 && p->seconds_left >= 0))
        fail_msg("epoch %d of %d, %u images: loss %g, %g images/s, %g s left", p->epoch, p->epochs, p->images_done,
                 p->loss, p->images_per_second, p->seconds_left);
    bool stop = s->reports_left-- == 0;
    if (stop) s->told_in = p->epoch;
    return stop;
}

static elbo_position position_of(const experiment *x, const char *run) {
    elbo_recipe r = open_recipe(x);
    elbo_network n;
    elbo_position at;
    assert_ok(elbo_network_make(&n, &r, digits.train.shape, &failure));
    elbo_team *team;
    elbo_state state;
    assert_ok(elbo_team_make(&team, 1, &failure));
    assert_ok(elbo_state_open(&state, elbo_devices[0], &n, team, elbo_optimizer_rule_of(r.train.optimizer), &failure));
    assert_ok(elbo_checkpoint_load(run, &state, &at, &failure));
    elbo_state_close(&state);
    elbo_team_free(team);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
    return at;
}

static void a_stopped_run_goes_on_to_the_same_bits(void **state) {
    (void)state;
    seconds_per_look = 0.11; // a report every step
    for (int i = 0; i < EXPERIMENTS; i++) {
        if (!strcmp(experiments[i].recipe, "fashion-vae")) continue; // large, and nothing new
        elbo_error err;
        char whole[32], parts[32];
        snprintf(whole, sizeof whole, "whole-%d", i);
        snprintf(parts, sizeof parts, "parts-%d", i);
        assert_ok(train(&experiments[i], (elbo_train_options){.run = run_path(whole), .threads = 2}, &failure));
        elbo_recipe r = open_recipe(&experiments[i]);
        int stops = 0, in_the_middle = 0, epochs = r.train.epochs;
        elbo_recipe_close(&r);
        elbo_status status = ELBO_STOPPED;
        for (; status == ELBO_STOPPED; stops++) {
            stopper s = {.reports_left = stops % 3};
            elbo_train_options o = {.run = run_path(parts),
                                    .threads = 1 + stops % 2,
                                    .resume = stops > 0,
                                    .progress = stop_after,
                                    .context = &s};
            status = train(&experiments[i], o, &err);
            if (status != ELBO_STOPPED) {
                assert_true(s.told_in == 0 || s.told_in == epochs); // a stop in the last step of an epoch is one, too
                break;
            }
            elbo_position at = position_of(&experiments[i], run_path(parts));
            in_the_middle += at.images_done > 0 && at.images_done < TRAIN_IMAGES;
        }
        if (status != ELBO_OK) fail_msg("%s", err.message);
        assert_true(stops >= 3 && in_the_middle >= 2);
        assert_same_run(run_path(whole), run_path(parts));
    }
    seconds_per_look = 0;
}

/* ---- kill -9 ---- */

static const experiment killed = {"mnist-vae-2d", {"train.batch=50", "train.epochs=12", "train.clip=20"}};

/* What the killed process does: train, and save every second step. */
static int train_to_be_killed(const char *run) {
    seconds_per_look = 31;
    elbo_error err;
    if (train(&killed, (elbo_train_options){.run = run, .threads = 2, .resume = true}, &err) == ELBO_OK) return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}

static long version_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_ino ^ st.st_mtim.tv_nsec : 0;
}

static pid_t start_child(const char *run) {
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test-training", "--train", run, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

static void a_killed_run_goes_on_to_the_same_bits(void **state) {
    (void)state;
    const char *whole = run_path("never-killed"), *run = run_path("killed");
    assert_ok(train(&killed, (elbo_train_options){.run = whole, .threads = 2}, &failure));
    char checkpoint[300];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", run);
    srand((unsigned)getpid());
    int kills = 0, in_the_middle = 0, status = 0;
    for (;;) {
        pid_t child = start_child(run);
        long version = version_of(checkpoint);
        bool over = false; // it has ended by itself
        while (kills < 8 && !over && version_of(checkpoint) == version) {
            over = waitpid(child, &status, WNOHANG) == child;
            usleep(200);
        }
        if (kills < 8 && !over) { // it has saved once more: now at any moment
            usleep((useconds_t)(rand() % 15000));
            kill(child, SIGKILL);
        }
        if (!over) waitpid(child, &status, 0);
        if (!WIFSIGNALED(status)) break;
        kills++;
        elbo_position at = position_of(&killed, run); // whole, whenever it was killed
        in_the_middle += at.images_done > 0;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    print_message("killed %d times, %d times with an epoch half done\n", kills, in_the_middle);
    assert_true(kills >= 3 && in_the_middle >= 1);
    assert_same_run(whole, run);
}

/* ---- divergence ---- */

static void assert_unchanged(const char *run, const char *name, const file *before) {
    file now = read_run_file(run, name);
    if (now.size != before->size || memcmp(now.bytes, before->bytes, now.size))
        fail_msg("%s/%s was changed", run, name);
    free(now.bytes);
}

static void divergence_stops_and_keeps_the_last_good_checkpoint(void **state) {
    (void)state;
    static const experiment good = {"mnist-vae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    static const experiment bad[] = {
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e20"}},
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e20", "train.optimizer=sgd"}},
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e20", "train.clip=1"}},
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e38", "train.optimizer=adamw"}},
    };
    const char *run = run_path("diverges"), *model = "model.safetensors", *checkpoint = "checkpoint.safetensors";
    assert_ok(train(&good, (elbo_train_options){.run = run}, &failure));
    file before[] = {read_run_file(run, model), read_run_file(run, checkpoint)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elbo_error err = {0};
        elbo_status status = train(&bad[i], (elbo_train_options){.run = run, .resume = true}, &err);
        print_message("%s\n", err.message);
        assert_int_equal(status, ELBO_DIVERGED);
        assert_message(err, "step ", "epoch 2", "`", "train.lr");
        assert_unchanged(run, model, &before[0]);
        assert_unchanged(run, checkpoint, &before[1]);
        assert_int_equal(position_of(&good, run).epoch, 1);
    }
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run, 1, &failure));
    elbo_model_close(m);
    free(before[0].bytes);
    free(before[1].bytes);
}

/* A step that breaks the weights may be the last of an epoch, when a checkpoint is due. */
static void divergence_in_the_last_step_of_an_epoch(void **state) {
    (void)state;
    static const experiment bad[] = {
        {"mnist-vae-2d", {"train.batch=500", "train.epochs=2", "train.lr=1e20"}},
        {"mnist-vae-2d", {"train.batch=500", "train.epochs=2", "train.lr=3e38", "train.optimizer=sgd"}},
        {"mnist-ae-2d", {"train.batch=500", "train.epochs=1", "train.lr=1e30", "loss.reconstruction=mse"}},
        // the loss, about 1e33, is finite, and so are the weights, but not the square of the encoder's gradient
        {"kind: ae\nlatent: 2\nimage: {range: [0, 1e15]}\nencoder: [flatten, linear 8]\ndecoder: [linear 784]\n"
         "loss: {reconstruction: mse}\ntrain: {batch: 500, epochs: 1}\n",
         {NULL}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[32];
        snprintf(name, sizeof name, "last-step-%zu", i);
        elbo_error err = {0};
        elbo_status status = train(&bad[i], (elbo_train_options){.run = run_path(name)}, &err);
        print_message("%s\n", err.message);
        assert_int_equal(status, ELBO_DIVERGED);
        assert_message(err, "step ", "epoch ", "train.lr");
    }
}

/* A weight that is infinite already: no update is made, by either device. */
static void nothing_is_updated_after_a_loss_that_is_not_finite(void **state) {
    (void)state;
    for (int d = 0; elbo_devices[d]; d++)
        for (int clip = 0; clip < 2; clip++)
            for (int which = 0; which < 3; which++) {
                engine e;
                const char *sets[] = {clip ? "train.clip=1" : "train.clip=0"};
                engine_open(&e, "mnist-vae-2d", sets, 1, digits.train.shape, elbo_devices[d]->name, ELBO_TRAIN, 40, 2);
                size_t n = e.network.graph.param_floats;
                const elbo_param *p = &e.network.graph.param[which == 2 ? e.network.graph.params - 1 : 0];
                e.network.params[p->offset + 405] =
                    which ? NAN : INFINITY; // of the first weights, a pixel in the middle
                float *before = malloc(n * sizeof *before);
                memcpy(before, e.network.params, n * sizeof *before);
                uint32_t index[40];
                for (uint32_t i = 0; i < 40; i++) index[i] = i;
                elbo_batch_args args = engine_args(&e, &digits.train, index, 40, 0, 1, 1);
                engine_run(&e, &args);
                assert_true(e.diverged);
                assert_memory_equal(e.network.params, before, n * sizeof *before);
                for (size_t i = 0; i < n; i++) assert_true(e.state.array[0][i] == 0 && e.state.array[1][i] == 0);
                const char *what;
                const elbo_node *found = e.state.device->find_nonfinite(&e.plan, &args, &what);
                assert_non_null(found);
                assert_string_equal(found->name, which == 2 ? "decoder.2" : "encoder.1");
                free(before);
                engine_close(&e);
            }
}

/* A gradient whose squares no float holds: scaled by clip / infinity it would be 0, and training stand still. Losses and
 * all tensors are finite. */
static void a_gradient_too_long_to_clip_is_divergence(void **state) {
    (void)state;
    static const experiment bad = {"kind: ae\nlatent: 2\nimage: {range: [0, 1e11]}\nencoder: [flatten, linear 8]\n"
                                   "decoder: [linear 784]\nloss: {reconstruction: mse}\n"
                                   "train: {batch: 500, epochs: 1, clip: 1}\n",
                                   {NULL}};
    for (int d = 0; elbo_devices[d]; d++) {
        char name[40];
        snprintf(name, sizeof name, "too-long-%s", elbo_devices[d]->name);
        elbo_error err = {0};
        elbo_status status =
            train(&bad, (elbo_train_options){.run = run_path(name), .device = elbo_devices[d]->name}, &err);
        print_message("%s\n", err.message);
        assert_int_equal(status, ELBO_DIVERGED);
        assert_message(err, "step 1 ", "epoch 1", "gradient", "train.clip", "train.lr");

        engine e;
        const char *sets[] = {"train.clip=1", "image.range=[0,1e11]", "loss.reconstruction=mse",
                              "decoder=[linear 784]"};
        engine_open(&e, "mnist-ae-2d", sets, 4, digits.train.shape, elbo_devices[d]->name, ELBO_TRAIN, 40, 2);
        size_t n = e.network.graph.param_floats;
        float *before = malloc(n * sizeof *before);
        memcpy(before, e.network.params, n * sizeof *before);
        uint32_t index[40];
        for (uint32_t i = 0; i < 40; i++) index[i] = i;
        for (int step = 1; step <= 2; step++) {
            float huge = step == 1 ? 1e11f : 1; // and a step that can be clipped goes on
            elbo_batch_args args = engine_args(&e, &digits.train, index, 40, 0, (uint64_t)step, 1);
            args.high = huge;
            engine_run(&e, &args);
            assert_int_equal(e.diverged, step == 1);
            assert_int_equal(memcmp(e.network.params, before, n * sizeof *before) == 0, step == 1);
            for (size_t i = 0; step == 1 && i < n; i++)
                assert_true(e.state.array[0][i] == 0 && e.state.array[1][i] == 0);
        }
        free(before);
        engine_close(&e);
    }
}

/* What stands in the folder when training begins decides, not what stood there when its caller looked: two trainings
 * that were started at once both find nothing. */
static void a_run_is_replaced_only_when_asked(void **state) {
    (void)state;
    static const experiment x = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    static const experiment other = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", "train.seed=5", NULL}};
    const char *run = run_path("replaced"), *model = "model.safetensors";
    elbo_error err = {0};
    assert_ok(elbo_run_folder_check(run, false, false, &failure));
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    file before = read_run_file(run, model);
    assert_int_equal(train(&other, (elbo_train_options){.run = run}, &err), ELBO_BAD_INPUT);
    assert_message(err, "replaced: holds a trained run already", "--force");
    file after = read_run_file(run, model);
    assert_true(after.size == before.size && !memcmp(after.bytes, before.bytes, before.size));
    free(after.bytes);
    assert_ok(train(&other, (elbo_train_options){.run = run, .replace = true}, &failure));
    after = read_run_file(run, model);
    assert_true(memcmp(after.bytes, before.bytes, before.size));
    free(before.bytes);
    free(after.bytes);
}

/* A checkpoint with an infinite weight, which elbo never writes, is refused by name. */
static void a_damaged_checkpoint_is_refused(void **state) {
    (void)state;
    static const experiment x = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    static const experiment more = {"mnist-ae-2d", {"train.batch=100", "train.epochs=2", NULL}};
    const char *run = run_path("damaged");
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    file f = read_run_file(run, "checkpoint.safetensors");
    const float infinite = INFINITY;
    memcpy(f.bytes + f.size - sizeof infinite, &infinite, sizeof infinite); // the last value of all
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run);
    assert_ok(elbo_file_write(path, f.bytes, f.size, &failure));
    elbo_error err = {0};
    assert_int_equal(train(&more, (elbo_train_options){.run = run, .resume = true}, &err), ELBO_BAD_INPUT);
    assert_message(err, "checkpoint.safetensors", "optimizer.v.");
    free(f.bytes);
}

/* ---- no allocation in the loop ---- */

static void a_step_allocates_nothing(void **state) {
    (void)state;
    if (!COUNTS_ALLOCATIONS) skip();
    static const struct {
        const char *recipe, *set, *device;
        int steps;
    } runs[] = {{"mnist-vae-2d", "train.clip=0", "cpu", 60},
                {"mnist-vae-2d", "train.clip=1", "cpu", 60},
                {"mnist-vae-2d", "train.clip=0", "ref", 12}, // slow
                {"mnist-conv-vae", "latent=5", "cpu", 20}};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        engine e;
        engine_open(&e, runs[r].recipe, &runs[r].set, 1, digits.train.shape, runs[r].device, ELBO_TRAIN, 64, 2);
        uint32_t index[64];
        for (uint32_t i = 0; i < 64; i++) index[i] = i;
        long before = 0, during;
        for (int step = 0; step < runs[r].steps; step++) {
            if (step == 10) before = atomic_load(&allocations);
            elbo_batch_args args =
                engine_args(&e, &digits.train, index, step % 2 ? 64 : 50, 0, (uint64_t)step + 1, 100);
            engine_run(&e, &args);
        }
        during = atomic_load(&allocations) - before;
        engine_close(&e);
        if (during) fail_msg("%s on %s: %ld allocations", runs[r].recipe, runs[r].device, during);
    }
}

/* The whole command's loop: an epoch of 60 steps allocates no more often than one of 10. */
static void more_steps_do_not_allocate_more(void **state) {
    (void)state;
    if (!COUNTS_ALLOCATIONS) skip();
    static const experiment x = {"mnist-vae-2d", {"train.batch=8", "train.epochs=1", NULL}};
    long counted[3];
    for (int i = 0; i < 3; i++) {
        uint32_t all = digits.train.count;
        digits.train.count = i < 2 ? 80 : 480; // the first run may warm something up
        long before = atomic_load(&allocations);
        assert_ok(train(&x, (elbo_train_options){.threads = 2}, &failure));
        counted[i] = atomic_load(&allocations) - before;
        digits.train.count = all;
    }
    if (counted[2] > counted[1]) fail_msg("10 steps: %ld allocations; 60 steps: %ld", counted[1], counted[2]);
    assert_true(counted[1] > 10); // making the plan takes some: the counter counts
}

/* ---- evaluation ---- */

/* The images as the network sees them, in double. */
static double *seen_by(const elbo_recipe *r, const elbo_images *images) {
    size_t n = images->count * elbo_image_size(images->shape);
    double *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = r->image.low + ((double)r->image.high - r->image.low) * images->bytes[i] / 255;
    return x;
}

static double *doubled(const float *v, size_t n) {
    double *d = malloc(n * sizeof *d);
    assert_non_null(d);
    for (size_t i = 0; i < n; i++) d[i] = v[i];
    return d;
}

/* On all images at once, of which there are more than the evaluator takes at a time. */
static void evaluation_is_what_plain_loops_give(void **state) {
    (void)state;
    enum { IMAGES = 530 };
    static const experiment xs[] = {
        {"mnist-vae-2d", {NULL}},
        {"mnist-ae-2d", {"loss.reconstruction=mse", NULL}},
        {"kind: vae\nlatent: 5\nimage: {range: [-1, 1]}\nencoder: [flatten, linear 30, relu, dropout]\n"
         "decoder: [linear 30, tanh, linear 784, tanh]\nloss: {reconstruction: l1, kl: 3}\n",
         {NULL}},
    };
    elbo_images images;
    assert_ok(elbo_digits_make(&images, true, IMAGES, 2, &failure));
    for (size_t i = 0; i < sizeof xs / sizeof *xs; i++)
        for (int how = 0; how < 3; how++) { // given noise, drawn noise, the mean code
            elbo_recipe r = open_recipe(&xs[i]);
            elbo_network n;
            assert_ok(elbo_network_make(&n, &r, images.shape, &failure));
            size_t Z = (size_t)n.graph.latent;
            float *noise = malloc(IMAGES * Z * sizeof *noise);
            for (uint32_t k = 0; k < IMAGES; k++) // drawn as evaluation draws it, or in another way
                elbo_random_normal((elbo_stream){7, how == 1 ? ELBO_FOR_TEST_NOISE : ELBO_FOR_PICKING, 0, k},
                                   noise + k * Z, Z);
            elbo_scores s[3];
            for (int threads = 1; threads <= 3; threads++) {
                elbo_eval_options o = {
                    .threads = threads, .seed = 7, .noise = how == 0 ? noise : NULL, .mean_code = how == 2};
                assert_ok(elbo_evaluate(&s[threads - 1], &n, &r, &images, o, &failure));
            }
            assert_memory_equal(&s[0], &s[1], sizeof s[0]);
            assert_memory_equal(&s[0], &s[2], sizeof s[0]);
            oracle o;
            oracle_open(&o, &n.graph, &r, IMAGES);
            double *params = doubled(n.params, n.graph.param_floats), *wide = doubled(noise, IMAGES * Z),
                   *x = seen_by(&r, &images);
            uint32_t index[IMAGES];
            for (uint32_t k = 0; k < IMAGES; k++) index[k] = k;
            o.params = params, o.noise = how == 2 ? NULL : wide, o.images = x, o.index = index;
            oracle_run(&o);
            assert_int_equal(s[0].images, IMAGES);
            assert_near("reconstruction", i, s[0].reconstruction, o.reconstruction, 2e-6 * o.reconstruction);
            assert_near("kl", i, s[0].kl, o.kl, 2e-6 * (o.kl + 1));
            assert_near("mse", i, s[0].mse, o.squared / 784, 2e-6 * o.squared / 784);
            assert_true(s[0].loss == s[0].reconstruction + s[0].kl);
            assert_near("objective", i, s[0].objective, o.reconstruction + (double)r.loss.kl * o.kl,
                        2e-6 * (o.reconstruction + (double)r.loss.kl * o.kl));
            oracle_close(&o);
            free(params), free(wide), free(x), free(noise);
            elbo_network_free(&n);
            elbo_recipe_close(&r);
        }
    elbo_images_free(&images);
}

/* ---- the public interface ---- */

static float *floats_of(const elbo_images *images, size_t n) {
    float *x = malloc(n * 784 * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n * 784; i++) x[i] = (float)images->bytes[i] / 255;
    return x;
}

typedef struct public_model {
    const char *recipe;
    bool vae;
    int latent, compared; // compared: images that the plain loops take
} public_model;

static const public_model public_models[] = {{"mnist-ae", false, 32, 40},
                                             {"mnist-vae", true, 20, 40},
                                             {"mnist-cae", false, 64 * 7 * 7, 4},
                                             {"mnist-conv-vae", true, 128, 4}};
enum { PUBLIC_MODELS = sizeof public_models / sizeof *public_models };

static void codes_and_images_through_the_public_interface(void **state) {
    (void)state;
    enum { N = 301 };
    for (const public_model *p = public_models; p < public_models + PUBLIC_MODELS; p++) {
        const experiment x = {p->recipe, {"train.batch=64", "train.epochs=1", NULL}};
        const char *run = run_path(p->recipe);
        assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
        float *images = floats_of(&digits.train, N), *first = NULL, *first_images = NULL;
        for (int threads = 1; threads <= 3; threads += 2) {
            elbo_model *m;
            elbo_error err;
            assert_ok(elbo_model_open(&m, run, threads, &failure));
            elbo_model_info info = elbo_model_get_info(m);
            assert_string_equal(info.kind, p->vae ? "vae" : "ae");
            assert_true(info.channels == 1 && info.height == 28 && info.width == 28 && info.low == 0 && info.high == 1);
            assert_int_equal(info.latent, p->latent);
            size_t Z = (size_t)info.latent;
            float *z = malloc(N * Z * sizeof *z), *alone = malloc(Z * sizeof *alone);
            float *back = malloc(N * 784 * sizeof *back), *one = malloc(784 * sizeof *one);
            assert_ok(elbo_encode(m, N, images, z, &failure));
            assert_ok(elbo_decode(m, N, z, back, &failure));
            for (size_t i = 0; i < N; i += 25) { // among 300 others, and alone: the same bits
                assert_ok(elbo_encode(m, 1, images + i * 784, alone, &failure));
                assert_memory_equal(alone, z + i * Z, Z * sizeof *z);
                assert_ok(elbo_decode(m, 1, alone, one, &failure));
                assert_memory_equal(one, back + i * 784, 784 * sizeof *one);
            }
            if (first) {
                assert_memory_equal(first, z, N * Z * sizeof *z);
                assert_memory_equal(first_images, back, N * 784 * sizeof *back);
                free(first), free(first_images);
            }
            if (p->vae) {
                float *mu = malloc(N * Z * sizeof *mu), *logvar = malloc(N * Z * sizeof *logvar);
                assert_ok(elbo_encode_gaussian(m, N, images, mu, logvar, &failure));
                assert_memory_equal(mu, z, N * Z * sizeof *mu);
                assert_memory_not_equal(mu, logvar, N * Z * sizeof *mu);
                free(mu), free(logvar);
            } else {
                assert_int_equal(elbo_encode_gaussian(m, 1, images, alone, alone, &err), ELBO_BAD_INPUT);
            }
            images[784 + 3] = NAN; // what is not a number is refused by place
            assert_int_equal(elbo_encode(m, 2, images, z + 0, &err), ELBO_BAD_INPUT);
            assert_message(err, "image 1", "value 3");
            images[784 + 3] = (float)digits.train.bytes[784 + 3] / 255;
            elbo_model_close(m);
            first = z, first_images = back;
            free(alone), free(one);
        }
        free(first), free(first_images), free(images);
    }
}

/* Against plain loops, with the weights that the test before has trained: the code (mu, logvar) and the decoded image.
 */
static void compare_with_plain_loops(const public_model *p) {
    const experiment x = {p->recipe, {NULL}};
    size_t N = (size_t)p->compared, Z = (size_t)p->latent, width = p->vae ? 2 * Z : Z;
    elbo_recipe r = open_recipe(&x);
    elbo_network n;
    assert_ok(elbo_network_make(&n, &r, digits.train.shape, &failure));
    assert_ok(elbo_model_load(run_path(p->recipe), &n, &failure));
    oracle o;
    oracle_open(&o, &n.graph, &r, p->compared);
    elbo_images some = digits.train;
    some.count = (uint32_t)N;
    double *params = doubled(n.params, n.graph.param_floats), *seen = seen_by(&r, &some);
    uint32_t *index = calloc(N, sizeof *index);
    o.params = params, o.images = seen, o.index = index;
    oracle_run(&o);
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run_path(p->recipe), 2, &failure));
    float *images = floats_of(&digits.train, N), *mu = malloc(N * Z * sizeof *mu),
          *logvar = malloc(N * Z * sizeof *logvar);
    float *back = malloc(N * 784 * sizeof *back);
    assert_ok(elbo_encode_gaussian(m, N, images, mu, p->vae ? logvar : NULL, &failure));
    assert_ok(elbo_decode(m, N, mu, back, &failure));
    for (size_t i = 0; i < N; i++) {
        const double *code = o.output[n.graph.at.code] + i * width;
        assert_tensors_near("mu", mu + i * Z, code, Z, 2e-6);
        if (p->vae) assert_tensors_near("logvar", logvar + i * Z, code + Z, Z, 2e-6);
    }
    assert_tensors_near("decoded", back, o.output[n.graph.at.output], N * 784, 2e-6);
    elbo_model_close(m);
    oracle_close(&o);
    free(params), free(seen), free(index), free(images), free(mu), free(logvar), free(back);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

static void codes_and_images_are_what_plain_loops_give(void **state) {
    (void)state;
    for (int i = 0; i < PUBLIC_MODELS; i++) compare_with_plain_loops(&public_models[i]);
}

/* ---- all of it ---- */

static int set_up(void **state) {
    (void)state;
    elbo_error err;
    digits =
        (elbo_dataset){.name = (char *)(uintptr_t) "digits", .source = (char *)(uintptr_t) "built in", .classes = 10};
    if (elbo_digits_make(&digits.train, false, TRAIN_IMAGES, 0, &err) != ELBO_OK) return -1;
    return elbo_digits_make(&digits.test, true, TEST_IMAGES, 0, &err) == ELBO_OK ? 0 : -1;
}

static int enter(void **state) {
    find_libraries();
    scratch_make(&folder);
    return set_up(state);
}

static int leave(void **state) {
    (void)state;
    scratch_remove(&folder);
    elbo_images_free(&digits.train);
    elbo_images_free(&digits.test);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--train")) return set_up(NULL) == 0 ? train_to_be_killed(argv[2]) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_stopped_run_goes_on_to_the_same_bits),
        cmocka_unit_test(a_killed_run_goes_on_to_the_same_bits),
        cmocka_unit_test(divergence_stops_and_keeps_the_last_good_checkpoint),
        cmocka_unit_test(divergence_in_the_last_step_of_an_epoch),
        cmocka_unit_test(nothing_is_updated_after_a_loss_that_is_not_finite),
        cmocka_unit_test(a_gradient_too_long_to_clip_is_divergence),
        cmocka_unit_test(a_run_is_replaced_only_when_asked),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(more_steps_do_not_allocate_more),
        cmocka_unit_test(evaluation_is_what_plain_loops_give),
        cmocka_unit_test(codes_and_images_through_the_public_interface),
        cmocka_unit_test(codes_and_images_are_what_plain_loops_give),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
