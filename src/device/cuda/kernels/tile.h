/* A tile of a matrix product, by one block: c = sum over k of a(m, k) b(k, n). Each value is a chain of fused
 * multiply-adds in ascending k, whatever the GPU. How a and b are read, and what becomes of c, is the kernel's: it is
 * written in three functions in front of TILE_KERNEL. */
#ifndef ELBO_CUDA_TILE_H
#define ELBO_CUDA_TILE_H

#include "device/cuda/kernels/numbers.h"
#include "device/cuda/kernels/update.h"

enum {
    TILE = GPU_PRODUCT_TILE,
    DEPTH = GPU_PRODUCT_DEPTH,
    SIDE = 8,
    EACH = TILE / SIDE
}; // 8 x 8 threads, 4 x 4 values each

typedef struct tile_memory {
    float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1]; // + 1: neighbours in k lie in other banks
} tile_memory;

/* load_a(item, step, m, k), load_b(item, step, k, n); store(item, launch, m, n, sum).
 * M, N, FIRST, K: expressions of `a`, `s` and `split`: the product's size, and the range of k. */
#define TILE_KERNEL(name, load_a, load_b, store, M, N, FIRST, K)                                                       \
    KERNEL(name) {                                                                                                     \
        int block;                                                                                                     \
        const elbo_gpu_item *a = item_of(&launch, &block);                                                             \
        const elbo_gpu_step *s = launch.step;                                                                          \
        int split = block / a->n[PRODUCT_BLOCKS], tile = block % a->n[PRODUCT_BLOCKS];                                 \
        int m0 = tile / a->n[PRODUCT_BLOCKS_N] * TILE, n0 = tile % a->n[PRODUCT_BLOCKS_N] * TILE;                      \
        (void)split;                                                                                                   \
        if (m0 >= (M) || n0 >= (N)) return;                                                                            \
        SHARED(tile_memory, t);                                                                                        \
        float c[EACH][EACH] = {{0}};                                                                                   \
        int last = (K);                                                                                                \
        for (int k0 = (FIRST); k0 < last; k0 += DEPTH) {                                                               \
            for (int i = THREAD; i < TILE * DEPTH; i += GPU_PRODUCT_THREADS) {                                         \
                int at = i / TILE, x = i % TILE, k = k0 + at;                                                          \
                t->a[at][x] = k < last && m0 + x < (M) ? load_a(a, s, m0 + x, k) : 0;                                  \
                t->b[at][x] = k < last && n0 + x < (N) ? load_b(a, s, k, n0 + x) : 0;                                  \
            }                                                                                                          \
            BARRIER();                                                                                                 \
            tile_multiply(c, t);                                                                                       \
            BARRIER();                                                                                                 \
        }                                                                                                              \
        UNROLL for (int i = 0; i < EACH; i++) UNROLL for (int j = 0; j < EACH; j++) {                                  \
            int m = m0 + THREAD / SIDE * EACH + i, n = n0 + THREAD % SIDE + j * SIDE;                                  \
            if (m < (M) && n < (N)) store(a, &launch, split, m, n, c[i][j]);                                           \
        }                                                                                                              \
    }

DEVICE void tile_multiply(float c[EACH][EACH], const tile_memory *t) {
    int row = THREAD / SIDE * EACH, column = THREAD % SIDE;
    UNROLL for (int k = 0; k < DEPTH; k++) UNROLL for (int i = 0; i < EACH; i++) UNROLL for (int j = 0; j < EACH; j++)
        c[i][j] = FMA(t->a[k][row + i], t->b[k][column + j * SIDE], c[i][j]);
}

/* What becomes of a layer's value at `at`: bias, activation; or on the way back the activation's derivative.
 * t[0]: out, t[4]: the activation's output, where the product is a gradient that goes through it. */
DEVICE void store_value(const elbo_gpu_item *a, long long at, float v) {
    if (a->accumulate) v += a->t[0][at];
    if (a->n[PRODUCT_ACTIVATION]) v = activate(v, a->n[PRODUCT_ACTIVATION], a->f[0]);
    if (a->n[PRODUCT_MASK]) v *= derivative(a->t[4][at], a->n[PRODUCT_MASK], a->f[0]);
    a->t[0][at] = v;
}

#endif
