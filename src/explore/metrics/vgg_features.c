#include "explore/metrics/vgg_features.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/kernels.h"
#include "formats/safetensors.h"
#include "nn/ops/op.h"
#include "nn/vgg16.h"

enum { TAPS = 5, PAIR = 2, LEAST_SIDE = 32, MOST_LAYERS = 40 };

typedef struct layer {
    elbo_conv *conv; // NULL: the pool
    float *packed;
    const float *bias;
    elbo_shape x, y;
} layer;

struct elbo_vgg {
    const elbo_conv_kernels *kernels;
    elbo_network network;
    layer layer[MOST_LAYERS]; // convolutions, each with a relu behind it, and pools
    int layers, width;
    float *linear[TAPS]; // (channels): LPIPS' weights; or NULL
    elbo_image_shape image;
    elbo_team *team;
    float *room; // (threads, per_thread)
    size_t per_thread, largest;
};

/* ---- opening ---- */

static elbo_status add_convolution(elbo_vgg *v, const elbo_node *n, elbo_shape x, elbo_error *err) {
    layer *l = &v->layer[v->layers++];
    *l = (layer){.x = x, .y = n->shape};
    const elbo_param *w = &v->network.graph.param[n->first_param];
    elbo_conv_shape s = {.rows = PAIR,
                         .in = x.dim[0],
                         .height = x.dim[1],
                         .width = x.dim[2],
                         .out = n->shape.dim[0],
                         .out_height = n->shape.dim[1],
                         .out_width = n->shape.dim[2],
                         .kernel = {3, 3},
                         .stride = {1, 1},
                         .padding = {1, 1},
                         .dilation = {1, 1},
                         .bias = true};
    ELBO_TRY(v->kernels->make(&l->conv, &s, false, false, elbo_team_threads(v->team), err));
    l->packed = elbo_alloc(v->kernels->packed_floats(l->conv), sizeof *l->packed);
    size_t room = v->kernels->scratch_floats(l->conv);
    float *scratch = elbo_alloc(room, sizeof *scratch);
    bool packed =
        l->packed && scratch && v->kernels->pack(l->conv, l->packed, v->network.params + w->offset, scratch, 0);
    free(scratch);
    l->bias = v->network.params + w[1].offset;
    if (room > v->per_thread) v->per_thread = room;
    return packed ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status add_layers(elbo_vgg *v, elbo_error *err) {
    const elbo_graph *g = &v->network.graph;
    for (int i = 0; i < g->count; i++) {
        const elbo_node *n = &g->node[i];
        elbo_shape x = n->inputs ? g->node[n->input[0]].shape : n->shape;
        if (n->op == &elbo_op_conv2d) ELBO_TRY(add_convolution(v, n, x, err));
        if (n->op == &elbo_op_max_pool2d) v->layer[v->layers++] = (layer){.x = x, .y = n->shape};
        size_t size = PAIR * elbo_shape_size(n->shape);
        if (size > v->largest) v->largest = size;
        if (n->op == &elbo_op_conv2d) v->width = n->shape.dim[0];
    }
    v->largest = (v->largest + 15) / 16 * 16; // (aligned)
    v->per_thread = (v->per_thread + 15) / 16 * 16 + 2 * v->largest;
    v->room = elbo_alloc((size_t)elbo_team_threads(v->team) * v->per_thread, sizeof *v->room);
    if (v->room) return ELBO_OK;
    return elbo_no_room(err, (double)v->per_thread * elbo_team_threads(v->team) * sizeof *v->room,
                        "VGG16's activations", "fewer threads need less");
}

/* Channels of the tap: those of the last convolution before each pool. */
static int width_of_tap(const elbo_vgg *v, int tap) {
    for (int i = 0; i < v->layers; i++)
        if (!v->layer[i].conv && tap-- == 0) return v->layer[i].x.dim[0];
    return 0;
}

static elbo_status read_linear(elbo_vgg *v, const char *path, elbo_error *err) {
    elbo_safetensors file;
    ELBO_TRY(elbo_safetensors_open(&file, path, err));
    elbo_status status = ELBO_OK;
    for (int k = 0; k < TAPS && status == ELBO_OK; k++) {
        char name[40];
        size_t width = (size_t)width_of_tap(v, k), count = 1;
        snprintf(name, sizeof name, "lin%d.model.1.weight", k);
        const elbo_st_tensor *t = elbo_safetensors_find(&file, name);
        for (int d = 0; t && d < t->dims; d++) count *= t->shape[d];
        if (!t || t->dtype != ELBO_ST_F32 || count != width)
            status = elbo_fail(err, ELBO_BAD_INPUT,
                               "%s: has no tensor `%s` of %zu floats; expected the linear layers of LPIPS for vgg, as "
                               "safetensors",
                               path, name, width);
        else if (!(v->linear[k] = elbo_alloc(width, sizeof *v->linear[k])))
            status = elbo_no_memory(err);
        else
            memcpy(v->linear[k], t->data, width * sizeof *v->linear[k]);
    }
    elbo_safetensors_close(&file);
    return status;
}

elbo_status elbo_vgg_open(elbo_vgg **vgg, const char *vgg16, const char *lpips, elbo_image_shape image, elbo_team *team,
                          elbo_error *err) {
    *vgg = NULL;
    if (image.channels != 1 && image.channels != 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "VGG16: the images have %d channels; expected 1 or 3", image.channels);
    elbo_vgg *v = elbo_alloc(1, sizeof *v);
    if (!v) return elbo_no_memory(err);
    v->kernels = elbo_kernels_here()->conv;
    v->image = image;
    v->team = team;
    elbo_image_shape seen = {3, image.height < LEAST_SIDE ? LEAST_SIDE : image.height,
                             image.width < LEAST_SIDE ? LEAST_SIDE : image.width};
    elbo_status status = elbo_vgg16_open(&v->network, vgg16, seen, err);
    if (status == ELBO_OK) status = add_layers(v, err);
    if (status == ELBO_OK && lpips) status = read_linear(v, lpips, err);
    if (status != ELBO_OK)
        elbo_vgg_close(v);
    else
        *vgg = v;
    return status;
}

void elbo_vgg_close(elbo_vgg *v) {
    if (!v) return;
    for (int i = 0; i < v->layers; i++) {
        if (v->layer[i].conv) v->kernels->free(v->layer[i].conv);
        free(v->layer[i].packed);
    }
    for (int k = 0; k < TAPS; k++) free(v->linear[k]);
    elbo_graph_free(&v->network.graph);
    free(v->network.params);
    free(v->room);
    free(v);
}

int elbo_vgg_width(const elbo_vgg *v) { return v->width; }
bool elbo_vgg_has_lpips(const elbo_vgg *v) { return v->linear[TAPS - 1] != NULL; }

/* ---- running ---- */

/* Where a pixel of the enlarged image lies between two of the image, and how far: align_corners=False. */
static double between(int at, int from, int to, int *low, int *high) {
    double place = fmax((at + 0.5) * from / to - 0.5, 0);
    *low = (int)place;
    *high = *low + 1 < from ? *low + 1 : *low;
    return place - *low;
}

/* x: (C, H, W) from 0 to 1; out: (3, h, w) */
static void prepare(const elbo_vgg *v, const float *x, float *out) {
    static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
    elbo_shape to = v->layer[0].x;
    int H = v->image.height, W = v->image.width, top, bottom, left, right;
    for (int c = 0; c < 3; c++) {
        const float *plane = x + (size_t)(v->image.channels == 3 ? c : 0) * (size_t)H * (size_t)W;
        for (int i = 0; i < to.dim[1]; i++) {
            double down = between(i, H, to.dim[1], &top, &bottom);
            for (int j = 0; j < to.dim[2]; j++) {
                double along = between(j, W, to.dim[2], &left, &right);
                double above = (1 - along) * plane[top * W + left] + along * plane[top * W + right];
                double below = (1 - along) * plane[bottom * W + left] + along * plane[bottom * W + right];
                *out++ = (float)(((1 - down) * above + down * below - mean[c]) / deviation[c]);
            }
        }
    }
}

/* 2x2 maxima, in place; an odd last row or column is left out.  x: (PAIR, C, H, W) */
static void pool(float *x, elbo_shape s, elbo_shape y) {
    float *to = x;
    for (int p = 0; p < PAIR * s.dim[0]; p++)
        for (int i = 0; i < y.dim[1]; i++)
            for (int j = 0; j < y.dim[2]; j++) {
                const float *a = x + ((size_t)p * (size_t)s.dim[1] + 2 * (size_t)i) * (size_t)s.dim[2] + 2 * j;
                *to++ = fmaxf(fmaxf(a[0], a[1]), fmaxf(a[s.dim[2]], a[s.dim[2] + 1]));
            }
}

/* Of two images that lie one behind the other.  x: (2, C, H, W) */
static double tap_distance(const float *x, elbo_shape s, const float *weight) {
    size_t C = (size_t)s.dim[0], pixels = (size_t)s.dim[1] * (size_t)s.dim[2];
    const float *a = x, *b = x + C * pixels;
    double sum = 0;
    for (size_t p = 0; p < pixels; p++) {
        double of_a = 0, of_b = 0, distance = 0;
        for (size_t c = 0; c < C; c++) {
            of_a += (double)a[c * pixels + p] * a[c * pixels + p];
            of_b += (double)b[c * pixels + p] * b[c * pixels + p];
        }
        of_a = sqrt(of_a) + 1e-10;
        of_b = sqrt(of_b) + 1e-10;
        for (size_t c = 0; c < C; c++) {
            double off = a[c * pixels + p] / of_a - b[c * pixels + p] / of_b;
            distance += weight[c] * off * off;
        }
        sum += distance;
    }
    return sum / (double)pixels;
}

typedef struct job {
    elbo_vgg *v;
    const float *a, *b; // (n, C, H, W); b NULL: features of a
    size_t n;
    float *features;
    double *lpips;
    atomic_size_t next;
    atomic_bool failed;
} job;

static void means(float *out, const float *x, elbo_shape s) {
    size_t pixels = (size_t)s.dim[1] * (size_t)s.dim[2];
    for (int c = 0; c < s.dim[0]; c++, x += pixels) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++) sum += x[p];
        out[c] = (float)(sum / (double)pixels);
    }
}

