/* Convolutions of 4 x 4 with stride 2 by minimal filtering, and conv_transpose2d, which is the same way back. Between a
 * small image y and a large one x, which conv2d reads and conv_transpose2d writes,
 *
 *     y[i] meets x[2 i + k - padding] by w[k],     k = 2 t + a with t, a in {0, 1}
 *
 * in each direction. So the pixels of x whose place is a (mod 2) are an image of their own, a phase X_a[j] = x[2 j + a -
 * padding], that a filter of two taps joins with y: y[i] meets X_a[i + t] by w[2 t + a]. In two dimensions these are four
 * phases and filters of 2 x 2 with stride 1, which F(3 x 3, 2 x 2) computes: 16 multiplications for 9 sums of 4 terms, where
 * plain sums take 36 (winograd.h, winograd.c). The phases are channels of one large product: (phase, channel of x).
 *
 *     small = A^T (sum over phases, channels of (G w G^T) * (B^T X B)) A
 *     large: each phase by the same from tiles of y, with its taps the other way round
 *     dw = G^T (sum over tiles of (B^T X B) * (A y A^T)) G */
#include "device/cpu/simd/simd.h"
#if ELBO_VECTOR_BYTES >= 32
#include <stdlib.h>

#include "device/cpu/simd/winograd.h"

enum {
    PHASES = 4,
    TAPS = 16,
    MOST_TILES = 72, // at a time
    FEWEST_TILES = 12,
    ROOM = 1 << 17, // floats of transformed tiles, which are to stay in the second cache
};

struct elbo_conv {
    elbo_conv_shape s;
    int rows, padding, tiles; // tiles at a time
    int small, large;         // channels
    int small_height, small_width, large_height, large_width;
};

/* Over the small image by threes, from the corner on: the tiles of X_a[i .. i + 3] that make y[i .. i + 2]. */
static side small_side(const elbo_conv *c, int offset) {
    return side_of(c->small, c->small_height, c->small_width, c->small_height, c->small_width, 3, offset);
}
/* Over a phase: those of y[j - 1 .. j + 2] that make X_a[j .. j + 2], for j up to (large - 1 + padding) / 2. */
static side phase_side(const elbo_conv *c, int offset) {
    return side_of(c->small, c->small_height, c->small_width, (c->large_height - 1 + c->padding) / 2 + 1,
                   (c->large_width - 1 + c->padding) / 2 + 1, 3, offset);
}

static size_t stride_of(const elbo_conv *c, int channels) { return (size_t)c->tiles * (size_t)channels + PAD; }

/* ---- the large image, by phases ---- */

typedef struct phase_walk {
    const float *plane; // of the image, of sixteen channels, from `channel` on
    int top, left;      // of X_a[j], in x
    int height, width;
} phase_walk;

static phase_walk phase_at(const elbo_conv *c, const float *x, int channel, const walk *at, int phase) {
    size_t plane = (size_t)at->image * (size_t)(c->large / LANES) + (size_t)(channel / LANES);
    return (phase_walk){x + plane * (size_t)c->large_height * (size_t)c->large_width * LANES + channel % LANES,
                        2 * at->top + phase / 2 - c->padding, 2 * at->left + phase % 2 - c->padding, c->large_height,
                        c->large_width};
}

/* Pixel (i, j) of the phase from the tile's corner on; NULL: there is none. */
static inline const float *phase_pixel(const phase_walk *p, int i, int j) {
    int y = p->top + 2 * i, x = p->left + 2 * j;
    if (y < 0 || y >= p->height || x < 0 || x >= p->width) return NULL;
    return p->plane + ((size_t)y * (size_t)p->width + (size_t)x) * LANES;
}

