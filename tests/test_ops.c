/* Every op inside a small network, from recipe text to gradients: what it computes against plain loops (oracle.h), its
 * gradient against finite differences, and device "cpu" against "ref". Then networks in which the planner lets ops work
 * in place, or must not.
 *
 * A new op is a row of `layers`, some `problems`, and its plain loop in oracle.h.
 *
 * Tolerances. Values: each float in the network is off by about 2^-24 = 6e-8 of its size, and a few dozen of these add
 * up: 2e-6 of the tensor's largest value. Gradients: 1e-5 of the tensor's largest, against central differences of the
 * oracle, in double with a step of 1e-5, which are themselves off by about 1e-10 (the square of the step, and rounding
 * over the step). The same differences of the engine's own losses (floats: 4e-7 of 6 nats) ask for a step of 1e-2,
 * which may cross a relu's corner: 3 % of the gradient's length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>

#include "close.h"
#include "engine.h"
#include "oracle.h"
#include "scratch.h"

static const double VALUES = 2e-6, GRADIENTS = 1e-5;

/* ---- problem strings ----
 *
 * "linear b33 i17 o40 bias=false": the op, then numbers behind letters, then arguments as a recipe has them. b is the
 * batch; i, or c, h and w, what goes in; the others are the op's. */

typedef struct problem {
    const char *text;
    char op[32], arguments[80];
    int letter[26];
} problem;

static problem parse_problem(const char *text) {
    problem p = {.text = text, .letter['s' - 'a'] = 1}; // a stride of 1, where none is given
    int end = 0;
    assert_int_equal(sscanf(text, "%31s%n", p.op, &end), 1);
    char word[64];
    for (const char *at = text + end; sscanf(at, "%63s%n", word, &end) == 1; at += end) {
        if (strchr(word, '=')) {
            strcat(strcat(p.arguments, " "), word);
            continue;
        }
        for (char *w = word; *w;) {
            int *number = &p.letter[*w - 'a'];
            *number = (int)strtol(w + 1, &w, 10);
            assert_true(*number >= 0);
        }
    }
    return p;
}

static int letter(const problem *p, char c) { return p->letter[c - 'a']; }

/* How each op is written in a recipe: %o stands for the letter's number. */
static const struct {
    const char *op, *layer;
} layers[] = {
    {"batch_norm1d", "batch_norm1d"},
    {"batch_norm2d", "batch_norm2d"},
    {"save", "save a, linear %o, relu, add a"},
    {"add", "save a, tanh, add a"},
    {"concat", "save a, linear %o, relu, concat a"},
    {"layer_norm", "layer_norm"},
    {"max_pool2d", "max_pool2d kernel=%k"},
    {"avg_pool2d", "avg_pool2d kernel=%k"},
    {"upsample", "upsample"},
    {"conv2d", "conv2d %o kernel=%k stride=%s padding=%p"},
    {"conv_transpose2d", "conv_transpose2d %o kernel=%k stride=%s padding=%p"},
    {"linear", "linear %o"},
    {"relu", "relu"},
    {"leaky_relu", "leaky_relu"},
    {"tanh", "tanh"},
    {"sigmoid", "sigmoid"},
    {"flatten", "flatten"},
    {"unflatten", "unflatten"},
    {"dropout", "dropout"},
};

