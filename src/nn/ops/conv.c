/* conv2d and conv_transpose2d, as torch.nn has them. The two share everything but the size of their
 * output and the order of their weights' first two dimensions. */
#include <math.h>
#include <stdio.h>

#include "nn/ops/op.h"

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

/* ---- shape ---- */

/* Rows (axis 0) or columns of the output; less than 1: nothing is left. */
static long output_size(const elbo_node *n, int in, int axis) {
    int s = elbo_conv_value(n, ELBO_CONV_STRIDE, axis), p = elbo_conv_value(n, ELBO_CONV_PADDING, axis),
        reach = elbo_conv_value(n, ELBO_CONV_DILATION, axis) * (elbo_conv_value(n, ELBO_CONV_KERNEL, axis) - 1) + 1;
    if (n->op == &elbo_op_conv_transpose2d)
        return (long)(in - 1) * s - 2L * p + reach + elbo_conv_value(n, ELBO_CONV_OUTPUT_PADDING, axis);
    return in + 2 * p < reach ? 0 : (in + 2L * p - reach) / s + 1;
}

static int larger(int a, int b) { return a > b ? a : b; }

bool elbo_conv_argument_for(const elbo_node *n, elbo_shape x, elbo_shape y, char *text, size_t room) {
    static const struct {
        int argument;
        const char *name;
    } changes[] = {
        {ELBO_CONV_OUTPUT_PADDING, "output_padding"}, {ELBO_CONV_PADDING, "padding"}, {ELBO_CONV_KERNEL, "kernel"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        int a = changes[i].argument, found[2];
        bool fits = true;
        for (int axis = 0; axis < 2 && fits; axis++) {
            int most = larger(elbo_conv_value(n, ELBO_CONV_KERNEL, 0), elbo_conv_value(n, ELBO_CONV_KERNEL, 1)) + 8;
            if (a == ELBO_CONV_OUTPUT_PADDING)
                most = n->op == &elbo_op_conv_transpose2d ? larger(elbo_conv_value(n, ELBO_CONV_STRIDE, axis),
                                                                   elbo_conv_value(n, ELBO_CONV_DILATION, axis)) -
                                                                1
                                                          : -1;
            fits = false;
            for (int v = a == ELBO_CONV_KERNEL; v <= most && !fits; v++) {
                elbo_node changed = *n;
                changed.value[a] = changed.across[a] = found[axis] = v;
                fits = output_size(&changed, x.dim[axis + 1], axis) == y.dim[axis + 1];
            }
        }
        if (!fits) continue;
        if (found[0] == found[1])
            snprintf(text, room, "%s=%d", changes[i].name, found[0]);
        else
            snprintf(text, room, "%s=%dx%d", changes[i].name, found[0], found[1]);
        return true;
    }
    return false;
}

static elbo_status set_shape(elbo_graph *g, elbo_node *n, bool transposed, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    int size[2];
    for (int i = 0; i < 2; i++) {
        int s = elbo_conv_value(n, ELBO_CONV_STRIDE, i), d = elbo_conv_value(n, ELBO_CONV_DILATION, i),
            extra = elbo_conv_value(n, ELBO_CONV_OUTPUT_PADDING, i);
        if (transposed && extra >= s && extra >= d)
            return elbo_node_fail(n, err, "%s: output_padding=%d; expected less than stride (%d) or dilation (%d)",
                                  n->text, extra, s, d);
        long out = output_size(n, x.dim[i + 1], i);
        if (out < 1 || out > 1 << 16)
            return elbo_node_fail(n, err, "%s: its input is %s, which leaves an output of %ld %s; use %s", n->text,
                                  elbo_shape_text(x, text), out, i ? "columns" : "rows",
                                  out > 1      ? "less padding or a smaller stride"
                                  : transposed ? "a larger kernel or less padding"
                                               : "a smaller kernel or more padding");
        size[i] = (int)out;
    }
    n->shape = (elbo_shape){3, {value(n, ELBO_CONV_OUT_CHANNELS), size[0], size[1]}};
    return ELBO_OK;
}

/* PyTorch's fan-in is the weight's second dimension times the kernel's size: input channels, or output channels of the
 * transposed kind. */
static elbo_status add_params(elbo_graph *g, elbo_node *n, int first, int second, elbo_error *err) {
    int kh = elbo_conv_value(n, ELBO_CONV_KERNEL, 0), kw = elbo_conv_value(n, ELBO_CONV_KERNEL, 1);
    float bound = 1.0f / sqrtf((float)second * (float)kh * (float)kw);
    ELBO_TRY(elbo_graph_add_param(g, n, "weight", 4, (int[]){first, second, kh, kw}, bound, err));
    if (!value(n, ELBO_CONV_BIAS)) return ELBO_OK;
    return elbo_graph_add_param(g, n, "bias", 1, (int[]){value(n, ELBO_CONV_OUT_CHANNELS)}, bound, err);
}

static elbo_status conv_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    ELBO_TRY(set_shape(g, n, false, err));
    return add_params(g, n, value(n, ELBO_CONV_OUT_CHANNELS), g->node[n->input[0]].shape.dim[0], err);
}

