/* Convolutions of 3 x 3 with stride 1 by minimal filtering, F(2 x 2, 3 x 3): each tile of 2 x 2 outputs is made of 4 x
 * 4 inputs by 16 multiplications for every pair of channels, where the plain sum takes 36 (Winograd 1980; Lavin and
 * Gray, "Fast algorithms for convolutional neural networks", 2016, whose B, G and A these are).
 *
 *     y = A^T ((G w G^T) * (B^T x B)) A        summed over input channels between the product and A
 *
 * So each of the 16 places of the transformed tiles is a matrix product of tiles x channels, and that is where the time
 * goes. dx is the same convolution of dy with the weights turned by half a circle; dw is the adjoint,
 * G^T (sum over tiles of (B^T x B) * (A dy A^T)) G. The transforms add, subtract and halve: the result
 * keeps the bounds of the plain sum's (tests/test_image_kernels_conv.c). */
#include "device/cpu/simd/simd.h"
#if ELBO_VECTOR_BYTES >= 32
#include <stdlib.h>

#include "device/cpu/simd/winograd.h"

enum {
    TAPS = 9, // of a filter
#if ELBO_VECTOR_BYTES == 64
    SOME_TILES = 72, // at a time: the transformed tiles stay in the second cache, or weights are read seldom enough
#else
    SOME_TILES = 48,
#endif
};

struct elbo_conv {
    elbo_conv_shape s;
    bool need_dx;
};

static size_t place_stride(int channels) { return (size_t)SOME_TILES * (size_t)channels + PAD; }

/* y = A^T m A + bias, of tiles first to first + n.  from: (PLACES, tiles, channels) */
static void transform_output(const side *s, float *y, const float *from, size_t stride, const float *bias, int first,
                             int n) {
    for (int channel = 0; channel < s->channels; channel += WIDTH) {
        vec b = bias ? vload(bias + channel) : (vec){};
        for (int t = 0; t < n; t++) {
            walk at = tile_at(s, first + t);
            const float *place = from + (size_t)t * (size_t)s->channels + (size_t)channel;
            vec w[2][4];
            for (int j = 0; j < 4; j++) {
                vec m0 = vload(place + (size_t)j * stride), m1 = vload(place + (size_t)(4 + j) * stride),
                    m2 = vload(place + (size_t)(8 + j) * stride), m3 = vload(place + (size_t)(12 + j) * stride);
                w[0][j] = m0 + m1 + m2;
                w[1][j] = m1 - m2 - m3;
            }
            for (int i = 0; i < 2; i++) {
                if (inside(s, &at, i, 0))
                    vstore((float *)pixel(s, y, channel, &at, i, 0), w[i][0] + w[i][1] + w[i][2] + b);
                if (inside(s, &at, i, 1))
                    vstore((float *)pixel(s, y, channel, &at, i, 1), w[i][1] - w[i][2] - w[i][3] + b);
            }
        }
    }
}

/* to: (PLACES, tiles, channels), A dy A^T; dbias (channels) gets these tiles' sums added. */
static void transform_gradient(float *to, size_t stride, float *dbias, const side *s, const float *dy, int first,
                               int n) {
    for (int channel = 0; channel < s->channels; channel += WIDTH) {
        vec sum = {};
        for (int t = 0; t < n; t++) {
            walk at = tile_at(s, first + t);
            float *place = to + (size_t)t * (size_t)s->channels + (size_t)channel;
            vec e[2][2];
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++) {
                    e[i][j] = inside(s, &at, i, j) ? vload(pixel(s, dy, channel, &at, i, j)) : (vec){};
                    sum += e[i][j];
                }
            for (int i = 0; i < 4; i++) {
                vec a = i == 0 ? e[0][0] : i == 1 ? e[0][0] + e[1][0] : i == 2 ? e[0][0] - e[1][0] : -e[1][0];
                vec b = i == 0 ? e[0][1] : i == 1 ? e[0][1] + e[1][1] : i == 2 ? e[0][1] - e[1][1] : -e[1][1];
                vstore(place + (size_t)(4 * i) * stride, a);
                vstore(place + (size_t)(4 * i + 1) * stride, a + b);
                vstore(place + (size_t)(4 * i + 2) * stride, a - b);
                vstore(place + (size_t)(4 * i + 3) * stride, -b);
            }
        }
        if (dbias) vstore(dbias + channel, vload(dbias + channel) + sum);
    }
}

/* ---- weights ---- */

