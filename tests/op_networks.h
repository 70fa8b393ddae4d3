/* Small networks, one in each of them what is tested, and the checks of one: what it computes against plain loops
 * (oracle.h), its gradient against finite differences, and devices "cpu" and "shim" against "ref".
 *
 * Tolerances. Values: each float in the network is off by about 2^-24 = 6e-8 of its size, and a few dozen of these add
 * up: 2e-6 of the tensor's largest value. Gradients: 1e-5 of the tensor's largest, against central differences of the
 * oracle, in double with a step of 1e-5, which are themselves off by about 1e-10 (the square of the step, and rounding
 * over the step). The same differences of the engine's own losses (floats: 4e-7 of 6 nats) ask for a step of 1e-2,
 * which may cross a relu's corner: 3 % of the gradient's length. */
#ifndef ELBO_TESTS_OP_NETWORKS_H
#define ELBO_TESTS_OP_NETWORKS_H

#include <stdbool.h>
#include <stdio.h>

#include "close.h"
#include "engine.h"
#include "device/cuda/program.h"
#include "oracle.h"
#include "scratch.h"

static const double VALUES = 2e-6, GRADIENTS = 1e-5;

/* ---- networks ---- */

typedef struct network {
    const char *kind, *encoder, *decoder; // layers, as a recipe's list
    const char *latent, *loss;
    int batch, pixels; // an image is (1, 1, pixels)
    int plan_batch;    // 0: the same
} network;

static inline char *text_of(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    assert_true(vasprintf(&text, format, args) > 0);
    va_end(args);
    return text;
}

static scratch folder;

/* The recipe as a file, opened as a user's. False: the device says that it cannot compute one of the layers. */
static inline bool open_network(engine *e, const network *n, const char *device, elbo_mode mode) {
    char *yaml = text_of("kind: %s\nlatent: %s\nencoder: [%s]\ndecoder: [%s]\nloss: {reconstruction: %s%s}\n"
                         "train: {batch: %d, seed: 11}\n",
                         n->kind, n->latent, n->encoder, n->decoder, n->loss,
                         !strcmp(n->kind, "vae") ? ", kl: 0.7" : "", n->plan_batch ? n->plan_batch : n->batch);
    scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
    free(yaml);
    if (!engine_open_if_can(e, folder.path, NULL, 0, (elbo_image_shape){1, 1, n->pixels}, device, mode, n->plan_batch))
        return false;
    const elbo_graph *g = &e->network.graph;
    for (int i = 0; i < g->params; i++) {
        float *w = e->network.params + g->param[i].offset;
        bool constant = g->param[i].bound == 0; // a scale of 1 or a shift of 0 would hide much
        for (size_t k = 0; k < g->param[i].count; k++)
            w[k] = constant ? w[k] + 0.4f * sinf((float)(k + 1)) : 1.5f * w[k];
    }
    return true;
}

/* ---- the three checks ---- */

/* One batch: some of a set of images, out of order, and everything about them in both precisions. */
typedef struct batch {
    elbo_images images;
    uint32_t *index;
    float *noise;          // (images.count, latent)
    double *x, *row_noise; // (count, pixels), (count, latent): as the oracle reads them
    int count;
} batch;

