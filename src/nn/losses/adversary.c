/* What the two players are trained on, each from the logits that the adversary's layers give.
 *
 * discriminator: in the adversary's step, the cross-entropy of telling what the model gives from what it is held against,
 * the mean over both: ln 2 = 0.693 where it cannot. Goodfellow et al., "Generative adversarial nets", 2014.
 *
 * adversary: in the model's step, -log D of what it gives, the non-saturating form of the same paper (AAE, Makhzani et al.
 * 2016; VAE-GAN, Larsen et al. 2016). Against shuffled codes the logit itself is the log of a density ratio, and its mean
 * the total correlation (FactorVAE, Kim and Mnih 2018). */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_ADVERSARY, n, io, err);
}

const elbo_op elbo_loss_adversary = {.name = "adversary",
                                     .internal = true,
                                     .shape = elbo_loss_shape,
                                     .forward = forward},
              elbo_loss_discriminator = {
                  .name = "discriminator", .internal = true, .shape = elbo_loss_shape, .forward = forward};
