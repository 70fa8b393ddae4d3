/* elbo bench: training steps per second, and how near that is to what this machine can do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/threads.h"
#include "cli.h"
#include "train/trainer.h"
#include "device/cpu/kernels.h"
#include "nn/vgg16.h"

/* Speed does not depend on what the pictures show, so any bytes will do; no data set need be there. */
static elbo_status make_images(elbo_images *images, elbo_image_shape shape, elbo_error *err) {
    *images = (elbo_images){.shape = shape, .count = 8192};
    size_t n = images->count * elbo_image_size(shape);
    images->bytes = malloc(n);
    if (!images->bytes) return elbo_no_memory(err);
    uint32_t words[4];
    for (size_t i = 0; i < n; i += 16) {
        elbo_random_words((elbo_stream){.purpose = ELBO_FOR_PICKING}, (uint32_t)(i / 16), words);
        memcpy(images->bytes + i, words, n - i < 16 ? n - i : 16);
    }
    return ELBO_OK;
}

typedef struct bench {
    elbo_recipe recipe;
    elbo_network network, *features;
    elbo_team *team;
    elbo_plan plan, adversary; // adversary: of its own step, where the recipe has one
    elbo_images images;
    elbo_state state;
    uint32_t *index;
    double *seconds; // (steps)
    int steps, warmup, threads;
} bench;

static elbo_status run_step(bench *b, int step, double *seconds, elbo_error *err) {
    int batch = b->recipe.train.batch;
    for (int i = 0; i < batch; i++)
        b->index[i] = (uint32_t)(((uint64_t)step * (uint64_t)batch + (uint64_t)i) % b->images.count);
    double start = elbo_now();
    elbo_batch_args args =
        elbo_training_args(&b->recipe, &b->network.graph, &b->images, b->index, batch, 0, (uint64_t)step + 1, 469);
    if (elbo_has_adversary(&b->recipe)) {
        elbo_batch_args own = elbo_adversary_args(&b->recipe, &args, 0, (uint64_t)step + 1);
        ELBO_TRY(elbo_plan_run_one(&b->adversary, &own, err));
    }
    ELBO_TRY(elbo_plan_run_one(&b->plan, &args, err));
    *seconds = elbo_now() - start;
    return ELBO_OK;
}

/* A small model's first steps are over before the threads have spread over the cores: it warms up for a moment at
 * least. */
static elbo_status run_steps(bench *b, elbo_error *err) {
    const double moment = 0.2; // seconds
    double start = elbo_now(), unused;
    int step = 0;
    while (step < b->warmup || (b->warmup > 0 && elbo_now() - start < moment))
        ELBO_TRY(run_step(b, step++, &unused, err));
    b->warmup = step;
    for (int i = 0; i < b->steps; i++) ELBO_TRY(run_step(b, step++, &b->seconds[i], err));
    qsort(b->seconds, (size_t)b->steps, sizeof *b->seconds, elbo_ascending);
    return ELBO_OK;
}

static elbo_status prepare(bench *b, const char *device, elbo_image_shape shape, elbo_error *err) {
    const elbo_recipe *r = &b->recipe;
    ELBO_TRY(elbo_network_make(&b->network, r, shape, err));
    ELBO_TRY(elbo_team_make(&b->team, b->threads, err));
    ELBO_TRY(elbo_features_open(&b->features, r, shape, err));
    const elbo_device *where;
    ELBO_TRY(elbo_device_find(&where, device, err));
    ELBO_TRY(elbo_state_open(&b->state, where, &b->network, b->team, elbo_optimizer_rule_of(r->train.optimizer), err));
    elbo_plan_options o = {.mode = ELBO_TRAIN,
                           .batch = r->train.batch,
                           .samples = r->loss.samples,
                           .clip = r->train.clip,
                           .features = b->features};
    ELBO_TRY(elbo_plan_make(&b->plan, &b->state, &o, err));
    o.player = ELBO_PLAYER_ADVERSARY;
    if (elbo_has_adversary(r)) ELBO_TRY(elbo_plan_make(&b->adversary, &b->state, &o, err));
    ELBO_TRY(make_images(&b->images, shape, err));
    int classes = b->network.graph.classes;
    if (classes && !(b->images.labels = calloc(b->images.count, 1))) return elbo_no_memory(err);
    for (uint32_t i = 0; classes && i < b->images.count; i++) b->images.labels[i] = (uint8_t)((int)i % classes);
    b->index = calloc((size_t)r->train.batch, sizeof *b->index);
    b->seconds = calloc((size_t)b->steps, sizeof *b->seconds);
    return b->index && b->seconds ? ELBO_OK : elbo_no_memory(err);
}

