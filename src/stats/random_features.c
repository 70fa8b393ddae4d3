#include "stats/random_features.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"

static const int widths[ELBO_FEATURE_LAYERS] = {16, 32};

/* Each 3x3 part sums to 0: constant areas give nothing. */
static void make_filter(float *filter, int in, elbo_stream s) {
    double squares = 0;
    elbo_random_normal(s, filter, (size_t)in * 9);
    for (int c = 0; c < in; c++) {
        double mean = 0;
        for (int i = 0; i < 9; i++) mean += filter[c * 9 + i] / 9.0;
        for (int i = 0; i < 9; i++) {
            filter[c * 9 + i] = (float)(filter[c * 9 + i] - mean);
            squares += (double)filter[c * 9 + i] * filter[c * 9 + i];
        }
    }
    for (int i = 0; i < in * 9; i++) filter[i] = (float)(filter[i] / sqrt(squares));
}

elbo_status elbo_feature_net_make(elbo_feature_net *f, int channels, int height, int width, elbo_error *err) {
    *f = (elbo_feature_net){.channels = channels, .height = height, .width = width};
    int in = channels;
    for (int l = 0; l < ELBO_FEATURE_LAYERS; l++) {
        f->filter[l] = elbo_alloc((size_t)(widths[l] * in * 9), sizeof(float));
        if (!f->filter[l]) {
            elbo_feature_net_free(f);
            return elbo_no_memory(err);
        }
        for (int o = 0; o < widths[l]; o++)
            make_filter(f->filter[l] + o * in * 9, in,
                        (elbo_stream){.purpose = ELBO_FOR_PROBE, .epoch = 2 + (uint32_t)l, .sample = (uint32_t)o});
        in = widths[l];
    }
    return ELBO_OK;
}

void elbo_feature_net_free(elbo_feature_net *f) {
    for (int l = 0; l < ELBO_FEATURE_LAYERS; l++) free(f->filter[l]);
    *f = (elbo_feature_net){0};
}

/* One layer's filter over one image with a border of 1 around it.  x: (in, H + 2, W + 2), y: (H, W) */
static void convolve(float *y, const float *x, const float *filter, int in, int H, int W) {
    memset(y, 0, (size_t)(H * W) * sizeof *y);
    for (int c = 0; c < in; c++)
        for (int k = 0; k < 9; k++) {
            float w = filter[c * 9 + k];
            for (int i = 0; i < H; i++) {
                const float *from = x + ((size_t)c * (size_t)(H + 2) + (size_t)(i + k / 3)) * (size_t)(W + 2) + k % 3;
                float *to = y + (size_t)i * (size_t)W;
                for (int j = 0; j < W; j++) to[j] += w * from[j];
            }
        }
    for (int i = 0; i < H * W; i++) y[i] = fabsf(y[i]);
}

/* (H, W) into the middle of (H + 2, W + 2), the border repeated. */
static void with_border(float *to, const float *x, int H, int W) {
    for (int i = 0; i < H + 2; i++)
        for (int j = 0; j < W + 2; j++) {
            int r = i < 1 ? 0 : i > H ? H - 1 : i - 1, c = j < 1 ? 0 : j > W ? W - 1 : j - 1;
            to[i * (W + 2) + j] = x[r * W + c];
        }
}

/* Means over the parts of a grid; of a side that the grid does not divide, parts share a row, as PyTorch's
 * adaptive_avg_pool2d has it.  out: (GRID, GRID) */
static void pool(float *out, const float *y, int H, int W) {
    enum { G = ELBO_FEATURE_GRID };
    for (int a = 0; a < G; a++)
        for (int b = 0; b < G; b++) {
            int top = a * H / G, bottom = ((a + 1) * H + G - 1) / G, left = b * W / G,
                right = ((b + 1) * W + G - 1) / G;
            double sum = 0;
            for (int i = top; i < bottom; i++)
                for (int j = left; j < right; j++) sum += y[i * W + j];
            out[a * G + b] = (float)(sum / ((bottom - top) * (right - left)));
        }
}

/* 2x2 averages, in place; an odd last row or column is left out. */
static void halve(float *y, int H, int W) {
    for (int i = 0; i < H / 2; i++)
        for (int j = 0; j < W / 2; j++) {
            const float *a = y + 2 * i * W + 2 * j;
            y[i * (W / 2) + j] = 0.25f * ((a[0] + a[1]) + (a[W] + a[W + 1]));
        }
}

typedef struct pieces {
    const elbo_feature_net *net;
    const float *images;
    float *out;
    atomic_bool failed;
} pieces;

static void features_of_one(void *context, int index) {
    pieces *p = context;
    const elbo_feature_net *f = p->net;
    int H = f->height, W = f->width, in = f->channels;
    size_t plane = (size_t)H * (size_t)W, padded = (size_t)(H + 2) * (size_t)(W + 2);
    size_t widest = (size_t)(in > widths[0] ? in : widths[0]);
    float *x = malloc(widest * padded * sizeof *x), *y = malloc(plane * sizeof *y);
    float *out = p->out + (size_t)index * ELBO_RANDOM_FEATURES;
    for (int c = 0; x && y && c < in; c++)
        with_border(x + (size_t)c * padded, p->images + ((size_t)index * (size_t)in + (size_t)c) * plane, H, W);
    float *next = x && y ? malloc(widest * padded * sizeof *next) : NULL;
    if (!next) p->failed = true;
    for (int l = 0; next && l < ELBO_FEATURE_LAYERS; l++) {
        bool smaller = H >= 8 && W >= 8;
        int h = smaller ? H / 2 : H, w = smaller ? W / 2 : W;
        for (int o = 0; o < widths[l]; o++) {
            convolve(y, x, f->filter[l] + o * in * 9, in, H, W);
            pool(out, y, H, W);
            out += ELBO_FEATURE_GRID * ELBO_FEATURE_GRID;
            if (l + 1 == ELBO_FEATURE_LAYERS) continue;
            if (smaller) halve(y, H, W);
            with_border(next + (size_t)o * (size_t)(h + 2) * (size_t)(w + 2), y, h, w);
        }
        float *swap = x;
        x = next;
        next = swap;
        H = h;
        W = w;
        in = widths[l];
    }
    free(x);
    free(y);
    free(next);
}

elbo_status elbo_features_of(const elbo_feature_net *f, const float *images, size_t n, float *out, const elbo_job *work,
                             elbo_error *err) {
    pieces p = {.net = f, .images = images, .out = out};
    elbo_parallel_for(work->threads, (int)n, features_of_one, &p);
    return p.failed ? elbo_no_memory(err) : ELBO_OK;
}
