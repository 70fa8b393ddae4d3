/* Random recipes. Layers are proposed one after the other, behind what is there, with arguments that are odd more often
 * than in real recipes; a proposal that the library refuses, or that makes the network too large to replay, is dropped.
 * So what comes out is what a user could have written. A function of its seed alone. */
#ifndef ELBO_TESTS_ARCHITECTURE_H
#define ELBO_TESTS_ARCHITECTURE_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nn/ops/op.h"

enum { MOST_LAYERS = 16, LAYER_TEXT = 120, RECIPE_TEXT = 8000 };

/* An entry is a layer, or a block of some. */
typedef struct layer_list {
    char text[MOST_LAYERS + 4][LAYER_TEXT];
    int count;
} layer_list;

typedef struct architecture {
    uint64_t seed, random;
    elbo_image_shape image;
    char kind[8], latent[120];
    layer_list encoder, decoder, tail; // the tail makes an image of what the decoder gives, and stays
    char rest[1200];                   // image, augment, loss, train: lines of YAML
    int batch, last;                   // images of a whole batch, and of the epoch's last one
    bool bytes;
    int epoch; // the one that is replayed, of three steps
    char file[64];
} architecture;

/* ---- chance ---- */

static inline uint64_t draw(architecture *a) { // splitmix64
    uint64_t z = a->random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
static inline int from_to(architecture *a, int low, int high) {
    return low + (int)(draw(a) % (uint64_t)(high - low + 1));
}
static inline bool one_in(architecture *a, int n) { return draw(a) % (uint64_t)n == 0; }
static inline double uniform(architecture *a, double low, double high) {
    return low + (high - low) * (double)(draw(a) >> 11) * 0x1p-53;
}
#define PICK(a, list) (list)[draw(a) % (sizeof(list) / sizeof *(list))]

static inline void add_text(char *to, size_t room, const char *format, ...) {
    size_t used = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + used, room - used, format, args);
    va_end(args);
}

/* ---- as YAML ---- */

static inline void write_list(char *to, const char *name, const layer_list *l, const layer_list *more) {
    add_text(to, RECIPE_TEXT, "%s: [", name);
    for (int i = 0; i < l->count + (more ? more->count : 0); i++)
        add_text(to, RECIPE_TEXT, "%s%s", i ? ", " : "", i < l->count ? l->text[i] : more->text[i - l->count]);
    add_text(to, RECIPE_TEXT, "]\n");
}

static inline void write_recipe(const architecture *a, char *to) {
    *to = 0;
    add_text(to, RECIPE_TEXT, "kind: %s\nlatent: %s\n", a->kind, a->latent);
    write_list(to, "encoder", &a->encoder, NULL);
    write_list(to, "decoder", &a->decoder, &a->tail);
    add_text(to, RECIPE_TEXT, "%s", a->rest);
}

static inline elbo_status open_recipe_of(const architecture *a, elbo_recipe *r, elbo_error *err) {
    char text[RECIPE_TEXT];
    write_recipe(a, text);
    FILE *f = fopen(a->file, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) return elbo_fail(err, ELBO_IO, "%s: cannot be written", a->file);
    return elbo_recipe_open(r, a->file, NULL, 0, err);
}

static inline int layers_of(const layer_list *l) {
    int n = l->count;
    for (int i = 0; i < l->count; i++)
        for (const char *c = l->text[i]; *c; c++) n += *c == ',';
    return n;
}

/* ---- what a proposal leads to ---- */

typedef struct built {
    bool fits;
    double steps;                // of a tape, for one image
    elbo_shape encoder, decoder; // what the last layer of each gives; of the decoder before its tail
} built;

/* Products and additions of a node, of which the tape has a step each. */
static inline double steps_of(const elbo_graph *g, const elbo_node *n) {
    double in = (double)elbo_shape_size(g->node[n->input[0]].shape), out = (double)elbo_shape_size(n->shape);
    if (n->op == &elbo_op_linear) return in * out;
    if (n->op == &elbo_op_conv2d || n->op == &elbo_op_conv_transpose2d) {
        const elbo_param *w = &g->param[n->first_param];
        double small = n->op == &elbo_op_conv2d ? out / n->shape.dim[0] : in / g->node[n->input[0]].shape.dim[0];
        return small * w->dim[0] * w->dim[1] * w->dim[2] * w->dim[3] * (n->stacked ? 2 : 1);
    }
    if (n->op == &elbo_op_max_pool2d || n->op == &elbo_op_avg_pool2d) return out * n->value[0] * n->value[0];
    if (n->op == &elbo_op_self_attention) {
        double C = n->shape.dim[0], T = out / C;
        return 4 * C * C * T + 2 * C * T * T + 4 * n->value[0] * T * T;
    }
    return 8 * out;
}

