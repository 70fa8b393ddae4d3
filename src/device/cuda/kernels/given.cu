/* What the caller gives: rows that the host has put behind the step's numbers. */
#include "device/cuda/kernels/kernel.h"

/* A block for each row.  t: to (rows, n[0]).  n: values of a row; offset behind the step, in bytes; 1: these are images,
 * which may be bytes; 1: there is a row for each image, else for each sample. */
KERNEL(gather) {
    int row;
    const elbo_gpu_item *a = item_of(&launch, &row);
    const elbo_gpu_step *s = launch.step;
    if (row >= s->rows) return;
    int size = a->n[0], from = a->n[3] ? row / s->samples : row;
    float *to = a->t[0] + (long long)row * size;
    const char *given = (const char *)s + a->n[1];
    if (a->n[2] && s->bytes) {
        const unsigned char *x = (const unsigned char *)given + (long long)from * size;
        float width = s->high - s->low;
        for (int i = THREAD; i < size; i += GPU_THREADS) { // x / 255 to the last bit, by products
            float v = (float)x[i];
            to[i] = s->low + width * (v * 0x1.01p-8f + v * 0x1.010102p-24f);
        }
        return;
    }
    const float *x = (const float *)(const void *)given + (long long)from * size;
    for (int i = THREAD; i < size; i += GPU_THREADS) to[i] = x[i];
}