/* Of more images than a plan has room for. */
static inline void batch_make(batch *b, const elbo_graph *g, int count, int room) {
    uint32_t all = (uint32_t)(count > room ? count : room) + 5;
    size_t size = elbo_image_size(g->image), Z = (size_t)g->latent;
    *b = (batch){.images = {.shape = g->image, .count = all}, .count = count};
    b->images.floats = malloc(all * size * sizeof(float));
    b->noise = malloc(all * Z * sizeof(float));
    b->index = malloc((size_t)count * sizeof *b->index);
    b->x = malloc((size_t)count * size * sizeof *b->x);
    b->row_noise = malloc((size_t)count * Z * sizeof *b->row_noise);
    elbo_random_uniform((elbo_stream){.seed = 1, .purpose = ELBO_FOR_PICKING}, b->images.floats, all * size);
    elbo_random_normal((elbo_stream){.seed = 2, .purpose = ELBO_FOR_PICKING}, b->noise, all * Z);
    for (int i = 0; i < count; i++) {
        b->index[i] = all - 2 - (uint32_t)i; // backwards
        for (size_t k = 0; k < size; k++) b->x[(size_t)i * size + k] = b->images.floats[b->index[i] * size + k];
        for (size_t k = 0; k < Z; k++) b->row_noise[(size_t)i * Z + k] = b->noise[b->index[i] * Z + k];
    }
}

static inline void batch_free(batch *b) {
    elbo_images_free(&b->images);
    free(b->index);
    free(b->noise);
    free(b->x);
    free(b->row_noise);
}

enum { EPOCH = 3 };

static inline elbo_batch_args pass_of(engine *e, const batch *b, int count) {
    elbo_batch_args pass = engine_args(e, &b->images, b->index, count, EPOCH, 1, 1);
    pass.given_noise = b->noise;
    pass.no_update = true;
    return pass;
}

static inline void oracle_of(oracle *o, const engine *e, const batch *b, const double *params) {
    oracle_open(o, &e->network.graph, &e->recipe, b->count);
    o->params = params;
    o->images = b->x;
    o->index = b->index;
    o->noise = b->row_noise;
    o->training = true;
    o->seed = e->recipe.train.seed;
    o->epoch = EPOCH;
    o->kl_weight = e->recipe.loss.kl;
    oracle_run(o);
}

/* The code, that is, what the encoder's last layer gives, without noise and dropout. */
static inline void check_code(const network *n, const batch *b, oracle *o, const char *device) {
    engine e;
    open_network(&e, n, device, ELBO_ENCODE);
    elbo_batch_args pass = pass_of(&e, b, b->count);
    engine_run(&e, &pass);
    o->training = false;
    oracle_run(o);
    size_t width = elbo_shape_size(e.plan.code->shape);
    assert_int_equal(width, oracle_size(&e.network.graph.node[e.network.graph.at.code]));
    float *code = malloc((size_t)b->count * width * sizeof *code);
    elbo_plan_read(&e.plan, e.plan.code, 0, b->count, code);
    assert_tensors_near("code", code, o->output[e.network.graph.at.code], (size_t)b->count * width, VALUES);
    free(code);
    o->training = true;
    engine_close(&e);
}

static inline void check_losses(engine *e, const oracle *o, const char *device) {
    double *reconstruction = calloc((size_t)o->count, sizeof *reconstruction),
           *kl = calloc((size_t)o->count, sizeof *kl);
    engine_losses(e, ELBO_METRIC_RECONSTRUCTION, o->count, reconstruction);
    engine_losses(e, ELBO_METRIC_KL, o->count, kl);
    for (int i = 0; i < o->count; i++) {
        assert_near(device, (size_t)i, reconstruction[i], o->row_reconstruction[i],
                    VALUES * (1 + fabs(o->row_reconstruction[i])));
        if (e->network.graph.kind == ELBO_VAE)
            assert_near("kl", (size_t)i, kl[i], o->row_kl[i], VALUES * (1 + o->row_kl[i]));
    }
    free(reconstruction), free(kl);
    elbo_scores s = engine_scores(e, o->count);
    assert_near("reconstruction", 0, s.reconstruction, o->reconstruction, VALUES * (1 + fabs(o->reconstruction)));
    assert_near("mse", 0, s.mse * (double)elbo_image_size(e->network.graph.image), o->squared,
                VALUES * (1 + o->squared));
}

/* Of large networks some of the weights: every `step`th, so that no problem takes long. */
static inline size_t difference_step(const elbo_graph *g) { return 1 + g->weights / 600; }

