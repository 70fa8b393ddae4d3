#include <math.h>

#include "device/cpu/ref/ref.h"

/* One plane and lane of x, or of y, as a picture: value (row, column) stands at (row * width + column) * lanes. */
#define EACH_PLANE(s)                                                                                                  \
    for (size_t plane_ = 0; plane_ < (s)->planes; plane_++)                                                            \
        for (size_t lane_ = 0; lane_ < (s)->lanes; lane_++)
#define EACH_OUTPUT(s)                                                                                                 \
    for (int oy = 0; oy < (s)->out_height; oy++)                                                                       \
        for (int ox = 0; ox < (s)->out_width; ox++)
#define X_AT(s, row, column)                                                                                           \
    (((plane_ * (size_t)(s)->height + (size_t)(row)) * (size_t)(s)->width + (size_t)(column)) * (s)->lanes + lane_)
#define Y_AT(s)                                                                                                        \
    (((plane_ * (size_t)(s)->out_height + (size_t)oy) * (size_t)(s)->out_width + (size_t)ox) * (s)->lanes + lane_)
/* Runs a statement for each pixel (iy, ix) of an output's window that lies in the picture. */
#define EACH_OF_WINDOW(s, statement)                                                                                   \
    for (int ky = 0; ky < (s)->kernel; ky++)                                                                           \
        for (int kx = 0; kx < (s)->kernel; kx++) {                                                                     \
            int iy = oy * (s)->stride - (s)->padding + ky, ix = ox * (s)->stride - (s)->padding + kx;                  \
            if (iy < 0 || iy >= (s)->height || ix < 0 || ix >= (s)->width) continue;                                   \
            statement;                                                                                                 \
        }

/* ---- pooling ---- */

static void max_pool(float *y, const float *x, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) {
        float most = -INFINITY;
        EACH_OF_WINDOW(s, {
            float v = x[X_AT(s, iy, ix)];
            if (v > most || isnan(v)) most = v;
        });
        y[Y_AT(s)] = most;
    }
}

static void max_pool_backward(float *dx, const float *dy, const float *x, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) {
        float most = -INFINITY;
        size_t where = (size_t)-1;
        EACH_OF_WINDOW(s, {
            float v = x[X_AT(s, iy, ix)];
            if (where == (size_t)-1 || v > most || isnan(v)) {
                most = v;
                where = X_AT(s, iy, ix);
            }
        });
        dx[where] += dy[Y_AT(s)];
    }
}

static void average_pool(float *y, const float *x, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) {
        double sum = 0;
        EACH_OF_WINDOW(s, sum += x[X_AT(s, iy, ix)]);
        y[Y_AT(s)] = (float)(sum / s->kernel / s->kernel);
    }
}

static void average_pool_backward(float *dx, const float *dy, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) {
        float share = dy[Y_AT(s)] / (float)(s->kernel * s->kernel);
        EACH_OF_WINDOW(s, dx[X_AT(s, iy, ix)] += share);
    }
}

/* ---- upsampling ---- */

static void nearest(float *y, const float *x, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) y[Y_AT(s)] = x[X_AT(s, oy / s->scale, ox / s->scale)];
}

static void nearest_backward(float *dx, const float *dy, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) dx[X_AT(s, oy / s->scale, ox / s->scale)] += dy[Y_AT(s)];
}

/* An output's centre lies between those of two pixels, `part` of the way from the first to the second. */
typedef struct between {
    int first, second;
    double part;
} between;

static between find(int out, int scale, int size) {
    double at = (out + 0.5) / scale - 0.5;
    if (at < 0) at = 0; // above or left of the first centre
    int first = (int)at;
    return (between){first, first + 1 < size ? first + 1 : first, at - first};
}

static void bilinear(float *y, const float *x, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) {
        between v = find(oy, s->scale, s->height), h = find(ox, s->scale, s->width);
        double above = (1 - h.part) * x[X_AT(s, v.first, h.first)] + h.part * x[X_AT(s, v.first, h.second)];
        double below = (1 - h.part) * x[X_AT(s, v.second, h.first)] + h.part * x[X_AT(s, v.second, h.second)];
        y[Y_AT(s)] = (float)((1 - v.part) * above + v.part * below);
    }
}

static void bilinear_backward(float *dx, const float *dy, const elbo_resample *s) {
    EACH_PLANE(s) EACH_OUTPUT(s) {
        between v = find(oy, s->scale, s->height), h = find(ox, s->scale, s->width);
        double d = dy[Y_AT(s)];
        dx[X_AT(s, v.first, h.first)] += (float)((1 - v.part) * (1 - h.part) * d);
        dx[X_AT(s, v.first, h.second)] += (float)((1 - v.part) * h.part * d);
        dx[X_AT(s, v.second, h.first)] += (float)(v.part * (1 - h.part) * d);
        dx[X_AT(s, v.second, h.second)] += (float)(v.part * h.part * d);
    }
}

const elbo_resample_kernels elbo_ref_resample = {.name = "ref",
                                                 .max_pool = max_pool,
                                                 .max_pool_backward = max_pool_backward,
                                                 .average_pool = average_pool,
                                                 .average_pool_backward = average_pool_backward,
                                                 .nearest = nearest,
                                                 .nearest_backward = nearest_backward,
                                                 .bilinear = bilinear,
                                                 .bilinear_backward = bilinear_backward};
