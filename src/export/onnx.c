/* Two ONNX graphs, opset 17: images to codes and codes to images, of any batch. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "export/formats.h"
#include "export/protobuf.h"

enum { OPSET = 17, IR_VERSION = 8 };
/* Fields of onnx.proto3: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_STRING = 3, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { DATA_FLOAT = 1, DATA_INT64 = 7 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_PARAM = 2 };

typedef struct writer {
    const elbo_model *model;
    const elbo_graph *graph;
    elbo_half half;
    const char *first;  // what the half's first layer reads: "images", "z" or "code"
    elbo_protobuf *to;  // the graph
    elbo_protobuf node; // the one under way
} writer;

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

/* A node's output: what the half reads, or "v7". */
static const char *name_of(const writer *w, int node, char text[24]) {
    if (node == w->half.first)
        snprintf(text, 24, "%s", w->first);
    else if (node == w->half.label)
        snprintf(text, 24, "label");
    else
        snprintf(text, 24, "v%d", node);
    return text;
}

/* ---- nodes ---- */

static void begin(writer *w, const char *op, const char *name) {
    w->node = (elbo_protobuf){0};
    elbo_protobuf_text(&w->node, NODE_OP, op);
    elbo_protobuf_text(&w->node, NODE_NAME, name);
}

static void input(writer *w, const char *name) { elbo_protobuf_text(&w->node, NODE_INPUT, name); }
static void output(writer *w, const char *name) { elbo_protobuf_text(&w->node, NODE_OUTPUT, name); }

static void attribute(writer *w, const char *name, int type, void (*put)(elbo_protobuf *a, const void *what),
                      const void *what) {
    elbo_protobuf a = {0};
    elbo_protobuf_text(&a, ATTRIBUTE_NAME, name);
    elbo_protobuf_number(&a, ATTRIBUTE_TYPE, (uint64_t)type);
    put(&a, what);
    elbo_protobuf_message(&w->node, NODE_ATTRIBUTE, &a);
}

static void put_int(elbo_protobuf *a, const void *v) {
    elbo_protobuf_number(a, ATTRIBUTE_I, (uint64_t) * (const int *)v);
}
static void put_float(elbo_protobuf *a, const void *v) { elbo_protobuf_float(a, ATTRIBUTE_F, *(const float *)v); }
static void put_text(elbo_protobuf *a, const void *v) { elbo_protobuf_text(a, ATTRIBUTE_S, v); }

typedef struct ints {
    int count, value[4];
} ints;
static void put_ints(elbo_protobuf *a, const void *v) {
    const ints *list = v;
    for (int i = 0; i < list->count; i++) elbo_protobuf_number(a, ATTRIBUTE_INTS, (uint64_t)list->value[i]);
}

static void with_int(writer *w, const char *name, int v) { attribute(w, name, TYPE_INT, put_int, &v); }
static void with_float(writer *w, const char *name, double v) {
    attribute(w, name, TYPE_FLOAT, put_float, &(float){(float)v});
}
static void with_text(writer *w, const char *name, const char *v) { attribute(w, name, TYPE_STRING, put_text, v); }
/* The same for rows and columns, or for all four sides. */
static void with_ints(writer *w, const char *name, int v, int count) {
    attribute(w, name, TYPE_INTS, put_ints, &(ints){count, {v, v, v, v}});
}

static void end(writer *w) { elbo_protobuf_message(w->to, GRAPH_NODE, &w->node); }

/* ---- constants ---- */

static void put_tensor(writer *w, const char *name, int type, const int *dim, int rank, const void *data,
                       size_t bytes) {
    elbo_protobuf t = {0};
    for (int i = 0; i < rank; i++) elbo_protobuf_number(&t, TENSOR_DIMS, (uint64_t)dim[i]);
    elbo_protobuf_number(&t, TENSOR_TYPE, (uint64_t)type);
    elbo_protobuf_text(&t, TENSOR_NAME, name);
    elbo_protobuf_bytes(&t, TENSOR_RAW, data, bytes);
    elbo_protobuf_message(w->to, GRAPH_INITIALIZER, &t);
}

