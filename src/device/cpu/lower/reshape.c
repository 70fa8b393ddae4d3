#include "device/cpu/lower/lower.h"

/* Nothing, unless the features lie in another layout than the image: then a copy, and its gradient the way back. */
static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    return np->y == np->x[0] ? ELBO_OK : elbo_cpu_convert(p, np->node, np->y, np->x[0], err);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_tensor *dx = np->dx[0];
    if (dx == np->dy) return ELBO_OK;
    if (!np->accumulate[0]) return elbo_cpu_convert(p, np->node, dx, np->dy, err);
    elbo_cpu_tensor *share = elbo_cpu_activation(p, np->node->name, dx->shape, dx->blocked, true);
    if (!share) return elbo_no_memory(err);
    ELBO_TRY(elbo_cpu_convert(p, np->node, share, np->dy, err));
    return elbo_cpu_add(p, np->node, dx, share, err);
}

const elbo_cpu_lowering elbo_cpu_lower_reshape = {
    .forward = forward, .to_input = backward, .layout = ELBO_LAYOUT_BLOCKED};
