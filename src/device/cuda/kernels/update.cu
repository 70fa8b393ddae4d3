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
