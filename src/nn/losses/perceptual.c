/* Squared difference of a frozen network's features of the image and of its reconstruction: their mean, times the number
 * of values of the image. Johnson, Alahi and Fei-Fei, "Perceptual losses", 2016. */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_PERCEPTUAL, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    if (!io->dx[0]) return ELBO_OK;
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_PERCEPTUAL, ELBO_TO_INPUT, n, {io->x[0], io->x[1]}, {io->dx[0]}},
                            err);
}

const elbo_op elbo_loss_perceptual = {
    .name = "perceptual", .internal = true, .shape = elbo_loss_shape, .forward = forward, .backward = backward};
