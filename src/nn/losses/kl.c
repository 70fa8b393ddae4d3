/* KL(N(mu, exp(logvar)) || N(0, 1)) = 1/2 sum(mu^2 + exp(logvar) - 1 - logvar) over the code, in nats: Kingma and
 * Welling, "Auto-encoding variational Bayes", 2013, appendix B. The input holds mu, then logvar: (2 Z). */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_KL, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    if (!io->dx[0]) return ELBO_OK;
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_KL, ELBO_TO_INPUT, n, {io->x[0]}, {io->dx[0]}}, err);
}

const elbo_op elbo_loss_kl = {
    .name = "kl", .internal = true, .shape = elbo_loss_shape, .forward = forward, .backward = backward};
