/* What the caller gives, row by row, in host memory: for the CPU's own steps, and for devices that the CPU feeds. */
#ifndef ELBO_CPU_GIVE_H
#define ELBO_CPU_GIVE_H

#include "device/cpu/kernels.h"
#include "device/device.h"

/* An image of the batch: gathered, in the recipe's range, augmented, made binary; `target`: as it is, of args->target.
 * row: (n); scratch: (n) in training and evaluation */
void elbo_give_image(const elbo_kernels *k, const elbo_batch_args *args, bool target, uint32_t index, float *row,
                     size_t n, float *scratch);
/* Row i of the labels, (n): the caller's weights, or 1 at its class. Where nobody gave any, NaN shows it. */
void elbo_give_label(const elbo_batch_args *args, int i, float *row, size_t n);
/* What a denoising model's encoder reads of the image x.  y, x, scratch: (n) */
void elbo_give_corrupted(const elbo_kernels *k, const elbo_batch_args *args, bool training, uint32_t index, float *y,
                         const float *x, size_t n, float *scratch);

#endif
