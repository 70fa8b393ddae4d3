/* Ops that compute each image by itself, from plain arrays: layer_norm, group_norm, self_attention. What they share is
 * here: a blocked image is computed in a plain copy, in the thread's scratch memory; forward keeps some floats of each
 * image for backward; each shard sums the gradients of the weights, and shard_sums.c adds the shards' sums up. */
#ifndef ELBO_CPU_LOWER_BY_IMAGE_H
#define ELBO_CPU_LOWER_BY_IMAGE_H

#include "device/cpu/lower/lower.h"

/* What an op needs. */
typedef struct elbo_cpu_image_op {
    const char *kernels; // their name, for plans
    size_t kept;         // floats of an image that forward keeps for backward
    size_t scratch;      // floats of scratch memory that one image takes
    double flop;         // of forward, per image; backward makes twice as many
} elbo_cpu_image_op;

/* x, y: (C, H, W), plain; kept: (op's kept floats) */
typedef void elbo_cpu_image_forward(const elbo_cpu_step *s, float *y, float *kept, const float *x, float *scratch);

typedef struct elbo_cpu_image {
    const float *dy, *x, *kept;
    float *dx;   // NULL: nobody asks for it; with s->accumulate, to be added to
    float *sums; // gradients of all of the node's parameters, one behind the other, to be added to
} elbo_cpu_image;

typedef void elbo_cpu_image_backward(const elbo_cpu_step *s, const elbo_cpu_image *image, float *scratch);

/* The body of a step: images of the shard, one after the other. Rows that only fill the shard are 0. */
void elbo_cpu_images_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread,
                             elbo_cpu_image_forward *of_image);
void elbo_cpu_images_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread,
                              elbo_cpu_image_backward *of_image);

typedef void elbo_cpu_step_run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread);

elbo_status elbo_cpu_lower_images_forward(elbo_cpu_program *p, elbo_cpu_node *np, const elbo_cpu_image_op *op,
                                          elbo_cpu_step_run *run, elbo_error *err);
elbo_status elbo_cpu_lower_images_backward(elbo_cpu_program *p, elbo_cpu_node *np, const elbo_cpu_image_op *op,
                                           elbo_cpu_step_run *run, elbo_error *err);

#endif