/* Images `first` and `second` through the network. */
static bool run_pair(job *j, const float *first, const float *second, size_t at, int thread) {
    elbo_vgg *v = j->v;
    float *x = v->room + (size_t)thread * v->per_thread, *y = x + v->largest, *scratch = y + v->largest;
    int tap = 0;
    prepare(v, first, x);
    prepare(v, second, x + elbo_shape_size(v->layer[0].x));
    for (int i = 0; i < v->layers; i++) {
        const layer *l = &v->layer[i];
        size_t size = elbo_shape_size(l->y);
        if (!l->conv) {
            if (j->b) j->lpips[at] += tap_distance(x, l->x, v->linear[tap]);
            if (++tap == TAPS) break;
            pool(x, l->x, l->y);
            continue;
        }
        if (!v->kernels->forward(l->conv, y, x, l->packed, l->bias, scratch, thread)) return false;
        for (size_t k = 0; k < PAIR * size; k++) x[k] = y[k] > 0 ? y[k] : y[k] <= 0 ? 0 : y[k]; // (NaN stays)
        if (!j->b && i + 2 == v->layers) // behind it the last pool
            for (size_t k = 0; k < PAIR && at + k < j->n; k++)
                means(j->features + (at + k) * (size_t)v->width, x + k * size, l->y);
    }
    return true;
}

static void run(void *context, int thread) {
    job *j = context;
    size_t size = elbo_image_size(j->v->image), step = j->b ? 1 : PAIR;
    for (size_t i; !j->failed && (i = atomic_fetch_add(&j->next, step)) < j->n;) {
        const float *first = j->a + i * size, *other = i + 1 < j->n ? first + size : first;
        if (!run_pair(j, first, j->b ? j->b + i * size : other, i, thread)) j->failed = true;
    }
}

static elbo_status run_all(job *j, elbo_error *err) {
    elbo_team_run(j->v->team, run, j);
    return j->failed ? elbo_no_memory(err) : ELBO_OK;
}

elbo_status elbo_vgg_features_of(elbo_vgg *v, const float *images, size_t n, float *out, elbo_error *err) {
    job j = {.v = v, .a = images, .n = n, .features = out};
    return run_all(&j, err);
}

elbo_status elbo_vgg_lpips(elbo_vgg *v, const float *a, const float *b, size_t n, double *out, elbo_error *err) {
    memset(out, 0, n * sizeof *out);
    job j = {.v = v, .a = a, .b = b, .n = n, .lpips = out};
    return run_all(&j, err);
}
