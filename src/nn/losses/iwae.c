/* The importance weighted bound of Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2015: of an image's
 * k samples -log(1/k sum exp(log w)), with log w = log p(x|z) + log p(z) - log q(z|x). Its gradient is the samples' own,
 * each times its share of the sum of w, so it has none to add: the work gives these shares to what has gone before. It
 * reads the code and mu above logvar. */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_BOUND, n, io, err);
}

const elbo_op elbo_loss_iwae = {.name = "iwae", .internal = true, .shape = elbo_loss_shape, .forward = forward};