static inline built build_it(const architecture *a) {
    built b = {0};
    elbo_recipe r;
    elbo_graph g;
    elbo_error err;
    if (open_recipe_of(a, &r, &err) != ELBO_OK) return b;
    if (elbo_graph_build(&g, &r, a->image, &err) == ELBO_OK) {
        b.fits = true;
        b.encoder = g.node[0].shape;
        b.decoder = g.code_shape;
        for (int i = 1; i < g.count; i++) {
            int number;
            b.steps += steps_of(&g, &g.node[i]);
            if (!strncmp(g.node[i].name, "encoder.", 8)) b.encoder = g.node[i].shape;
            if (sscanf(g.node[i].name, "decoder.%d", &number) == 1 && number < layers_of(&a->decoder))
                b.decoder = g.node[i].shape;
        }
        b.steps += 2.0 * (double)g.param_floats / a->batch;
        elbo_graph_free(&g);
    }
    elbo_recipe_close(&r);
    return b;
}

/* ---- layers ---- */

static const int widths[] = {1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 16, 17, 20, 32, 33};

static inline void propose_convolution(architecture *a, char *to) {
    static const int kernels[] = {1, 2, 3, 3, 3, 4, 5};
    bool transposed = one_in(a, 3);
    int kernel = PICK(a, kernels), stride = one_in(a, 3) ? from_to(a, 2, 3) : 1,
        dilation = one_in(a, 4) ? from_to(a, 2, 3) : 1;
    int across = one_in(a, 4) ? PICK(a, kernels) : kernel; // of columns
    add_text(to, LAYER_TEXT, "%s %d kernel=%d", transposed ? "conv_transpose2d" : "conv2d", PICK(a, widths), kernel);
    if (across != kernel) add_text(to, LAYER_TEXT, "x%d", across);
    if (stride > 1) add_text(to, LAYER_TEXT, one_in(a, 4) ? " stride=%dx1" : " stride=%d", stride);
    if (!one_in(a, 3)) {
        add_text(to, LAYER_TEXT, " padding=%d", from_to(a, 0, dilation * (kernel - 1)));
        if (across != kernel) add_text(to, LAYER_TEXT, "x%d", from_to(a, 0, dilation * (across - 1)));
    }
    if (dilation > 1) add_text(to, LAYER_TEXT, " dilation=%d", dilation);
    if (transposed && one_in(a, 2)) add_text(to, LAYER_TEXT, " output_padding=%d", from_to(a, 0, 2));
    if (one_in(a, 5)) add_text(to, LAYER_TEXT, " bias=false");
}

/* Of an image alone. */
static inline void propose_spatial(architecture *a, char *to) {
    static const char *const pools[] = {"max_pool2d", "avg_pool2d"};
    switch (from_to(a, 0, 7)) {
    case 7: add_text(to, LAYER_TEXT, "self_attention heads=%d", from_to(a, 1, 4)); return;
    case 0:
        add_text(to, LAYER_TEXT, "%s kernel=%d", PICK(a, pools), from_to(a, 1, 3));
        if (one_in(a, 2)) add_text(to, LAYER_TEXT, " stride=%d", from_to(a, 1, 3));
        if (one_in(a, 2)) add_text(to, LAYER_TEXT, " padding=1");
        return;
    case 1:
        add_text(to, LAYER_TEXT, "upsample scale=%d mode=%s", from_to(a, 1, 3), one_in(a, 2) ? "nearest" : "bilinear");
        return;
    case 2: add_text(to, LAYER_TEXT, "batch_norm2d%s", one_in(a, 3) ? " eps=0.01 momentum=0.3" : ""); return;
    default: propose_convolution(a, to);
    }
}

