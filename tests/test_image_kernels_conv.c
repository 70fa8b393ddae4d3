/* Convolutions: plain loops, oneDNN's and the fast kernels alike, in every layout (conv.h), each against plain loops in
 * double written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device/cpu/tree.h"
#include "image_arrays.h"

typedef struct layer {
    bool transposed;
    int rows, in, height, width, out, kernel, stride, padding, dilation, output_padding;
    bool bias;
    int across[5]; // of the columns: kernel, stride, padding, dilation, output_padding; a kernel of 0: as of the rows
} layer;

static const layer convolutions[] = {
    {false, 3, 1, 7, 6, 20, 3, 2, 1, 1, 0, true, {0}},
    {false, 2, 3, 5, 5, 16, 5, 1, 2, 1, 0, true, {0}},
    {false, 2, 17, 6, 5, 9, 3, 3, 1, 1, 0, false, {0}},
    {false, 1, 20, 4, 4, 3, 2, 2, 0, 1, 0, true, {0}},
    {false, 2, 8, 9, 7, 33, 3, 1, 3, 2, 0, true, {0}},
    {false, 4, 16, 1, 1, 1, 1, 1, 0, 1, 0, true, {0}},
    {false, 1, 5, 7, 9, 8, 4, 3, 2, 1, 0, true, {0}},
    {true, 3, 20, 4, 3, 1, 3, 2, 1, 1, 1, true, {0}},
    {true, 2, 17, 3, 4, 3, 5, 3, 2, 1, 2, true, {0}},
    {true, 2, 9, 3, 3, 5, 5, 1, 2, 1, 0, false, {0}},
    {true, 2, 3, 3, 2, 20, 4, 2, 1, 1, 0, true, {0}},
    {true, 1, 16, 2, 3, 17, 3, 2, 1, 2, 1, true, {0}},
    {true, 5, 8, 1, 1, 8, 7, 1, 0, 1, 0, true, {0}},
    {true, 2, 33, 3, 3, 9, 2, 3, 0, 1, 2, false, {0}},
    // What minimal filtering takes, in tiles that hang over and in panels of every width.
    {false, 3, 16, 7, 6, 32, 3, 1, 1, 1, 0, true, {0}},
    {false, 2, 32, 5, 8, 48, 3, 1, 0, 1, 0, false, {0}},
    {false, 1, 80, 3, 3, 16, 3, 1, 2, 1, 0, true, {0}},
    {false, 2, 16, 1, 1, 96, 3, 1, 1, 1, 0, true, {0}},
    {false, 3, 16, 16, 13, 16, 3, 1, 1, 1, 0, true, {0}},
    {false, 2, 16, 16, 18, 32, 4, 2, 1, 1, 0, true, {0}},
    {false, 3, 32, 13, 12, 16, 4, 2, 0, 1, 0, false, {0}},
    {false, 1, 48, 15, 17, 80, 4, 2, 2, 1, 0, true, {0}},
    {true, 2, 16, 8, 9, 32, 4, 2, 1, 1, 0, true, {0}},
    {true, 1, 80, 6, 6, 16, 4, 2, 0, 1, 1, true, {0}},
    {true, 3, 32, 8, 7, 48, 4, 2, 2, 1, 1, false, {0}},
    // Not square.
    {false, 2, 16, 5, 8, 17, 1, 1, 0, 1, 0, true, {7, 1, 3, 1, 0}},
    {false, 2, 3, 9, 7, 20, 3, 2, 1, 1, 0, true, {5, 1, 2, 1, 0}},
    {false, 2, 16, 7, 6, 32, 3, 1, 1, 1, 0, true, {3, 1, 0, 1, 0}},
    {false, 3, 16, 7, 6, 16, 3, 1, 1, 1, 0, false, {3, 2, 1, 1, 0}},
    {false, 2, 20, 6, 7, 2, 2, 1, 1, 1, 0, true, {4, 1, 2, 1, 0}},
    {false, 1, 9, 8, 9, 5, 3, 1, 3, 2, 0, true, {2, 3, 0, 4, 0}},
    {true, 2, 17, 3, 4, 3, 5, 3, 2, 1, 2, true, {2, 1, 1, 1, 0}},
    {true, 2, 16, 2, 3, 16, 1, 1, 0, 1, 0, true, {4, 2, 1, 1, 1}},
    {true, 3, 9, 3, 3, 20, 3, 1, 0, 3, 2, true, {2, 2, 1, 1, 0}},
    {true, 2, 20, 4, 3, 1, 3, 2, 1, 1, 1, true, {5, 1, 2, 1, 0}},
    {false, 2, 16, 16, 18, 32, 4, 2, 1, 1, 0, true, {4, 2, 0, 1, 0}},
    {false, 2, 16, 12, 9, 16, 4, 2, 1, 1, 0, true, {4, 1, 1, 1, 0}},
    {true, 2, 16, 6, 5, 32, 4, 2, 1, 1, 0, true, {3, 2, 1, 1, 0}},
    {true, 2, 16, 6, 5, 16, 4, 2, 1, 1, 0, true, {4, 2, 2, 1, 0}},
};

static elbo_conv_shape shape_of(const layer *l) {
    bool square = !l->across[0];
    elbo_conv_shape s = {.transposed = l->transposed,
                         .rows = l->rows,
                         .in = l->in,
                         .height = l->height,
                         .width = l->width,
                         .out = l->out,
                         .kernel = {l->kernel, square ? l->kernel : l->across[0]},
                         .stride = {l->stride, square ? l->stride : l->across[1]},
                         .padding = {l->padding, square ? l->padding : l->across[2]},
                         .dilation = {l->dilation, square ? l->dilation : l->across[3]},
                         .bias = l->bias};
    int *out[] = {&s.out_height, &s.out_width};
    for (int i = 0; i < 2; i++) {
        int size = i ? l->width : l->height, reach = s.dilation[i] * (s.kernel[i] - 1) + 1,
            extra = i && !square ? l->across[4] : l->output_padding;
        *out[i] = l->transposed ? (size - 1) * s.stride[i] - 2 * s.padding[i] + reach + extra
                                : (size + 2 * s.padding[i] - reach) / s.stride[i] + 1;
    }
    return s;
}

/* A layer's arrays, plain, and what they should become. */
typedef struct expected {
    size_t x, y, w; // sizes
    float *px, *pw, *pb, *pdy;
    sums forward, dx, dw, db;
} expected;

