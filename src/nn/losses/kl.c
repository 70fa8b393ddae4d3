/* KL(N(mu, exp(logvar)) || N(0, 1)) = 1/2 sum(mu^2 + exp(logvar) - 1 - logvar) over the code, in nats: Kingma and
 * Welling, "Auto-encoding variational Bayes", 2013, appendix B. The input holds mu, then logvar: (2 Z).
 *
 * Of a mixture prior (nn/mixture_prior.c), which has no closed form: log q(z|x) - log p(z) of the z that was drawn, the
 * second input. It has the mixture's parameters: components of equal weight and variance 1, their means scattered as the
 * standard normal's draws are. */
#include "nn/losses/loss.h"

#define SCATTER 1.7320508f // uniform to both sides: a variance of 1

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    static const char *const owner[] = {"prior", NULL}; // of the parameters, in the state_dict
    ELBO_TRY(elbo_loss_shape(g, n, err));
    int K = (int)n->value[ELBO_LOSS_COMPONENTS], each[] = {K, g->latent};
    if (!K) return ELBO_OK;
    n->stacked = owner;
    ELBO_TRY(elbo_graph_add_constant(g, n, "logits", 1, each, 0, false, err));
    ELBO_TRY(elbo_graph_add_param(g, n, "mu", 2, each, SCATTER, err));
    return elbo_graph_add_constant(g, n, "logvar", 2, each, 0, false, err);
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_KL, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    int direction = (io->dx[0] ? ELBO_TO_INPUT : 0) | (n->params ? ELBO_TO_WEIGHTS : 0);
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_KL, direction, n, {io->x[0], io->x[1]}, {io->dx[0], io->dx[1]}},
                            err);
}

const elbo_op elbo_loss_kl = {.name = "kl", .internal = true, .shape = shape, .forward = forward, .backward = backward};