/* Of features alone: a size, its factors, or a norm. */
static inline void propose_flat(architecture *a, char *to, int size) {
    int c = PICK(a, widths), h = from_to(a, 1, 4), w = from_to(a, 1, 4);
    switch (from_to(a, 0, 5)) {
    case 0: add_text(to, LAYER_TEXT, "batch_norm1d%s", one_in(a, 3) ? " eps=0.001" : ""); return;
    case 1:
        for (int i = 0; i < 50 && size % (h * w); i++) h = from_to(a, 1, 6), w = from_to(a, 1, 6);
        if (size % (h * w) == 0) {
            add_text(to, LAYER_TEXT, "unflatten %d %d %d", size / (h * w), h, w);
            return;
        }
        __attribute__((fallthrough));
    case 2: add_text(to, LAYER_TEXT, "linear %d", c * h * w < 200 ? c * h * w : 24); return;
    default: add_text(to, LAYER_TEXT, "linear %d%s", from_to(a, 1, 40), one_in(a, 5) ? " bias=false" : "");
    }
}

/* A name that something before was saved under, of the encoder or the decoder. */
static inline int saved_name(architecture *a) {
    int names[2 * MOST_LAYERS], n = 0;
    const layer_list *lists[] = {&a->encoder, &a->decoder};
    for (int l = 0; l < 2; l++)
        for (int i = 0; i < lists[l]->count; i++) n += sscanf(lists[l]->text[i], "save s%d", &names[n]) == 1;
    return n ? names[from_to(a, 0, n - 1)] : 0;
}

/* What is saved, changed, and joined again. */
static inline void propose_block(architecture *a, char *to, elbo_shape shape, int number) {
    const char *join = one_in(a, 2) ? "add" : "concat", *map = one_in(a, 2) ? ", relu" : "";
    if (shape.rank == 1)
        add_text(to, LAYER_TEXT, "save s%d, linear %d%s, %s s%d", number, shape.dim[0], map, join, number);
    else
        add_text(to, LAYER_TEXT, "save s%d, conv2d %d kernel=3 padding=1%s, %s s%d", number, shape.dim[0], map, join,
                 number);
}

/* Of anything. */
static inline void propose_any(architecture *a, char *to, elbo_shape shape, int number) {
    static const char *const maps[] = {"relu",    "relu", "leaky_relu", "leaky_relu negative_slope=0.3", "tanh",
                                       "sigmoid", "silu", "gelu",       "gelu approximate=tanh"};
    switch (from_to(a, 0, 8)) {
    case 8: add_text(to, LAYER_TEXT, "group_norm %d%s", from_to(a, 1, 4), one_in(a, 3) ? " eps=0.01" : ""); return;
    case 0: add_text(to, LAYER_TEXT, "layer_norm%s", one_in(a, 3) ? " eps=0.01" : ""); return;
    case 1: add_text(to, LAYER_TEXT, "dropout p=%.2g", uniform(a, 0.05, 0.5)); return;
    case 2: add_text(to, LAYER_TEXT, "save s%d", number); return;
    case 3:
    case 4: add_text(to, LAYER_TEXT, "%s s%d", one_in(a, 2) ? "add" : "concat", saved_name(a)); return;
    case 5: propose_block(a, to, shape, number); return;
    default: add_text(to, LAYER_TEXT, "%s", PICK(a, maps));
    }
}

static inline void propose(architecture *a, char *to, elbo_shape shape, int number) {
    *to = 0;
    if (one_in(a, 2))
        propose_any(a, to, shape, number);
    else if (shape.rank == 1)
        propose_flat(a, to, shape.dim[0]);
    else if (one_in(a, 12))
        add_text(to, LAYER_TEXT, "flatten");
    else
        propose_spatial(a, to);
}

/* ---- the rest of a recipe ---- */

static inline void choose_image(architecture *a) {
    a->image = (elbo_image_shape){.channels = one_in(a, 3)   ? 3
                                              : one_in(a, 8) ? 2
                                                             : 1,
                                  .height = from_to(a, 1, 8),
                                  .width = from_to(a, 1, 8)};
    a->bytes = one_in(a, 2);
}

static inline void choose_batch(architecture *a) {
    static const int batches[] = {1, 2, 3, 5, 7, 9, 16, 17, 31, 33, 40, 64, 65, 97, 130, 257, 300};
    a->batch = PICK(a, batches);
    a->last = one_in(a, 2) ? 1 : from_to(a, 1, a->batch);
    a->epoch = from_to(a, 0, 4);
}