/* Reads a parameter of this node, of a stacked one all of them as one. */
static void input_param(writer *w, const elbo_node *n, const char *suffix) {
    const elbo_param *p = elbo_node_param(w->graph, n, suffix, 0);
    if (!p) return;
    int dim[ELBO_PARAM_MAX_DIMS];
    memcpy(dim, p->dim, sizeof dim);
    size_t count = p->count;
    if (n->stacked) { // they lie one behind the other
        dim[0] *= 2;
        count *= 2;
    }
    put_tensor(w, p->name, DATA_FLOAT, dim, p->rank, w->model->network.params + p->offset, count * sizeof(float));
    input(w, p->name);
}

/* ---- layers ---- */

static void put_reshape(writer *w, const char *from, const char *to, elbo_shape s) {
    int64_t shape[4] = {-1};
    char name[64];
    int rank = s.rank + 1;
    for (int i = 0; i < s.rank; i++) shape[i + 1] = s.dim[i];
    snprintf(name, sizeof name, "%s.shape", to);
    put_tensor(w, name, DATA_INT64, &rank, 1, shape, (size_t)rank * sizeof *shape);
    begin(w, "Reshape", to);
    input(w, from);
    input(w, name);
    output(w, to);
    end(w);
}

static void put_conv(writer *w, const elbo_node *n) {
    bool transposed = n->op == &elbo_op_conv_transpose2d;
    input_param(w, n, "weight");
    input_param(w, n, "bias");
    with_ints(w, "kernel_shape", value(n, ELBO_CONV_KERNEL), 2);
    with_ints(w, "strides", value(n, ELBO_CONV_STRIDE), 2);
    with_ints(w, "pads", value(n, ELBO_CONV_PADDING), 4);
    with_ints(w, "dilations", value(n, ELBO_CONV_DILATION), 2);
    if (transposed) with_ints(w, "output_padding", value(n, ELBO_CONV_OUTPUT_PADDING), 2);
}

static void put_linear(writer *w, const elbo_node *n) {
    input_param(w, n, "weight");
    input_param(w, n, "bias");
    with_int(w, "transB", 1);
}

static void put_batch_norm(writer *w, const elbo_node *n) {
    static const char *const params[] = {"weight", "bias", "running_mean", "running_var"};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) input_param(w, n, params[i]);
    with_float(w, "epsilon", n->value[ELBO_NORM_EPS]);
}

static void put_layer_norm(writer *w, const elbo_node *n) {
    input_param(w, n, "weight");
    input_param(w, n, "bias");
    with_int(w, "axis", 1);
    with_float(w, "epsilon", n->value[ELBO_NORM_EPS]);
}

static void put_pool(writer *w, const elbo_node *n) {
    with_ints(w, "kernel_shape", value(n, ELBO_POOL_KERNEL), 2);
    with_ints(w, "strides", value(n, ELBO_POOL_STRIDE), 2);
    with_ints(w, "pads", value(n, ELBO_POOL_PADDING), 4);
    if (n->op == &elbo_op_avg_pool2d) with_int(w, "count_include_pad", 1);
}

static void put_upsample(writer *w, const elbo_node *n) {
    bool bilinear = value(n, ELBO_UPSAMPLE_MODE) == ELBO_UPSAMPLE_BILINEAR;
    float scale = (float)value(n, ELBO_UPSAMPLE_SCALE), scales[] = {1, 1, scale, scale};
    char name[80];
    snprintf(name, sizeof name, "%.60s.scales", n->name);
    put_tensor(w, name, DATA_FLOAT, (int[]){4}, 1, scales, sizeof scales);
    input(w, ""); // no region
    input(w, name);
    with_text(w, "mode", bilinear ? "linear" : "nearest");
    with_text(w, "coordinate_transformation_mode", bilinear ? "half_pixel" : "asymmetric");
    if (!bilinear) with_text(w, "nearest_mode", "floor");
}

static void put_leaky_relu(writer *w, const elbo_node *n) { with_float(w, "alpha", n->value[ELBO_ACTIVATION_SLOPE]); }

/* The class as planes, for channels: (N, classes) tiled to the layer's height and width. */
static const char *planes_of(const elbo_node *n, char text[24]) {
    snprintf(text, 24, "%.17s.label", n->name);
    return text;
}

