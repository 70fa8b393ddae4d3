/* What each layer is in ONNX, opset 17. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/onnx_writer.h"
#include "nn/ops/gate.h"

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

/* For the rows and for the columns; `count` 4: before them, then behind. */
static void put_sides(elbo_onnx_writer *w, const elbo_node *n, const char *name, int argument, int count) {
    int rows = elbo_conv_value(n, argument, 0), columns = elbo_conv_value(n, argument, 1);
    elbo_onnx_list(w, name, count, (int[]){rows, columns, rows, columns});
}

static void put_conv(elbo_onnx_writer *w, const elbo_node *n) {
    bool transposed = n->op == &elbo_op_conv_transpose2d;
    elbo_onnx_param(w, n, "weight");
    elbo_onnx_param(w, n, "bias");
    put_sides(w, n, "kernel_shape", ELBO_CONV_KERNEL, 2);
    put_sides(w, n, "strides", ELBO_CONV_STRIDE, 2);
    put_sides(w, n, "pads", ELBO_CONV_PADDING, 4);
    put_sides(w, n, "dilations", ELBO_CONV_DILATION, 2);
    if (transposed) put_sides(w, n, "output_padding", ELBO_CONV_OUTPUT_PADDING, 2);
}

static void put_linear(elbo_onnx_writer *w, const elbo_node *n) {
    elbo_onnx_param(w, n, "weight");
    elbo_onnx_param(w, n, "bias");
    elbo_onnx_int(w, "transB", 1);
}

static void put_batch_norm(elbo_onnx_writer *w, const elbo_node *n) {
    static const char *const params[] = {"weight", "bias", "running_mean", "running_var"};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) elbo_onnx_param(w, n, params[i]);
    elbo_onnx_float(w, "epsilon", n->value[ELBO_NORM_EPS]);
}

static void put_layer_norm(elbo_onnx_writer *w, const elbo_node *n) {
    elbo_onnx_param(w, n, "weight");
    elbo_onnx_param(w, n, "bias");
    elbo_onnx_int(w, "axis", 1);
    elbo_onnx_float(w, "epsilon", n->value[ELBO_NORM_EPS]);
}

static void put_pool(elbo_onnx_writer *w, const elbo_node *n) {
    elbo_onnx_ints(w, "kernel_shape", value(n, ELBO_POOL_KERNEL), 2);
    elbo_onnx_ints(w, "strides", value(n, ELBO_POOL_STRIDE), 2);
    elbo_onnx_ints(w, "pads", value(n, ELBO_POOL_PADDING), 4);
    if (n->op == &elbo_op_avg_pool2d) elbo_onnx_int(w, "count_include_pad", 1);
}

static void put_upsample(elbo_onnx_writer *w, const elbo_node *n) {
    bool bilinear = value(n, ELBO_UPSAMPLE_MODE) == ELBO_UPSAMPLE_BILINEAR;
    float scale = (float)value(n, ELBO_UPSAMPLE_SCALE), scales[] = {1, 1, scale, scale};
    char name[80];
    snprintf(name, sizeof name, "%.60s.scales", n->name);
    elbo_onnx_tensor(w, name, ELBO_ONNX_FLOAT, (int[]){4}, 1, scales, sizeof scales);
    elbo_onnx_input(w, ""); // no region
    elbo_onnx_input(w, name);
    elbo_onnx_text(w, "mode", bilinear ? "linear" : "nearest");
    elbo_onnx_text(w, "coordinate_transformation_mode", bilinear ? "half_pixel" : "asymmetric");
    if (!bilinear) elbo_onnx_text(w, "nearest_mode", "floor");
}

static void put_leaky_relu(elbo_onnx_writer *w, const elbo_node *n) {
    elbo_onnx_float(w, "alpha", n->value[ELBO_ACTIVATION_SLOPE]);
}

/* The class as planes, for channels: (N, classes) tiled to the layer's height and width. */
static const char *planes_of(const elbo_node *n, char text[24]) {
    snprintf(text, 24, "%.17s.label", n->name);
    return text;
}