static inline void choose_loss(architecture *a, bool bce) {
    add_text(a->rest, sizeof a->rest, "loss: {reconstruction: ");
    if (bce)
        add_text(a->rest, sizeof a->rest, "%s", one_in(a, 3) ? "[0.7 bce]" : "bce");
    else if (one_in(a, 2))
        add_text(a->rest, sizeof a->rest, "%s", one_in(a, 2) ? "mse" : "l1");
    else
        add_text(a->rest, sizeof a->rest, one_in(a, 2) ? "[%.2g mse, %.2g l1]" : "[%.2g l1, %.2g mse]",
                 uniform(a, 0.1, 2), uniform(a, 0.1, 2));
    if (one_in(a, 3)) add_text(a->rest, sizeof a->rest, ", scale: mean");
    if (!strcmp(a->kind, "vae")) {
        add_text(a->rest, sizeof a->rest, ", kl: {weight: %.3g", uniform(a, 0, 3));
        if (one_in(a, 2)) add_text(a->rest, sizeof a->rest, ", warmup: %.2g", uniform(a, 0.5, 6));
        if (one_in(a, 2))
            add_text(a->rest, sizeof a->rest, ", schedule: sine, period: %.2g, min: %.2g", uniform(a, 1, 9),
                     uniform(a, 0, 0.5));
        add_text(a->rest, sizeof a->rest, "}");
    }
    add_text(a->rest, sizeof a->rest, "}\n");
}

static inline void choose_training(architecture *a) {
    static const char *const optimizers[] = {"sgd", "adam", "adamw"};
    const char *optimizer = PICK(a, optimizers);
    bool sgd = !strcmp(optimizer, "sgd");
    char *to = a->rest;
    size_t room = sizeof a->rest;
    add_text(to, room, "train: {epochs: 7, batch: %d, seed: %d, optimizer: %s, lr: %.3g", a->batch,
             from_to(a, 0, 1 << 20), optimizer, sgd ? uniform(a, 1e-4, 1e-2) : uniform(a, 1e-4, 3e-2));
    if (sgd && one_in(a, 2)) add_text(to, room, ", momentum: %.2g", uniform(a, 0.1, 0.95));
    if (!sgd && one_in(a, 2))
        add_text(to, room, ", betas: [%.2g, %.3g], eps: %.2g", uniform(a, 0, 0.95), uniform(a, 0.5, 0.9995),
                 one_in(a, 2) ? 1e-8 : 1e-3);
    if (one_in(a, 2)) add_text(to, room, ", weight_decay: %.2g", uniform(a, 0, 0.3));
    if (one_in(a, 3))
        add_text(to, room, ", schedule: cosine, eta_min: 1e-5");
    else if (one_in(a, 3))
        add_text(to, room, ", schedule: step, step_size: %d, gamma: 0.3", from_to(a, 1, 3));
    if (one_in(a, 3)) add_text(to, room, ", clip: %.3g", one_in(a, 2) ? uniform(a, 0.01, 1) : 1e4);
    add_text(to, room, "}\n");
}

static inline void choose_augmentations(architecture *a) {
    static const char *const steps[] = {"flip p=0.5", "crop padding=2", "crop padding=1 fill=black",
                                        "rotate 10 p=0.5 fill=reflect"};
    if (!one_in(a, 4)) return;
    add_text(a->rest, sizeof a->rest, "augment: [%s", PICK(a, steps));
    if (one_in(a, 2)) add_text(a->rest, sizeof a->rest, ", %s", PICK(a, steps));
    if (one_in(a, 3) && a->image.channels == 3)
        add_text(a->rest, sizeof a->rest, ", color_jitter brightness=0.2 contrast=0.2");
    add_text(a->rest, sizeof a->rest, "]\n");
}

/* ---- putting it together ---- */

static const double MOST_STEPS = 4e5; // of a tape

static inline bool is_small(const architecture *a, const built *b) {
    return b->fits && b->steps * (a->batch > a->last ? a->batch : a->last) < MOST_STEPS;
}