/* to: (PLACES, tiles, PHASES x large) */
static void transform_phases(const elbo_conv *c, float *to, const side *s, const float *x, int first, int n) {
    int channels = PHASES * c->large;
    size_t stride = stride_of(c, channels);
    for (int phase = 0; phase < PHASES; phase++)
        for (int channel = 0; channel < c->large; channel += WIDTH)
            for (int t = 0; t < n; t++) {
                walk at = tile_at(s, first + t);
                phase_walk p = phase_at(c, x, channel, &at, phase);
                vec d[4][4];
                if (phase_pixel(&p, 0, 0) && phase_pixel(&p, 3, 3)) {
                    const float *from = phase_pixel(&p, 0, 0);
                    for (int i = 0; i < 4; i++)
                        for (int j = 0; j < 4; j++)
                            d[i][j] =
                                vload(from + ((size_t)(2 * i) * (size_t)c->large_width + (size_t)(2 * j)) * LANES);
                } else {
                    for (int i = 0; i < 4; i++)
                        for (int j = 0; j < 4; j++) {
                            const float *from = phase_pixel(&p, i, j);
                            d[i][j] = from ? vload(from) : (vec){};
                        }
                }
                transform_tile(to + (size_t)t * (size_t)channels + (size_t)(phase * c->large + channel), stride, d);
            }
}

/* ---- A ---- */

/* A^T m A of a tile: 3 x 3.  place: (PLACES) at `stride` */
static inline void outputs_of(vec y[3][3], const float *place, size_t stride) {
    vec w[3][4];
    for (int j = 0; j < 4; j++) {
        vec m0 = vload(place + (size_t)j * stride), m1 = vload(place + (size_t)(4 + j) * stride),
            m2 = vload(place + (size_t)(8 + j) * stride), m3 = vload(place + (size_t)(12 + j) * stride);
        w[0][j] = m0 + m1 + m2;
        w[1][j] = m1 - m2;
        w[2][j] = m1 + m2 - m3;
    }
    for (int i = 0; i < 3; i++) {
        y[i][0] = w[i][0] + w[i][1] + w[i][2];
        y[i][1] = w[i][1] - w[i][2];
        y[i][2] = w[i][1] + w[i][2] - w[i][3];
    }
}

static void write_small(const elbo_conv *c, float *y, const side *s, const float *m, const float *bias, int first,
                        int n) {
    size_t stride = stride_of(c, c->small);
    for (int channel = 0; channel < c->small; channel += WIDTH) {
        vec b = bias ? vload(bias + channel) : (vec){}, out[3][3];
        for (int t = 0; t < n; t++) {
            walk at = tile_at(s, first + t);
            outputs_of(out, m + (size_t)t * (size_t)c->small + (size_t)channel, stride);
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++)
                    if (inside(s, &at, i, j)) vstore((float *)pixel(s, y, channel, &at, i, j), out[i][j] + b);
        }
    }
}

static void write_large(const elbo_conv *c, float *x, const side *s, const float *m, const float *bias, int first,
                        int n) {
    int channels = PHASES * c->large;
    size_t stride = stride_of(c, channels);
    for (int phase = 0; phase < PHASES; phase++)
        for (int channel = 0; channel < c->large; channel += WIDTH) {
            vec b = bias ? vload(bias + channel) : (vec){}, out[3][3];
            for (int t = 0; t < n; t++) {
                walk at = tile_at(s, first + t);
                phase_walk p = phase_at(c, x, channel, &at, phase);
                outputs_of(out, m + (size_t)t * (size_t)channels + (size_t)(phase * c->large + channel), stride);
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < 3; j++) {
                        float *to = (float *)phase_pixel(&p, i, j);
                        if (to) vstore(to, out[i][j] + b);
                    }
            }
        }
}

/* to: (PLACES, tiles, small), A y A^T */
static void transform_outputs(const elbo_conv *c, float *to, const side *s, const float *y, int first, int n) {
    size_t stride = stride_of(c, c->small);
    for (int channel = 0; channel < c->small; channel += WIDTH)
        for (int t = 0; t < n; t++) {
            walk at = tile_at(s, first + t);
            float *place = to + (size_t)t * (size_t)c->small + (size_t)channel;
            vec e[3][3], w[4][3];
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++)
                    e[i][j] = inside(s, &at, i, j) ? vload(pixel(s, y, channel, &at, i, j)) : (vec){};
            for (int j = 0; j < 3; j++) {
                vec even = e[0][j] + e[2][j];
                w[0][j] = e[0][j];
                w[1][j] = even + e[1][j];
                w[2][j] = even - e[1][j];
                w[3][j] = -e[2][j];
            }
            for (int i = 0; i < 4; i++) {
                vec even = w[i][0] + w[i][2];
                vstore(place + (size_t)(4 * i) * stride, w[i][0]);
                vstore(place + (size_t)(4 * i + 1) * stride, even + w[i][1]);
                vstore(place + (size_t)(4 * i + 2) * stride, even - w[i][1]);
                vstore(place + (size_t)(4 * i + 3) * stride, -w[i][2]);
            }
        }
}