static void put_planes(elbo_onnx_writer *w, const elbo_node *n) {
    char name[24], one[48], times[48]; // names of this layer's own
    int rank = 4;
    snprintf(one, sizeof one, "%.20s.of.%.20s", planes_of(n, name), n->name);
    snprintf(times, sizeof times, "%.30s.repeats", n->name);
    elbo_onnx_reshape(w, "label", one, (elbo_shape){3, {w->graph->classes, 1, 1}});
    elbo_onnx_tensor(w, times, ELBO_ONNX_INT64, &rank, 1, (int64_t[]){1, 1, n->shape.dim[1], n->shape.dim[2]},
                     4 * sizeof(int64_t));
    elbo_onnx_begin(w, "Tile", times);
    elbo_onnx_input(w, one);
    elbo_onnx_input(w, times);
    elbo_onnx_output(w, name);
    elbo_onnx_end(w);
}

static void put_add(elbo_onnx_writer *w, const elbo_node *n) {
    char name[24];
    elbo_onnx_input(w, elbo_onnx_name(w, n->input[1], name));
}

static void put_concat(elbo_onnx_writer *w, const elbo_node *n) {
    char name[24];
    if (n->input[1] == w->half.label && n->shape.rank == 3)
        planes_of(n, name);
    else
        elbo_onnx_name(w, n->input[1], name);
    elbo_onnx_input(w, name);
    elbo_onnx_int(w, "axis", 1);
}

static void put_nothing(elbo_onnx_writer *w, const elbo_node *n) { (void)w, (void)n; }

/* ---- layers of several nodes ---- */

/* The name of a value within a layer. */
static const char *inner(const elbo_node *n, const char *what, char text[48]) {
    snprintf(text, 48, "%.30s.%s", n->name, what);
    return text;
}

/* A node OP of a and b (NULL: one input) that gives the value `to`. */
static void apply(elbo_onnx_writer *w, const char *op, const char *to, const char *a, const char *b) {
    elbo_onnx_begin(w, op, to);
    elbo_onnx_input(w, a);
    if (b) elbo_onnx_input(w, b);
    elbo_onnx_output(w, to);
    elbo_onnx_end(w);
}

/* The same with a number in b's place. */
static void apply_number(elbo_onnx_writer *w, const char *op, const char *to, const char *a, double b) {
    char name[60];
    float v = (float)b;
    snprintf(name, sizeof name, "%.48s.by", to);
    elbo_onnx_tensor(w, name, ELBO_ONNX_FLOAT, NULL, 0, &v, sizeof v);
    apply(w, op, to, a, name);
}

/* With a parameter in its place, in a shape that goes with the other side. */
static void apply_param(elbo_onnx_writer *w, const char *op, const char *to, const char *a, const elbo_param *p,
                        const int *dim, int rank) {
    elbo_onnx_tensor(w, p->name, ELBO_ONNX_FLOAT, dim, rank, w->model->network.params + p->offset,
                     p->count * sizeof(float));
    apply(w, op, to, a, p->name);
}

/* x sigmoid(x); x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3); x (1 + erf(x / sqrt 2)) / 2 */
static void put_gate(elbo_onnx_writer *w, const elbo_node *n, const char *x, const char *to) {
    char a[48], b[48], c[48], d[48];
    const double slope = 2 * sqrt(2 / M_PI);
    inner(n, "a", a), inner(n, "b", b), inner(n, "c", c), inner(n, "d", d);
    if (n->op == &elbo_op_gelu && value(n, ELBO_GELU_APPROXIMATE) == 0) {
        apply_number(w, "Mul", a, x, sqrt(0.5));
        apply(w, "Erf", b, a, NULL);
        apply_number(w, "Add", c, b, 1);
        apply_number(w, "Mul", d, c, 0.5);
        apply(w, "Mul", to, x, d);
        return;
    }
    const char *u = x;
    if (n->op == &elbo_op_gelu) {
        apply(w, "Mul", a, x, x);
        apply_number(w, "Mul", b, a, slope * 0.044715);
        apply_number(w, "Add", c, b, slope);
        apply(w, "Mul", u = d, x, c);
    }
    char gate[48];
    apply(w, "Sigmoid", inner(n, "gate", gate), u, NULL);
    apply(w, "Mul", to, x, gate);
}