static const char *const problems[] = {
    "linear b5 i7 o3",
    "linear b1 i1 o1",
    "linear b33 i17 o40 bias=false",
    "linear b37 i65 o15",
    "relu b5 i9",
    "relu b33 i16",
    "leaky_relu b5 i9",
    "leaky_relu b31 i17 negative_slope=0.3",
    "tanh b5 i9",
    "tanh b64 i33",
    "sigmoid b5 i9",
    "sigmoid b65 i15",
    "flatten b5 c2h3w2",
    "unflatten b5 i12 channels=2 height=3 width=2",
    "conv2d b2c3h5w4 o4k3s2p1",
    "conv2d b1c1h1w1 o1k1",
    "conv2d b5c2h6w3 o3k2",
    "conv2d b35c3h4w5 o5k3p1 bias=false",
    "conv2d b3c9h4w4 o17k3p1",
    "conv2d b2c2h9w7 o3k3s3p2 dilation=2",
    "conv2d b2c16h5w5 o8k5p4",
    "conv_transpose2d b2c3h3w4 o2k3s2p1",
    "conv_transpose2d b1c1h1w1 o1k1",
    "conv_transpose2d b2c3h3w2 o4k3s2p1 output_padding=1",
    "conv_transpose2d b35c2h3w3 o3k2s2 bias=false",
    "conv_transpose2d b3c17h3w3 o9k3p1",
    "conv_transpose2d b2c2h3w2 o3k3s3p2 dilation=2 output_padding=2",
    "conv_transpose2d b2c16h3w3 o8k4s2p1",
    "conv_transpose2d b3c33h3w2 o3k3s2p1 output_padding=1",
    "batch_norm1d b5 i9",
    "batch_norm1d b37 i17 eps=0.01",
    "batch_norm2d b3 c2h3w2",
    "batch_norm2d b35 c9h2w2",
    "batch_norm2d b3 c17h1w3 eps=0.1 momentum=0.3",
    "save b5 i9 o9",
    "add b5 i9",
    "add b33 c9h2w3",
    "concat b5 i9 o4",
    "concat b35 i17 o16",
    "conv2d b5c1h7w5 o20k5p2",
    "conv2d b2c20h5w4 o17k4s3p1",
    "conv2d b1c17h5w7 o1k3s2p1",
    "conv2d b33c8h3w3 o3k3p1 bias=false",
    "conv2d b3c17h5w4 o1k3p1", // to few channels: run as a transposed convolution
    "conv2d b2c9h6w5 o2k5p3",
    "conv2d b2c16h7w6 o1k3p3 dilation=2",
    "conv2d b2c8h3w4 o1k2p3", // more padding than the kernel reaches: not so
    "conv2d b2c5h9w6 o9k3s2p3 dilation=2",
    "conv2d b3c3h4w5 o8k2s2",
    // from 8 channels or more to a few: a product, and its columns added to the picture
    "conv_transpose2d b5c20h3w4 o1k5s2p2 output_padding=1",
    "conv_transpose2d b2c8h2w3 o5k5s3p1",
    "conv_transpose2d b1c17h3w2 o3k3s2p1 dilation=2 output_padding=1",
    "conv_transpose2d b33c9h2w2 o1k3s2p1 bias=false",
    "conv_transpose2d b2c20h2w3 o3k2s3 output_padding=2",
    "conv_transpose2d b2c3h2w3 o20k4s2p1",
    "conv_transpose2d b5c5h3w3 o8k3s1p2 dilation=2",
    "conv_transpose2d b2c17h2w2 o20k1s2 output_padding=1",
    // an output_padding of the stride or more, below the dilation: up to the padding, and beyond
    "conv_transpose2d b3c9h3w4 o5k3p2 dilation=2 output_padding=1",
    "conv_transpose2d b2c3h3w2 o9k2p1 dilation=3 output_padding=2",
    "conv_transpose2d b2c17h2w3 o17k3s2p1 dilation=4 output_padding=3",
    "conv_transpose2d b33c2h3w2 o3k3 dilation=2 output_padding=1 bias=false",
    "conv_transpose2d b2c9h2w3 o1k2p0 dilation=3 output_padding=2",
    "max_pool2d b5 c2h4w6k2",
    "max_pool2d b3 c9h5w7k3 stride=2 padding=1",
    "max_pool2d b35 c17h3w4k2 stride=1",
    "max_pool2d b2 c3h5w5k2 padding=1",
    "max_pool2d b1 c16h7w4k4 stride=3 padding=2",
    "max_pool2d b2 c20h1w1k1",
    "avg_pool2d b5 c2h4w6k2",
    "avg_pool2d b3 c9h5w7k3 stride=2 padding=1",
    "avg_pool2d b35 c17h3w4k2 stride=1",
    "avg_pool2d b2 c3h5w5k2 padding=1",
    "avg_pool2d b1 c16h7w4k4 stride=3 padding=2",
    "upsample b5 c2h3w2",
    "upsample b3 c9h2w3 scale=3",
    "upsample b35 c17h1w2 mode=nearest",
    "upsample b5 c2h3w2 mode=bilinear",
    "upsample b3 c9h2w4 scale=3 mode=bilinear",
    "upsample b35 c17h1w2 mode=bilinear",
    "upsample b2 c8h2w2 scale=4 mode=bilinear",
    "upsample b2 c3h2w2 scale=1 mode=bilinear",
    "layer_norm b5 i9",
    "layer_norm b37 i17 eps=0.01",
    "layer_norm b3 c2h3w2",
    "layer_norm b35 c9h2w2",
    "layer_norm b2 c17h3w3 eps=0.1",
    "dropout b5 i9 p=0.3",
    "dropout b37 i17",
    "dropout b3 i9 p=0",
    "reparameterize b5 z3",
    "reparameterize b33 z17",
    "reparameterize b1 z1",
    "bce b5 i9",
    "bce b35 i17",
    "mse b5 i9",
    "mse b33 i1",
    "l1 b5 i9",
    "l1 b2 i33",
};

/* ---- networks ---- */

typedef struct network {
    const char *kind, *encoder, *decoder; // layers, as a recipe's list
    const char *latent, *loss;
    int batch, pixels; // an image is (1, 1, pixels)
    int plan_batch;    // 0: the same
} network;