/* G w G^T of a register of filters.  tap: (TAPS), the last first where `turned`; to: (PLACES) at `stride` */
static void transform_filters(float *to, size_t stride, const vec *tap, bool turned) {
    vec g[3][3], h[4][3];
    for (int k = 0; k < TAPS; k++) g[k / 3][k % 3] = tap[turned ? TAPS - 1 - k : k];
    for (int j = 0; j < 3; j++) {
        h[0][j] = g[0][j];
        h[1][j] = 0.5f * (g[0][j] + g[1][j] + g[2][j]);
        h[2][j] = 0.5f * (g[0][j] - g[1][j] + g[2][j]);
        h[3][j] = g[2][j];
    }
    for (int i = 0; i < 4; i++) {
        vstore(to + (size_t)(4 * i) * stride, h[i][0]);
        vstore(to + (size_t)(4 * i + 1) * stride, 0.5f * (h[i][0] + h[i][1] + h[i][2]));
        vstore(to + (size_t)(4 * i + 2) * stride, 0.5f * (h[i][0] - h[i][1] + h[i][2]));
        vstore(to + (size_t)(4 * i + 3) * stride, h[i][2]);
    }
}

/* w (out, in, TAPS) for the way from x to y: lanes are output channels. */
static void pack_forward(const elbo_conv *c, float *u, const float *w) {
    int in = c->s.in, out = c->s.out;
    vec tap[WIDTH * TAPS];
    for (int o = 0; o < out; o += WIDTH)
        for (int i = 0; i < in; i += WIDTH) {
            gather_lanes(tap, w + ((size_t)o * (size_t)in + (size_t)i) * TAPS, (size_t)in * TAPS, WIDTH * TAPS);
            for (int k = 0; k < WIDTH; k++)
                transform_filters(filter_at(u, in, out, i + k, o), (size_t)in * (size_t)out, tap + k * TAPS, false);
        }
}

/* The same for the way from dy to dx: lanes are input channels, filters are turned by half a circle. */
static void pack_backward(const elbo_conv *c, float *u, const float *w) {
    int in = c->s.in, out = c->s.out;
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i += WIDTH) {
            const float *from = w + ((size_t)o * (size_t)in + (size_t)i) * TAPS;
            vec tap[TAPS];
            for (int k = 0; k < TAPS; k++)
                for (int lane = 0; lane < WIDTH; lane++) tap[k][lane] = from[lane * TAPS + k];
            transform_filters(filter_at(u, out, in, o, i), (size_t)in * (size_t)out, tap, true);
        }
}

static size_t side_floats(const elbo_conv *c) { return (size_t)PLACES * (size_t)c->s.in * (size_t)c->s.out; }
static size_t packed_floats(const elbo_conv *c) { return side_floats(c) * (c->need_dx ? 2 : 1); }

static bool pack(const elbo_conv *c, float *packed, const float *w, float *scratch, int thread) {
    (void)scratch, (void)thread;
    pack_forward(c, packed, w);
    if (c->need_dx) pack_backward(c, packed + side_floats(c), w);
    return true;
}

/* ---- the three directions ---- */

/* y = x * u: from one side to the other. */
static void convolve(const elbo_conv *c, float *y, const side *to, const float *x, const side *from, const float *u,
                     const float *bias, float *scratch) {
    size_t v_stride = place_stride(from->channels), m_stride = place_stride(to->channels);
    float *v = scratch, *m = scratch + PLACES * v_stride;
    int all = c->s.rows * to->per_image;
    for (int first = 0; first < all; first += SOME_TILES) {
        int n = all - first < SOME_TILES ? all - first : SOME_TILES;
        transform_input(v, v_stride, from, x, first, n);
        tile_products(m, m_stride, to->channels, v, v_stride, from->channels, u, n);
        transform_output(to, y, m, m_stride, bias, first, n);
    }
}

static bool forward(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                    float *scratch, int thread) {
    (void)thread;
    const elbo_conv_shape *s = &c->s;
    side from = side_of(s->in, s->height, s->width, s->out_height, s->out_width, 2, -s->padding[0]);
    side to = side_of(s->out, s->out_height, s->out_width, s->out_height, s->out_width, 2, 0);
    convolve(c, y, &to, x, &from, packed, bias, scratch);
    return true;
}

static bool backward_data(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch,
                          int thread) {
    (void)thread;
    const elbo_conv_shape *s = &c->s;
    side from = side_of(s->out, s->out_height, s->out_width, s->height, s->width, 2, s->padding[0] - 2);
    side to = side_of(s->in, s->height, s->width, s->height, s->width, 2, 0);
    convolve(c, dx, &to, dy, &from, packed + side_floats(c), NULL, scratch);
    return true;
}

/* The gradient's share: (in, TAPS, out), then the bias. */
static size_t gradient_floats(const elbo_conv *c) {
    return (size_t)TAPS * (size_t)c->s.in * (size_t)c->s.out + (size_t)c->s.out;
}

/* Adds G^T du G to the taps, for 16 input channels and a panel of output channels.  du: (PLACES, LANES, vectors x WIDTH);
 * dw: (LANES, TAPS, out) */