/* ---- filters: w (small, large, 4, 4) of conv2d and of conv_transpose2d alike ---- */

/* G g G^T of a register of filters.  to: (PLACES) at `stride` */
static void transform_filter(float *to, size_t stride, vec g[2][2]) {
    vec h[4][2];
    for (int j = 0; j < 2; j++) {
        h[0][j] = g[0][j];
        h[1][j] = 0.5f * (g[0][j] + g[1][j]);
        h[2][j] = 0.5f * (g[0][j] - g[1][j]);
        h[3][j] = g[1][j];
    }
    for (int i = 0; i < 4; i++) {
        vstore(to + (size_t)(4 * i) * stride, h[i][0]);
        vstore(to + (size_t)(4 * i + 1) * stride, 0.5f * (h[i][0] + h[i][1]));
        vstore(to + (size_t)(4 * i + 2) * stride, 0.5f * (h[i][0] - h[i][1]));
        vstore(to + (size_t)(4 * i + 3) * stride, h[i][1]);
    }
}

/* A phase's 2 x 2 taps of sixteen, the last first where `turned`. */
static void taps_of(vec g[2][2], const vec tap[TAPS], int phase, bool turned) {
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            int y = turned ? 1 - i : i, x = turned ? 1 - j : j;
            g[i][j] = tap[(2 * y + phase / 2) * 4 + 2 * x + phase % 2];
        }
}

static size_t side_floats(const elbo_conv *c) { return (size_t)PLACES * PHASES * (size_t)c->small * (size_t)c->large; }

/* From the large image to the small one: lanes are channels of the small one. */
static void pack_to_small(const elbo_conv *c, float *u, const float *w) {
    int deep = PHASES * c->large;
    size_t stride = (size_t)deep * (size_t)c->small, row = (size_t)c->large * TAPS;
    vec tap[TAPS], g[2][2];
    for (int o = 0; o < c->small; o += WIDTH)
        for (int i = 0; i < c->large; i++) {
            gather_lanes(tap, w + (size_t)o * row + (size_t)i * TAPS, row, TAPS);
            for (int phase = 0; phase < PHASES; phase++) {
                taps_of(g, tap, phase, false);
                transform_filter(filter_at(u, deep, c->small, phase * c->large + i, o), stride, g);
            }
        }
}

/* From the small image to the large one: lanes are channels of the large one. */
static void pack_to_large(const elbo_conv *c, float *u, const float *w) {
    int wide = PHASES * c->large;
    size_t stride = (size_t)wide * (size_t)c->small;
    vec tap[TAPS], g[2][2];
    for (int o = 0; o < c->small; o++)
        for (int i = 0; i < c->large; i += WIDTH) {
            gather_lanes(tap, w + ((size_t)o * (size_t)c->large + (size_t)i) * TAPS, TAPS, TAPS);
            for (int phase = 0; phase < PHASES; phase++) {
                taps_of(g, tap, phase, true);
                transform_filter(filter_at(u, c->small, wide, o, phase * c->large + i), stride, g);
            }
        }
}

static size_t packed_floats(const elbo_conv *c) { return 2 * side_floats(c); }

static bool pack(const elbo_conv *c, float *packed, const float *w, float *scratch, int thread) {
    (void)scratch, (void)thread;
    pack_to_small(c, packed, w);
    pack_to_large(c, packed + side_floats(c), w);
    return true;
}

/* ---- the directions ---- */

static bool to_small(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                     float *scratch) {
    int deep = PHASES * c->large;
    side s = small_side(c, 0);
    float *v = scratch, *m = v + PLACES * stride_of(c, deep);
    int all = c->rows * s.per_image;
    for (int first = 0; first < all; first += c->tiles) {
        int n = all - first < c->tiles ? all - first : c->tiles;
        transform_phases(c, v, &s, x, first, n);
        tile_products(m, stride_of(c, c->small), c->small, v, stride_of(c, deep), deep, packed, n);
        write_small(c, y, &s, m, bias, first, n);
    }
    return true;
}