static elbo_status transpose_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    ELBO_TRY(set_shape(g, n, true, err));
    return add_params(g, n, g->node[n->input[0]].shape.dim[0], value(n, ELBO_CONV_OUT_CHANNELS), err);
}

static elbo_status forward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    return elbo_append_forward(p, ELBO_WORK_CONV, n, io, err);
}

static elbo_status backward(elbo_plan *p, const elbo_node *n, const elbo_node_io *io, elbo_error *err) {
    ELBO_TRY(elbo_append_to_weights(p, ELBO_WORK_CONV, n, io, err));
    return elbo_append_to_input(p, ELBO_WORK_CONV, n, io, NULL, err);
}

const elbo_op elbo_op_conv2d = {
    .name = "conv2d",
    .usage = "conv2d OUT_CHANNELS kernel=K|ROWSxCOLUMNS [stride=1] [padding=0] [dilation=1] [bias=true]",
    .values = {[ELBO_CONV_OUT_CHANNELS] = {"out_channels", ELBO_INT, true, 0, 1, 1 << 16},
               [ELBO_CONV_KERNEL] = {"kernel", ELBO_ROWS_COLUMNS, true, 0, 1, 1024},
               [ELBO_CONV_STRIDE] = {"stride", ELBO_ROWS_COLUMNS, false, 1, 1, 1024},
               [ELBO_CONV_PADDING] = {"padding", ELBO_ROWS_COLUMNS, false, 0, 0, 1024},
               [ELBO_CONV_OUTPUT_PADDING] = {"output_padding", ELBO_ROWS_COLUMNS, false, 0, 0, 0},
               [ELBO_CONV_DILATION] = {"dilation", ELBO_ROWS_COLUMNS, false, 1, 1, 1024},
               [ELBO_CONV_BIAS] = {"bias", ELBO_BOOL, false, 1, 0, 1}},
    .shape = conv_shape,
    .forward = forward,
    .backward = backward,
};
const elbo_op elbo_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .usage =
        "conv_transpose2d OUT_CHANNELS kernel=K|ROWSxCOLUMNS [stride=1] [padding=0] [output_padding=0] [dilation=1] [bias=true]",
    .values = {[ELBO_CONV_OUT_CHANNELS] = {"out_channels", ELBO_INT, true, 0, 1, 1 << 16},
               [ELBO_CONV_KERNEL] = {"kernel", ELBO_ROWS_COLUMNS, true, 0, 1, 1024},
               [ELBO_CONV_STRIDE] = {"stride", ELBO_ROWS_COLUMNS, false, 1, 1, 1024},
               [ELBO_CONV_PADDING] = {"padding", ELBO_ROWS_COLUMNS, false, 0, 0, 1024},
               [ELBO_CONV_OUTPUT_PADDING] = {"output_padding", ELBO_ROWS_COLUMNS, false, 0, 0, 1023},
               [ELBO_CONV_DILATION] = {"dilation", ELBO_ROWS_COLUMNS, false, 1, 1, 1024},
               [ELBO_CONV_BIAS] = {"bias", ELBO_BOOL, false, 1, 0, 1}},
    .shape = transpose_shape,
    .forward = forward,
    .backward = backward,
};
