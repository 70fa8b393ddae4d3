/* Gradients that are whole before weights may change: where they are clipped, or summed from parts. */
#include "device/cuda/kernels/update.h"

/* Parts of the gradient's sum of squares, one for a block.  t: gradient (n[0]), parts (blocks) as doubles. */
KERNEL(squares) {
    int block;
    const elbo_gpu_item *a = item_of(&launch, &block);
    SHARED(block_sums, sums);
    double mine = 0;
    for (int i = THREAD; i < GPU_SQUARES_FLOATS; i += GPU_THREADS) {
        int at = block * GPU_SQUARES_FLOATS + i;
        if (at < a->n[0]) mine += (double)a->t[0][at] * a->t[0][at];
    }
    double sum = block_sum(sums, mine);
    if (THREAD == 0) ((double *)(void *)a->t[1])[block] = sum;
}

/* A block for GPU_THREADS weights.  t: weights, gradient, m, v.  n: weights, rule + 1. */
KERNEL(update) {
    int block;
    const elbo_gpu_item *a = item_of(&launch, &block);
    int i = block * GPU_THREADS + THREAD;
    if (i >= a->n[0] || !updates(&launch)) return;
    update_weight(a->t[0] + i, a->t[2] + i, a->t[3] + i, a->t[1][i] * launch.verdict->gradient_scale, a->n[1] - 1,
                  &launch.step->update);
}

/* A finished gradient: kept, or into the update.  t: weights or gradient, ..., m or NULL: kept, v. */
DEVICE void take_gradient(const elbo_gpu_item *a, const elbo_gpu_launch *l, int at, float g, int rule) {
    if (!a->t[2])
        a->t[0][at] = g;
    else if (updates(l))
        update_weight(a->t[0] + at, a->t[2] + at, a->t[3] + at, g, rule, &l->step->update);
}

/* Gradients that were summed in parts. A block for GPU_THREADS weights.  t: see take_gradient; t[1]: parts (n[1], n[0]).
 * n: weights, parts, rule + 1. */
KERNEL(parts) {
    int block;
    const elbo_gpu_item *a = item_of(&launch, &block);
    int i = block * GPU_THREADS + THREAD;
    if (i >= a->n[0]) return;
    float sum = a->t[1][i];
    for (int part = 1; part < a->n[1]; part++) sum += a->t[1][(long long)part * a->n[0] + i];
    take_gradient(a, &launch, i, sum, a->n[2] - 1);
}

/* The gradient of a bias: its channel's sum over all rows and pixels. A block for each channel.  t: see take_gradient;
 * t[1]: dy (rows, channels, pixels).  n: channels, pixels, rule + 1. */
KERNEL(channel_sums) {
    int channel;
    const elbo_gpu_item *a = item_of(&launch, &channel);
    SHARED(block_sums, sums);
    int pixels = a->n[1], all = launch.step->rows * pixels;
    double mine = 0;
    for (int i = THREAD; i < all; i += GPU_THREADS)
        mine += a->t[1][((long long)(i / pixels) * a->n[0] + channel) * pixels + i % pixels];
    double sum = block_sum(sums, mine);
    if (THREAD == 0) take_gradient(a, &launch, channel, (float)sum, a->n[2] - 1);
}