static char *text_of(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    assert_true(vasprintf(&text, format, args) > 0);
    va_end(args);
    return text;
}

static scratch folder;

/* The recipe as a file, opened as a user's. */
static void open_network(engine *e, const network *n, const char *device, elbo_mode mode) {
    char *yaml = text_of("kind: %s\nlatent: %s\nencoder: [%s]\ndecoder: [%s]\nloss: {reconstruction: %s%s}\n"
                         "train: {batch: %d, seed: 11}\n",
                         n->kind, n->latent, n->encoder, n->decoder, n->loss,
                         !strcmp(n->kind, "vae") ? ", kl: 0.7" : "", n->plan_batch ? n->plan_batch : n->batch);
    scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
    free(yaml);
    engine_open(e, folder.path, NULL, 0, (elbo_image_shape){1, 1, n->pixels}, device, mode, n->plan_batch, 2);
    const elbo_graph *g = &e->network.graph;
    for (int i = 0; i < g->params; i++) {
        float *w = e->network.params + g->param[i].offset;
        bool constant = g->param[i].bound == 0; // a scale of 1 or a shift of 0 would hide much
        for (size_t k = 0; k < g->param[i].count; k++)
            w[k] = constant ? w[k] + 0.4f * sinf((float)(k + 1)) : 1.5f * w[k];
    }
}

