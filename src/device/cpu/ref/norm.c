#include <math.h>

#include "device/cpu/ref/ref.h"

static size_t at(const elbo_planes *p, size_t row, size_t channel, size_t pixel) {
    size_t group = channel / p->lanes, lane = channel % p->lanes;
    return ((row * p->groups + group) * p->pixels + pixel) * p->lanes + lane;
}

/* Runs BODY for each channel c; within it, EACH runs a statement for each of its values i. */
#define CHANNELS(p) for (size_t c = 0; c < (p)->groups * (p)->lanes; c++)
#define EACH(p, statement)                                                                                             \
    for (size_t r = 0; r < (p)->rows; r++)                                                                             \
        for (size_t k = 0; k < (p)->pixels; k++) {                                                                     \
            size_t i = at(p, r, c, k);                                                                                 \
            statement;                                                                                                 \
        }

static void moments(float *mean, float *squares, const float *x, const elbo_planes *p) {
    CHANNELS(p) {
        double sum = 0, deviations = 0;
        EACH(p, sum += x[i]);
        double m = sum / (double)(p->rows * p->pixels);
        EACH(p, deviations += (x[i] - m) * (x[i] - m));
        mean[c] = (float)m;
        squares[c] = (float)deviations;
    }
}

static void normalise(float *y, const float *x, const float *mean, const float *scale, const float *shift,
                      const elbo_planes *p) {
    CHANNELS(p) { EACH(p, y[i] = (x[i] - mean[c]) * scale[c] + shift[c]); }
}

static void gradient_sums(float *sum, float *product, const float *dy, const float *x, const float *mean,
                          const elbo_planes *p) {
    CHANNELS(p) {
        double s = 0, q = 0;
        EACH(p, s += dy[i]; q += (double)dy[i] * (x[i] - mean[c]));
        sum[c] = (float)s;
        product[c] = (float)q;
    }
}

static void backward(float *dx, const float *dy, const float *x, const elbo_norm_gradient *of, const elbo_planes *p,
                     bool accumulate) {
    const float *mean = of->mean, *a = of->a, *b = of->b, *c0 = of->c0;
    CHANNELS(p) {
        EACH(p, float v = a[c] * dy[i] + b[c] * (x[i] - mean[c]) + c0[c]; dx[i] = accumulate ? dx[i] + v : v);
    }
}

/* ---- one image by itself ---- */

static void layer(float *y, float *mean, float *inverse, const float *x, const float *w, const float *b, size_t n,
                  float eps) {
    double sum = 0, deviations = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    double m = sum / (double)n;
    for (size_t i = 0; i < n; i++) deviations += (x[i] - m) * (x[i] - m);
    double inv = 1 / sqrt(deviations / (double)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = (float)((x[i] - m) * inv * w[i] + b[i]);
    *mean = (float)m;
    *inverse = (float)inv;
}

/* With xhat = (x - mean) inverse and g = dy w: dx = inverse (g - mean(g) - xhat mean(g xhat)). */
static void layer_backward(float *dx, float *dw, float *db, const elbo_layer_norm_image *image, bool accumulate) {
    const float *dy = image->dy, *x = image->x, *w = image->w;
    float mean = image->mean, inverse = image->inverse;
    size_t n = image->n;
    double sum = 0, product = 0;
    for (size_t i = 0; i < n; i++) {
        double xhat = ((double)x[i] - mean) * inverse, g = (double)dy[i] * w[i];
        sum += g;
        product += g * xhat;
        dw[i] += (float)(dy[i] * xhat);
        db[i] += dy[i];
    }
    for (size_t i = 0; dx && i < n; i++) {
        double xhat = ((double)x[i] - mean) * inverse, g = (double)dy[i] * w[i];
        double v = inverse * (g - sum / (double)n - xhat * product / (double)n);
        dx[i] = (float)(accumulate ? dx[i] + v : v);
    }
}

/* ---- groups of an image's channels ---- */

static void group(float *y, float *moments, const elbo_group_norm_image *image, float eps) {
    size_t channels = image->channels / image->groups, n = channels * image->pixels;
    for (size_t g = 0; g < image->groups; g++) {
        const float *x = image->x + g * n;
        double sum = 0, deviations = 0;
        for (size_t i = 0; i < n; i++) sum += x[i];
        double m = sum / (double)n;
        for (size_t i = 0; i < n; i++) deviations += (x[i] - m) * (x[i] - m);
        double inv = 1 / sqrt(deviations / (double)n + eps);
        for (size_t i = 0; i < n; i++) {
            size_t c = g * channels + i / image->pixels;
            y[g * n + i] = (float)((x[i] - m) * inv * image->w[c] + image->b[c]);
        }
        moments[2 * g] = (float)m;
        moments[2 * g + 1] = (float)inv;
    }
}

static void group_backward(float *dx, float *dw, float *db, const float *moments, const elbo_group_norm_image *image,
                           bool accumulate) {
    size_t channels = image->channels / image->groups, n = channels * image->pixels;
    for (size_t g = 0; g < image->groups; g++) {
        const float *x = image->x + g * n, *dy = image->dy + g * n, *w = image->w + g * channels;
        double mean = moments[2 * g], inverse = moments[2 * g + 1], sum = 0, product = 0;
        for (size_t c = 0; c < channels; c++) {
            double of_w = 0, of_b = 0;
            for (size_t i = c * image->pixels; i < (c + 1) * image->pixels; i++) {
                of_w += dy[i] * (x[i] - mean) * inverse;
                of_b += dy[i];
            }
            dw[g * channels + c] += (float)of_w;
            db[g * channels + c] += (float)of_b;
            product += of_w * w[c];
            sum += of_b * w[c];
        }
        for (size_t i = 0; dx && i < n; i++) {
            double xhat = (x[i] - mean) * inverse, gradient = (double)dy[i] * w[i / image->pixels];
            double v = inverse * (gradient - sum / (double)n - xhat * product / (double)n);
            dx[g * n + i] = (float)(accumulate ? dx[g * n + i] + v : v);
        }
    }
}

const elbo_norm_kernels elbo_ref_norm = {"ref", moments,        normalise, gradient_sums, backward,
                                         layer, layer_backward, group,     group_backward};
