/* The terms over the code, recipe/latent_terms.def. They read the code, or mu above logvar, or both in this order. */
#include "nn/losses/loss.h"
#include "recipe/latent_terms.h"

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_LATENT, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    if (!io->dx[0] && !io->dx[1]) return ELBO_OK;
    return elbo_plan_append(
        p, (elbo_work){ELBO_WORK_LATENT, ELBO_TO_INPUT, n, {io->x[0], io->x[1]}, {io->dx[0], io->dx[1]}}, err);
}

const elbo_op elbo_latent_ops[ELBO_LATENT_TERMS] = {
#define ROW_TERM(word, NAME, ...)                                                                                      \
    [ELBO_LATENT_##NAME] = {.name = #word,                                                                             \
                            .internal = true,                                                                          \
                            .which = ELBO_LATENT_##NAME,                                                               \
                            .shape = elbo_loss_shape,                                                                  \
                            .forward = forward,                                                                        \
                            .backward = backward},
#define BATCH_TERM ROW_TERM
#include "recipe/latent_terms.def"
};

const elbo_latent_row *elbo_loss_latent_row(const elbo_node *n) {
    bool latent = n->op && n->op->forward == forward;
    return latent ? &elbo_latent_rows[n->op->which] : NULL;
}