static void put_planes(writer *w, const elbo_node *n) {
    char name[24], one[48], times[48]; // names of this layer's own
    int rank = 4;
    snprintf(one, sizeof one, "%.20s.of.%.20s", planes_of(n, name), n->name);
    snprintf(times, sizeof times, "%.30s.repeats", n->name);
    put_reshape(w, "label", one, (elbo_shape){3, {w->graph->classes, 1, 1}});
    put_tensor(w, times, DATA_INT64, &rank, 1, (int64_t[]){1, 1, n->shape.dim[1], n->shape.dim[2]},
               4 * sizeof(int64_t));
    begin(w, "Tile", times);
    input(w, one);
    input(w, times);
    output(w, name);
    end(w);
}

static void put_add(writer *w, const elbo_node *n) {
    char name[24];
    input(w, name_of(w, n->input[1], name));
}

static void put_concat(writer *w, const elbo_node *n) {
    char name[24];
    if (n->input[1] == w->half.label && n->shape.rank == 3)
        planes_of(n, name);
    else
        name_of(w, n->input[1], name);
    input(w, name);
    with_int(w, "axis", 1);
}

static void put_nothing(writer *w, const elbo_node *n) { (void)w, (void)n; }

static const struct {
    const elbo_op *op;
    const char *name;
    void (*put)(writer *w, const elbo_node *n); // what its ONNX node has beside the first input and the output
} layers[] = {
    {&elbo_op_linear, "Gemm", put_linear},
    {&elbo_op_conv2d, "Conv", put_conv},
    {&elbo_op_conv_transpose2d, "ConvTranspose", put_conv},
    {&elbo_op_batch_norm1d, "BatchNormalization", put_batch_norm},
    {&elbo_op_batch_norm2d, "BatchNormalization", put_batch_norm},
    {&elbo_op_layer_norm, "LayerNormalization", put_layer_norm},
    {&elbo_op_max_pool2d, "MaxPool", put_pool},
    {&elbo_op_avg_pool2d, "AveragePool", put_pool},
    {&elbo_op_upsample, "Resize", put_upsample},
    {&elbo_op_add, "Add", put_add},
    {&elbo_op_concat, "Concat", put_concat},
    {&elbo_op_relu, "Relu", put_nothing},
    {&elbo_op_leaky_relu, "LeakyRelu", put_leaky_relu},
    {&elbo_op_tanh, "Tanh", put_nothing},
    {&elbo_op_sigmoid, "Sigmoid", put_nothing},
    {&elbo_op_dropout, "Identity", put_nothing},
    {&elbo_op_flatten, "Reshape", NULL},
    {&elbo_op_unflatten, "Reshape", NULL},
};

static elbo_status put_layer(writer *w, int i, elbo_error *err) {
    const elbo_node *n = &w->graph->node[i];
    char from[24], to[24];
    if (elbo_half_is_given(w->graph, i)) return ELBO_OK;
    if (n->op == &elbo_op_concat && n->input[1] == w->half.label && n->shape.rank == 3) put_planes(w, n);
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        if (layers[k].op != n->op) continue;
        name_of(w, n->input[0], from);
        name_of(w, i, to);
        if (!layers[k].put) {
            put_reshape(w, from, to, n->shape);
            return ELBO_OK;
        }
        begin(w, layers[k].name, n->name);
        input(w, from);
        layers[k].put(w, n);
        output(w, to);
        end(w);
        return ELBO_OK;
    }
    return elbo_export_refuse(n, "ONNX", err);
}

/* ---- graphs ---- */

/* What a graph takes or gives: (N, shape) float32. */
static void put_value(writer *w, int field, const char *name, elbo_shape s) {
    elbo_protobuf batch = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    elbo_protobuf_text(&batch, DIM_PARAM, "N");
    elbo_protobuf_message(&shape, SHAPE_DIM, &batch);
    for (int i = 0; i < s.rank; i++) {
        elbo_protobuf dim = {0};
        elbo_protobuf_number(&dim, DIM_VALUE, (uint64_t)s.dim[i]);
        elbo_protobuf_message(&shape, SHAPE_DIM, &dim);
    }
    elbo_protobuf_number(&tensor, TENSOR_ELEMENT, DATA_FLOAT);
    elbo_protobuf_message(&tensor, TENSOR_SHAPE, &shape);
    elbo_protobuf_message(&type, TYPE_TENSOR, &tensor);
    elbo_protobuf_text(&info, VALUE_NAME, name);
    elbo_protobuf_message(&info, VALUE_TYPE, &type);
    elbo_protobuf_message(w->to, field, &info);
}