static void transform_weights(float *dw, const float *du, int vectors, size_t out, bool add) {
    size_t stride = (size_t)(LANES * vectors * WIDTH);
    for (int i = 0; i < LANES; i++)
        for (int v = 0; v < vectors; v++) {
            const float *from = du + (size_t)(i * vectors + v) * WIDTH;
            float *to = dw + (size_t)i * TAPS * out + (size_t)(v * WIDTH);
            vec h[3][4];
            for (int j = 0; j < 4; j++) {
                vec u0 = vload(from + (size_t)j * stride), u1 = vload(from + (size_t)(4 + j) * stride),
                    u2 = vload(from + (size_t)(8 + j) * stride), u3 = vload(from + (size_t)(12 + j) * stride);
                vec plus = 0.5f * (u1 + u2), minus = 0.5f * (u1 - u2);
                h[0][j] = u0 + plus;
                h[1][j] = minus;
                h[2][j] = plus + u3;
            }
            for (int r = 0; r < 3; r++) {
                vec plus = 0.5f * (h[r][1] + h[r][2]), minus = 0.5f * (h[r][1] - h[r][2]);
                vec tap[3] = {h[r][0] + plus, minus, plus + h[r][3]};
                for (int k = 0; k < 3; k++) {
                    float *at = to + (size_t)(3 * r + k) * out;
                    vstore(at, add ? vload(at) + tap[k] : tap[k]);
                }
            }
        }
}

static bool backward_weights(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch,
                             int thread) {
    (void)thread;
    const elbo_conv_shape *s = &c->s;
    side from = side_of(s->in, s->height, s->width, s->out_height, s->out_width, 2, -s->padding[0]);
    side to = side_of(s->out, s->out_height, s->out_width, s->out_height, s->out_width, 2, 0);
    size_t v_stride = place_stride(s->in), d_stride = place_stride(s->out), out = (size_t)s->out;
    float *v = scratch, *d = v + PLACES * v_stride, *du = d + PLACES * d_stride;
    float *dbias = gradient + (size_t)TAPS * (size_t)s->in * out;
    memset(dbias, 0, out * sizeof *dbias);
    int all = s->rows * to.per_image;
    for (int first = 0; first < all; first += SOME_TILES) {
        int n = all - first < SOME_TILES ? all - first : SOME_TILES;
        transform_input(v, v_stride, &from, x, first, n);
        transform_gradient(d, d_stride, s->bias ? dbias : NULL, &to, dy, first, n);
        for (int o = 0; o < s->out; o += WIDE) {
            int vectors = panel_at(s->out, o);
            size_t wide = (size_t)(vectors * WIDTH);
            for (int i = 0; i < s->in; i += LANES) {
                for (int place = 0; place < PLACES; place++)
                    products(du + (size_t)place * LANES * wide, wide,
                             (operand){v + (size_t)place * v_stride + (size_t)i, 1, (size_t)s->in},
                             d + (size_t)place * d_stride + (size_t)o, out, n, LANES, vectors);
                transform_weights(gradient + (size_t)i * TAPS * out + (size_t)o, du, vectors, out, first > 0);
            }
        }
    }
    return true;
}

static bool unpack_gradient(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                            int thread) {
    (void)scratch, (void)thread;
    size_t in = (size_t)c->s.in, out = (size_t)c->s.out;
    transpose_gradient(dw, gradient, in * TAPS, out);
    if (dbias) memcpy(dbias, gradient + in * TAPS * out, out * sizeof *dbias);
    return true;
}

/* ---- making ---- */

static size_t scratch_floats(const elbo_conv *c) {
    return PLACES * (place_stride(c->s.in) + place_stride(c->s.out)) + (size_t)PLACES * LANES * WIDE;
}

static elbo_status make(elbo_conv **conv, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                        elbo_error *err) {
    (void)need_dw, (void)threads;
    elbo_conv *c = calloc(1, sizeof *c);
    if (!c) return elbo_no_memory(err);
    *c = (elbo_conv){.s = *s, .need_dx = need_dx};
    *conv = c;
    return ELBO_OK;
}

static const char *describe(const elbo_conv *c) {
    (void)c;
    return "winograd 2x2 " ELBO_ISA_NAME;
}

static const elbo_conv_kernels winograd = {
    .name = "winograd",
    .blocked = true,
    .make = make,
    .free = free,
    .describe = describe,
    .packed_floats = packed_floats,
    .gradient_floats = gradient_floats,
    .scratch_floats = scratch_floats,
    .pack = pack,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .unpack_gradient = unpack_gradient,
};

const elbo_conv_kernels *ELBO_SIMD(winograd_for)(const elbo_conv_shape *s) {
    bool fits = !s->transposed && s->padding[0] == s->padding[1] && s->padding[0] <= 2;
    for (int i = 0; i < 2; i++) fits = fits && s->kernel[i] == 3 && s->stride[i] == 1 && s->dilation[i] == 1;
    fits = fits && s->x_blocked && s->y_blocked && s->in % LANES == 0 && s->out % LANES == 0;
    return fits ? &winograd : NULL;
}
#else
const elbo_conv_kernels *ELBO_SIMD(winograd_for)(const elbo_conv_shape *s) {
    (void)s;
    return NULL; // registers of four hold too little of a product
}
#endif