/* Rows and columns of the last two dimensions swapped, of four. */
static void transpose(elbo_onnx_writer *w, const char *to, const char *x) {
    elbo_onnx_begin(w, "Transpose", to);
    elbo_onnx_input(w, x);
    elbo_onnx_output(w, to);
    elbo_onnx_list(w, "perm", 4, (int[]){0, 1, 3, 2});
    elbo_onnx_end(w);
}

/* The mean over the last dimension of three. */
static void mean(elbo_onnx_writer *w, const char *to, const char *x) {
    elbo_onnx_begin(w, "ReduceMean", to);
    elbo_onnx_input(w, x);
    elbo_onnx_output(w, to);
    elbo_onnx_list(w, "axes", 1, (int[]){2});
    elbo_onnx_end(w);
}

/* (x - mean) / sqrt(var + eps) of (N, groups, values); then a weight and a bias for each channel. */
static void put_group_norm(elbo_onnx_writer *w, const elbo_node *n, const char *x, const char *to) {
    int groups = value(n, ELBO_GROUP_NORM_GROUPS), values = (int)(elbo_shape_size(n->shape) / (size_t)groups);
    int dim[] = {n->shape.dim[0], 1, 1}, rank = n->shape.rank;
    char a[48], b[48], c[48];
    elbo_onnx_reshape(w, x, inner(n, "groups", a), (elbo_shape){2, {groups, values}});
    mean(w, inner(n, "mean", b), a);
    apply(w, "Sub", inner(n, "centred", c), a, b);
    apply(w, "Mul", inner(n, "squares", a), c, c);
    mean(w, inner(n, "var", b), a);
    apply_number(w, "Add", inner(n, "safe", a), b, n->value[ELBO_GROUP_NORM_EPS]);
    apply(w, "Sqrt", inner(n, "std", b), a, NULL);
    apply(w, "Div", inner(n, "normal", a), c, b);
    elbo_onnx_reshape(w, a, inner(n, "whole", b), n->shape);
    apply_param(w, "Mul", inner(n, "scaled", a), b, elbo_node_param(w->graph, n, "weight", 0), dim, rank);
    apply_param(w, "Add", to, a, elbo_node_param(w->graph, n, "bias", 0), dim, rank);
}

/* A parameter's matrix times (N, channels, positions), and a bias for each row. */
static void project(elbo_onnx_writer *w, const elbo_node *n, const char *weight, const char *bias, const char *to,
                    const char *x) {
    const elbo_param *p = elbo_node_param(w->graph, n, weight, 0), *b = elbo_node_param(w->graph, n, bias, 0);
    char product[60];
    snprintf(product, sizeof product, "%.48s.product", to);
    elbo_onnx_tensor(w, p->name, ELBO_ONNX_FLOAT, p->dim, 2, w->model->network.params + p->offset,
                     p->count * sizeof(float));
    apply(w, "MatMul", product, p->name, x);
    apply_param(w, "Add", to, product, b, (int[]){p->dim[0], 1}, 2);
}

/* q, k, v: (N, heads, channels of a head, positions) each; v softmax(q^T k / sqrt(d))^T. */
static void put_self_attention(elbo_onnx_writer *w, const elbo_node *n, const char *x, const char *to) {
    elbo_shape s = n->shape;
    int heads = value(n, ELBO_ATTENTION_HEADS), d = s.dim[0] / heads, positions = s.dim[1] * s.dim[2];
    int64_t parts[] = {heads, heads, heads};
    char a[48], b[48], q[48], k[48], v[48], sizes[48];
    elbo_onnx_reshape(w, x, inner(n, "x", a), (elbo_shape){2, {s.dim[0], positions}});
    project(w, n, "in_proj_weight", "in_proj_bias", inner(n, "in", b), a);
    elbo_onnx_reshape(w, b, inner(n, "qkv", a), (elbo_shape){3, {3 * heads, d, positions}});
    elbo_onnx_tensor(w, inner(n, "parts", sizes), ELBO_ONNX_INT64, (int[]){3}, 1, parts, sizeof parts);
    elbo_onnx_begin(w, "Split", inner(n, "split", b));
    elbo_onnx_input(w, a);
    elbo_onnx_input(w, sizes);
    elbo_onnx_output(w, inner(n, "q", q));
    elbo_onnx_output(w, inner(n, "k", k));
    elbo_onnx_output(w, inner(n, "v", v));
    elbo_onnx_int(w, "axis", 1);
    elbo_onnx_end(w);
    transpose(w, inner(n, "rows", a), q);
    apply(w, "MatMul", inner(n, "dots", b), a, k);
    apply_number(w, "Mul", inner(n, "scores", a), b, 1 / sqrt(d));
    apply(w, "Softmax", inner(n, "weights", b), a, NULL); // over the last dimension
    transpose(w, inner(n, "columns", a), b);
    apply(w, "MatMul", inner(n, "mixed", b), v, a);
    elbo_onnx_reshape(w, b, inner(n, "heads", a), (elbo_shape){2, {s.dim[0], positions}});
    project(w, n, "out_proj.weight", "out_proj.bias", inner(n, "out", b), a);
    elbo_onnx_reshape(w, b, to, s);
}