/* Where the time goes: of each step, its share of all threads' working time, and its speed. */
static void print_profile(const bench *b) {
    const elbo_plan *p = &b->plan;
    double total = 0, images = (double)b->recipe.train.batch * (b->steps + b->warmup);
    elbo_step_info s;
    for (int i = 0; p->state->device->step_info(p, i, &s); i++) total += s.seconds;
    printf("%-14s %-16s %-28s %8s %7s %9s  %s\n", "node", "step", "layer", "us/batch", "share", "GFLOP/s", "kernel");
    for (int i = 0; p->state->device->step_info(p, i, &s); i++) {
        char speed[32] = "";
        if (s.flop_per_image > 0) snprintf(speed, sizeof speed, "%.1f", s.flop_per_image * images / s.seconds * 1e-9);
        printf("%-14s %-16s %-28.28s %8.1f %6.1f%% %9s  %s\n", s.node->name, s.what, s.node->text,
               1e6 * s.seconds / (b->steps + b->warmup), 100 * s.seconds / total, speed, s.kernel);
    }
    printf("\n%.1f us of work a batch on %d threads; GFLOP/s are those of one thread\n\n",
           1e6 * total / (b->steps + b->warmup), b->threads);
}

static void print_result(const bench *b, bool json) {
    double flop = 0, batch = b->recipe.train.batch;
    elbo_step_info s;
    for (int i = 0; b->state.device->step_info(&b->plan, i, &s); i++) flop += s.flop_per_image * batch;
    for (int i = 0; b->adversary.program && b->state.device->step_info(&b->adversary, i, &s); i++)
        flop += s.flop_per_image * batch;
    double median = b->seconds[b->steps / 2], best = b->seconds[0];
    bool gpu = b->state.device->there; // whose peak nothing measures yet
    double peak = gpu ? 0 : elbo_measure_peak(b->threads);
    double rate = batch / median, best_rate = batch / best, gflops = flop / median * 1e-9;
    if (json) {
        cli_print_json(json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:o, s:o}", "recipe", b->recipe.name, "batch",
                                 b->recipe.train.batch, "threads", b->threads, "steps", b->steps, "images_per_second",
                                 rate, "images_per_second_best", best_rate, "gflops", gflops, "peak_gflops",
                                 gpu ? json_null() : json_real(peak * 1e-9), "share_of_peak",
                                 gpu ? json_null() : json_real(gflops * 1e9 / peak)));
        return;
    }
    char typical[32], fastest[32];
    if (gpu) {
        printf("%s: %s images/s (median of %d steps of %d, each with its copies and a wait), best %s; %.0f GFLOP/s\n",
               b->recipe.name, elbo_thousands(rate, typical), b->steps, b->recipe.train.batch,
               elbo_thousands(best_rate, fastest), gflops);
        return;
    }
    printf(
        "%s: %s images/s (median of %d steps of %d), best %s; %.0f GFLOP/s on %d threads, %.0f%% of the %.0f GFLOP/s peak\n",
        b->recipe.name, elbo_thousands(rate, typical), b->steps, b->recipe.train.batch,
        elbo_thousands(best_rate, fastest), gflops, b->threads, gflops * 1e11 / peak, peak * 1e-9);
}

static int run(const cli_command *self, int argc, char **argv) {
    bench b = {.steps = 150, .warmup = 15};
    const char *data = NULL, *device = NULL;
    cli_texts sets = {0};
    bool json = false, profile = false;
    cli_option options[] = {
        {"steps", 'n', CLI_INT, &b.steps, "N", "training steps timed; default 150", 1, 1e6},
        {"warmup", 'w', CLI_INT, &b.warmup, "N", "untimed steps first, at least 0.2 s; default 15", 0, 1e6},
        {"threads", 't', CLI_INT, &b.threads, "T", "default: all cores", 1, 1024},
        {"set", 0, CLI_TEXTS, &sets, "KEY=VALUE", "overrides a key of the recipe, as train.batch=512; repeatable", 0,
         0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "data set that gives the image shape", 0, 0},
        CLI_DEVICE_OPTION(device),
        {"profile", 'p', CLI_FLAG, &profile, NULL, "prints time and GFLOP/s of each step first", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (b.threads == 0) b.threads = elbo_threads_default();
    elbo_error err;
    elbo_image_shape shape;
    if (elbo_recipe_open(&b.recipe, argv[0], sets.text, sets.count, &err) != ELBO_OK) return cli_fail(&err);
    elbo_status status = cli_image_shape(&shape, &b.recipe, data, &err);
    if (status == ELBO_OK) status = prepare(&b, device, shape, &err);
    if (status == ELBO_OK) {
        if (profile) status = b.state.device->profile(&b.plan, &err);
    }
    if (status == ELBO_OK) status = run_steps(&b, &err);
    if (status == ELBO_OK) {
        if (profile && !json) print_profile(&b);
        print_result(&b, json);
    }
    elbo_plan_free(&b.plan);
    elbo_plan_free(&b.adversary);
    elbo_state_close(&b.state);
    elbo_team_free(b.team);
    elbo_network_free(&b.network);
    elbo_features_free(b.features);
    elbo_recipe_close(&b.recipe);
    elbo_images_free(&b.images);
    free(b.index);
    free(b.seconds);
    return status == ELBO_OK ? CLI_OK : cli_fail(&err);
}

const cli_command cli_bench = {
    .name = "bench",
    .arguments = "RECIPE",
    .summary = "times training steps: images/s, GFLOP/s, share of this machine's peak",
    .details =
        "The peak is measured in the same run by a loop of multiply-adds. Images are random bytes in memory, read\n"
        "as in training. On a shared machine, alternate the runs that are compared and take medians.\n"
        "\n"
        "example:\n"
        "  elbo bench mnist-vae --steps 300 --threads 2 --json\n",
    .run = run,
};
