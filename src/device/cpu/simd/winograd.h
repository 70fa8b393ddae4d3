/* What the convolutions by minimal filtering share: tiles over images, the transform B^T x B of 4 x 4 inputs, the products
 * of transformed tiles by transformed filters, and where filters lie for them. winograd.c makes 2 x 2 outputs of a tile by
 * filters of 3 x 3, winograd_strided.c 3 x 3 outputs by filters of 2 x 2: the same points, so the same B and the same sixteen
 * products. */
#ifndef ELBO_WINOGRAD_H
#define ELBO_WINOGRAD_H

#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

enum {
    PLACES = 16, // of a transformed tile
#if ELBO_VECTOR_BYTES == 64
    PANEL = 4, // registers of output channels that a product keeps: six rows of them are 24 of 32
#else
    PANEL = 2, // twelve of 16
#endif
    WIDE = PANEL * WIDTH,
    PAD = 16, // floats between two places, so that they do not fall on the same lines of the cache
};

/* ---- tiles ---- */

/* One side of the convolution, and the tiles that lie over it. */
typedef struct side {
    int channels, height, width;
    int across, per_image; // tiles
    int step;              // from tile to tile
    int offset;            // from the corner of the image to that of the first tile
} side;

/* As many tiles as cover `tiled_height` x `tiled_width`. */
static inline side side_of(int channels, int height, int width, int tiled_height, int tiled_width, int step,
                           int offset) {
    int across = (tiled_width + step - 1) / step, down = (tiled_height + step - 1) / step;
    return (side){channels, height, width, across, across * down, step, offset};
}

/* Where tile t lies. Tiles come in rows, image after image. */
typedef struct walk {
    int image, top, left;
} walk;
static inline walk tile_at(const side *s, int t) {
    int in_image = t % s->per_image;
    return (walk){t / s->per_image, in_image / s->across * s->step + s->offset,
                  in_image % s->across * s->step + s->offset};
}

/* A register of channels from `channel` on. */
static inline const float *pixel(const side *s, const float *x, int channel, const walk *at, int row, int column) {
    size_t plane = (size_t)at->image * (size_t)(s->channels / LANES) + (size_t)(channel / LANES);
    return x +
           ((plane * (size_t)s->height + (size_t)(at->top + row)) * (size_t)s->width + (size_t)(at->left + column)) *
               LANES +
           channel % LANES;
}
static inline bool inside(const side *s, const walk *at, int row, int column) {
    int y = at->top + row, x = at->left + column;
    return y >= 0 && y < s->height && x >= 0 && x < s->width;
}
static inline bool all_inside(const side *s, const walk *at, int size) {
    return inside(s, at, 0, 0) && inside(s, at, size - 1, size - 1);
}

/* B^T d B of one tile.  place: (PLACES) at `stride` */
static inline void transform_tile(float *place, size_t stride, vec d[4][4]) {
    vec w[4][4];
    for (int j = 0; j < 4; j++) {
        w[0][j] = d[0][j] - d[2][j];
        w[1][j] = d[1][j] + d[2][j];
        w[2][j] = d[2][j] - d[1][j];
        w[3][j] = d[1][j] - d[3][j];
    }
    for (int i = 0; i < 4; i++) {
        vstore(place + (size_t)(4 * i) * stride, w[i][0] - w[i][2]);
        vstore(place + (size_t)(4 * i + 1) * stride, w[i][1] + w[i][2]);
        vstore(place + (size_t)(4 * i + 2) * stride, w[i][2] - w[i][1]);
        vstore(place + (size_t)(4 * i + 3) * stride, w[i][1] - w[i][3]);
    }
}

/* to: (PLACES, tiles, channels), B^T x B of tiles first to first + n. */
static inline void transform_input(float *to, size_t stride, const side *s, const float *x, int first, int n) {
    for (int channel = 0; channel < s->channels; channel += WIDTH)
        for (int t = 0; t < n; t++) {
            walk at = tile_at(s, first + t);
            vec d[4][4];
            if (all_inside(s, &at, 4)) {
                const float *from = pixel(s, x, channel, &at, 0, 0);
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++)
                        d[i][j] = vload(from + ((size_t)i * (size_t)s->width + (size_t)j) * LANES);
            } else {
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++)
                        d[i][j] = inside(s, &at, i, j) ? vload(pixel(s, x, channel, &at, i, j)) : (vec){};
            }
            transform_tile(to + (size_t)t * (size_t)s->channels + (size_t)channel, stride, d);
        }
}

/* ---- products ---- */

/* Element (r, n) lies at r * row + n * column. */
typedef struct operand {
    const float *at;
    size_t row, column;
} operand;