/* A problem is a network with a layer in front of the op, which learns from the op's gradient, and one behind it. */
static network network_of(const problem *p, char room[2][200]) {
    network n = {.kind = "ae", .latent = "none", .loss = "bce", .batch = letter(p, 'b'), .pixels = 6};
    n.encoder = room[0], n.decoder = room[1];
    if (!strcmp(p->op, "reparameterize")) {
        n.kind = "vae";
        n.latent = room[0];
        snprintf(room[0], 200, "%d", letter(p, 'z'));
        n.encoder = "flatten, linear 7, tanh";
        n.decoder = "linear 6, sigmoid";
        return n;
    }
    if (!strcmp(p->op, "bce") || !strcmp(p->op, "mse") || !strcmp(p->op, "l1")) {
        n.loss = p->op;
        n.pixels = letter(p, 'i');
        n.encoder = "flatten, linear 5, tanh";
        snprintf(room[1], 200, "linear %d%s", n.pixels, !strcmp(p->op, "bce") ? ", sigmoid" : "");
        return n;
    }
    char layer[80] = "", front[64];
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        if (strcmp(layers[i].op, p->op)) continue;
        for (const char *c = layers[i].layer; *c; c++) {
            size_t used = strlen(layer);
            if (*c == '%')
                snprintf(layer + used, sizeof layer - used, "%d", letter(p, *++c));
            else
                layer[used] = *c;
        }
    }
    if (!*layer) fail_msg("%s: `layers` has no such op", p->text);
    int c = letter(p, 'c'), h = letter(p, 'h'), w = letter(p, 'w');
    if (c)
        snprintf(front, sizeof front, "linear %d, unflatten %d %d %d", c * h * w, c, h, w);
    else
        snprintf(front, sizeof front, "linear %d", letter(p, 'i'));
    snprintf(room[0], 200, "flatten, %s, %s%s", front, layer, p->arguments);
    n.decoder = "flatten, linear 6, sigmoid";
    return n;
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
static void batch_make(batch *b, const elbo_graph *g, int count, int room) {
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

static void batch_free(batch *b) {
    elbo_images_free(&b->images);
    free(b->index);
    free(b->noise);
    free(b->x);
    free(b->row_noise);
}

enum { EPOCH = 3 };

static elbo_batch_args pass_of(engine *e, const batch *b, int count) {
    elbo_batch_args pass = engine_args(e, &b->images, b->index, count, EPOCH, 1, 1);
    pass.given_noise = b->noise;
    pass.no_update = true;
    return pass;
}

static void oracle_of(oracle *o, const engine *e, const batch *b, const double *params) {
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
static void check_code(const network *n, const batch *b, oracle *o, const char *device) {
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

static void check_losses(engine *e, const oracle *o, const char *device) {
    double *reconstruction = calloc((size_t)o->count, sizeof *reconstruction),
           *kl = calloc((size_t)o->count, sizeof *kl);
    engine_losses(e, ELBO_METRIC_RECONSTRUCTION, o->count, reconstruction);
    engine_losses(e, ELBO_METRIC_KL, o->count, kl);
    for (int i = 0; i < o->count; i++) {
        assert_near(device, (size_t)i, reconstruction[i], o->row_reconstruction[i],
                    VALUES * (1 + o->row_reconstruction[i]));
        if (e->network.graph.kind == ELBO_VAE)
            assert_near("kl", (size_t)i, kl[i], o->row_kl[i], VALUES * (1 + o->row_kl[i]));
    }
    free(reconstruction), free(kl);
    elbo_scores s = engine_scores(e, o->count);
    assert_near("reconstruction", 0, s.reconstruction, o->reconstruction, VALUES * (1 + o->reconstruction));
    assert_near("mse", 0, s.mse * (double)elbo_image_size(e->network.graph.image), o->squared,
                VALUES * (1 + o->squared));
}

/* Of large networks some of the weights: every `step`th, so that no problem takes long. */
static size_t difference_step(const elbo_graph *g) { return 1 + g->weights / 600; }

static void differentiate(oracle *o, double *params, double *gradient) {
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
static double gradient_scale(const engine *e, const elbo_param *p) {
    double largest[2] = {0}; // of this one, of all
    for (size_t i = 0; i < e->network.graph.param_floats; i++) {
        double size = fabs(e->grads[i]);
        largest[1] = fmax(largest[1], size);
        if (i >= p->offset && i < p->offset + p->count) largest[0] = fmax(largest[0], size);
    }
    return fmax(largest[0], largest[1] / 2);
}

static void check_gradients(const engine *e, const double *gradient, const char *device) {
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
static void check_slopes(engine *e, elbo_batch_args *pass) {
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

static void check_devices(const engine *cpu, const engine *ref) {
    for (int i = 0; i < cpu->network.graph.params; i++) {
        const elbo_param *p = &cpu->network.graph.param[i];
        if (p->buffer) continue;
        const float *got = cpu->grads + p->offset, *want = ref->grads + p->offset;
        double allowed = GRADIENTS * gradient_scale(ref, p);
        for (size_t k = 0; k < p->count; k++) assert_near(p->name, k, got[k], want[k], allowed);
    }
}

/* A run before the one that counts leaves other numbers in the arena: none of them may matter. */
static void run_after_another(engine *e, batch *b, elbo_batch_args *pass) {
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
        if (!p->buffer)
            memset(((elbo_cpu_program *)e->plan.program)->grads + p->offset, 0xff,
                   p->count * sizeof(float)); // NaN: each must be written
    }
    engine_run(e, pass);
    assert_false(e->diverged);
}

static void check(const network *n) {
    static const char *const devices[] = {"ref", "cpu"};
    engine e[2];
    batch b;
    oracle o;
    for (int d = 0; d < 2; d++) open_network(&e[d], n, devices[d], ELBO_TRAIN);
    const elbo_graph *g = &e[0].network.graph;
    batch_make(&b, g, n->batch, n->plan_batch);
    double *params = calloc(g->param_floats, sizeof *params), *gradient = calloc(g->param_floats, sizeof *gradient);
    for (size_t i = 0; i < g->param_floats; i++) params[i] = e[0].network.params[i];
    for (int d = 0; d < 2; d++) {
        elbo_batch_args pass = pass_of(&e[d], &b, b.count);
        run_after_another(&e[d], &b, &pass);
        oracle_of(&o, &e[d], &b, params);
        check_losses(&e[d], &o, devices[d]);
        check_code(n, &b, &o, devices[d]);
        if (d == 0) differentiate(&o, params, gradient);
        check_gradients(&e[d], gradient, devices[d]);
        oracle_close(&o);
    }
    check_devices(&e[1], &e[0]);
    elbo_batch_args pass = pass_of(&e[0], &b, b.count);
    check_slopes(&e[0], &pass);
    for (int d = 0; d < 2; d++) engine_close(&e[d]);
    batch_free(&b);
    free(params), free(gradient);
}

/* ---- the tests ---- */

static void every_op(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        problem p = parse_problem(problems[i]);
        char room[2][200];
        network n = network_of(&p, room);
        print_message("%s\n", p.text);
        check(&n);
    }
}

/* No op without a problem. */
static void none_is_forgotten(void **state) {
    (void)state;
    for (int i = 0; elbo_ops[i]; i++) {
        bool found = elbo_ops[i] == &elbo_op_input; // it is in front of all of them
        for (size_t k = 0; k < sizeof problems / sizeof *problems && !found; k++) {
            problem p = parse_problem(problems[k]);
            found = !strcmp(p.op, elbo_ops[i]->name);
        }
        if (!found) fail_msg("op `%s` has no problem string in this test", elbo_ops[i]->name);
    }
}

/* Where the planner lets an op write over its input: the input must be nobody else's, and no backward's. */
static const network in_place[] = {
    {"ae", "flatten, linear 9, tanh, relu", "linear 6, sigmoid", "none", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, relu, dropout p=0.3", "linear 6, sigmoid", "none", "bce", 33, 6, 0},
    {"ae", "flatten, linear 9, tanh, dropout", "linear 6, sigmoid", "4", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, sigmoid, linear 7, sigmoid", "linear 6, sigmoid", "3", "bce", 37, 6, 0},
    {"ae", "flatten, linear 9, relu, leaky_relu negative_slope=0.5", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh, tanh, sigmoid, tanh", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, dropout p=0.2, relu, dropout p=0.3, tanh", "linear 6, sigmoid", "3", "bce", 35, 6, 0},
    {"ae", "flatten, linear 9, dropout p=0.2, dropout p=0.3, dropout p=0.1", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, relu, flatten, dropout p=0.2, leaky_relu", "linear 6, sigmoid", "3",
     "bce", 5, 6, 0},
    // convolutions keep their channels in blocks of 16, where there are enough; nothing may depend on it
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=3 padding=1, relu, conv2d 17 kernel=2, tanh, flatten, linear 4",
     "linear 6, sigmoid", "none", "bce", 35, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 8 kernel=2 padding=1, tanh, dropout p=0.3",
     "conv_transpose2d 1 kernel=2 padding=1, flatten, sigmoid", "none", "bce", 35, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 2 kernel=2", "conv_transpose2d 10 kernel=2, leaky_relu, conv2d 1 kernel=1, flatten",
     "none", "mse", 5, 6, 0},
    {"ae", "conv2d 16 kernel=1, unflatten 8 4 3, conv2d 2 kernel=1, relu", "flatten, linear 6, sigmoid", "none", "bce",
     5, 6, 0},
    {"vae", "conv2d 9 kernel=1, relu",
     "linear 18, unflatten 9 1 2, relu, conv_transpose2d 1 kernel=4 stride=2, unflatten 2 2 6, conv2d 1 kernel=1 "
     "stride=2, flatten, linear 6, sigmoid",
     "3", "bce", 37, 6, 0},
    {"ae", "dropout p=0.2, conv2d 12 kernel=1, sigmoid, sigmoid, dropout p=0.2", "conv2d 1 kernel=1, unflatten 1 1 6",
     "none", "l1", 70, 6, 100},
    // more than one reader
    {"ae", "flatten, linear 9, save a, relu, linear 9, add a, save b, tanh, add b, add b", "linear 6, sigmoid", "3",
     "bce", 35, 6, 0},
    {"ae", "flatten, save a, linear 6, relu, add a, add a", "linear 6, save b, sigmoid, add b", "none", "mse", 5, 6, 0},
    {"ae", "flatten, linear 12, save a, unflatten 3 2 2, relu, save b, flatten, add a, unflatten 3 2 2, concat b",
     "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, batch_norm2d, relu, save a, conv2d 9 kernel=3 padding=1, batch_norm2d, add "
     "a, relu",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, save x, conv2d 9 kernel=1, save a, conv2d 16 kernel=1, concat a, concat x, concat a, save b, "
     "concat b, relu",
     "flatten, linear 6", "none", "mse", 5, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 16 kernel=1, save a, conv2d 16 kernel=1, tanh, concat a, dropout p=0.2",
     "conv2d 7 kernel=1, save c, conv2d 9 kernel=1, concat c, conv2d 1 kernel=1, flatten", "none", "l1", 35, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, batch_norm2d, tanh, save a, conv2d 3 kernel=3 padding=1, add a",
     "flatten, linear 6, batch_norm1d, sigmoid", "3", "bce", 33, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, save a, concat a, batch_norm2d, concat a",
     "flatten, linear 6, sigmoid", "none", "bce", 5, 6, 0},
    {"ae", "flatten, batch_norm1d, linear 9, batch_norm1d, batch_norm1d, relu",
     "linear 6, batch_norm1d, dropout p=0.2, sigmoid", "none", "bce", 40, 6, 64},
    {"ae", "flatten, linear 9, save a, batch_norm1d, add a, batch_norm1d", "save b, linear 6, concat b, linear 6", "3",
     "mse", 35, 6, 0},
    {"vae", "flatten, linear 9, save a, relu, add a", "save b, relu, add b, save c, tanh, concat c, linear 6, sigmoid",
     "3", "bce", 37, 6, 0},
    // every kind of reader beside another, so that each adds its share of the gradient to the other's; 37 images in
    // eight shards leave rows that only fill the last
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=3 padding=1, save a, batch_norm2d, add a, relu",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=1, save a, layer_norm, add a, relu", "conv2d 1 kernel=1, flatten, sigmoid",
     "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, save a, max_pool2d kernel=3 stride=1 padding=1, add a, save b, "
     "avg_pool2d kernel=3 stride=1 padding=1, concat b",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, save a, upsample, conv2d 9 kernel=2 stride=2, add a, save b, upsample "
     "mode=bilinear, avg_pool2d kernel=2, concat b",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 3 kernel=1, save a, layer_norm, max_pool2d kernel=3 stride=1 padding=1, add a, "
     "save b, upsample, avg_pool2d kernel=2, add b, save c, upsample mode=bilinear, max_pool2d kernel=2, add c",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 35, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, save a, conv2d 9 kernel=3 padding=1, add a, save b, conv_transpose2d 9 "
     "kernel=3 padding=1, add b, save c, relu, add c, save d, dropout p=0.3, add d, save e, flatten, linear 54, "
     "unflatten 9 2 3, add e",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "flatten, linear 18, unflatten 2 3 3, save a, max_pool2d kernel=3 stride=1 padding=1, add a, layer_norm, save "
     "b, upsample, conv2d 2 kernel=2 stride=2, concat b, concat a",
     "flatten, linear 6, sigmoid", "none", "bce", 5, 6, 0},
    // behind a view, a tensor has another shape than its node
    {"ae", "flatten, linear 18, unflatten 2 3 3, upsample mode=bilinear, avg_pool2d kernel=2 stride=1, layer_norm",
     "flatten, linear 6, sigmoid", "none", "bce", 5, 6, 0},
    // on the image, for which nobody asks a gradient; and next to the loss
    {"ae",
     "layer_norm, unflatten 1 2 3, max_pool2d kernel=2 stride=1, upsample, avg_pool2d kernel=2, flatten, linear 3",
     "linear 6, layer_norm, sigmoid", "none", "bce", 37, 6, 0},
    {"ae", "flatten, linear 3", "linear 9, unflatten 9 1 1, upsample, conv2d 6 kernel=1, avg_pool2d kernel=2, flatten",
     "none", "mse", 33, 6, 0},
    // saved in the decoder, and read twice
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=1, relu, max_pool2d kernel=2, flatten, linear 3",
     "linear 54, unflatten 9 2 3, relu, save a, max_pool2d kernel=2, upsample scale=6, conv2d 9 kernel=5 stride=1, "
     "avg_pool2d kernel=1, max_pool2d kernel=2 stride=1, save b, conv2d 6 kernel=1, flatten, linear 54, unflatten 9 2 3, add a, concat a, conv2d 1 kernel=1, flatten, "
     "sigmoid",
     "none", "bce", 35, 6, 0},
    // on the image itself, which the loss reads again
    {"ae", "flatten, dropout p=0.3, linear 9, relu", "linear 6, sigmoid", "3", "bce", 33, 6, 0},
    {"ae", "tanh, flatten, relu, linear 9", "linear 6, sigmoid", "3", "mse", 5, 6, 0},
    {"ae", "dropout p=0.4, tanh, dropout p=0.2, flatten, linear 9", "linear 6", "3", "l1", 5, 6, 0},
    // on the code, and on what goes into the loss
    {"ae", "flatten, linear 9, tanh", "relu, linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "dropout p=0.3, tanh, linear 6, dropout p=0.3, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, tanh, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, sigmoid, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, sigmoid", "3", "mse", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, tanh, dropout p=0.3", "3", "mse", 33, 6, 0},
    {"ae", "flatten, linear 6", "sigmoid", "none", "bce", 33, 6, 0},
    {"vae", "flatten, linear 9, tanh", "relu, linear 6, sigmoid", "3", "bce", 33, 6, 0},
    {"vae", "flatten, linear 9, relu", "dropout p=0.3, linear 7, tanh, linear 6, unflatten 1 1 6, tanh", "3", "mse", 5,
     6, 0},
    {"vae", "flatten", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
};

static void ops_in_place(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof in_place / sizeof *in_place; i++) {
        print_message("[%s] [%s] %s\n", in_place[i].encoder, in_place[i].decoder, in_place[i].loss);
        check(&in_place[i]);
    }
}

/* How a batch is cut: one image, a whole shard, a shard and a row, fewer images than the plan has room for. */
static void batches(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 0}, {32, 0}, {33, 0}, {96, 0}, {97, 0}, {1, 64}, {31, 33}, {5, 200}, {64, 65}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        print_message("%d of %d\n", sizes[i][0], sizes[i][1]);
        network n = {"vae",
                     "flatten, linear 7, relu, dropout p=0.2",
                     "linear 7, tanh, linear 6, sigmoid",
                     "3",
                     "bce",
                     sizes[i][0],
                     6,
                     sizes[i][1]};
        check(&n);
        n.encoder = "unflatten 1 2 3, conv2d 2 kernel=2, relu, dropout p=0.2";
        n.decoder = "linear 18, unflatten 9 1 2, conv_transpose2d 1 kernel=2, flatten, sigmoid";
        check(&n);
    }
}

/* Running statistics as PyTorch's: the mean, and the variance with n - 1, each moved by the momentum. A batch of one
 * value per channel has no variance and is left out (PyTorch stops there); one image of several pixels has. */
static void running_statistics(void **state) {
    (void)state;
    static const char *const devices[] = {"ref", "cpu"};
    for (int d = 0; d < 2; d++)
        for (int two = 0; two < 2; two++)
            for (int count = 1; count <= 33; count += 16) {
                network n = {"ae",
                             two ? "unflatten 1 2 3, batch_norm2d" : "flatten, batch_norm1d",
                             "flatten, linear 6, sigmoid",
                             "none",
                             "bce",
                             40,
                             6,
                             0};
                engine e;
                batch b;
                open_network(&e, &n, devices[d], ELBO_TRAIN);
                const elbo_graph *g = &e.network.graph;
                batch_make(&b, g, count, 40);
                elbo_batch_args pass = pass_of(&e, &b, count);
                pass.no_update = false;
                const elbo_param *mean = NULL, *var = NULL;
                for (int i = 0; i < g->params; i++) {
                    if (strstr(g->param[i].name, "running_mean")) mean = &g->param[i];
                    if (strstr(g->param[i].name, "running_var")) var = &g->param[i];
                }
                assert_true(mean && var);
                size_t channels = mean->count, pixels = 6 / channels, values = (size_t)count * pixels;
                double before[2][6];
                for (size_t c = 0; c < channels; c++) {
                    before[0][c] = e.network.params[mean->offset + c];
                    before[1][c] = e.network.params[var->offset + c];
                }
                engine_run(&e, &pass);
                for (size_t c = 0; c < channels; c++) {
                    double m = 0, v = 0, share = values > 1 ? 0.1 : 0;
                    for (size_t i = 0; i < values; i++)
                        m += b.x[i / pixels * 6 + c * pixels + i % pixels] / (double)values;
                    for (size_t i = 0; i < values; i++)
                        v += pow(b.x[i / pixels * 6 + c * pixels + i % pixels] - m, 2) / fmax((double)values - 1, 1);
                    assert_near("running_mean", c, e.network.params[mean->offset + c],
                                before[0][c] + share * (m - before[0][c]), 1e-6);
                    assert_near("running_var", c, e.network.params[var->offset + c],
                                before[1][c] + share * (v - before[1][c]), 1e-6);
                }
                engine_close(&e);
                batch_free(&b);
            }
}

/* ---- what is refused ---- */

/* What the decoder reads of the encoder is an input of its plan, beside the code; what the encoder reads itself is
 * not. */
static void skips_across_the_latent(void **state) {
    (void)state;
    const network n = {"ae",
                       "flatten, linear 9, save a, relu, save b, linear 9, add b, linear 3",
                       "linear 9, save c, relu, add c, add a, linear 6",
                       "none",
                       "mse",
                       5,
                       6,
                       0};
    engine e;
    open_network(&e, &n, "cpu", ELBO_TRAIN);
    assert_int_equal(e.network.graph.skips, 1);
    assert_int_equal(e.network.graph.skip_floats, 9);
    engine_close(&e);
}

static void wrong_layers(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"flatten, max_pool2d kernel=2", "put `unflatten C H W` before it"},
        {"max_pool2d", "kernel is missing; it reads `max_pool2d kernel=K [stride=kernel] [padding=0]`"},
        {"max_pool2d kernel=2", "its input is 1x1x6, smaller than the kernel"},
        {"unflatten 1 2 3, avg_pool2d kernel=3 padding=2", "padding=2; it is at most half of the kernel, 1"},
        {"avg_pool2d kernel=1 stride=0", "stride=0; it is between 1 and 1024"},
        {"upsample scale=0", "scale=0; it is between 1 and 256"},
        {"upsample mode=cubic", "mode=cubic; it is nearest or bilinear"},
        {"upsample 2 bilinear, upsample scale=3 mode=nearest, upsample mode=Nearest",
         "mode=Nearest; it is nearest or bilinear"},
        {"upsample scale=256, upsample scale=256", "which leaves more than 65536 rows or columns"},
        {"flatten, upsample", "put `unflatten C H W` before it"},
        {"layer_norm eps=0", "eps=0; it is between 1e-12 and 1"},
        {"batch_norm1d", "use `batch_norm2d` for it"},
        {"flatten, batch_norm2d", "use `batch_norm1d` for it"},
        {"save a, conv2d 2 kernel=1, add a", "only equal shapes can be added"},
        {"save a, upsample, concat a", "only images of one height and width"},
        {"save a, save a", "the name is taken"},
        {"save first, add firts", "did you mean `first`?"},
        {"conv2d 2 kernel=1 output_padding=1", "`conv2d` has no argument `output_padding`"},
        {"conv2d 2 kernel_size=1",
         "`conv2d` has no argument `kernel_size`; did you mean `kernel`? it reads `conv2d OUT_CHANNELS"},
        {"conv2d 2 kernel=1 paddign=1", "did you mean `padding`?"},
        {"conv2d 2 kernel=2 padding=0", "use a smaller kernel or more padding"},
        {"conv_transpose2d 2 kernel=3 padding=2",
         "which leaves an output of -1 rows; use a larger kernel or less padding"},
        {"conv_transpose2d 2 kernel=99 stride=1024, conv_transpose2d 2 kernel=9 stride=1024",
         "use less padding or a smaller stride"},
        {"conv2d 65536 kernel=1, upsample 256, flatten", "gives 65536x256x1536, more than 2^28 values an image"},
        {"conv_transpose2d 2 kernel=1 stride=2 output_padding=2", "it is smaller than stride (2) or dilation (1)"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *yaml = text_of("kind: ae\nencoder: [%s]\nlatent: 2\ndecoder: [linear 6]\nloss: {reconstruction: mse}\n",
                             wrong[i][0]);
        scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
        free(yaml);
        elbo_recipe r;
        elbo_network n;
        elbo_error err;
        assert_ok(elbo_recipe_open(&r, folder.path, NULL, 0, &failure));
        if (elbo_network_make(&n, &r, (elbo_image_shape){1, 1, 6}, &err) != ELBO_BAD_INPUT)
            fail_msg("%s is taken", wrong[i][0]);
        assert_message(err, "x.yaml:2: ", wrong[i][1]);
        elbo_recipe_close(&r);
    }
}

