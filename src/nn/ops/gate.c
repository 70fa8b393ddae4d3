/* silu, x sigmoid(x), and gelu, x Phi(x) with the normal distribution's function Phi, as torch.nn.SiLU and GELU.
 * Hendrycks and Gimpel, "Gaussian error linear units", 2016. Their derivatives need the input, so they do not work in
 * place. */
#include "nn/ops/gate.h"

#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    return ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_GATE, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_GATE, n, io, io->x[0], err);
}

const elbo_op elbo_op_silu = {
    .name = "silu", .usage = "silu", .which = ELBO_SILU, .shape = shape, .forward = forward, .backward = backward};

const elbo_op elbo_op_gelu = {
    .name = "gelu",
    .usage = "gelu [approximate=none|tanh]",
    .values = {[ELBO_GELU_APPROXIMATE] = {"approximate", ELBO_WORD, false, 0, 0, 0}},
    .words = (const char *const[]){"none", "tanh", NULL}, // ELBO_GELU, ELBO_GELU_TANH
    .which = ELBO_GELU,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