/* c (rows, vectors x WIDTH) = a (rows, k) b.  b: (k, ldb) */
static inline __attribute__((always_inline)) void product(float *c, size_t ldc, operand a, const float *b, size_t ldb,
                                                          int k, int rows, int vectors) {
    vec sum[12][PANEL];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = (vec){};
    for (int n = 0; n < k; n++, a.at += a.column, b += ldb) {
        vec p[PANEL];
        for (int v = 0; v < vectors; v++) p[v] = vload(b + v * WIDTH);
        for (int r = 0; r < rows; r++) {
            vec q = vset(a.at[(size_t)r * a.row]);
            for (int v = 0; v < vectors; v++) sum[r][v] += q * p[v];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) vstore(c + (size_t)r * ldc + v * WIDTH, sum[r][v]);
}

/* The same for any number of rows, as many at a time as registers hold. */
static inline void products(float *c, size_t ldc, operand a, const float *b, size_t ldb, int k, int rows, int vectors) {
    int r = 0;
#define AT_A_TIME(some, vectors)                                                                                       \
    for (; r + some <= rows; r += some)                                                                                \
        product(c + (size_t)r * ldc, ldc, (operand){a.at + (size_t)r * a.row, a.row, a.column}, b, ldb, k, some,       \
                vectors);
#if ELBO_VECTOR_BYTES == 64
    switch (vectors) {
    case 4: AT_A_TIME(6, 4) AT_A_TIME(4, 4) AT_A_TIME(2, 4) AT_A_TIME(1, 4) break;
    case 3: AT_A_TIME(6, 3) AT_A_TIME(4, 3) AT_A_TIME(2, 3) AT_A_TIME(1, 3) break;
    case 2: AT_A_TIME(12, 2) AT_A_TIME(6, 2) AT_A_TIME(4, 2) AT_A_TIME(2, 2) AT_A_TIME(1, 2) break;
    default: AT_A_TIME(12, 1) AT_A_TIME(6, 1) AT_A_TIME(4, 1) AT_A_TIME(2, 1) AT_A_TIME(1, 1)
    }
#else // channels come by sixteen, so it is always two
    AT_A_TIME(6, 2) AT_A_TIME(4, 2) AT_A_TIME(2, 2) AT_A_TIME(1, 2)(void) vectors;
#endif
#undef AT_A_TIME
}

static inline int panel_at(int channels, int first) { // vectors
    int left = (channels - first) / WIDTH;
    return left < PANEL ? left : PANEL;
}

/* m (PLACES, n, wide) = v (PLACES, n, deep) u, of n tiles. */
static inline void tile_products(float *m, size_t m_stride, int wide, const float *v, size_t v_stride, int deep,
                                 const float *u, int n) {
    for (int place = 0; place < PLACES; place++)
        for (int o = 0; o < wide; o += WIDE) {
            int vectors = panel_at(wide, o);
            const float *filters = u + ((size_t)place * (size_t)wide + (size_t)o) * (size_t)deep;
            products(m + (size_t)place * m_stride + (size_t)o, (size_t)wide,
                     (operand){v + (size_t)place * v_stride, (size_t)deep, 1}, filters, (size_t)(vectors * WIDTH), deep,
                     n, vectors);
        }
}

/* ---- filters ---- */

/* u: (PLACES, panels of `wide`, deep, panel), where filters lie for a product that sums over `deep` channels. */
static inline float *filter_at(float *u, int deep_count, int wide_count, int deep, int wide) {
    int first = wide / WIDE * WIDE, panel = panel_at(wide_count, first) * WIDTH;
    return u + (size_t)first * (size_t)deep_count + (size_t)deep * (size_t)panel + (size_t)(wide - first);
}

/* to[n] gets lane l of from[l * stride + n], for n below `count`, a multiple of WIDTH. */
static inline void gather_lanes(vec *to, const float *from, size_t stride, int count) {
    for (int n = 0; n < count; n += WIDTH) {
        for (int lane = 0; lane < WIDTH; lane++) to[n + lane] = vload(from + (size_t)lane * stride + (size_t)n);
        transpose(to + n);
    }
}

/* From (in x taps, out) to (out, in x taps), in squares. */
static inline void transpose_gradient(float *dw, const float *gradient, size_t rows, size_t out) {
    for (size_t o = 0; o < out; o += WIDTH)
        for (size_t i = 0; i < rows; i += WIDTH) {
            vec sum[WIDTH];
            for (size_t k = 0; k < WIDTH; k++) sum[k] = vload(gradient + (i + k) * out + o);
            transpose(sum);
            for (size_t k = 0; k < WIDTH; k++) vstore(dw + (o + k) * rows + i, sum[k]);
        }
}

#endif