static bool to_large(const elbo_conv *c, float *x, const float *y, const float *packed, const float *bias,
                     float *scratch) {
    int wide = PHASES * c->large;
    side from = phase_side(c, -1), to = phase_side(c, 0);
    float *v = scratch, *m = v + PLACES * stride_of(c, c->small);
    int all = c->rows * to.per_image;
    for (int first = 0; first < all; first += c->tiles) {
        int n = all - first < c->tiles ? all - first : c->tiles;
        transform_input(v, stride_of(c, c->small), &from, y, first, n);
        tile_products(m, stride_of(c, wide), wide, v, stride_of(c, c->small), c->small, packed + side_floats(c), n);
        write_large(c, x, &to, m, bias, first, n);
    }
    return true;
}

static bool forward(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                    float *scratch, int thread) {
    (void)thread;
    return (c->s.transposed ? to_large : to_small)(c, y, x, packed, bias, scratch);
}

static bool backward_data(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch,
                          int thread) {
    (void)thread;
    return (c->s.transposed ? to_small : to_large)(c, dx, dy, packed, NULL, scratch);
}

/* The gradient's share: (large, TAPS, small), then the bias. */
static size_t gradient_floats(const elbo_conv *c) {
    return (size_t)TAPS * (size_t)c->large * (size_t)c->small + (size_t)c->s.out;
}

/* Adds G^T du G to a phase's taps, for sixteen channels of the large image and a panel of the small one's.
 * du: (PLACES, LANES, vectors x WIDTH); dw: (LANES, TAPS, small) */
static void transform_weights(float *dw, const float *du, int vectors, size_t small, int phase, bool add) {
    size_t stride = (size_t)(LANES * vectors * WIDTH);
    for (int i = 0; i < LANES; i++)
        for (int v = 0; v < vectors; v++) {
            const float *from = du + (size_t)(i * vectors + v) * WIDTH;
            float *to = dw + (size_t)i * TAPS * small + (size_t)(v * WIDTH);
            vec h[2][4];
            for (int j = 0; j < 4; j++) {
                vec u0 = vload(from + (size_t)j * stride), u1 = vload(from + (size_t)(4 + j) * stride),
                    u2 = vload(from + (size_t)(8 + j) * stride), u3 = vload(from + (size_t)(12 + j) * stride);
                h[0][j] = u0 + 0.5f * (u1 + u2);
                h[1][j] = 0.5f * (u1 - u2) + u3;
            }
            for (int r = 0; r < 2; r++) {
                vec tap[2] = {h[r][0] + 0.5f * (h[r][1] + h[r][2]), 0.5f * (h[r][1] - h[r][2]) + h[r][3]};
                for (int k = 0; k < 2; k++) {
                    float *at = to + (size_t)((2 * r + phase / 2) * 4 + 2 * k + phase % 2) * small;
                    vstore(at, add ? vload(at) + tap[k] : tap[k]);
                }
            }
        }
}

/* dy: (rows, out / 16, pixels, 16) */
static void sum_bias(const elbo_conv *c, float *dbias, const float *dy) {
    const elbo_conv_shape *s = &c->s;
    size_t pixels = (size_t)s->out_height * (size_t)s->out_width, blocks = (size_t)s->out / LANES;
    memset(dbias, 0, (size_t)s->out * sizeof *dbias);
    for (size_t b = 0; s->bias && b < (size_t)s->rows * blocks; b++) {
        vec sum[PARTS] = {{0}};
        for (size_t i = 0; i < pixels; i++, dy += LANES) EACH_PART(p) sum[p] += vload(dy + p * WIDTH);
        float *to = dbias + b % blocks * LANES;
        EACH_PART(p) vstore(to + p * WIDTH, vload(to + p * WIDTH) + sum[p]);
    }
}

