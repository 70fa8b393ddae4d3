/* Golden steps: what PyTorch computed in five optimiser steps of each model in tests/golden (tools/golden.py wrote
 * them), repeated by elbo on each device: losses, every gradient of the first step, and the weights after the last,
 * within 1e-5.
 *
 * `test-golden FOLDER` replays another folder, such as the full-size models of `tools/golden.py --full`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "close.h"
#include "engine.h"
#include "formats/safetensors.h"

/* Of a loss: of itself. Of a tensor: its largest difference over its largest value. */
static const double BOUND = 1e-5;
/* Of a residual network's gradients, through twenty and more batch norms, each of which subtracts what is nearly the
 * same: in dogs-sharp-vae PyTorch in floats is off from PyTorch in doubles by 4e-6, elbo by 7e-6. */
static const double DEEP_BOUND = 3e-5;
enum { DEEP = 60 }; // nodes
/* Of what five steps changed: its largest difference over the largest change. */
static const double CHANGE_BOUND = 1e-3;
/* Adam divides a gradient by its own size, so that one which is nothing but rounding becomes a step of some size. Among
 * the weights of full-size models there are a few: PyTorch in floats is off from PyTorch in doubles by more than BOUND
 * in 8 of mnist-vae's 652,824 weights, in 19 of fashion-vae's 1,082,680 (by 2e-3 at most), and in 267 of
 * mnist-conv-vae's 1,254,145. So one weight of a tensor in 2,000 may be off by more. In the small models that is none.
 */
enum { EXCEPTIONS = 2000 };

static const char *folder = ELBO_TEST_SOURCE "/golden";

/* ---- a golden file ---- */

typedef struct golden {
    char recipe[600];
    elbo_safetensors file;
    int steps, batch;
    elbo_images images;
    const float *eps, *draws; // (steps, batch, samples, latent), or NULL
    const float *input;       // (steps, batch, C, H, W) what a denoising model's encoder reads, or NULL
} golden;

static const elbo_st_tensor *tensor(const golden *g, const char *prefix, const char *name) {
    char full[200];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const elbo_st_tensor *t = elbo_safetensors_find(&g->file, full);
    if (!t) fail_msg("%s: has no tensor %s", g->recipe, full);
    return t;
}

static double row(const golden *g, const char *name, int step) {
    const elbo_st_tensor *t = tensor(g, "", name);
    assert_int_equal(t->dtype, ELBO_ST_F64);
    return ((const double *)t->data)[step];
}

static const float *param(const golden *g, const char *prefix, const elbo_param *p) {
    const elbo_st_tensor *t = tensor(g, prefix, p->name);
    assert_int_equal(t->dtype, ELBO_ST_F32);
    assert_int_equal(t->dims, p->rank);
    for (int i = 0; i < p->rank; i++) assert_int_equal(t->shape[i], p->dim[i]);
    return t->data;
}

static void open_golden(golden *g, const char *name) {
    char path[500];
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    snprintf(g->recipe, sizeof g->recipe, "%s/%s.yaml", folder, name);
    assert_ok(elbo_safetensors_open(&g->file, path, &failure));
    const elbo_st_tensor *x = tensor(g, "", "x");
    assert_int_equal(x->dtype, ELBO_ST_U8);
    assert_int_equal(x->dims, 4);
    g->batch = (int)x->shape[0];
    g->steps = (int)tensor(g, "", "loss")->shape[0];
    g->images = (elbo_images){.shape = {(int)x->shape[1], (int)x->shape[2], (int)x->shape[3]},
                              .count = (uint32_t)g->batch,
                              .bytes = (uint8_t *)(uintptr_t)x->data}; // only read
    const elbo_st_tensor *eps = elbo_safetensors_find(&g->file, "eps");
    g->eps = eps ? eps->data : NULL;
    const elbo_st_tensor *draws = elbo_safetensors_find(&g->file, "draws");
    g->draws = draws ? draws->data : NULL;
    const elbo_st_tensor *input = elbo_safetensors_find(&g->file, "input"),
                         *labels = elbo_safetensors_find(&g->file, "labels");
    g->input = input ? input->data : NULL;
    g->images.labels = labels ? (uint8_t *)(uintptr_t)labels->data : NULL; // only read
}

