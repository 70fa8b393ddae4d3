/* flatten and unflatten: the same values under another shape. Nothing is computed. */
#include "nn/ops/op.h"

static elbo_status flatten_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = (elbo_shape){1, {(int)elbo_shape_size(g->node[n->input[0]].shape)}};
    return ELBO_OK;
}

static elbo_status unflatten_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    n->shape = (elbo_shape){3, {(int)n->value[0], (int)n->value[1], (int)n->value[2]}};
    if (elbo_shape_size(x) == elbo_shape_size(n->shape)) return ELBO_OK;
    char from[40], to[40];
    return elbo_node_fail(n, err, "%s: its input is %s (%zu values), %s takes %zu; let the layer before give %zu",
                          n->text, elbo_shape_text(x, from), elbo_shape_size(x), elbo_shape_text(n->shape, to),
                          elbo_shape_size(n->shape), elbo_shape_size(n->shape));
}

/* Nothing, unless the features lie in another layout than the image: then a copy, and its gradient the way back. */
static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    return spot->y == spot->x[0] ? ELBO_OK : elbo_plan_convert(p, spot->node, spot->y, spot->x[0], err);
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_tensor *dx = spot->dx[0];
    if (!dx || dx == spot->dy) return ELBO_OK;
    if (!spot->accumulate[0]) return elbo_plan_convert(p, spot->node, dx, spot->dy, err);
    elbo_tensor *share = elbo_plan_activation(p, spot->node->name, dx->shape, dx->blocked, true);
    if (!share) return elbo_no_memory(err);
    ELBO_TRY(elbo_plan_convert(p, spot->node, share, spot->dy, err));
    return elbo_plan_add(p, spot->node, dx, share, err);
}

const elbo_op elbo_op_flatten = {.name = "flatten",
                                 .usage = "flatten",
                                 .view = true,
                                 .layout = ELBO_LAYOUT_PLAIN,
                                 .shape = flatten_shape,
                                 .forward = forward,
                                 .backward = backward};
const elbo_op elbo_op_unflatten = {
    .name = "unflatten",
    .usage = "unflatten CHANNELS HEIGHT WIDTH",
    .values = {{"channels", ELBO_INT, true, 0, 1, 65536},
               {"height", ELBO_INT, true, 0, 1, 65536},
               {"width", ELBO_INT, true, 0, 1, 65536}},
    .view = true,
    .layout = ELBO_LAYOUT_BLOCKED,
    .shape = unflatten_shape,
    .forward = forward,
    .backward = backward,
};
