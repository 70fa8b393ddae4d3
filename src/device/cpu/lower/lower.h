/* Lowerings: how the CPU computes each kind of work. One file each, forward above backward, and a row in table.c. */
#ifndef ELBO_CPU_LOWER_H
#define ELBO_CPU_LOWER_H

#include "device/cpu/program.h"
#include "nn/losses/loss.h"

/* Each appends steps. */
typedef elbo_status elbo_cpu_lower(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err);

typedef struct elbo_cpu_lowering {
    elbo_cpu_lower *forward, *to_weights, *to_input; // to_input also where one item asks for both
    /* How the output lies: as the input does, plain, or blocked where the kernels want it and the channels fill a
     * block. */
    enum { ELBO_LAYOUT_SAME, ELBO_LAYOUT_PLAIN, ELBO_LAYOUT_BLOCKED } layout;
} elbo_cpu_lowering;

extern const elbo_cpu_lowering *const elbo_cpu_lowerings[ELBO_WORK_KINDS];

extern const elbo_cpu_lowering elbo_cpu_lower_corrupt, elbo_cpu_lower_linear, elbo_cpu_lower_conv,
    elbo_cpu_lower_activation, elbo_cpu_lower_dropout, elbo_cpu_lower_batch_norm, elbo_cpu_lower_layer_norm,
    elbo_cpu_lower_pool, elbo_cpu_lower_upsample, elbo_cpu_lower_reshape, elbo_cpu_lower_add, elbo_cpu_lower_concat,
    elbo_cpu_lower_sample, elbo_cpu_lower_gate, elbo_cpu_lower_group_norm, elbo_cpu_lower_self_attention,
    elbo_cpu_lower_versus;

/* shard_sums.c: gradients of weights that each shard sums for itself, of all of a node's parameters one behind the other
 * (none of them a buffer). Memory for them: (shards, elbo_cpu_learned_floats), and the step that adds them up in a tree
 * when all shards are through, and updates; nothing where they are not learned here. */
size_t elbo_cpu_learned_floats(const elbo_cpu_program *p, const elbo_node *n);
elbo_status elbo_cpu_finish_sums(elbo_cpu_program *p, const elbo_node *n, float *sums, elbo_error *err);

/* sample.c: a draw from the prior, z (Z), a function of seed, epoch and image. */
void elbo_cpu_draw_prior(const elbo_cpu_step *s, const elbo_batch_args *args, uint32_t image, float *z, size_t Z);

/* rows.c: what the caller gives; `target`: the images that codes are compared with. */
elbo_status elbo_cpu_lower_rows(elbo_cpu_program *p, elbo_cpu_node *np, bool target, elbo_error *err);
elbo_status elbo_cpu_lower_label(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err);
elbo_status elbo_cpu_lower_skip(elbo_cpu_program *p, elbo_cpu_node *np, size_t offset, elbo_error *err);

/* The losses of the reconstruction, together: they share one pass over it. `gradient`: NULL in evaluation. */
elbo_status elbo_cpu_lower_pixel_losses(elbo_cpu_program *p, elbo_cpu_tensor *prediction, elbo_cpu_tensor *gradient,
                                        elbo_error *err);
/* The same of a loss with a scale, which stands alone: `node`. */
elbo_status elbo_cpu_lower_scaled_loss(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *prediction,
                                       elbo_cpu_tensor *gradient, elbo_error *err);
/* Behind the losses: the shares of an image's samples, by which the gradients that have been computed are scaled. */
elbo_status elbo_cpu_lower_bound(elbo_cpu_program *p, const elbo_node *node, elbo_error *err);
/* The metric of the squared error, which each of them measures. */
int elbo_cpu_squared_error(const elbo_cpu_program *p);
/* Behind them: adds to their gradient. */
elbo_status elbo_cpu_lower_perceptual(elbo_cpu_program *p, int metric, elbo_cpu_tensor *prediction,
                                      elbo_cpu_tensor *gradient, elbo_error *err);
/* adversary.c: what the player whose step it is gains from the adversary's logits, and their gradient. */
elbo_status elbo_cpu_lower_adversary(elbo_cpu_program *p, const elbo_node *loss, elbo_cpu_node *verdict,
                                     elbo_error *err);
/* mixture.c: behind the sample, the KL from a mixture prior. */
elbo_status elbo_cpu_lower_mixture(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err);
elbo_status elbo_cpu_lower_mixture_gradient(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err);
/* The terms over the code, together: they share what they read, and the meetings of threads. */
elbo_status elbo_cpu_lower_latent_terms(elbo_cpu_program *p, elbo_error *err);
elbo_status elbo_cpu_lower_latent_gradient(elbo_cpu_program *p, elbo_error *err);

#endif