/* ---- replaying it ---- */

/* The largest relative errors met, to be seen when the test is run by hand. */
typedef struct worst {
    double loss, gradient, weight, change, output;
} worst;

static void keep_worst(double *most, double error) {
    if (!(error <= *most)) *most = error; // NaN is kept
}

static void load_weights(engine *e, const golden *g) {
    for (int k = 0; k < e->state.optimizer->arrays; k++)
        memset(e->state.array[k], 0, e->network.graph.param_floats * sizeof(float));
    for (int i = 0; i < e->network.graph.params; i++) {
        const elbo_param *p = &e->network.graph.param[i];
        memcpy(e->network.params + p->offset, param(g, "", p), p->count * sizeof(float));
    }
    assert_ok(elbo_state_put(&e->state, &failure));
}

/* Of the model's parameters: an adversary's have been read when it was its turn. */
static void read_gradients(engine *e) {
    const elbo_graph *g = &e->network.graph;
    float *grads = malloc(g->param_floats * sizeof *grads + 1);
    assert_non_null(grads);
    elbo_plan_read_gradients(&e->plan, grads);
    for (int i = 0; i < g->params; i++)
        if (g->param[i].player == ELBO_PLAYER_MODEL)
            memcpy(e->grads + g->param[i].offset, grads + g->param[i].offset, g->param[i].count * sizeof *grads);
    free(grads);
}

/* An adversary's part, which comes first; of the model's noise each image has one. */
static void take_adversary_step(engine *e, elbo_plan *plan, const golden *g, elbo_batch_args args, int step) {
    const elbo_graph *graph = plan->graph;
    float *grads = malloc(graph->param_floats * sizeof *grads);
    assert_non_null(grads);
    args = elbo_adversary_args(&e->recipe, &args, step, (uint64_t)step + 1);
    elbo_run_report report;
    memset(plan->total, 0, sizeof plan->total);
    assert_ok(elbo_plan_run(plan, &args, 1, &failure));
    assert_ok(elbo_plan_wait(plan, &report, &failure));
    assert_false(report.diverged);
    for (int k = 0; k < graph->metrics.count; k++) {
        const elbo_metric *m = &graph->metrics.metric[k];
        if (m->player != ELBO_PLAYER_ADVERSARY) continue;
        double want = row(g, m->name, step), got = plan->total[k] / g->batch;
        assert_near(m->name, (size_t)step, got, want, BOUND);
    }
    if (plan->options.keep_gradients) elbo_plan_read_gradients(plan, grads);
    for (int i = 0; plan == &e->adversary && i < graph->params; i++) {
        const elbo_param *p = &graph->param[i];
        if (p->player == ELBO_PLAYER_ADVERSARY)
            memcpy(e->grads + p->offset, grads + p->offset, p->count * sizeof *grads);
    }
    free(grads);
}

static void take_step(engine *e, elbo_plan *plan, elbo_plan *adversary, const golden *g, const uint32_t *index,
                      int step) {
    elbo_batch_args args = engine_args(e, &g->images, index, g->batch, step, (uint64_t)step + 1, 1);
    size_t at = (size_t)step * (size_t)g->batch * (size_t)e->network.graph.latent;
    size_t samples = elbo_plan_draws_images(plan) ? 1 : (size_t)elbo_plan_samples(plan);
    if (g->eps) args.given_noise = g->eps + at * samples;
    if (g->draws) args.given_draws = g->draws + at;
    if (g->input) args.given_input = g->input + (size_t)step * (size_t)g->batch * elbo_image_size(g->images.shape);
    elbo_run_report report;
    if (adversary->program) take_adversary_step(e, adversary, g, args, step);
    assert_ok(elbo_plan_run(plan, &args, 1, &failure));
    assert_ok(elbo_plan_wait(plan, &report, &failure));
    assert_false(report.diverged);
    if (plan == &e->plan) read_gradients(e);
}