static bool backward_weights(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch,
                             int thread) {
    (void)thread;
    const float *large = c->s.transposed ? dy : x, *small_image = c->s.transposed ? x : dy;
    int deep = PHASES * c->large;
    side s = small_side(c, 0);
    size_t v_stride = stride_of(c, deep), d_stride = stride_of(c, c->small), small = (size_t)c->small;
    float *v = scratch, *d = v + PLACES * v_stride, *du = d + PLACES * d_stride;
    sum_bias(c, gradient + (size_t)TAPS * (size_t)c->large * small, dy);
    int all = c->rows * s.per_image;
    for (int first = 0; first < all; first += c->tiles) {
        int n = all - first < c->tiles ? all - first : c->tiles;
        transform_phases(c, v, &s, large, first, n);
        transform_outputs(c, d, &s, small_image, first, n);
        for (int o = 0; o < c->small; o += WIDE) {
            int vectors = panel_at(c->small, o);
            size_t wide = (size_t)(vectors * WIDTH);
            for (int i = 0; i < deep; i += LANES) {
                for (int place = 0; place < PLACES; place++)
                    products(du + (size_t)place * LANES * wide, wide,
                             (operand){v + (size_t)place * v_stride + (size_t)i, 1, (size_t)deep},
                             d + (size_t)place * d_stride + (size_t)o, small, n, LANES, vectors);
                float *to = gradient + (size_t)(i % c->large) * TAPS * small + (size_t)o;
                transform_weights(to, du, vectors, small, i / c->large, first > 0);
            }
        }
    }
    return true;
}

static bool unpack_gradient(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                            int thread) {
    (void)scratch, (void)thread;
    size_t rows = (size_t)c->large * TAPS;
    transpose_gradient(dw, gradient, rows, (size_t)c->small);
    if (dbias) memcpy(dbias, gradient + rows * (size_t)c->small, (size_t)c->s.out * sizeof *dbias);
    return true;
}

/* ---- making ---- */

static size_t scratch_floats(const elbo_conv *c) {
    return PLACES * (stride_of(c, PHASES * c->large) + stride_of(c, c->small)) + (size_t)PLACES * LANES * WIDE;
}

static elbo_conv describe_shape(const elbo_conv_shape *s) {
    elbo_conv c = {.s = *s, .rows = s->rows, .padding = s->padding[0]};
    c.small = s->transposed ? s->in : s->out;
    c.large = s->transposed ? s->out : s->in;
    c.small_height = s->transposed ? s->height : s->out_height;
    c.small_width = s->transposed ? s->width : s->out_width;
    c.large_height = s->transposed ? s->out_height : s->height;
    c.large_width = s->transposed ? s->out_width : s->width;
    int tiles = ROOM / (PLACES * (PHASES * c.large + c.small));
    c.tiles = tiles > MOST_TILES     ? MOST_TILES
              : tiles < FEWEST_TILES ? FEWEST_TILES
                                     : tiles / 6 * 6; // rows of a product
    return c;
}

static elbo_status make(elbo_conv **conv, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                        elbo_error *err) {
    (void)need_dw, (void)need_dx, (void)threads;
    elbo_conv *c = malloc(sizeof *c);
    if (!c) return elbo_no_memory(err);
    *c = describe_shape(s);
    *conv = c;
    return ELBO_OK;
}

static const char *describe(const elbo_conv *c) {
    (void)c;
    return "winograd 3x3 " ELBO_ISA_NAME;
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

/* Threes do not divide small images: tiles that hang over are worth it only where they are few. */
static bool is_worth_it(const elbo_conv *c) {
    side s = small_side(c, 0);
    return 5 * s.per_image < c->small_height * c->small_width;
}

const elbo_conv_kernels *ELBO_SIMD(winograd_strided_for)(const elbo_conv_shape *s) {
    for (int i = 0; i < 2; i++)
        if (s->kernel[i] != 4 || s->stride[i] != 2 || s->dilation[i] != 1) return NULL;
    if (s->padding[0] != s->padding[1] || s->padding[0] > 3 || !s->x_blocked || !s->y_blocked || s->in % LANES ||
        s->out % LANES)
        return NULL;
    elbo_conv c = describe_shape(s);
    return is_worth_it(&c) ? &winograd : NULL;
}
#else
const elbo_conv_kernels *ELBO_SIMD(winograd_strided_for)(const elbo_conv_shape *s) {
    (void)s;
    return NULL; // registers of four hold too little of a product
}
#endif