static void put_view(elbo_onnx_writer *w, const elbo_node *n, const char *x, const char *to) {
    elbo_onnx_reshape(w, x, to, n->shape);
}

/* ---- table ---- */

static const struct {
    const elbo_op *op;
    const char *name;                                     // of the one ONNX node that it is
    void (*put)(elbo_onnx_writer *w, const elbo_node *n); // what that has beside the first input and the output
    // or of several nodes, from the value x to the value `to`
    void (*put_all)(elbo_onnx_writer *w, const elbo_node *n, const char *x, const char *to);
} layers[] = {
    {&elbo_op_linear, .name = "Gemm", .put = put_linear},
    {&elbo_op_conv2d, .name = "Conv", .put = put_conv},
    {&elbo_op_conv_transpose2d, .name = "ConvTranspose", .put = put_conv},
    {&elbo_op_batch_norm1d, .name = "BatchNormalization", .put = put_batch_norm},
    {&elbo_op_batch_norm2d, .name = "BatchNormalization", .put = put_batch_norm},
    {&elbo_op_layer_norm, .name = "LayerNormalization", .put = put_layer_norm},
    {&elbo_op_max_pool2d, .name = "MaxPool", .put = put_pool},
    {&elbo_op_avg_pool2d, .name = "AveragePool", .put = put_pool},
    {&elbo_op_upsample, .name = "Resize", .put = put_upsample},
    {&elbo_op_add, .name = "Add", .put = put_add},
    {&elbo_op_concat, .name = "Concat", .put = put_concat},
    {&elbo_op_relu, .name = "Relu", .put = put_nothing},
    {&elbo_op_leaky_relu, .name = "LeakyRelu", .put = put_leaky_relu},
    {&elbo_op_tanh, .name = "Tanh", .put = put_nothing},
    {&elbo_op_sigmoid, .name = "Sigmoid", .put = put_nothing},
    {&elbo_op_dropout, .name = "Identity", .put = put_nothing},
    {&elbo_op_flatten, .put_all = put_view},
    {&elbo_op_unflatten, .put_all = put_view},
    {&elbo_op_silu, .put_all = put_gate},
    {&elbo_op_gelu, .put_all = put_gate},
    {&elbo_op_group_norm, .put_all = put_group_norm},
    {&elbo_op_self_attention, .put_all = put_self_attention},
};

elbo_status elbo_onnx_layer(elbo_onnx_writer *w, int i, elbo_error *err) {
    const elbo_node *n = &w->graph->node[i];
    char from[24], to[24];
    if (elbo_half_is_given(w->graph, i)) return ELBO_OK;
    if (n->op == &elbo_op_concat && n->input[1] == w->half.label && n->shape.rank == 3) put_planes(w, n);
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        if (layers[k].op != n->op) continue;
        elbo_onnx_name(w, n->input[0], from);
        elbo_onnx_name(w, i, to);
        if (layers[k].put_all) {
            layers[k].put_all(w, n, from, to);
            return ELBO_OK;
        }
        elbo_onnx_begin(w, layers[k].name, n->name);
        elbo_onnx_input(w, from);
        layers[k].put(w, n);
        elbo_onnx_output(w, to);
        elbo_onnx_end(w);
        return ELBO_OK;
    }
    return elbo_export_refuse(n, "ONNX", err);
}