/* `scale` is what errors are relative to; NaN counts as an error. Only weights may have exceptions. */
static void check_tensor(const golden *g, const char *what, const elbo_param *p, const float *got, const float *want,
                         double scale, double bound, size_t exceptions, double *most) {
    size_t off = 0;
    double most_off = 0;
    for (size_t i = 0; i < p->count; i++) {
        double error = fabs((double)got[i] - want[i]) / scale;
        off += !(error <= bound);
        keep_worst(&most_off, error);
    }
    keep_worst(most, most_off);
    if (off > exceptions)
        fail_msg("%s: %s%s: %zu of %zu off by more than %g, the worst by %.3g", g->recipe, what, p->name, off, p->count,
                 bound, most_off);
}

static double largest(const float *v, const float *minus, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)v[i] - (minus ? minus[i] : 0));
        if (off > most) most = off; // (fmax made GCC 12 for ARM end with an internal error)
    }
    return most;
}

/* A gradient that is nothing but rounding, as of a bias in front of batch norm, which takes it away again: in doubles
 * it is 1e-16 of the others, and what it is relative to is theirs. */
static double gradient_scale(const golden *g, const elbo_graph *graph, double own) {
    double most = 0;
    for (int i = 0; i < graph->params; i++)
        if (!graph->param[i].buffer)
            most = fmax(most, largest(param(g, "grad.", &graph->param[i]), NULL, graph->param[i].count));
    return own < 1e-12 * most ? most : own;
}

static void check_gradients(const engine *e, const golden *g, worst *w) {
    double bound = e->network.graph.count > DEEP ? DEEP_BOUND : BOUND;
    for (int i = 0; i < e->network.graph.params; i++) {
        const elbo_param *p = &e->network.graph.param[i];
        if (p->buffer) continue; // a running statistic
        const float *want = param(g, "grad.", p);
        check_tensor(g, "gradient of ", p, e->grads + p->offset, want,
                     gradient_scale(g, &e->network.graph, largest(want, NULL, p->count)), bound, 0, &w->gradient);
    }
}

static void check_weights(engine *e, const golden *g, worst *w) {
    assert_ok(elbo_state_get(&e->state, &failure));
    for (int i = 0; i < e->network.graph.params; i++) {
        const elbo_param *p = &e->network.graph.param[i];
        const float *got = e->network.params + p->offset, *before = param(g, "", p), *after = param(g, "after.", p);
        size_t few = p->count / EXCEPTIONS;
        check_tensor(g, "", p, got, after, largest(after, NULL, p->count), BOUND, few, &w->weight);
        check_tensor(g, "change of ", p, got, after, largest(after, before, p->count), CHANGE_BOUND, few, &w->change);
    }
}

/* The terms over the code. A difference of parts that are larger: errors are relative to 1 at least. */
static void check_terms(const engine *e, const golden *g, const elbo_scores *s, int step) {
    const elbo_metrics *m = &e->network.graph.metrics;
    for (int k = 0; k < m->count; k++) {
        if (m->metric[k].role != ELBO_METRIC_REGULARISER && m->metric[k].role != ELBO_METRIC_BOUND) continue;
        double want = row(g, m->metric[k].name, step);
        assert_near(m->metric[k].name, (size_t)step, s->metric[k], want, BOUND * fmax(1, fabs(want)));
    }
}

static void check_steps(engine *e, const golden *g, const uint32_t *index, worst *w) {
    const elbo_graph *graph = &e->network.graph;
    load_weights(e, g);
    for (int step = 0; step < g->steps; step++) {
        take_step(e, &e->plan, &e->adversary, g, index, step);
        elbo_scores s = engine_scores(e, g->batch);
        const double got[] = {s.loss, s.reconstruction, s.kl, elbo_learning_rate(&e->recipe, step),
                              elbo_kl_weight(&e->recipe, (uint64_t)step, 1)};
        static const char *const names[] = {"loss", "reconstruction", "kl", "lr", "kl_weight"};
        for (int i = 0; i < 5; i++) {
            if (i == 4 && graph->kind == ELBO_AE) continue;
            double want = row(g, names[i], step);
            if (want != 0 && i < 3) keep_worst(&w->loss, fabs((got[i] - want) / want));
            assert_near(names[i], (size_t)step, got[i], want, BOUND * fabs(want));
        }
        check_terms(e, g, &s, step);
        if (step == 0) check_gradients(e, g, w);
    }
    check_weights(e, g, w);
}

