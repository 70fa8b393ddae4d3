/* Bernoulli negative log-likelihood of the image x, from logits l: the sum over an image's values of
 * max(l, 0) - l x + log(1 + exp(-|l|)), which needs no log of 0. Nats; PyTorch's binary_cross_entropy_with_logits. */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_PIXEL_LOSS, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    if (!io->dx[0]) return ELBO_OK;
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_PIXEL_LOSS, ELBO_TO_INPUT, n, {io->x[0], io->x[1]}, {io->dx[0]}},
                            err);
}

const elbo_op elbo_loss_bce = {
    .name = "bce", .internal = true, .shape = elbo_loss_shape, .forward = forward, .backward = backward};
