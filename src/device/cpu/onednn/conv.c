/* Convolutions by oneDNN. Each layer's primitives are made once; running one sets the addresses of its memory objects,
 * of which every thread has its own, and allocates nothing. Where oneDNN wants an activation in another layout than the
 * plan keeps it in, a reorder stands before or behind, through the thread's scratch memory.
 *
 * Every layer is an ordinary convolution from a large side to a small one: of conv2d x is the large side, of
 * conv_transpose2d y is, so its forward is the convolution's backward data, and the other way round. oneDNN's own
 * deconvolution does the same, but adds the bias so slowly that the layer took four times as long (bench/log.md).
 *
 * oneDNN 2.6, C API: https://oneapi-src.github.io/oneDNN/v2.6/ */
#include <string.h>

#include "device/cpu/onednn/layer.h"

static size_t scratch_floats(const elbo_conv *c) {
    return c->large_room + c->small_room + pad_floats(c) + elbo_onednn_column_floats(c) + elbo_onednn_wide_floats(c) +
           elbo_onednn_turned_floats(c);
}

static size_t y_floats(const elbo_conv_shape *s) {
    size_t channels = (size_t)(s->y_blocked ? elbo_padded_channels(s->out) : s->out);
    return (size_t)s->rows * channels * (size_t)s->out_height * (size_t)s->out_width;
}

/* y's layout as planes of lanes: blocked, 16 channels beside each other; plain, 1. */
static int lanes_of(const elbo_conv_shape *s) { return s->y_blocked ? ELBO_BLOCK : 1; }

static void add_bias(const elbo_conv *c, float *y, const float *bias) {
    const elbo_conv_shape *s = &c->s;
    size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    if (!s->y_blocked) {
        for (int r = 0; r < s->rows; r++)
            for (int o = 0; o < s->out; o++)
                for (size_t p = 0; p < pixels; p++) *y++ += bias[o];
        return;
    }
    for (int r = 0; r < s->rows; r++)
        for (int o = 0; o < s->out; o += ELBO_BLOCK) {
            float b[ELBO_BLOCK] = {0};
            memcpy(b, bias + o, (size_t)(s->out - o < ELBO_BLOCK ? s->out - o : ELBO_BLOCK) * sizeof *b);
            for (size_t p = 0; p < pixels; p++, y += ELBO_BLOCK)
                for (int lane = 0; lane < ELBO_BLOCK; lane++) y[lane] += b[lane];
        }
}

static void sum_bias(const elbo_conv *c, float *dbias, const float *dy) {
    const elbo_conv_shape *s = &c->s;
    size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    int lanes = lanes_of(s);
    memset(dbias, 0, (size_t)s->out * sizeof *dbias);
    for (int r = 0; r < s->rows; r++)
        for (int o = 0; o < s->out; o += lanes) {
            float sum[ELBO_BLOCK] = {0}; // plain: sixteen parts of one channel's sum
            size_t n = pixels * (size_t)lanes, i = 0;
            for (; i + ELBO_BLOCK <= n; i += ELBO_BLOCK)
                for (int lane = 0; lane < ELBO_BLOCK; lane++) sum[lane] += dy[i + (size_t)lane];
            for (; i < n; i++) sum[i % ELBO_BLOCK] += dy[i];
            for (int lane = 0; lane < ELBO_BLOCK; lane++) {
                int channel = s->y_blocked ? o + lane : o;
                if (channel < s->out) dbias[channel] += sum[lane];
            }
            dy += n;
        }
}

/* NULL where oneDNN could not. */
static const float *convert(const elbo_conv *c, const onednn_call *reorder, const float *from, float *room,
                            float *scratch, int thread) {
    if (!reorder->made) return from;
    bool done = elbo_onednn_run(c, reorder, thread, pad_room(c, scratch), (const void *[]){from, room});
    return done ? room : NULL;
}

static bool run_to_small(const elbo_conv *c, float *small, const float *large, const float *packed, const float *bias,
                         float *scratch, int thread) {
    const onednn_direction *k = &c->to_small;
    large = convert(c, &k->large_reorder, large, large_room(scratch), scratch, thread);
    float *to = k->small_reorder.made ? small_room(c, scratch) : small;
    return large &&
           elbo_onednn_run(c, &k->main, thread, pad_room(c, scratch), (const void *[]){large, packed, to, bias}) &&
           convert(c, &k->small_reorder, to, small, scratch, thread);
}

static bool run_to_large(const elbo_conv *c, float *large, const float *small, const float *packed, float *scratch,
                         int thread) {
    const onednn_direction *k = &c->to_large;
    small = convert(c, &k->small_reorder, small, small_room(c, scratch), scratch, thread);
    float *to = k->large_reorder.made ? large_room(scratch) : large;
    return small &&
           elbo_onednn_run(c, &k->main, thread, pad_room(c, scratch),
                           (const void *[]){to, packed + c->to_small.packed, small}) &&
           convert(c, &k->large_reorder, to, large, scratch, thread);
}

static bool forward(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                    float *scratch, int thread) {
    bool done;
    if (!c->s.transposed)
        done = run_to_small(c, y, x, packed, bias, scratch, thread);
    else if (c->few)
        done = elbo_onednn_few_channels_forward(c, y, x, packed + c->to_small.packed + c->to_large.packed,
                                                column_room(c, scratch));
    else {
        if (elbo_onednn_some_beyond(&c->s)) memset(y, 0, y_floats(&c->s) * sizeof *y);
        done = run_to_large(c, y, x, packed, scratch, thread);
    }
    if (bias && !c->biased) add_bias(c, y, bias);
    return done;
}

static bool backward_data(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch,
                          int thread) {
    return c->s.transposed ? run_to_small(c, dx, dy, packed, NULL, scratch, thread)
                           : run_to_large(c, dx, dy, packed, scratch, thread);
}

static bool backward_weights(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch,
                             int thread) {
    const onednn_direction *k = &c->weights;
    const float *large = c->s.transposed ? dy : x, *small = c->s.transposed ? x : dy;
    float *dbias = gradient + k->packed;
    large = convert(c, &k->large_reorder, large, large_room(scratch), scratch, thread);
    small = convert(c, &k->small_reorder, small, small_room(c, scratch), scratch, thread);
    bool done =
        large && small &&
        elbo_onednn_run(c, &k->main, thread, pad_room(c, scratch), (const void *[]){large, gradient, small, dbias});
    if (c->s.bias && !c->biased) sum_bias(c, dbias, dy);
    return done;
}

const elbo_conv_kernels elbo_onednn_conv = {
    .name = "onednn",
    .blocked = true,
    .make = elbo_onednn_make,
    .free = elbo_onednn_free,
    .describe = elbo_onednn_describe,
    .packed_floats = elbo_onednn_packed_floats,
    .gradient_floats = elbo_onednn_gradient_floats,
    .scratch_floats = scratch_floats,
    .pack = elbo_onednn_pack,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .unpack_gradient = elbo_onednn_unpack_gradient,
};
