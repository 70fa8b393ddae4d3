/* Two ONNX graphs, opset 17: images to codes and codes to images, of any batch. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "export/onnx_writer.h"

enum { OPSET = 17, IR_VERSION = 8 };
/* Fields of onnx.proto3, as in onnx_writer.h. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_VERSION = 2 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_PARAM = 2 };

/* What a graph takes or gives: (N, shape) float32. */
static void put_value(elbo_onnx_writer *w, int field, const char *name, elbo_shape s) {
    elbo_protobuf batch = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    elbo_protobuf_text(&batch, DIM_PARAM, "N");
    elbo_protobuf_message(&shape, SHAPE_DIM, &batch);
    for (int i = 0; i < s.rank; i++) {
        elbo_protobuf dim = {0};
        elbo_protobuf_number(&dim, DIM_VALUE, (uint64_t)s.dim[i]);
        elbo_protobuf_message(&shape, SHAPE_DIM, &dim);
    }
    elbo_protobuf_number(&tensor, TENSOR_ELEMENT, ELBO_ONNX_FLOAT);
    elbo_protobuf_message(&tensor, TENSOR_SHAPE, &shape);
    elbo_protobuf_message(&type, TYPE_TENSOR, &tensor);
    elbo_protobuf_text(&info, VALUE_NAME, name);
    elbo_protobuf_message(&info, VALUE_TYPE, &type);
    elbo_protobuf_message(w->to, field, &info);
}

/* mu, and logvar of a VAE, from the head that computes both: (N, latent) each. */
static void put_code(elbo_onnx_writer *w) {
    const elbo_graph *g = w->graph;
    elbo_shape flat = {1, {(int)elbo_shape_size(g->node[g->at.code].shape)}}, code = {1, {g->latent}};
    char last[24];
    elbo_onnx_reshape(w, elbo_onnx_name(w, g->at.code, last), g->kind == ELBO_VAE ? "mu_logvar" : "z", flat);
    put_value(w, ELBO_ONNX_OUTPUT, g->kind == ELBO_VAE ? "mu" : "z", code);
    if (g->kind != ELBO_VAE) return;
    put_value(w, ELBO_ONNX_OUTPUT, "logvar", code);
    int64_t parts[] = {g->latent, g->latent};
    elbo_onnx_tensor(w, "parts", ELBO_ONNX_INT64, (int[]){2}, 1, parts, sizeof parts);
    elbo_onnx_begin(w, "Split", "split");
    elbo_onnx_input(w, "mu_logvar");
    elbo_onnx_input(w, "parts");
    elbo_onnx_output(w, "mu");
    elbo_onnx_output(w, "logvar");
    elbo_onnx_int(w, "axis", 1);
    elbo_onnx_end(w);
}

/* What the decoder reads besides the code, given by the encoder under these names. */
static void put_skips(elbo_onnx_writer *w, bool decoder) {
    const elbo_graph *g = w->graph;
    char name[24];
    for (int i = 0; i < g->skips; i++)
        put_value(w, decoder ? ELBO_ONNX_INPUT : ELBO_ONNX_OUTPUT, elbo_onnx_name(w, g->skip[i], name),
                  g->node[g->skip[i]].shape);
}

static elbo_status put_graph(elbo_onnx_writer *w, bool decoder, elbo_error *err) {
    const elbo_graph *g = w->graph;
    elbo_shape image = g->node[g->at.input].shape;
    char last[24];
    elbo_protobuf_text(w->to, ELBO_ONNX_NAME, w->half.name);
    put_value(w, ELBO_ONNX_INPUT, decoder ? "z" : "images", decoder ? (elbo_shape){1, {g->latent}} : image);
    if (w->half.label >= 0) put_value(w, ELBO_ONNX_INPUT, "label", (elbo_shape){1, {g->classes}});
    put_skips(w, decoder);
    w->first = decoder ? "z" : "images";
    if (decoder && g->code_shape.rank == 3) { // a code of channels x height x width
        elbo_onnx_reshape(w, "z", "code", g->code_shape);
        w->first = "code";
    }
    for (int i = w->half.first + 1; i <= w->half.last; i++) ELBO_TRY(elbo_onnx_layer(w, i, err));
    if (!decoder) {
        put_code(w);
        return ELBO_OK;
    }
    elbo_onnx_reshape(w, elbo_onnx_name(w, w->half.last, last), "images", image);
    put_value(w, ELBO_ONNX_OUTPUT, "images", image);
    return ELBO_OK;
}

static elbo_status write_model(const elbo_model *m, bool decoder, const char *path, elbo_error *err) {
    elbo_protobuf graph = {0}, opset = {0}, model = {0};
    elbo_onnx_writer w = {
        .model = m, .graph = &m->network.graph, .half = elbo_half_of(&m->network.graph, decoder), .to = &graph};
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
