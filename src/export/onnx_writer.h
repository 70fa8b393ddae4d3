/* For ONNX: nodes and constants of the graph under way. */
#ifndef ELBO_EXPORT_ONNX_WRITER_H
#define ELBO_EXPORT_ONNX_WRITER_H

#include "export/formats.h"
#include "export/protobuf.h"

/* Fields of onnx.proto3 that both graphs and nodes know: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
enum { ELBO_ONNX_NODE = 1, ELBO_ONNX_NAME = 2, ELBO_ONNX_INITIALIZER = 5, ELBO_ONNX_INPUT = 11, ELBO_ONNX_OUTPUT = 12 };
enum { ELBO_ONNX_FLOAT = 1, ELBO_ONNX_INT64 = 7 };

typedef struct elbo_onnx_writer {
    const elbo_model *model;
    const elbo_graph *graph;
    elbo_half half;
    const char *first;  // what the half's first layer reads: "images", "z" or "code"
    elbo_protobuf *to;  // the graph
    elbo_protobuf node; // the one under way
} elbo_onnx_writer;

/* A node's output: what the half reads, or "v7". */
const char *elbo_onnx_name(const elbo_onnx_writer *w, int node, char text[24]);

/* A node: begin, its inputs, outputs and attributes in any order, end. */
void elbo_onnx_begin(elbo_onnx_writer *w, const char *op, const char *name);
void elbo_onnx_input(elbo_onnx_writer *w, const char *name);
void elbo_onnx_output(elbo_onnx_writer *w, const char *name);
void elbo_onnx_int(elbo_onnx_writer *w, const char *name, int v);
void elbo_onnx_float(elbo_onnx_writer *w, const char *name, double v);
void elbo_onnx_text(elbo_onnx_writer *w, const char *name, const char *v);
void elbo_onnx_list(elbo_onnx_writer *w, const char *name, int count, const int *v); // at most 4
void elbo_onnx_ints(elbo_onnx_writer *w, const char *name, int v,
                    int count); // the same for rows and columns, or all sides
void elbo_onnx_end(elbo_onnx_writer *w);

/* Constants. dim: (rank) */
void elbo_onnx_tensor(elbo_onnx_writer *w, const char *name, int type, const int *dim, int rank, const void *data,
                      size_t bytes);
/* Reads a parameter of this node, of a stacked one all of them as one; nothing where there is none. */
void elbo_onnx_param(elbo_onnx_writer *w, const elbo_node *n, const char *suffix);
/* A Reshape node of (N, shape of any size) to (N, s). */
void elbo_onnx_reshape(elbo_onnx_writer *w, const char *from, const char *to, elbo_shape s);

/* The nodes of a layer (onnx_layers.c). Fails where there are none for it. */
elbo_status elbo_onnx_layer(elbo_onnx_writer *w, int node, elbo_error *err);

#endif
