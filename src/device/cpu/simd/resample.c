/* Pooling and upsampling of blocked images: sixteen channels of a pixel are as many vectors as they need. Plain images have few channels,
 * and the plain loops of ref do for them. */
#include "device/cpu/ref/ref.h"
#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

/* ---- pooling ---- */

/* The part of a window that lies in the picture: rows top..bottom - 1, columns left..right - 1. */
typedef struct window {
    int top, bottom, left, right;
} window;

static inline int at_least(int a, int b) { return a > b ? a : b; }
static inline int at_most(int a, int b) { return a < b ? a : b; }

static inline window window_of(const elbo_resample *s, int oy, int ox) {
    int top = oy * s->stride - s->padding, left = ox * s->stride - s->padding;
    return (window){at_least(top, 0), at_most(top + s->kernel, s->height), at_least(left, 0),
                    at_most(left + s->kernel, s->width)};
}

static inline size_t x_plane(const elbo_resample *s) { return (size_t)s->height * (size_t)s->width * LANES; }
static inline size_t x_at(const elbo_resample *s, int row, int column) {
    return ((size_t)row * (size_t)s->width + (size_t)column) * LANES;
}

/* Walks the vectors of y (or dy) in order, x (or dx) standing at the plane they come from. */
#define EACH_PIXEL(s, x, y)                                                                                            \
    for (size_t plane_ = 0; plane_ < (s)->planes; plane_++, (x) += x_plane(s))                                         \
        for (int oy = 0; oy < (s)->out_height; oy++)                                                                   \
            for (int ox = 0; ox < (s)->out_width; ox++, (y) += LANES)
#define EACH_OF(w)                                                                                                     \
    for (int iy = (w).top; iy < (w).bottom; iy++)                                                                      \
        for (int ix = (w).left; ix < (w).right; ix++)

static inline void add_to(float *to, vec v) { vstore(to, vload(to) + v); }

static inline ivec larger(vec v, vec most) { return (v > most) | (v != v); } // NaN is taken, and stays

static void max_pool(float *y, const float *x, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.max_pool(y, x, s);
        return;
    }
    EACH_PIXEL(s, x, y) {
        window w = window_of(s, oy, ox);
        vec most[PARTS];
        EACH_PART(p) most[p] = vset(-__builtin_inff());
        EACH_OF(w) {
            const float *from = x + x_at(s, iy, ix);
            EACH_PART(p) {
                vec v = vload(from + p * WIDTH);
                most[p] = vselect(larger(v, most[p]), v, most[p]);
            }
        }
        EACH_PART(p) vstore(y + p * WIDTH, most[p]);
    }
}

/* Which pixel was the largest is found again, each lane's own, and the gradient added there. */
static void max_pool_backward(float *dx, const float *dy, const float *x, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.max_pool_backward(dx, dy, x, s);
        return;
    }
    EACH_PIXEL(s, dx, dy) {
        const float *plane = x + plane_ * x_plane(s);
        window w = window_of(s, oy, ox);
        vec most[PARTS], gradient[PARTS];
        ivec where[PARTS] = {}; // the pixel's number in the window
        EACH_PART(p) most[p] = vload(plane + x_at(s, w.top, w.left) + p * WIDTH);
        int32_t number = 0;
        EACH_OF(w) {
            const float *from = plane + x_at(s, iy, ix);
            EACH_PART(p) {
                vec v = vload(from + p * WIDTH);
                ivec take = larger(v, most[p]);
                most[p] = vselect(take, v, most[p]);
                where[p] = (take & number) | (~take & where[p]);
            }
            number++;
        }
        EACH_PART(p) gradient[p] = vload(dy + p * WIDTH);
        number = 0;
        EACH_OF(w) {
            float *to = dx + x_at(s, iy, ix);
            EACH_PART(p) add_to(to + p * WIDTH, vselect(where[p] == number, gradient[p], vset(0)));
            number++;
        }
    }
}

static void average_pool(float *y, const float *x, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.average_pool(y, x, s);
        return;
    }
    float share = 1.0f / (float)(s->kernel * s->kernel);
    EACH_PIXEL(s, x, y) {
        window w = window_of(s, oy, ox);
        vec sum[PARTS] = {};
        EACH_OF(w) {
            const float *from = x + x_at(s, iy, ix);
            EACH_PART(p) sum[p] += vload(from + p * WIDTH);
        }
        EACH_PART(p) vstore(y + p * WIDTH, sum[p] * share);
    }
}

