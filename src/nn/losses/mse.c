/* Squared error: the sum over an image's values of (y - x)^2, the negative log-likelihood of a Gaussian with variance
 * 1/2 less its constant. PyTorch's mse_loss(reduction="sum"). */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_PIXEL_LOSS, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    if (!io->dx[0]) return ELBO_OK;
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_PIXEL_LOSS, ELBO_TO_INPUT, n, {io->x[0], io->x[1]}, {io->dx[0]}},
                            err);
}

const elbo_op elbo_loss_mse = {
    .name = "mse", .internal = true, .shape = elbo_loss_shape, .forward = forward, .backward = backward};
