#include "nn/graph_output.h"

#include <stdio.h>
#include <string.h>

#include "nn/ops/op.h"

static bool same_shape(elbo_shape a, elbo_shape b) {
    return a.rank == b.rank && !memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim);
}

static bool is_conv(const elbo_node *n) { return n->op == &elbo_op_conv2d || n->op == &elbo_op_conv_transpose2d; }

/* What would make an image of the size `want` of what the layer gives. */
static void output_advice(const elbo_graph *g, const elbo_node *n, elbo_shape want, char *text, size_t room) {
    const int *got = n->shape.dim;
    char channels[40] = "", size[40] = "";
    if (got[0] != want.dim[0] && is_conv(n))
        snprintf(channels, sizeof channels, "%d channel%s", want.dim[0], want.dim[0] > 1 ? "s" : "");
    else if (got[0] != want.dim[0])
        snprintf(channels, sizeof channels, "`conv2d %d kernel=1` after it", want.dim[0]);
    int scale = want.dim[1] / got[1];
    if (got[1] != want.dim[1] || got[2] != want.dim[2]) {
        if (scale > 1 && scale <= 256 && got[1] * scale == want.dim[1] && got[2] * scale == want.dim[2])
            snprintf(size, sizeof size, "`upsample %d` after it", scale);
        else if (!is_conv(n) || !elbo_conv_argument_for(n, g->node[n->input[0]].shape, want, size, sizeof size)) {
            snprintf(text, room, "`flatten, linear %zu` after it", elbo_shape_size(want));
            return;
        }
    }
    snprintf(text, room, "%s%s%s", channels, *channels && *size ? ", " : "", size);
}

elbo_status elbo_graph_check_output(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    elbo_node *last = &g->node[g->count - 1];
    elbo_shape want = g->node[g->at.target].shape;
    size_t got = elbo_shape_size(last->shape), values = elbo_shape_size(want);
    if (last->shape.rank == 1 ? got != values : !same_shape(last->shape, want)) {
        char shape[40], image[40], advice[120];
        const elbo_node *n =
            last; // the error names the layer whose size is wrong, not an activation or a flatten behind it
        while (n->input[0] > g->at.latent && !is_conv(n) && n->op != &elbo_op_linear &&
               (n->op == &elbo_op_flatten || same_shape(n->shape, g->node[n->input[0]].shape)))
            n = &g->node[n->input[0]];
        elbo_shape_text(n->shape, shape);
        elbo_shape_text(want, image);
        if (n->shape.rank == 1)
            return elbo_node_fail(n, err,
                                  "%s: the decoder gives %s values, an image is %s (%zu); end with `linear %zu`",
                                  n->text, shape, image, values, values);
        output_advice(g, n, want, advice, sizeof advice);
        return elbo_node_fail(n, err, "%s: the decoder gives %s, an image is %s; expected %s", n->text, shape, image,
                              advice);
    }
    g->at.output = g->at.logits = g->count - 1;
    const elbo_term *logits = elbo_terms_of_logits(&r->loss.reconstruction);
    if (logits) {
        const char *loss = elbo_reconstruction_name(logits->kind);
        if (last->op != &elbo_op_sigmoid)
            return elbo_node_fail(last, err,
                                  "%s: loss %s is for outputs between 0 and 1; end the decoder with `sigmoid`, or use "
                                  "`loss: {reconstruction: mse}`",
                                  last->text, loss);
        if (r->image.low != 0 || r->image.high != 1)
            return elbo_node_fail(last, err,
                                  "loss %s is for pixels between 0 and 1, not %g to %g; set `image: {range: "
                                  "[0, 1]}` or use `loss: {reconstruction: mse}`",
                                  loss, (double)r->image.low, (double)r->image.high);
        g->at.logits = last->input[0];
    }
    return ELBO_OK;
}