/* What an encoder kept for the decoder, image by image: (batch, skip_floats). */
static float *skips_of(elbo_plan *plan, int batch) {
    const elbo_graph *g = plan->graph;
    float *skips = malloc((size_t)batch * g->skip_floats * sizeof *skips + 1), *row = skips;
    assert_non_null(skips);
    for (int i = 0; i < batch; i++)
        for (int k = 0; k < g->skips; row += elbo_shape_size(plan->skip[k]->shape), k++)
            elbo_plan_read(plan, plan->skip[k], i, 1, row);
    return skips;
}

/* Of convolutional models: what the weights after the last step make of the batch in evaluation, with running
 * statistics and without noise, by the two plans that `elbo encode` and `elbo decode` run. */
static void check_evaluation(engine *e, const golden *g, const uint32_t *index, worst *w) {
    if (!elbo_safetensors_find(&g->file, "output")) return;
    static const char *const names[] = {"code", "output"};
    float *skips = NULL;
    const elbo_graph *graph = &e->network.graph;
    size_t latent = (size_t)graph->latent;
    float *code = malloc((size_t)g->batch * latent * sizeof *code);
    assert_non_null(code);
    elbo_images codes = {.shape = {1, 1, graph->latent}, .count = (uint32_t)g->batch, .floats = code};
    for (int half = 0; half < 2; half++) {
        elbo_plan_options options = e->plan.options;
        options.mode = half ? ELBO_DECODE : ELBO_ENCODE;
        options.keep_skips = true;
        elbo_plan plan;
        assert_ok(elbo_plan_make(&plan, &e->state, &options, &failure));
        elbo_batch_args pass = {.images = half ? &codes : &g->images,
                                .index = index,
                                .count = g->batch,
                                .no_noise = true,
                                .low = e->recipe.image.low,
                                .high = e->recipe.image.high,
                                .skips = skips,
                                .skip_row = index,
                                .label_class = g->images.labels,
                                .label_row = index};
        assert_ok(elbo_plan_run_one(&plan, &pass, &failure));
        if (!half) skips = skips_of(&plan, g->batch);
        const elbo_tensor *got = half ? plan.output : plan.code; // a VAE's is mu above logvar
        const elbo_st_tensor *t = tensor(g, "", names[half]);
        const float *want = t->data;
        size_t size = half ? elbo_image_size(graph->image) : latent, all = (size_t)g->batch * size;
        size_t width = elbo_shape_size(got->shape);
        float *values = malloc((size_t)g->batch * width * sizeof *values);
        elbo_plan_read(&plan, got, 0, g->batch, values);
        for (int i = 0; i < g->batch; i++)
            for (size_t k = 0; k < size; k++) {
                double value = values[(size_t)i * width + k], scale = largest(want, NULL, all);
                if (!half) code[(size_t)i * size + k] = (float)value;
                double error = fabs(value - want[(size_t)i * size + k]) / scale;
                keep_worst(&w->output, error);
                assert_near(names[half], (size_t)i * size + k, value, want[(size_t)i * size + k], BOUND * scale);
            }
        free(values);
        elbo_plan_free(&plan);
    }
    free(code);
    free(skips);
}

/* Training itself keeps no gradients but hands each tile to the update while it is warm: the same bits, on any number
 * of threads. */
