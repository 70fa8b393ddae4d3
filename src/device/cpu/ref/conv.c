/* Convolutions by plain loops. The weight between input channel i and output channel o is indexed by one function, so
 * that the transposed kind differs in two places only: where its weights lie, and which of x and y is walked with a
 * stride. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "device/cpu/conv.h"

struct elbo_conv {
    elbo_conv_shape s;
};

static elbo_status make(elbo_conv **c, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                        elbo_error *err) {
    (void)need_dw, (void)need_dx, (void)threads;
    *c = malloc(sizeof **c);
    if (!*c) return elbo_fail(err, ELBO_NO_MEMORY, "out of memory");
    (*c)->s = *s;
    return ELBO_OK;
}

static void free_conv(void *conv) { free(conv); }
static const char *describe(const elbo_conv *c) {
    (void)c;
    return "ref";
}

static size_t weights(const elbo_conv *c) { return (size_t)c->s.in * (size_t)c->s.out * (size_t)elbo_conv_taps(&c->s); }
static size_t gradient_floats(const elbo_conv *c) { return weights(c) + (size_t)c->s.out; }
static size_t scratch_floats(const elbo_conv *c) {
    (void)c;
    return 0;
}

static bool pack(const elbo_conv *c, float *packed, const float *w, float *scratch, int thread) {
    (void)scratch, (void)thread;
    memcpy(packed, w, weights(c) * sizeof *w);
    return true;
}

static size_t weight_at(const elbo_conv_shape *s, int o, int i, int ky, int kx) {
    size_t channels = s->transposed ? (size_t)i * (size_t)s->out + (size_t)o : (size_t)o * (size_t)s->in + (size_t)i;
    return (channels * (size_t)s->kernel[0] + (size_t)ky) * (size_t)s->kernel[1] + (size_t)kx;
}

/* Calls `visit` for every product of the convolution: x at (n, i, iy, ix) meets y at (n, o, oy, ox) by weight w. */
typedef void visitor(void *context, size_t x, size_t y, size_t w);

static void walk(const elbo_conv_shape *s, visitor *visit, void *context) {
    // The side that is walked with a stride is the larger: x of a convolution, y of a transposed one.
    int small_h = s->transposed ? s->height : s->out_height, small_w = s->transposed ? s->width : s->out_width;
    int large_h = s->transposed ? s->out_height : s->height, large_w = s->transposed ? s->out_width : s->width;
    for (int n = 0; n < s->rows; n++)
        for (int o = 0; o < s->out; o++)
            for (int i = 0; i < s->in; i++)
                for (int sy = 0; sy < small_h; sy++)
                    for (int sx = 0; sx < small_w; sx++)
                        for (int ky = 0; ky < s->kernel[0]; ky++)
                            for (int kx = 0; kx < s->kernel[1]; kx++) {
                                int ly = sy * s->stride[0] - s->padding[0] + ky * s->dilation[0];
                                int lx = sx * s->stride[1] - s->padding[1] + kx * s->dilation[1];
                                if (ly < 0 || ly >= large_h || lx < 0 || lx >= large_w) continue;
                                int xy = s->transposed ? sy : ly, xx = s->transposed ? sx : lx;
                                int yy = s->transposed ? ly : sy, yx = s->transposed ? lx : sx;
                                size_t x = (((size_t)n * (size_t)s->in + (size_t)i) * (size_t)s->height + (size_t)xy) *
                                               (size_t)s->width +
                                           (size_t)xx;
                                size_t y =
                                    (((size_t)n * (size_t)s->out + (size_t)o) * (size_t)s->out_height + (size_t)yy) *
                                        (size_t)s->out_width +
                                    (size_t)yx;
                                visit(context, x, y, weight_at(s, o, i, ky, kx));
                            }
}

typedef struct arrays {
    float *result;
    const float *a, *b;
} arrays;

static void visit_forward(void *context, size_t x, size_t y, size_t w) {
    arrays *v = context;
    v->result[y] += v->a[x] * v->b[w];
}
static void visit_backward_data(void *context, size_t x, size_t y, size_t w) {
    arrays *v = context;
    v->result[x] += v->a[y] * v->b[w];
}
static void visit_backward_weights(void *context, size_t x, size_t y, size_t w) {
    arrays *v = context;
    v->result[w] += v->a[x] * v->b[y];
}

static size_t pixels(const elbo_conv_shape *s) { return (size_t)s->out_height * (size_t)s->out_width; }

static bool forward(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                    float *scratch, int thread) {
    (void)scratch, (void)thread;
    size_t planes = (size_t)c->s.rows * (size_t)c->s.out;
    for (size_t p = 0; p < planes; p++)
        for (size_t k = 0; k < pixels(&c->s); k++) y[p * pixels(&c->s) + k] = bias ? bias[p % (size_t)c->s.out] : 0;
    walk(&c->s, visit_forward, &(arrays){y, x, packed});
    return true;
}

static bool backward_data(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch,
                          int thread) {
    (void)scratch, (void)thread;
    size_t n = (size_t)c->s.rows * (size_t)c->s.in * (size_t)c->s.height * (size_t)c->s.width;
    memset(dx, 0, n * sizeof *dx);
    walk(&c->s, visit_backward_data, &(arrays){dx, dy, packed});
    return true;
}

static bool backward_weights(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch,
                             int thread) {
    (void)scratch, (void)thread;
    memset(gradient, 0, gradient_floats(c) * sizeof *gradient);
    walk(&c->s, visit_backward_weights, &(arrays){gradient, x, dy});
    float *dbias = gradient + weights(c);
    size_t planes = (size_t)c->s.rows * (size_t)c->s.out;
    for (size_t p = 0; p < planes; p++)
        for (size_t k = 0; k < pixels(&c->s); k++) dbias[p % (size_t)c->s.out] += dy[p * pixels(&c->s) + k];
    return true;
}

static bool unpack_gradient(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                            int thread) {
    (void)scratch, (void)thread;
    memcpy(dw, gradient, weights(c) * sizeof *dw);
    if (dbias) memcpy(dbias, gradient + weights(c), (size_t)c->s.out * sizeof *dbias);
    return true;
}

const elbo_conv_kernels elbo_ref_conv = {
    .name = "ref",
    .blocked = false,
    .make = make,
    .free = free_conv,
    .describe = describe,
    .packed_floats = weights,
    .gradient_floats = gradient_floats,
    .scratch_floats = scratch_floats,
    .pack = pack,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .unpack_gradient = unpack_gradient,
};