/* The message names the layer whose size is wrong, and its end says what would be right. */
static void wrong_decoders(void **state) {
    (void)state;
    static const struct {
        elbo_image_shape image;
        const char *encoder, *decoder, *message;
    } wrong[] = {
        {{1, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "conv_transpose2d 1 kernel=3 stride=2 padding=1, tanh",
         "conv_transpose2d 1 kernel=3 stride=2 padding=1: the decoder gives 1x11x11, an image is 1x12x12; right would be "
         "output_padding=1"},
        {{3, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "conv_transpose2d 1 kernel=4 stride=2, batch_norm2d, tanh",
         "conv_transpose2d 1 kernel=4 stride=2: the decoder gives 1x14x14, an image is 3x12x12; right would be 3 channels, "
         "padding=1"},
        {{1, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "upsample, conv2d 1 kernel=5 padding=1",
         "conv2d 1 kernel=5 padding=1: the decoder gives 1x10x10, an image is 1x12x12; right would be padding=2"},
        {{1, 12, 12},
         "max_pool2d kernel=4",
         "conv2d 4 kernel=1",
         "conv2d 4 kernel=1: the decoder gives 4x3x3, an image is 1x12x12; right would be 1 channel, `upsample 4` behind it"},
        {{3, 12, 12},
         "conv2d 5 kernel=1",
         "upsample, avg_pool2d kernel=2",
         "avg_pool2d kernel=2: the decoder gives 5x12x12, an image is 3x12x12; right would be `conv2d 3 kernel=1` behind it"},
        {{1, 12, 5},
         "max_pool2d kernel=4",
         "upsample 3",
         "upsample 3: the decoder gives 1x9x3, an image is 1x12x5; right would be `flatten, linear 60` behind it"},
        {{1, 12, 12},
         "conv2d 4 kernel=1",
         "conv2d 2 kernel=1, flatten, tanh",
         "conv2d 2 kernel=1: the decoder gives 2x12x12, an image is 1x12x12; right would be 1 channel"},
        // as many values as an image has, and yet no image
        {{1, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "conv_transpose2d 4 kernel=3 padding=1",
         "conv_transpose2d 4 kernel=3 padding=1: the decoder gives 4x6x6, an image is 1x12x12; right would be 1 channel, "
         "`upsample 2` behind it"},
        {{1, 12, 12},
         "flatten",
         "linear 7",
         "linear 7: the decoder gives 7 values, an image is 1x12x12 (144); end with `linear 144`"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *yaml = text_of("kind: ae\nencoder: [%s]\nlatent: none\ndecoder: [%s]\nloss: {reconstruction: mse}\n",
                             wrong[i].encoder, wrong[i].decoder);
        scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
        free(yaml);
        elbo_recipe r;
        elbo_network n;
        elbo_error err;
        assert_ok(elbo_recipe_open(&r, folder.path, NULL, 0, &failure));
        if (elbo_network_make(&n, &r, wrong[i].image, &err) != ELBO_BAD_INPUT)
            fail_msg("%s is taken", wrong[i].decoder);
        assert_message(err, "x.yaml:4: ", wrong[i].message);
        elbo_recipe_close(&r);
    }
}

static int enter(void **state) {
    (void)state;
    scratch_make(&folder);
    return 0;
}

static int leave(void **state) {
    (void)state;
    scratch_remove(&folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op),     cmocka_unit_test(none_is_forgotten),  cmocka_unit_test(ops_in_place),
        cmocka_unit_test(batches),      cmocka_unit_test(running_statistics), cmocka_unit_test(skips_across_the_latent),
        cmocka_unit_test(wrong_layers), cmocka_unit_test(wrong_decoders),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
