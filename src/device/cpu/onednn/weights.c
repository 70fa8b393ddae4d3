/* Weights on their way from PyTorch's layout to oneDNN's, and their gradients on the way back. */
#include <string.h>

#include "device/cpu/onednn/layer.h"

static size_t plain_weights(const elbo_conv *c) {
    return (size_t)c->s.in * (size_t)c->s.out * (size_t)elbo_conv_taps(&c->s);
}

/* Packed: for large to small, for small to large, and plain where few_channels_forward reads them. */
size_t elbo_onednn_packed_floats(const elbo_conv *c) {
    return c->to_small.packed + c->to_large.packed + (c->few ? whole_lines(plain_weights(c)) : 0);
}

size_t elbo_onednn_gradient_floats(const elbo_conv *c) { return c->weights.packed + whole_lines((size_t)c->s.out); }

/* Plain weights of a wide layer: each of the small side's channels has a row, of which the first part is there. */
static size_t row_there(const elbo_conv *c) {
    return (size_t)(c->s.transposed ? c->s.out : c->s.in) * (size_t)elbo_conv_taps(&c->s);
}

static size_t row_wide(const elbo_conv *c) { return (size_t)(ELBO_BLOCK * elbo_conv_taps(&c->s)); }
static size_t rows_of(const elbo_conv *c) { return (size_t)(c->s.transposed ? c->s.in : c->s.out); }
static size_t wide_weights(const elbo_conv *c) { return c->layout == ONEDNN_WIDE ? rows_of(c) * row_wide(c) : 0; }

size_t elbo_onednn_wide_floats(const elbo_conv *c) { return whole_lines(wide_weights(c)); }
size_t elbo_onednn_turned_floats(const elbo_conv *c) { return c->turned ? whole_lines(plain_weights(c)) : 0; }

static const float *widen(const elbo_conv *c, const float *w, float *scratch) {
    if (c->layout != ONEDNN_WIDE) return w;
    float *wide = wide_room(c, scratch);
    memset(wide, 0, wide_weights(c) * sizeof *wide);
    for (size_t r = 0; r < rows_of(c); r++)
        memcpy(wide + r * row_wide(c), w + r * row_there(c), row_there(c) * sizeof *wide);
    return wide;
}

/* conv2d's weights (out, in, k, k) as the transposed convolution's (in, out, k, k), each kernel turned; or back. */
static void turn_weights(const elbo_conv *c, float *to, const float *from, bool back) {
    size_t in = (size_t)c->s.in, out = (size_t)c->s.out, taps = (size_t)elbo_conv_taps(&c->s);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < taps; k++) {
                size_t straight = (o * in + i) * taps + k, turned = (i * out + o) * taps + taps - 1 - k;
                if (back)
                    to[straight] = from[turned];
                else
                    to[turned] = from[straight];
            }
}

bool elbo_onednn_pack(const elbo_conv *c, float *packed, const float *plain, float *scratch, int thread) {
    if (c->turned) {
        turn_weights(c, turned_room(c, scratch), plain, false);
        plain = turned_room(c, scratch);
    }
    const float *w = widen(c, plain, scratch);
    bool done = elbo_onednn_run(c, &c->to_small.pack, thread, pad_room(c, scratch), (const void *[]){w, packed});
    if (done && c->to_large.pack.made)
        done = elbo_onednn_run(c, &c->to_large.pack, thread, pad_room(c, scratch),
                               (const void *[]){w, packed + c->to_small.packed});
    if (c->few) memcpy(packed + c->to_small.packed + c->to_large.packed, plain, plain_weights(c) * sizeof *plain);
    return done;
}

bool elbo_onednn_unpack_gradient(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                                 int thread) {
    float *plain = c->turned ? turned_room(c, scratch) : dw,
          *all = c->layout == ONEDNN_WIDE ? wide_room(c, scratch) : plain;
    if (!elbo_onednn_run(c, &c->weights.pack, thread, pad_room(c, scratch), (const void *[]){gradient, all}))
        return false;
    for (size_t r = 0; c->layout == ONEDNN_WIDE && r < rows_of(c); r++)
        memcpy(plain + r * row_there(c), all + r * row_wide(c), row_there(c) * sizeof *dw);
    if (c->turned) turn_weights(c, dw, plain, true);
    if (dbias) memcpy(dbias, gradient + c->weights.packed, (size_t)c->s.out * sizeof *dbias);
    return true;
}