static inline void differentiate(oracle *o, double *params, double *gradient) {
    const double h = 1e-5;
    size_t step = difference_step(o->graph);
    for (int i = 0; i < o->graph->params; i++) {
        const elbo_param *p = &o->graph->param[i];
        if (p->buffer) continue;
        for (size_t k = p->offset; k < p->offset + p->count; k += step) {
            double at = params[k];
            params[k] = at + h;
            oracle_run(o);
            gradient[k] = o->objective;
            params[k] = at - h;
            oracle_run(o);
            gradient[k] = (gradient[k] - o->objective) / (2 * h);
            params[k] = at;
        }
    }
}

/* What errors of a gradient are relative to: its largest value, or where that is next to nothing (a bias in front of a
 * batch norm has no gradient at all), a part of the largest of the network. */
static inline double gradient_scale(const engine *e, const elbo_param *p) {
    double largest[2] = {0}; // of this one, of all
    for (size_t i = 0; i < e->network.graph.param_floats; i++) {
        double size = fabs(e->grads[i]);
        largest[1] = fmax(largest[1], size);
        if (i >= p->offset && i < p->offset + p->count) largest[0] = fmax(largest[0], size);
    }
    return fmax(largest[0], largest[1] / 2);
}

static inline void check_gradients(const engine *e, const double *gradient, const char *device) {
    size_t step = difference_step(&e->network.graph);
    for (int i = 0; i < e->network.graph.params; i++) {
        const elbo_param *p = &e->network.graph.param[i];
        if (p->buffer) continue;
        const float *got = e->grads + p->offset;
        char what[80];
        snprintf(what, sizeof what, "%s: gradient of %s", device, p->name);
        double allowed = GRADIENTS * gradient_scale(e, p);
        for (size_t k = 0; k < p->count; k += step) assert_near(what, k, got[k], gradient[p->offset + k], allowed);
    }
}

/* The engine's own losses along some directions: nothing of the oracle in it. */
static inline void check_slopes(engine *e, elbo_batch_args *pass) {
    size_t n = e->network.graph.param_floats;
    float *start = malloc(n * sizeof *start), *gradient = malloc(n * sizeof *gradient), *way = malloc(n * sizeof *way);
    memcpy(start, e->network.params, n * sizeof *start);
    memcpy(gradient, e->grads, n * sizeof *gradient);
    double norm = 0;
    for (size_t i = 0; i < n; i++) norm += (double)gradient[i] * gradient[i];
    norm = sqrt(norm);
    for (uint32_t direction = 0; direction < 4; direction++) {
        if (direction == 0)
            memcpy(way, gradient, n * sizeof *way); // the steepest
        else
            elbo_random_normal((elbo_stream){.seed = direction, .purpose = ELBO_FOR_PICKING, .sample = 9}, way, n);
        double length = 0, slope = 0, loss[2];
        for (size_t i = 0; i < n; i++) length += (double)way[i] * way[i];
        for (size_t i = 0; i < n; i++) slope += way[i] / sqrt(length) * gradient[i];
        for (int side = 0; side < 2; side++) {
            double h = side ? 1e-2 : -1e-2;
            for (size_t i = 0; i < n; i++) e->network.params[i] = (float)(start[i] + h * way[i] / sqrt(length));
            engine_run(e, pass);
            elbo_scores s = engine_scores(e, pass->count);
            loss[side] = s.reconstruction + e->recipe.loss.kl * s.kl;
        }
        assert_near("slope", direction, (loss[1] - loss[0]) / 2e-2, slope, 3e-2 * norm);
    }
    memcpy(e->network.params, start, n * sizeof *start);
    free(start), free(gradient), free(way);
}

static inline void check_devices(const engine *cpu, const engine *ref) {
    for (int i = 0; i < cpu->network.graph.params; i++) {
        const elbo_param *p = &cpu->network.graph.param[i];
        if (p->buffer) continue;
        const float *got = cpu->grads + p->offset, *want = ref->grads + p->offset;
        double allowed = GRADIENTS * gradient_scale(ref, p);
        for (size_t k = 0; k < p->count; k++) assert_near(p->name, k, got[k], want[k], allowed);
    }
}

