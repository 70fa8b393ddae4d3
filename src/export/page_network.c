#include "export/page_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "export/formats.h"

typedef struct writer {
    elbo_page_network *to;
    const elbo_model *model;
    const elbo_graph *graph;
} writer;

/* ---- bytes ---- */

static elbo_status put(elbo_page_network *p, const void *bytes, size_t n, elbo_error *err) {
    if (!n) return ELBO_OK; // memcpy may not be given NULL, not even for nothing
    if (p->size + n > p->capacity) {
        size_t capacity = (p->size + n) * 2;
        uint8_t *more = realloc(p->bytes, capacity);
        if (!more) return elbo_no_memory(err);
        p->bytes = more;
        p->capacity = capacity;
    }
    memcpy(p->bytes + p->size, bytes, n);
    p->size += n;
    return ELBO_OK;
}

/* A row in 24 bits: whole numbers times one scale, the row's largest weight by 2^23 - 1. In float16, or 16 bits of this
 * kind, images of an autoencoder were off by 2e-4.  v: (n) */
static float scale_of(const float *v, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(v[i]));
    return most / 8388607;
}

static elbo_status put_matrix(elbo_page_network *p, const float *v, size_t rows, size_t columns, elbo_error *err) {
    int16_t *high = elbo_alloc(rows * columns, sizeof *high);
    uint8_t *low = elbo_alloc(rows * columns, 1);
    elbo_status status = high && low ? ELBO_OK : elbo_no_memory(err);
    for (size_t r = 0; r < rows && status == ELBO_OK; r++) {
        float scale = scale_of(v + r * columns, columns);
        for (size_t i = r * columns; i < (r + 1) * columns; i++) {
            int q = scale > 0 ? (int)lrint((double)v[i] / scale) : 0;
            high[i] = (int16_t)((q - (q & 255)) / 256);
            low[i] = (uint8_t)(q & 255);
        }
        status = put(p, &scale, sizeof scale, err);
    }
    if (status == ELBO_OK) status = put(p, high, rows * columns * sizeof *high, err);
    if (status == ELBO_OK) status = put(p, low, rows * columns, err);
    free(high);
    free(low);
    return status;
}

/* Appends an array and its row of "arrays", whose number it gives. rows 0: as floats.  v: (rows, columns), or (columns) */
static elbo_status put_array(elbo_page_network *p, const float *v, size_t rows, size_t columns, json_t **number,
                             elbo_error *err) {
    static const uint8_t zero[4];
    ELBO_TRY(put(p, zero, -p->size & 3, err)); // floats stand at multiples of four
    json_t *arrays = json_object_get(p->layers, "arrays");
    json_t *row = json_pack("{s:I, s:I, s:I}", "at", (json_int_t)p->size, "rows", (json_int_t)rows, "columns",
                            (json_int_t)columns);
    if (json_array_append_new(arrays, row)) return elbo_no_memory(err);
    *number = json_integer((json_int_t)json_array_size(arrays) - 1);
    if (!*number) return elbo_no_memory(err);
    return rows ? put_matrix(p, v, rows, columns, err) : put(p, v, columns * sizeof *v, err);
}

static elbo_status put_param(writer *w, const elbo_param *param, json_t *numbers, elbo_error *err) {
    json_t *number = json_null();
    size_t rows = param && param->rank > 1 ? (size_t)param->dim[0] : 0;
    if (param)
        ELBO_TRY(put_array(w->to, w->model->network.params + param->offset, rows,
                           rows ? param->count / rows : param->count, &number, err));
    return json_array_append_new(numbers, number) ? elbo_no_memory(err) : ELBO_OK;
}

/* ---- layers ---- */

/* The layers that apps/serve/page/layers.js computes: their parameters, and which of their arguments it reads. */
typedef struct layer_row {
    const elbo_op *op;
    const char *name;
    const char *params[5];
    struct {
        const char *key;
        int value;
    } argument[5];
} layer_row;

#define WEIGHTS                                                                                                        \
    { "weight", "bias", NULL }
#define CONV                                                                                                           \
    {                                                                                                                  \
        {"kernel", ELBO_CONV_KERNEL}, {"stride", ELBO_CONV_STRIDE}, {"padding", ELBO_CONV_PADDING},                    \
            {"dilation", ELBO_CONV_DILATION}, {                                                                        \
            NULL, 0                                                                                                    \
        }                                                                                                              \
    }
#define POOL                                                                                                           \
    {                                                                                                                  \
        {"kernel", ELBO_POOL_KERNEL}, {"stride", ELBO_POOL_STRIDE}, {"padding", ELBO_POOL_PADDING}, { NULL, 0 }        \
    }
