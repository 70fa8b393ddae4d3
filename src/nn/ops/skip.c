/* Skip connections: `save NAME` names an activation, `add NAME` adds it to another (a residual block), `concat NAME`
 * puts its channels behind the other's. `concat class` puts the label there: behind features its numbers, behind
 * channels a constant plane for each. */
#include <string.h>

#include "nn/ops/op.h"

/* Never a node of its own: graph.c keeps the name. */
const elbo_op elbo_op_save = {.name = "save", .usage = "save NAME", .values = {{"name", ELBO_WORD, true, 0, 0, 0}}};

/* ---- add ---- */

static elbo_status add_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape a = g->node[n->input[0]].shape, b = g->node[n->input[1]].shape;
    char first[40], second[40];
    if (a.rank != b.rank || memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim))
        return elbo_node_fail(n, err, "%s: its input is %s, `%s` is %s; only equal shapes can be added", n->text,
                              elbo_shape_text(a, first), n->word, elbo_shape_text(b, second));
    n->shape = a;
    return ELBO_OK;
}

static elbo_status add_forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_ADD, n, io, err);
}

/* Both inputs get the output's gradient. */
static elbo_status add_backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_ADD, ELBO_TO_INPUT, n, {io->dy}, {io->dx[0], io->dx[1]}}, err);
}

const elbo_op elbo_op_add = {
    .name = "add",
    .usage = "add NAME",
    .values = {{"name", ELBO_WORD, true, 0, 0, 0}},
    .reads_saved = true,
    .in_place = true,
    .shape = add_shape,
    .forward = add_forward,
    .backward = add_backward,
};

/* ---- concat ---- */

static elbo_status concat_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape a = g->node[n->input[0]].shape, b = g->node[n->input[1]].shape;
    char first[40], second[40];
    if (n->input[1] == g->at.label) {
        n->shape = a;
        n->shape.dim[0] += b.dim[0];
        return ELBO_OK;
    }
    if (a.rank != b.rank || (a.rank == 3 && (a.dim[1] != b.dim[1] || a.dim[2] != b.dim[2])))
        return elbo_node_fail(n, err,
                              "%s: its input is %s, `%s` is %s; only images of one height and width, or features, "
                              "can be concatenated",
                              n->text, elbo_shape_text(a, first), n->word, elbo_shape_text(b, second));
    n->shape = a;
    n->shape.dim[0] += b.dim[0];
    return ELBO_OK;
}

static elbo_status concat_forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_CONCAT, n, io, err);
}

/* Each input gets its channels of the output's gradient. */
static elbo_status concat_backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_plan_append(p, (elbo_work){ELBO_WORK_CONCAT, ELBO_TO_INPUT, n, {io->dy}, {io->dx[0], io->dx[1]}}, err);
}

const elbo_op elbo_op_concat = {
    .name = "concat",
    .usage = "concat NAME",
    .values = {{"name", ELBO_WORD, true, 0, 0, 0}},
    .reads_saved = true,
    .shape = concat_shape,
    .forward = concat_forward,
    .backward = concat_backward,
};