static expected expect(const elbo_conv_shape *s) {
    size_t taps = (size_t)(s->kernel[0] * s->kernel[1]), in = (size_t)s->in, out = (size_t)s->out;
    size_t x_pixels = (size_t)(s->height * s->width), y_pixels = (size_t)(s->out_height * s->out_width);
    expected e = {.x = (size_t)s->rows * in * x_pixels, .y = (size_t)s->rows * out * y_pixels, .w = in * out * taps};
    e.px = normal(e.x, 40), e.pw = normal(e.w, 41), e.pb = normal(out, 42), e.pdy = normal(e.y, 43);
    e.forward = new_sums(e.y), e.dx = new_sums(e.x), e.dw = new_sums(e.w), e.db = new_sums(out);
    for (size_t i = 0; i < e.y; i++) {
        if (s->bias) add_term(&e.forward, i, e.pb[i / y_pixels % out]);
        add_term(&e.db, i / y_pixels % out, e.pdy[i]);
    }
    for (size_t n = 0; n < (size_t)s->rows; n++)
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                for (int a = 0; a < (int)x_pixels; a++)
                    for (int b = 0; b < (int)y_pixels;
                         b++) // do pixel a of x and pixel b of y meet, and by which weight?
                    {
                        int few = s->transposed ? a : b, many = s->transposed ? b : a;
                        int few_width = s->transposed ? s->width : s->out_width,
                            many_width = s->transposed ? s->out_width : s->width;
                        int ky = many / many_width - few / few_width * s->stride[0] + s->padding[0];
                        int kx = many % many_width - few % few_width * s->stride[1] + s->padding[1];
                        if (ky < 0 || kx < 0 || ky % s->dilation[0] || kx % s->dilation[1]) continue;
                        ky /= s->dilation[0], kx /= s->dilation[1];
                        if (ky >= s->kernel[0] || kx >= s->kernel[1]) continue;
                        size_t w = ((s->transposed ? i * out + o : o * in + i) * (size_t)s->kernel[0] + (size_t)ky) *
                                       (size_t)s->kernel[1] +
                                   (size_t)kx;
                        size_t x = (n * in + i) * x_pixels + (size_t)a, y = (n * out + o) * y_pixels + (size_t)b;
                        add_term(&e.forward, y, (double)e.px[x] * e.pw[w]);
                        add_term(&e.dx, x, (double)e.pdy[y] * e.pw[w]);
                        add_term(&e.dw, w, (double)e.px[x] * e.pdy[y]);
                    }
    return e;
}

static size_t laid_out(int rows, int channels, size_t pixels, bool blocked) {
    return (size_t)rows * pixels * (size_t)(blocked ? elbo_padded_channels(channels) : channels);
}

