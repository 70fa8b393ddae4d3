/* Lowerings: which kernels compute each kind of work, with what. One function each, for all directions, and a row in
 * table.c; a kind without one is refused before anything runs. */
#ifndef ELBO_CUDA_LOWER_H
#define ELBO_CUDA_LOWER_H

#include "device/cuda/program.h"
#include "nn/losses/loss.h"

typedef elbo_status elbo_gpu_lowering(elbo_gpu_program *p, const elbo_work *w, elbo_error *err);
extern elbo_gpu_lowering *const elbo_gpu_lowerings[ELBO_WORK_KINDS];

elbo_gpu_lowering elbo_gpu_lower_given, elbo_gpu_lower_read, elbo_gpu_lower_linear, elbo_gpu_lower_activation,
    elbo_gpu_lower_pixel_loss, elbo_gpu_lower_kl, elbo_gpu_lower_sample, elbo_gpu_lower_reshape, elbo_gpu_lower_gate,
    elbo_gpu_lower_dropout, elbo_gpu_lower_add, elbo_gpu_lower_concat, elbo_gpu_lower_conv, elbo_gpu_lower_batch_norm,
    elbo_gpu_lower_pool, elbo_gpu_lower_upsample;

/* A layer's place, what it is, and that this device has no kernel for it (or for `why`). */
elbo_status elbo_gpu_refuse(const elbo_gpu_program *p, const elbo_node *n, const char *why, elbo_error *err);
/* to += from: gradients that are one and the same tensor otherwise. */
elbo_status elbo_gpu_add(elbo_gpu_program *p, const elbo_node *n, elbo_gpu_tensor *to, elbo_gpu_tensor *from,
                         elbo_error *err);
/* The operand where a metric's numbers go. */
static inline elbo_gpu_operand elbo_gpu_loss(const elbo_gpu_program *p, int metric) {
    return (elbo_gpu_operand){.kind = GPU_LOSSES, .offset = (size_t)metric * (size_t)p->rows};
}
/* Blocks for all values of a batch. */
static inline size_t elbo_gpu_blocks(const elbo_gpu_program *p, size_t per_row) {
    return (per_row * (size_t)p->rows + GPU_THREADS - 1) / GPU_THREADS;
}
/* Where the images' numbers lie behind a step. */
elbo_status elbo_gpu_numbers(elbo_gpu_program *p, size_t *offset, elbo_error *err);
/* The work that wrote a tensor, if it alone did, nobody reads it so far, and its kernel ends in store_value (kernels/tile.h); else NULL. */
elbo_gpu_work *elbo_gpu_maker(elbo_gpu_program *p, const elbo_gpu_tensor *t);
/* For products that are gradients of weights: where they go, with the update at once where nothing waits for the whole
 * gradient. */
void elbo_gpu_take_gradient(elbo_gpu_program *p, elbo_gpu_work *w, size_t weights, bool bias, size_t bias_at);
/* Gradients that are not products: the sum of `parts` arrays of `weights` floats; each channel's sum of dy. */
elbo_status elbo_gpu_add_parts(elbo_gpu_program *p, const elbo_node *n, size_t offset, elbo_gpu_tensor *sums,
                               size_t weights, size_t parts, elbo_error *err);
elbo_status elbo_gpu_add_channel_sums(elbo_gpu_program *p, const elbo_node *n, size_t offset, elbo_gpu_tensor *dy,
                                      int channels, int pixels, elbo_error *err);
/* What ends a plan: the verdict on its losses, the clipped gradient, updates that have waited. */
elbo_status elbo_gpu_lower_end(elbo_gpu_program *p, elbo_error *err);

#endif