/* mu, and logvar of a VAE, from the head that computes both: (N, latent) each. */
static void put_code(writer *w) {
    const elbo_graph *g = w->graph;
    elbo_shape flat = {1, {(int)elbo_shape_size(g->node[g->at.code].shape)}}, code = {1, {g->latent}};
    char last[24];
    put_reshape(w, name_of(w, g->at.code, last), g->kind == ELBO_VAE ? "mu_logvar" : "z", flat);
    put_value(w, GRAPH_OUTPUT, g->kind == ELBO_VAE ? "mu" : "z", code);
    if (g->kind != ELBO_VAE) return;
    put_value(w, GRAPH_OUTPUT, "logvar", code);
    int64_t parts[] = {g->latent, g->latent};
    put_tensor(w, "parts", DATA_INT64, (int[]){2}, 1, parts, sizeof parts);
    begin(w, "Split", "split");
    input(w, "mu_logvar");
    input(w, "parts");
    output(w, "mu");
    output(w, "logvar");
    with_int(w, "axis", 1);
    end(w);
}

/* What the decoder reads besides the code, given by the encoder under these names. */
static void put_skips(writer *w, bool decoder) {
    const elbo_graph *g = w->graph;
    char name[24];
    for (int i = 0; i < g->skips; i++)
        put_value(w, decoder ? GRAPH_INPUT : GRAPH_OUTPUT, name_of(w, g->skip[i], name), g->node[g->skip[i]].shape);
}

static elbo_status put_graph(writer *w, bool decoder, elbo_error *err) {
    const elbo_graph *g = w->graph;
    elbo_shape image = g->node[g->at.input].shape;
    char last[24];
    elbo_protobuf_text(w->to, GRAPH_NAME, w->half.name);
    put_value(w, GRAPH_INPUT, decoder ? "z" : "images", decoder ? (elbo_shape){1, {g->latent}} : image);
    if (w->half.label >= 0) put_value(w, GRAPH_INPUT, "label", (elbo_shape){1, {g->classes}});
    put_skips(w, decoder);
    w->first = decoder ? "z" : "images";
    if (decoder && g->code_shape.rank == 3) { // a code of channels x height x width
        put_reshape(w, "z", "code", g->code_shape);
        w->first = "code";
    }
    for (int i = w->half.first + 1; i <= w->half.last; i++) ELBO_TRY(put_layer(w, i, err));
    if (!decoder) {
        put_code(w);
        return ELBO_OK;
    }
    put_reshape(w, name_of(w, w->half.last, last), "images", image);
    put_value(w, GRAPH_OUTPUT, "images", image);
    return ELBO_OK;
}

static elbo_status write_model(const elbo_model *m, bool decoder, const char *path, elbo_error *err) {
    elbo_protobuf graph = {0}, opset = {0}, model = {0};
    writer w = {.model = m, .graph = &m->network.graph, .half = elbo_half_of(&m->network.graph, decoder), .to = &graph};
    elbo_status status = put_graph(&w, decoder, err);
    elbo_protobuf_number(&model, MODEL_IR, IR_VERSION);
    elbo_protobuf_text(&model, MODEL_PRODUCER, "elbo");
    elbo_protobuf_text(&model, MODEL_PRODUCER_VERSION, ELBO_VERSION);
    elbo_protobuf_number(&opset, OPSET_VERSION, OPSET);
    elbo_protobuf_message(&model, MODEL_OPSET, &opset);
    elbo_protobuf_message(&model, MODEL_GRAPH, &graph);
    if (status == ELBO_OK && model.failed) status = elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_file_write(path, model.bytes, model.size, err);
    free(model.bytes);
    return status;
}

elbo_status elbo_export_onnx(const elbo_model *m, const elbo_export_files *f, elbo_error *err) {
    ELBO_TRY(write_model(m, false, f->path[0], err));
    return write_model(m, true, f->path[1], err);
}
