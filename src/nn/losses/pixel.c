/* The losses of recipe/losses.def that compare the reconstruction with the image value by value. */
#include "nn/losses/loss.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_PIXEL_LOSS, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    if (!io->dx[0]) return ELBO_OK;
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_PIXEL_LOSS, ELBO_TO_INPUT, n, {io->x[0], io->x[1]}, {io->dx[0]}},
                            err);
}

#define PIXEL_LOSS(word, NAME)                                                                                         \
    const elbo_op elbo_loss_##word = {.name = #word,                                                                   \
                                      .internal = true,                                                                \
                                      .which = ELBO_##NAME,                                                            \
                                      .shape = elbo_loss_shape,                                                        \
                                      .forward = forward,                                                              \
                                      .backward = backward};
#define OTHER_LOSS(word, NAME)
#include "recipe/losses.def"