static void average_pool_backward(float *dx, const float *dy, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.average_pool_backward(dx, dy, s);
        return;
    }
    float share = 1.0f / (float)(s->kernel * s->kernel);
    EACH_PIXEL(s, dx, dy) {
        window w = window_of(s, oy, ox);
        vec gradient[PARTS];
        EACH_PART(p) gradient[p] = vload(dy + p * WIDTH) * share;
        EACH_OF(w) {
            float *to = dx + x_at(s, iy, ix);
            EACH_PART(p) add_to(to + p * WIDTH, gradient[p]);
        }
    }
}

/* ---- upsampling ---- */

/* Pixel by pixel of x: its scale x scale square of y, which stands at y's plane. */
#define EACH_SQUARE(s, x, y)                                                                                           \
    for (size_t plane_ = 0; plane_ < (s)->planes; plane_++, (y) += x_plane(s) * (size_t)((s)->scale * (s)->scale))     \
        for (int iy = 0; iy < (s)->height; iy++)                                                                       \
            for (int ix = 0; ix < (s)->width; ix++, (x) += LANES)
#define EACH_OF_SQUARE(s)                                                                                              \
    for (int oy = iy * (s)->scale; oy < (iy + 1) * (s)->scale; oy++)                                                   \
        for (int ox = ix * (s)->scale; ox < (ix + 1) * (s)->scale; ox++)
static inline size_t y_at(const elbo_resample *s, int row, int column) {
    return ((size_t)row * (size_t)s->out_width + (size_t)column) * LANES;
}

static void nearest(float *y, const float *x, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.nearest(y, x, s);
        return;
    }
    EACH_SQUARE(s, x, y) { EACH_OF_SQUARE(s) memcpy(y + y_at(s, oy, ox), x, LANES * sizeof *x); }
}

static void nearest_backward(float *dx, const float *dy, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.nearest_backward(dx, dy, s);
        return;
    }
    EACH_SQUARE(s, dx, dy) {
        vec sum[PARTS];
        EACH_PART(p) sum[p] = vload(dx + p * WIDTH);
        EACH_OF_SQUARE(s) {
            const float *from = dy + y_at(s, oy, ox);
            EACH_PART(p) sum[p] += vload(from + p * WIDTH);
        }
        EACH_PART(p) vstore(dx + p * WIDTH, sum[p]);
    }
}

/* Between which two pixels an output's centre lies: at (out + 1/2) / scale - 1/2, in whole numbers. */
typedef struct between {
    int first, second;
    float part; // of the way from the first to the second
} between;

static inline between find(int out, int scale, int size) {
    int at = at_least(2 * out + 1 - scale, 0), first = at / (2 * scale);
    return (between){first, at_most(first + 1, size - 1), (float)(at % (2 * scale)) / (float)(2 * scale)};
}

static void bilinear(float *y, const float *x, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.bilinear(y, x, s);
        return;
    }
    EACH_PIXEL(s, x, y) {
        between v = find(oy, s->scale, s->height), h = find(ox, s->scale, s->width);
        const float *a = x + x_at(s, v.first, h.first), *b = x + x_at(s, v.first, h.second);
        const float *c = x + x_at(s, v.second, h.first), *d = x + x_at(s, v.second, h.second);
        for (int at = 0; at < LANES; at += WIDTH) {
            vec above = (1 - h.part) * vload(a + at) + h.part * vload(b + at);
            vec below = (1 - h.part) * vload(c + at) + h.part * vload(d + at);
            vstore(y + at, (1 - v.part) * above + v.part * below);
        }
    }
}

static void bilinear_backward(float *dx, const float *dy, const elbo_resample *s) {
    if (s->lanes != LANES) {
        elbo_ref_resample.bilinear_backward(dx, dy, s);
        return;
    }
    EACH_PIXEL(s, dx, dy) {
        between v = find(oy, s->scale, s->height), h = find(ox, s->scale, s->width);
        float *a = dx + x_at(s, v.first, h.first), *b = dx + x_at(s, v.first, h.second);
        float *c = dx + x_at(s, v.second, h.first), *e = dx + x_at(s, v.second, h.second);
        for (int at = 0; at < LANES; at += WIDTH) {
            vec d = vload(dy + at), above = (1 - v.part) * d, below = v.part * d;
            add_to(a + at, (1 - h.part) * above);
            add_to(b + at, h.part * above);
            add_to(c + at, (1 - h.part) * below);
            add_to(e + at, h.part * below);
        }
    }
}

const elbo_resample_kernels ELBO_SIMD(resample) = {.name = ELBO_ISA_NAME,
                                                   .max_pool = max_pool,
                                                   .max_pool_backward = max_pool_backward,
                                                   .average_pool = average_pool,
                                                   .average_pool_backward = average_pool_backward,
                                                   .nearest = nearest,
                                                   .nearest_backward = nearest_backward,
                                                   .bilinear = bilinear,
                                                   .bilinear_backward = bilinear_backward};