#define BATCH_NORM                                                                                                     \
    { "weight", "bias", "running_mean", "running_var", NULL }
static const layer_row layer_rows[] = {
    {&elbo_op_linear, "linear", WEIGHTS, {{NULL, 0}}},
    {&elbo_op_conv2d, "conv2d", WEIGHTS, CONV},
    {&elbo_op_conv_transpose2d, "conv_transpose2d", WEIGHTS, CONV},
    {&elbo_op_batch_norm1d, "batch_norm", BATCH_NORM, {{"eps", ELBO_NORM_EPS}, {NULL, 0}}},
    {&elbo_op_batch_norm2d, "batch_norm", BATCH_NORM, {{"eps", ELBO_NORM_EPS}, {NULL, 0}}},
    {&elbo_op_layer_norm, "layer_norm", WEIGHTS, {{"eps", ELBO_NORM_EPS}, {NULL, 0}}},
    {&elbo_op_group_norm, "group_norm", WEIGHTS, {{"groups", ELBO_GROUP_NORM_GROUPS}, {"eps", ELBO_GROUP_NORM_EPS}}},
    {&elbo_op_max_pool2d, "max_pool2d", {NULL}, POOL},
    {&elbo_op_avg_pool2d, "avg_pool2d", {NULL}, POOL},
    {&elbo_op_upsample, "upsample", {NULL}, {{"scale", ELBO_UPSAMPLE_SCALE}, {"mode", ELBO_UPSAMPLE_MODE}}},
    {&elbo_op_add, "add", {NULL}, {{NULL, 0}}},
    {&elbo_op_concat, "concat", {NULL}, {{NULL, 0}}},
    {&elbo_op_relu, "relu", {NULL}, {{NULL, 0}}},
    {&elbo_op_leaky_relu, "leaky_relu", {NULL}, {{"slope", ELBO_ACTIVATION_SLOPE}, {NULL, 0}}},
    {&elbo_op_tanh, "tanh", {NULL}, {{NULL, 0}}},
    {&elbo_op_sigmoid, "sigmoid", {NULL}, {{NULL, 0}}},
    {&elbo_op_silu, "silu", {NULL}, {{NULL, 0}}},
    {&elbo_op_gelu, "gelu", {NULL}, {{"approximate", ELBO_GELU_APPROXIMATE}, {NULL, 0}}},
    {&elbo_op_dropout, "same", {NULL}, {{NULL, 0}}},
    {&elbo_op_save, "same", {NULL}, {{NULL, 0}}},
    {&elbo_op_flatten, "same", {NULL}, {{NULL, 0}}},
    {&elbo_op_unflatten, "same", {NULL}, {{NULL, 0}}},
};

static const layer_row *row_of(const elbo_node *n) {
    for (size_t i = 0; i < sizeof layer_rows / sizeof *layer_rows; i++)
        if (layer_rows[i].op == n->op) return &layer_rows[i];
    return NULL;
}

static json_t *shape_json(elbo_shape s) {
    json_t *o = json_array();
    for (int i = 0; i < s.rank; i++) json_array_append_new(o, json_integer(s.dim[i]));
    return o;
}

/* The values that a layer reads, by number. */
static json_t *inputs_json(const elbo_half *half, const elbo_node *n) {
    json_t *of = json_array();
    for (int k = 0; k < n->inputs; k++)
        json_array_append_new(of, json_integer(n->input[k] == half->label ? -1 : n->input[k] - half->first));
    return of;
}

static elbo_status put_layer(writer *w, const elbo_half *half, int i, json_t *layers, elbo_error *err) {
    const elbo_node *n = &w->graph->node[i];
    const layer_row *r = elbo_half_is_given(w->graph, i) ? NULL : row_of(n);
    bool is_conv = n->op == &elbo_op_conv2d || n->op == &elbo_op_conv_transpose2d;
    if ((!r && !elbo_half_is_given(w->graph, i)) || (is_conv && !elbo_conv_is_square(n)))
        return elbo_export_refuse(n, "a page", err);
    int parts = n->stacked ? 2 : 1;
    json_t *weights = json_array();
    json_t *layer = json_pack("{s:s, s:o, s:o, s:i, s:o}", "op", r ? r->name : "same", "of", inputs_json(half, n),
                              "shape", shape_json(n->shape), "parts", parts, "weights", weights);
    if (json_array_append_new(layers, layer)) return elbo_no_memory(err);
    for (int k = 0; r && k < parts; k++)
        for (int p = 0; r->params[p]; p++)
            ELBO_TRY(put_param(w, elbo_node_param(w->graph, n, r->params[p], k), weights, err));
    for (int a = 0; r && a < 5 && r->argument[a].key; a++)
        if (json_object_set_new(layer, r->argument[a].key, json_real(n->value[r->argument[a].value])))
            return elbo_no_memory(err);
    return ELBO_OK;
}