static void check_without_gradients(engine *e, const golden *g, const uint32_t *index) {
    size_t bytes = e->network.graph.param_floats * sizeof(float);
    float *kept = malloc(bytes);
    assert_non_null(kept);
    memcpy(kept, e->network.params, bytes);
    elbo_plan_options options = e->plan.options;
    options.keep_gradients = false;
    elbo_team *team;
    assert_ok(elbo_team_make(&team, 3, &failure));
    elbo_state state;
    assert_ok(elbo_state_open(&state, e->state.device, &e->network, team, e->state.optimizer, &failure));
    elbo_plan plan, adversary = {0};
    assert_ok(elbo_plan_make(&plan, &state, &options, &failure));
    options.player = ELBO_PLAYER_ADVERSARY;
    if (e->adversary.program) assert_ok(elbo_plan_make(&adversary, &state, &options, &failure));
    load_weights(e, g);
    assert_ok(elbo_state_put(&state, &failure));
    for (int step = 0; step < g->steps; step++) take_step(e, &plan, &adversary, g, index, step);
    assert_ok(elbo_state_get(&state, &failure));
    assert_memory_equal(e->network.params, kept, bytes);
    elbo_plan_free(&adversary);
    elbo_plan_free(&plan);
    elbo_state_close(&state);
    elbo_team_free(team);
    free(kept);
}

/* Those weights, without the prefix, as a file of their own, which torchvision's would be; `set` names it. */
static void write_vgg16(const golden *g, char *set, size_t room) {
    static const char prefix[] = "vgg16.";
    char path[] = "/tmp/elbo-test-vgg16-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    elbo_st_tensor tensors[32];
    int count = 0;
    for (int i = 0; i < g->file.count && count < 32; i++)
        if (!strncmp(g->file.tensors[i].name, prefix, strlen(prefix))) {
            tensors[count] = g->file.tensors[i];
            tensors[count++].name += strlen(prefix);
        }
    assert_int_equal(count, 26);
    assert_ok(elbo_safetensors_write(path, tensors, count, NULL, 0, &failure));
    snprintf(set, room, "loss.vgg16=%s", path);
}

/* Those of the CPU, and the kernels of `cuda` in place of it. */
static const char *device_name(int d) { return d == 0 ? "cpu" : d == 1 ? "ref" : d == 2 ? test_device() : NULL; }

static void replay(void **state) {
    const char *name = *state;
    golden g = {0};
    open_golden(&g, name);
    uint32_t *index = malloc((size_t)g.batch * sizeof *index);
    assert_non_null(index);
    for (int i = 0; i < g.batch; i++) index[i] = (uint32_t)i;
    for (int d = 0; device_name(d); d++) {
        engine e;
        worst w = {0};
        char vgg16[600];
        const char *const sets[] = {vgg16}; // a golden file of a perceptual loss holds its weights, too
        bool perceptual = elbo_safetensors_find(&g.file, "vgg16.features.0.weight") != NULL;
        if (perceptual) write_vgg16(&g, vgg16, sizeof vgg16);
        if (!engine_open_if_can(&e, g.recipe, sets, perceptual, g.images.shape, device_name(d), ELBO_TRAIN, 0))
            continue;
        check_steps(&e, &g, index, &w);
        check_evaluation(&e, &g, index, &w);
        check_without_gradients(&e, &g, index);
        engine_close(&e);
        if (perceptual) unlink(strchr(vgg16, '=') + 1);
        print_message("%-16s %-4s worst relative errors: loss %.1e, gradient %.1e, weight %.1e (of its change %.1e), "
                      "output %.1e\n",
                      name, device_name(d), w.loss, w.gradient, w.weight, w.change, w.output);
    }
    free(index);
    elbo_safetensors_close(&g.file);
}

/* ---- one test per file ---- */

static int is_recipe(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && !strcmp(dot, ".yaml");
}

int main(int argc, char **argv) {
    if (argc > 1) folder = argv[1];
    struct dirent **entries;
    int count = scandir(folder, &entries, is_recipe, alphasort);
    if (count < (argc > 1 ? 1 : 59)) {
        fprintf(stderr, "%s: %d golden files; 59 are in git, tools/golden.py writes them\n", folder, count);
        return 1;
    }
    struct CMUnitTest *tests = calloc((size_t)count, sizeof *tests);
    if (!tests) return 1;
    for (int i = 0; i < count; i++) {
        *strrchr(entries[i]->d_name, '.') = 0;
        tests[i] =
            (struct CMUnitTest){.name = entries[i]->d_name, .test_func = replay, .initial_state = entries[i]->d_name};
    }
    int failed = _cmocka_run_group_tests("golden", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    free(tests);
    return failed;
}
