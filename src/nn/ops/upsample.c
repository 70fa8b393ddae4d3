/* upsample: each pixel becomes scale x scale, as torch.nn.Upsample (bilinear with align_corners=False). */
#include "nn/ops/op.h"

static const char *const modes[] = {[ELBO_UPSAMPLE_NEAREST] = "nearest", [ELBO_UPSAMPLE_BILINEAR] = "bilinear", NULL};

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    int scale = (int)n->value[ELBO_UPSAMPLE_SCALE];
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    if (x.dim[1] > (1 << 16) / scale || x.dim[2] > (1 << 16) / scale)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, which leaves more than 65536 rows or columns; use a smaller scale",
                              n->text, elbo_shape_text(x, text));
    n->shape = (elbo_shape){3, {x.dim[0], x.dim[1] * scale, x.dim[2] * scale}};
    return ELBO_OK;
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_UPSAMPLE, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_to_input(p, ELBO_WORK_UPSAMPLE, n, io, NULL, err);
}

const elbo_op elbo_op_upsample = {
    .name = "upsample",
    .usage = "upsample [scale=2] [mode=nearest|bilinear]",
    .values = {[ELBO_UPSAMPLE_SCALE] = {"scale", ELBO_INT, false, 2, 1, 256},
               [ELBO_UPSAMPLE_MODE] = {"mode", ELBO_WORD, false, ELBO_UPSAMPLE_NEAREST, 0, 0}},
    .words = modes,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