static elbo_status put_half(writer *w, bool decoder, elbo_error *err) {
    elbo_half half = elbo_half_of(w->graph, decoder);
    json_t *layers = json_array();
    if (json_object_set_new(w->to->layers, half.name, layers)) return elbo_no_memory(err);
    for (int i = half.first + 1; i <= half.last; i++) ELBO_TRY(put_layer(w, &half, i, layers, err));
    return ELBO_OK;
}

/* ---- what is too much ---- */

/* Products of one image's way through a half. */
static double products(const elbo_graph *g, const elbo_half *half) {
    double all = 0;
    for (int i = half->first + 1; i <= half->last; i++) {
        const elbo_node *n = &g->node[i];
        if (elbo_half_is_given(g, i)) continue;
        double in = (double)elbo_shape_size(g->node[n->input[0]].shape), out = (double)elbo_shape_size(n->shape);
        double area = n->op == &elbo_op_conv2d || n->op == &elbo_op_conv_transpose2d
                          ? n->value[ELBO_CONV_KERNEL] * n->value[ELBO_CONV_KERNEL]
                          : 0;
        if (n->op == &elbo_op_linear) all += in * out;
        if (n->op == &elbo_op_conv2d) all += out * g->node[n->input[0]].shape.dim[0] * area;
        if (n->op == &elbo_op_conv_transpose2d) all += in * n->shape.dim[0] * area;
    }
    return all;
}

static double weights(const elbo_graph *g, const elbo_half *half) {
    double all = 0;
    for (int i = half->first + 1; i <= half->last; i++)
        for (int k = 0; k < g->node[i].params; k++) all += (double)g->param[g->node[i].first_param + k].count;
    return all;
}

static bool is_too_large(const elbo_graph *g, const elbo_half *half) {
    return products(g, half) > ELBO_PAGE_MOST_PRODUCTS || weights(g, half) > ELBO_PAGE_MOST_WEIGHTS;
}

static bool is_computed(const elbo_graph *g, const elbo_half *half) {
    for (int i = half->first + 1; i <= half->last; i++)
        if (!elbo_half_is_given(g, i) && !row_of(&g->node[i])) return false;
    return true;
}

static elbo_status check(const elbo_model *m, const elbo_half *decoder, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    if (m->observation.is && m->observation.is->mean)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: the mean of p(x|z) is not what the decoder's last layer gives, which is all that a page "
                         "can decode",
                         m->run);
    ELBO_TRY(elbo_model_decodes_alone(m, err));
    if (is_too_large(g, decoder))
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: its decoder has %.1f million weights and multiplies %.0f million times an image; a page that "
            "decodes by itself takes %.0f and %.0f million",
            m->run, weights(g, decoder) / 1e6, products(g, decoder) / 1e6, ELBO_PAGE_MOST_WEIGHTS / 1e6,
            ELBO_PAGE_MOST_PRODUCTS / 1e6);
    return ELBO_OK;
}

elbo_status elbo_page_network_make(elbo_page_network *p, const elbo_model *m, elbo_error *err) {
    *p = (elbo_page_network){.layers = json_object()};
    const elbo_graph *g = &m->network.graph;
    elbo_half decoder = elbo_half_of(g, true), encoder = elbo_half_of(g, false);
    writer w = {.to = p, .model = m, .graph = g};
    elbo_status status =
        p->layers && !json_object_set_new(p->layers, "arrays", json_array()) ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = check(m, &decoder, err);
    if (status == ELBO_OK) status = put_half(&w, true, err);
    bool both = !is_too_large(g, &encoder) && is_computed(g, &encoder);
    if (status == ELBO_OK && both) status = put_half(&w, false, err);
    if (status == ELBO_OK && !both && json_object_set_new(p->layers, "encoder", json_null()))
        status = elbo_no_memory(err);
    if (status != ELBO_OK) elbo_page_network_free(p);
    return status;
}

elbo_status elbo_page_network_add(elbo_page_network *p, const char *name, const float *v, size_t rows, size_t columns,
                                  elbo_error *err) {
    json_t *number;
    ELBO_TRY(put_array(p, v, rows, columns, &number, err));
    return json_object_set_new(p->layers, name, number) ? elbo_no_memory(err) : ELBO_OK;
}

void elbo_page_network_free(elbo_page_network *p) {
    json_decref(p->layers);
    free(p->bytes);
    *p = (elbo_page_network){0};
}
