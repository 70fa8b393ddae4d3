/* Value by value. A block for GPU_THREADS values of all rows. */
#include "device/cuda/kernels/numbers.h"

/* Values of all rows; n[0]: of one. */
DEVICE int is_value(const elbo_gpu_item *a, const elbo_gpu_launch *l, int block, long long *at) {
    *at = (long long)block * GPU_THREADS + THREAD;
    return *at < (long long)l->step->rows * a->n[0];
}

/* t: y, x.  n: values, activation. */
KERNEL(activation) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (is_value(a, &launch, block, &i)) a->t[0][i] = activate(a->t[1][i], a->n[1], a->f[0]);
}

/* t: dx, dy, y.  n: values, activation. */
KERNEL(activation_back) {
    int block;
    long long i;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!is_value(a, &launch, block, &i)) return;
    float d = a->t[1][i] * derivative(a->t[2][i], a->n[1], a->f[0]);
    a->t[0][i] = a->accumulate ? a->t[0][i] + d : d;
}