/* Where a program keeps them: in host memory, or NULL: on a GPU. */
static inline float *device_grads(const engine *e) {
    if (!strcmp(e->state.device->name, "shim")) return ((elbo_gpu_program *)e->plan.program)->grads;
    return strcmp(e->state.device->name, "cuda") ? ((elbo_cpu_program *)e->plan.program)->grads : NULL;
}

/* A run before the one that counts leaves other numbers in the arena: none of them may matter. */
static inline void run_after_another(engine *e, batch *b, elbo_batch_args *pass) {
    static const uint32_t first[] = {3, 2, 1, 0};
    elbo_batch_args other = *pass;
    other.index = first;
    other.count = e->plan.options.batch < 4 ? e->plan.options.batch : 4;
    engine_run(e, &other);
    if (e->plan.options.batch > b->count) { // more rows than then
        uint32_t *all = malloc((size_t)b->images.count * sizeof *all);
        for (uint32_t i = 0; i < b->images.count; i++) all[i] = i;
        other.index = all;
        other.count = e->plan.options.batch < (int)b->images.count ? e->plan.options.batch : (int)b->images.count;
        engine_run(e, &other);
        free(all);
    }
    for (int i = 0; i < e->network.graph.params; i++) {
        const elbo_param *p = &e->network.graph.param[i];
        if (!p->buffer && device_grads(e))
            memset(device_grads(e) + p->offset, 0xff, p->count * sizeof(float)); // NaN: each must be written
    }
    engine_run(e, pass);
    assert_false(e->diverged);
}

enum { DEVICES = 3 };
static const char *devices[DEVICES] = {"ref", "cpu"}; // the third: test_device()
static int shim_checked, shim_refused;

static inline void check(const network *n) {
    engine e[DEVICES];
    batch b;
    oracle o;
    bool opened[DEVICES];
    devices[2] = test_device();
    for (int d = 0; d < DEVICES; d++) opened[d] = open_network(&e[d], n, devices[d], ELBO_TRAIN);
    assert_true(opened[0] && opened[1]);
    *(opened[2] ? &shim_checked : &shim_refused) += 1;
    const elbo_graph *g = &e[0].network.graph;
    batch_make(&b, g, n->batch, n->plan_batch);
    double *params = calloc(g->param_floats, sizeof *params), *gradient = calloc(g->param_floats, sizeof *gradient);
    for (size_t i = 0; i < g->param_floats; i++) params[i] = e[0].network.params[i];
    for (int d = 0; d < DEVICES; d++) {
        if (!opened[d]) continue;
        elbo_batch_args pass = pass_of(&e[d], &b, b.count);
        run_after_another(&e[d], &b, &pass);
        oracle_of(&o, &e[d], &b, params);
        check_losses(&e[d], &o, devices[d]);
        check_code(n, &b, &o, devices[d]);
        if (d == 0) differentiate(&o, params, gradient);
        check_gradients(&e[d], gradient, devices[d]);
        oracle_close(&o);
        if (d > 0) check_devices(&e[d], &e[0]);
    }
    elbo_batch_args pass = pass_of(&e[0], &b, b.count);
    check_slopes(&e[0], &pass);
    for (int d = 0; d < DEVICES; d++)
        if (opened[d]) engine_close(&e[d]);
    batch_free(&b);
    free(params), free(gradient);
}

static inline int enter(void **state) {
    (void)state;
    scratch_make(&folder);
    return 0;
}

static inline int leave(void **state) {
    (void)state;
    scratch_remove(&folder);
    print_message("%s: %d networks checked, %d refused\n", test_device(), shim_checked, shim_refused);
    return 0;
}

#endif
