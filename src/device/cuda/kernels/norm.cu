/* Batch normalisation: y = weight (x - mean) inverse + bias, of each channel over all rows and pixels. Sums in doubles, in
 * a fixed tree. A block for each channel. */
#include "device/cuda/kernels/update.h"

/* Value i of a channel: rows one after the other, the pixels of each in order. */
DEVICE long long value_at(const elbo_gpu_item *a, int channel, int i) {
    return ((long long)(i / a->n[1]) * a->n[0] + channel) * a->n[1] + i % a->n[1];
}

/* t: y, x, weight, bias, running mean, running variance, saved (mean, inverse of the deviation: 2 channels).
 * n: channels, pixels, 1: the batch's own statistics.  f: eps, momentum. */
KERNEL(batch_norm) {
    int c;
    const elbo_gpu_item *a = item_of(&launch, &c);
    SHARED(block_sums, sums);
    int all = launch.step->rows * a->n[1];
    double mean = a->t[4][c], variance = a->t[5][c];
    if (a->n[2]) {
        double sum = 0, squares = 0;
        for (int i = THREAD; i < all; i += GPU_THREADS) sum += a->t[1][value_at(a, c, i)];
        mean = block_sum(sums, sum) / all;
        for (int i = THREAD; i < all; i += GPU_THREADS) {
            double off = a->t[1][value_at(a, c, i)] - mean;
            squares += off * off;
        }
        variance = block_sum(sums, squares) / all;
    }
    double inverse = 1 / SQRT64(variance + a->f[0]);
    float m = (float)mean, scale = a->t[2][c] * (float)inverse, shift = a->t[3][c];
    for (int i = THREAD; i < all; i += GPU_THREADS) {
        long long at = value_at(a, c, i);
        a->t[0][at] = FMA(a->t[1][at] - m, scale, shift);
    }
    if (THREAD != 0 || !a->n[2]) return;
    a->t[6][c] = m;
    a->t[6][a->n[0] + c] = (float)inverse;
    if (all < 2 || !updates(&launch)) return; // a single value has no variance: it is left out
    double momentum = a->f[1];
    a->t[4][c] = (float)((1 - momentum) * a->t[4][c] + momentum * mean);
    a->t[5][c] = (float)((1 - momentum) * a->t[5][c] + momentum * variance * ((double)all / (all - 1)));
}

/* t: dx or NULL, dy, x, weight, saved, gradient of weight, of bias (channels).  n: channels, pixels. */
KERNEL(batch_norm_back) {
    int c;
    const elbo_gpu_item *a = item_of(&launch, &c);
    SHARED(block_sums, sums);
    int all = launch.step->rows * a->n[1];
    float mean = a->t[4][c], inverse = a->t[4][a->n[0] + c], scale = a->t[3][c] * inverse;
    double dy = 0, product = 0;
    for (int i = THREAD; i < all; i += GPU_THREADS) {
        long long at = value_at(a, c, i);
        dy += a->t[1][at];
        product += (double)a->t[1][at] * ((a->t[2][at] - mean) * inverse);
    }
    dy = block_sum(sums, dy);
    product = block_sum(sums, product);
    if (THREAD == 0) {
        a->t[5][c] = (float)product;
        a->t[6][c] = (float)dy;
    }
    if (!a->t[0]) return;
    float dy_mean = (float)(dy / all), product_mean = (float)(product / all);
    for (int i = THREAD; i < all; i += GPU_THREADS) {
        long long at = value_at(a, c, i);
        float d = scale * FMA(-(a->t[2][at] - mean) * inverse, product_mean, a->t[1][at] - dy_mean);
        a->t[0][at] = a->accumulate ? a->t[0][at] + d : d;
    }
}