static inline void extend(architecture *a, layer_list *l, bool decoder, int layers) {
    for (int tries = 0, added = 0; added < layers && tries < 8 * layers; tries++) {
        built before = build_it(a);
        int number = a->encoder.count + (decoder ? a->decoder.count : 0);
        propose(a, l->text[l->count], decoder ? before.decoder : before.encoder, number);
        l->count++;
        built after = build_it(a);
        if (is_small(a, &after))
            added++;
        else
            l->count--;
    }
}

static inline void choose_latent(architecture *a) {
    bool vae = !strcmp(a->kind, "vae");
    char without[sizeof a->latent];
    strcpy(without, a->latent);
    if (!vae && one_in(a, 3))
        strcpy(a->latent, "none");
    else if (one_in(a, 3))
        snprintf(a->latent, sizeof a->latent, "{channels: %d, head: conv2d kernel=%d padding=%d%s}", PICK(a, widths),
                 from_to(a, 1, 3), from_to(a, 0, 1), one_in(a, 4) ? " bias=false" : "");
    built b = build_it(a);
    if (!is_small(a, &b)) strcpy(a->latent, without);
}

/* An image again: by a product, or by a convolution where that is possible. */
static inline void choose_tail(architecture *a, const char *end) {
    elbo_image_shape s = a->image;
    layer_list *t = &a->tail;
    bool by_convolution = one_in(a, 2);
    t->count = 0;
    if (by_convolution) {
        int c = PICK(a, widths), half = s.height % 2 == 0 && s.width % 2 == 0;
        snprintf(t->text[t->count++], LAYER_TEXT, "flatten");
        snprintf(t->text[t->count++], LAYER_TEXT, "linear %d", c * s.height * s.width / (half ? 4 : 1));
        snprintf(t->text[t->count++], LAYER_TEXT, "unflatten %d %d %d", c, s.height / (half ? 2 : 1),
                 s.width / (half ? 2 : 1));
        if (half && one_in(a, 2)) {
            snprintf(t->text[t->count++], LAYER_TEXT, "conv_transpose2d %d kernel=4 stride=2 padding=1", s.channels);
        } else {
            if (half) snprintf(t->text[t->count++], LAYER_TEXT, "upsample");
            snprintf(t->text[t->count++], LAYER_TEXT, "conv2d %d kernel=3 padding=1", s.channels);
        }
    } else {
        snprintf(t->text[t->count++], LAYER_TEXT, "flatten");
        snprintf(t->text[t->count++], LAYER_TEXT, "linear %zu", elbo_image_size(s));
    }
    if (*end) snprintf(t->text[t->count++], LAYER_TEXT, "%s", end);
}

/* The architecture of a seed. `file`: where its recipe may be written. */
static inline void architecture_make(architecture *a, uint64_t seed, const char *file) {
    *a = (architecture){.seed = seed, .random = seed * 0x2545f4914f6cdd1d + 1};
    snprintf(a->file, sizeof a->file, "%s", file);
    choose_image(a);
    choose_batch(a);
    strcpy(a->kind, one_in(a, 2) ? "vae" : "ae");
    bool bce = one_in(a, 2), narrow = bce || one_in(a, 2);
    if (!narrow)
        add_text(a->rest, sizeof a->rest, "image: {range: [%.2g, %.2g]}\n", uniform(a, -2, 0), uniform(a, 0.5, 2));
    choose_augmentations(a);
    choose_loss(a, bce);
    choose_training(a);
    snprintf(a->latent, sizeof a->latent, "%d", from_to(a, 1, 9));
    static const char *const ends[] = {"", "", "tanh", "relu", "sigmoid", "layer_norm"};
    choose_tail(a, bce ? "sigmoid" : PICK(a, ends));
    for (built b = build_it(a); !is_small(a, &b) && a->batch > 1;) { // as large a batch as this image affords
        char old[40], new[40];
        snprintf(old, sizeof old, "batch: %d,", a->batch);
        a->batch = (a->batch + 1) / 2;
        a->last = a->last < a->batch ? a->last : a->batch;
        snprintf(new, sizeof new, "batch: %d,", a->batch);
        char *where = strstr(a->rest, old), rest[sizeof a->rest];
        strcpy(rest, where + strlen(old));
        strcpy(where, new);
        strcat(where, rest);
        b = build_it(a);
    }
    extend(a, &a->encoder, false, from_to(a, 1, 9));
    choose_latent(a);
    extend(a, &a->decoder, true, from_to(a, 0, 7));
}

#endif
