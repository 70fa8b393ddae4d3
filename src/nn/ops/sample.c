/* A VAE's code, drawn from its posterior: z = mu + eps exp(logvar / 2). Kingma and Welling, "Auto-encoding variational
 * Bayes", 2013, equation 10. The input holds mu, then logvar, of each image: (2 Z). */
#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    n->shape.dim[0] /= 2;
    return ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_SAMPLE, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_SAMPLE, n, io, io->x[0], err);
}

const elbo_op elbo_op_sample = {
    .name = "reparameterize", .internal = true, .shape = shape, .forward = forward, .backward = backward};
