/* Fully connected layers: forward y = x w^T + b, backward dx = dy w, and the gradient of the weights dw = dy^T x with its
 * update at once. */
#include "device/cuda/kernels/tile.h"

/* t: out; a; b; bias (N) or NULL; see store_value. Gradients of weights (RULE is the optimizer's + 1, else 0): out is the weights' gradient or,
 * with m and v in t[5], t[6], the weights; column N - 1, where t[7] is one, is the bias's, in t[7], t[8], t[9].
 * a(m, k) is t[1][m A_M + k A_K], b(k, n) is t[2][k B_K + n B_N], out(m, n) is t[0][m C_M + n]. */
DEVICE float product_a(const elbo_gpu_item *a, const elbo_gpu_step *s, int m, int k) {
    (void)s;
    return a->t[1][(long long)m * a->n[PRODUCT_A_M] + (long long)k * a->n[PRODUCT_A_K]];
}

DEVICE float product_b(const elbo_gpu_item *a, const elbo_gpu_step *s, int k, int n) {
    (void)s;
    if (a->t[7] && n == a->n[PRODUCT_N] - 1) return 1;
    return a->t[2][(long long)k * a->n[PRODUCT_B_K] + (long long)n * a->n[PRODUCT_B_N]];
}

DEVICE void product_store(const elbo_gpu_item *a, const elbo_gpu_launch *l, int split, int m, int n, float v) {
    (void)split;
    long long at = (long long)m * a->n[PRODUCT_C_M] + n;
    if (a->n[PRODUCT_RULE] == 0) {
        store_value(a, at, a->t[3] ? v + a->t[3][n] : v);
        return;
    }
    int of_bias = a->t[7] && n == a->n[PRODUCT_N] - 1;
    float *w = of_bias ? a->t[7] + m : a->t[0] + at;
    if (!a->t[5]) { // kept as it is: update.cu goes on
        *w = v;
        return;
    }
    if (!updates(l)) return;
    float *first = of_bias ? a->t[8] + m : a->t[5] + at;
    update_weight(w, first, of_bias ? a->t[9] + m : a->t[6] + at, v, a->n[PRODUCT_RULE] - 1, &l->step->update);
}

TILE_KERNEL(product, product_a, product_b, product_store, a->n[PRODUCT_M] < 0 ? s->rows : a->n[PRODUCT_M],
            a->n[PRODUCT_N], 0, a->n[PRODUCT_K] < 0 ? s->rows : a->n[PRODUCT_K])