/* The images as the kernels want them. */
static float *lay_out(const float *plain, int rows, int channels, size_t pixels, bool blocked) {
    size_t image = laid_out(1, channels, pixels, blocked), from = (size_t)channels * pixels;
    float *v = empty((size_t)rows * image);
    for (int r = 0; r < rows; r++, plain += from)
        if (blocked)
            elbo_ref_pointwise.to_blocked(v + (size_t)r * image, plain, channels, pixels);
        else
            memcpy(v + (size_t)r * image, plain, from * sizeof *v);
    return v;
}

/* Back again: `v` is freed, and its padding must be 0, for the next layer's sums run over it. */
static float *take_out(float *v, int rows, int channels, size_t pixels, bool blocked) {
    size_t size = laid_out(rows, channels, pixels, blocked), image = size / (size_t)rows,
           to = (size_t)channels * pixels;
    check_guard("an image", v, size);
    float *plain = empty((size_t)rows * to);
    for (int r = 0; r < rows; r++)
        for (size_t i = 0; i < image; i++) {
            size_t channel = blocked ? i / (16 * pixels) * 16 + i % 16 : i / pixels;
            size_t pixel = blocked ? i / 16 % pixels : i % pixels;
            float value = v[(size_t)r * image + i];
            if (channel < (size_t)channels)
                plain[(size_t)r * to + channel * pixels + pixel] = value;
            else if (value != 0)
                fail_msg("padded channel %zu is %g", channel, value);
        }
    free(v);
    return plain;
}

static void check_convolution(const elbo_conv_kernels *k, const elbo_conv_shape *s) {
    expected e = expect(s);
    size_t x_pixels = (size_t)(s->height * s->width), y_pixels = (size_t)(s->out_height * s->out_width);
    elbo_conv *c;
    elbo_error err;
    if (k->make(&c, s, true, true, 2, &err) != ELBO_OK) fail_msg("%s", err.message);
    enum { THREAD = 1, SHARES = 2 };
    size_t share = k->gradient_floats(c);
    float *packed = empty(k->packed_floats(c)), *scratch = empty(k->scratch_floats(c)),
          *gradients = empty(SHARES * share);
    float *x = lay_out(e.px, s->rows, s->in, x_pixels, s->x_blocked),
          *dy = lay_out(e.pdy, s->rows, s->out, y_pixels, s->y_blocked);
    float *y = empty(laid_out(s->rows, s->out, y_pixels, s->y_blocked)),
          *dx = empty(laid_out(s->rows, s->in, x_pixels, s->x_blocked));
    float *dw = empty(e.w), *db = empty((size_t)s->out);
    k->pack(c, packed, e.pw, scratch, THREAD);
    k->forward(c, y, x, packed, s->bias ? e.pb : NULL, scratch, THREAD);
    k->backward_data(c, dx, dy, packed, scratch, THREAD);
    for (size_t i = 0; i < SHARES; i++) k->backward_weights(c, gradients + i * share, x, dy, scratch, THREAD);
    elbo_tree_sum(elbo_kernels_here(), gradients, gradients, share, SHARES, share);
    k->unpack_gradient(c, dw, s->bias ? db : NULL, gradients, scratch, THREAD);
    check_guard("packed", packed, k->packed_floats(c));
    check_guard("scratch", scratch, k->scratch_floats(c));
    check_guard("gradients", gradients, SHARES * share);
    for (size_t i = 0; i < e.w; i++) e.dw.sum[i] *= SHARES, e.dw.size[i] *= SHARES;
    for (int i = 0; i < s->out; i++) e.db.sum[i] *= SHARES, e.db.size[i] *= SHARES;
    compare("y", take_out(y, s->rows, s->out, y_pixels, s->y_blocked), e.forward, e.y);
    compare("dx", take_out(dx, s->rows, s->in, x_pixels, s->x_blocked), e.dx, e.x);
    compare("dw", dw, e.dw, e.w);
    if (s->bias)
        compare("db", db, e.db, (size_t)s->out);
    else
        free(db), free(e.db.sum), free(e.db.size);
    k->free(c);
    free(packed), free(scratch), free(gradients), free(x), free(dy);
    free(e.px), free(e.pw), free(e.pb), free(e.pdy);
}

/* In every layout: channels may be blocked on one side only. */
static void convolving(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        elbo_conv_shape s = shape_of(&convolutions[i]);
        check_convolution(&elbo_ref_conv, &s);
        for (int k = 0; k < 4; k++) {
            s.x_blocked = k & 1;
            s.y_blocked = k & 2;
            check_convolution(&elbo_onednn_conv, &s);
            FOR_EACH_SET(set) if (set->conv->blocked) check_convolution(set->conv, &s);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolving),
    };
    return cmocka_run_group_tests(tests, find_image_sets, NULL);
}
