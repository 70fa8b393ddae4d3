#include "export/onnx_writer.h"

#include <stdio.h>
#include <string.h>

enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_STRING = 3, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };

const char *elbo_onnx_name(const elbo_onnx_writer *w, int node, char text[24]) {
    if (node == w->half.first)
        snprintf(text, 24, "%s", w->first);
    else if (node == w->half.label)
        snprintf(text, 24, "label");
    else
        snprintf(text, 24, "v%d", node);
    return text;
}

/* ---- nodes ---- */

void elbo_onnx_begin(elbo_onnx_writer *w, const char *op, const char *name) {
    w->node = (elbo_protobuf){0};
    elbo_protobuf_text(&w->node, NODE_OP, op);
    elbo_protobuf_text(&w->node, NODE_NAME, name);
}

void elbo_onnx_input(elbo_onnx_writer *w, const char *name) { elbo_protobuf_text(&w->node, NODE_INPUT, name); }
void elbo_onnx_output(elbo_onnx_writer *w, const char *name) { elbo_protobuf_text(&w->node, NODE_OUTPUT, name); }

static void attribute(elbo_onnx_writer *w, const char *name, int type, void (*put)(elbo_protobuf *a, const void *what),
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

void elbo_onnx_int(elbo_onnx_writer *w, const char *name, int v) { attribute(w, name, TYPE_INT, put_int, &v); }
void elbo_onnx_float(elbo_onnx_writer *w, const char *name, double v) {
    attribute(w, name, TYPE_FLOAT, put_float, &(float){(float)v});
}
void elbo_onnx_text(elbo_onnx_writer *w, const char *name, const char *v) {
    attribute(w, name, TYPE_STRING, put_text, v);
}
void elbo_onnx_list(elbo_onnx_writer *w, const char *name, int count, const int *v) {
    ints list = {.count = count};
    memcpy(list.value, v, (size_t)count * sizeof *v);
    attribute(w, name, TYPE_INTS, put_ints, &list);
}
void elbo_onnx_ints(elbo_onnx_writer *w, const char *name, int v, int count) {
    elbo_onnx_list(w, name, count, (int[]){v, v, v, v});
}

void elbo_onnx_end(elbo_onnx_writer *w) { elbo_protobuf_message(w->to, ELBO_ONNX_NODE, &w->node); }

/* ---- constants ---- */

void elbo_onnx_tensor(elbo_onnx_writer *w, const char *name, int type, const int *dim, int rank, const void *data,
                      size_t bytes) {
    elbo_protobuf t = {0};
    for (int i = 0; i < rank; i++) elbo_protobuf_number(&t, TENSOR_DIMS, (uint64_t)dim[i]);
    elbo_protobuf_number(&t, TENSOR_TYPE, (uint64_t)type);
    elbo_protobuf_text(&t, TENSOR_NAME, name);
    elbo_protobuf_bytes(&t, TENSOR_RAW, data, bytes);
    elbo_protobuf_message(w->to, ELBO_ONNX_INITIALIZER, &t);
}

/* Reads a parameter of this node, of a stacked one all of them as one. */
void elbo_onnx_param(elbo_onnx_writer *w, const elbo_node *n, const char *suffix) {
    const elbo_param *p = elbo_node_param(w->graph, n, suffix, 0);
    if (!p) return;
    int dim[ELBO_PARAM_MAX_DIMS];
    memcpy(dim, p->dim, sizeof dim);
    size_t count = p->count;
    if (n->stacked) { // they lie one behind the other
        dim[0] *= 2;
        count *= 2;
    }
    elbo_onnx_tensor(w, p->name, ELBO_ONNX_FLOAT, dim, p->rank, w->model->network.params + p->offset,
                     count * sizeof(float));
    elbo_onnx_input(w, p->name);
}

void elbo_onnx_reshape(elbo_onnx_writer *w, const char *from, const char *to, elbo_shape s) {
    int64_t shape[4] = {-1};
    char name[64];
    int rank = s.rank + 1;
    for (int i = 0; i < s.rank; i++) shape[i + 1] = s.dim[i];
    snprintf(name, sizeof name, "%s.shape", to);
    elbo_onnx_tensor(w, name, ELBO_ONNX_INT64, &rank, 1, shape, (size_t)rank * sizeof *shape);
    elbo_onnx_begin(w, "Reshape", to);
    elbo_onnx_input(w, from);
    elbo_onnx_input(w, name);
    elbo_onnx_output(w, to);
    elbo_onnx_end(w);
}
