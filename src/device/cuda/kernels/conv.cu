/* Convolutions as products whose second factor is gathered while it is read. Both kinds stand between a large side X
 * (rows, C, H, W) and a small side Y (rows, O, OH, OW) with weights w (O, C, k, k): conv2d makes Y of X and its gradient
 * goes back up, conv_transpose2d makes X of Y and its gradient goes down. Output y reads rows y s - p + i d of X. */
#include "device/cuda/kernels/tile.h"

/* ---- down: Y of X; M: O, N: rows x OH x OW, K: C x k x k ---- */

/* t: Y, w, X, bias (O) or NULL; see store_value. */
DEVICE float down_a(const elbo_gpu_item *a, const elbo_gpu_step *s, int m, int k) {
    (void)s;
    return a->t[1][(long long)m * a->n[PRODUCT_K] + k];
}

/* Channel c of row r of X, at what output (oy, ox) reads of it with weight (ky, kx); 0 in the padding. */
DEVICE float read_x(const elbo_gpu_item *a, int r, int c, int at, int weight) {
    int size = a->n[CONV_KERNEL], y = at / a->n[CONV_OW] * a->n[CONV_STRIDE] - a->n[CONV_PADDING],
        x = at % a->n[CONV_OW] * a->n[CONV_STRIDE] - a->n[CONV_PADDING];
    y += weight / size * a->n[CONV_DILATION];
    x += weight % size * a->n[CONV_DILATION];
    if (y < 0 || x < 0 || y >= a->n[CONV_H] || x >= a->n[CONV_W]) return 0;
    return a->t[2][(((long long)r * a->n[CONV_C] + c) * a->n[CONV_H] + y) * a->n[CONV_W] + x];
}

DEVICE float down_b(const elbo_gpu_item *a, const elbo_gpu_step *s, int k, int n) {
    (void)s;
    int pixels = a->n[CONV_OH] * a->n[CONV_OW], weights = a->n[CONV_KERNEL] * a->n[CONV_KERNEL];
    return read_x(a, n / pixels, k / weights, n % pixels, k % weights);
}

DEVICE void store_pixel(const elbo_gpu_item *a, int pixels, int m, int n, float v) {
    long long at = ((long long)(n / pixels) * a->n[PRODUCT_M] + m) * pixels + n % pixels;
    store_value(a, at, a->t[3] ? v + a->t[3][m] : v);
}

DEVICE void down_store(const elbo_gpu_item *a, const elbo_gpu_launch *l, int split, int m, int n, float v) {
    (void)l, (void)split;
    store_pixel(a, a->n[CONV_OH] * a->n[CONV_OW], m, n, v);
}

TILE_KERNEL(conv_down, down_a, down_b, down_store, a->n[PRODUCT_M], s->rows * a->n[CONV_OH] * a->n[CONV_OW], 0,
            a->n[PRODUCT_K])

/* ---- up: X of Y; M: C, N: rows x H x W, K: O x k x k ---- */

/* t: X, w, Y, bias (C) or NULL; see store_value. */
DEVICE float up_a(const elbo_gpu_item *a, const elbo_gpu_step *s, int m, int k) {
    (void)s;
    int weights = a->n[CONV_KERNEL] * a->n[CONV_KERNEL];
    return a->t[1][((long long)(k / weights) * a->n[CONV_C] + m) * weights + k % weights];
}

/* The output of Y that reads pixel y with weight i: -1, there is none. */
DEVICE int reader_of(const elbo_gpu_item *a, int y, int i, int outputs) {
    int from = y + a->n[CONV_PADDING] - i * a->n[CONV_DILATION];
    if (from < 0 || from % a->n[CONV_STRIDE]) return -1;
    from /= a->n[CONV_STRIDE];
    return from < outputs ? from : -1;
}

DEVICE float up_b(const elbo_gpu_item *a, const elbo_gpu_step *s, int k, int n) {
    (void)s;
    int size = a->n[CONV_KERNEL], weights = size * size, pixels = a->n[CONV_H] * a->n[CONV_W], at = n % pixels;
    int oy = reader_of(a, at / a->n[CONV_W], k % weights / size, a->n[CONV_OH]),
        ox = reader_of(a, at % a->n[CONV_W], k % size, a->n[CONV_OW]);
    if (oy < 0 || ox < 0) return 0;
    return a->t[2][(((long long)(n / pixels) * a->n[CONV_O] + k / weights) * a->n[CONV_OH] + oy) * a->n[CONV_OW] + ox];
}

DEVICE void up_store(const elbo_gpu_item *a, const elbo_gpu_launch *l, int split, int m, int n, float v) {
    (void)l, (void)split;
    store_pixel(a, a->n[CONV_H] * a->n[CONV_W], m, n, v);
}

TILE_KERNEL(conv_up, up_a, up_b, up_store, a->n[PRODUCT_M], s->rows * a->n[CONV_H] * a->n[CONV_W], 0, a->n[PRODUCT_K])

/* ---- the weights' gradient, in parts; M: O, N: C x k x k, K: rows x OH x OW ---- */

/* t: parts (splits, M x N), Y, X. A part is the sum over CONV_SPLIT of K: few weights are the sum of many pixels. */
DEVICE float weights_a(const elbo_gpu_item *a, const elbo_gpu_step *s, int m, int k) {
    (void)s;
    int pixels = a->n[CONV_OH] * a->n[CONV_OW];
    return a->t[1][((long long)(k / pixels) * a->n[CONV_O] + m) * pixels + k % pixels];
}

DEVICE float weights_b(const elbo_gpu_item *a, const elbo_gpu_step *s, int k, int n) { return down_b(a, s, n, k); }

DEVICE void weights_store(const elbo_gpu_item *a, const elbo_gpu_launch *l, int split, int m, int n, float v) {
    (void)l;
    a->t[0][((long long)split * a->n[PRODUCT_M] + m) * a->n[PRODUCT_N] + n] = v;
}

DEVICE int end_of_part(const elbo_gpu_item *a, const elbo_gpu_step *s, int split) {
    int all = s->rows * a->n[CONV_OH] * a->n[CONV_OW], end = (split + 1) * a->n[CONV_SPLIT];
    return end < all ? end : all;
}

TILE_KERNEL(conv_weights, weights_a, weights_b, weights_store, a->n[PRODUCT_M], a->n[PRODUCT_N],
            split *a->n[CONV_SPLIT], end_of_part(a, s, split))
