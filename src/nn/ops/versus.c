/* What the adversary's layers read. In the model's step what the model gives, a code or an image, as it is. In the
 * adversary's own step, which the plan knows (plan/plan.c), two rows of each image: that, and what it is held against, a draw
 * from the prior, a code each dimension of which is another image's, or the image of the data, its second input. */
#include "nn/ops/op.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_RESHAPE, ELBO_FORWARD, n, {io->x[0]}, {io->y}}, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_RESHAPE, n, io, NULL, err);
}

const elbo_op elbo_op_versus = {
    .name = "versus", .internal = true, .view = true, .forward = forward, .backward = backward};
