/* Losses that are distributions with a scale, loss.sigma: one number for all values, a parameter where it is learned.
 * gaussian: Rybkin, Daniilidis and Levine, "Simple and effective VAE training with calibrated decoders", 2021 (sigma-VAE).
 * logistic: Kingma et al. 2016, Salimans et al. 2017. */
#include <math.h>

#include "nn/losses/loss.h"

#define LEAST_LOG_SIGMA (-6.0)
/* Where learning starts, as a share of the range: about where reconstructions of ordinary images end. The parameter moves
 * by the learning rate in a step; for as long as it is far too large, the KL empties the code. */
#define START 0.125

/* p -> -6 + softplus(p + 6), and back. */
static double held(double p) { return LEAST_LOG_SIGMA + log1p(exp(p - LEAST_LOG_SIGMA)); }
static double unheld(double log_sigma) { return LEAST_LOG_SIGMA + log(expm1(log_sigma - LEAST_LOG_SIGMA)); }

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    static const char *const owner[] = {"loss", NULL}; // of the parameter, in the state_dict
    ELBO_TRY(elbo_loss_shape(g, n, err));
    if (n->value[ELBO_LOSS_SIGMA] > 0) return ELBO_OK;
    n->stacked = owner;
    double start = log(START * (n->value[ELBO_LOSS_HIGH] - n->value[ELBO_LOSS_LOW]));
    return elbo_graph_add_constant(g, n, "log_sigma", 1, (const int[]){1}, (float)unheld(fmax(start, -5)), false, err);
}

double elbo_loss_log_sigma(const elbo_graph *g, const elbo_node *n, const float *params, double *slope) {
    if (slope) *slope = 0;
    if (n->params == 0) return log(n->value[ELBO_LOSS_SIGMA]);
    double p = params[g->param[n->first_param].offset];
    if (slope) *slope = 1 / (1 + exp(LEAST_LOG_SIGMA - p));
    return p > 50 ? p : held(p);
}

const elbo_node *elbo_loss_scaled(const elbo_graph *g) {
    for (int k = 0; k < g->metrics.count; k++) {
        const elbo_node *n = g->loss[k] < 0 ? NULL : &g->node[g->loss[k]];
        if (n && n->op->shape == shape) return n;
    }
    return NULL;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_PIXEL_LOSS, n, io, err);
}

/* Both gradients come from the same pass over the values. */
static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    int direction = (io->dx[0] ? ELBO_TO_INPUT : 0) | (n->params ? ELBO_TO_WEIGHTS : 0);
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_PIXEL_LOSS, direction, n, {io->x[0], io->x[1]}, {io->dx[0]}}, err);
}

#define PIXEL_LOSS(word, NAME)
#define OTHER_LOSS(word, NAME)
#define SCALED_LOSS(word, NAME)                                                                                        \
    const elbo_op elbo_loss_##word = {.name = #word,                                                                   \
                                      .internal = true,                                                                \
                                      .which = ELBO_##NAME,                                                            \
                                      .shape = shape,                                                                  \
                                      .forward = forward,                                                              \
                                      .backward = backward};
#include "recipe/losses.def"
