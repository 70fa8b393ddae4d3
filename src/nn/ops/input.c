/* What the caller gives for each image of a batch: the image, its label. The plan gives them (plan/plan.c); the op is
 * their node's name. What a denoising model's encoder reads is made of the image. */
#include "nn/ops/op.h"

const elbo_op elbo_op_input = {.name = "input", .internal = true};

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_CORRUPT, n, io, err);
}

const elbo_op elbo_op_corrupt = {.name = "corrupt", .internal = true, .forward = forward};
