/* One C17 file without dependencies: weights as constants, a function for each kind of layer that the model has, encode
 * and decode for one image. Plain loops: a small model in a small program, not a fast one. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "export/c_layers.h"
#include "export/formats.h"
#include "nn/losses/loss.h"

#define LABEL ", const float *label"

typedef struct writer {
    const elbo_model *model;
    const elbo_graph *graph;
    FILE *out;
    int *slot;         // (graph->count): which piece of `work` holds a node's output; -1: the caller's array
    size_t *slot_size; // (graph->count) floats of each piece
    int slots;
    bool used[ELBO_C_LAYERS];
} writer;

static elbo_shape input_of(const elbo_graph *g, const elbo_node *n, int k) { return g->node[n->input[k]].shape; }
static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

/* ---- where outputs lie ---- */

static int last_reader(const elbo_graph *g, const elbo_half *half, int node) {
    int last = node;
    for (int i = node + 1; i <= half->last; i++)
        for (int k = 0; k < g->node[i].inputs; k++)
            if (g->node[i].input[k] == node) last = i;
    return last;
}

/* Views lie where their input does; an output takes the first piece that nobody reads any more. */
static void place(writer *w, const elbo_half *half) {
    const elbo_graph *g = w->graph;
    int until[ELBO_C_MOST_SLOTS] = {0}; // the last node that reads what a piece holds
    w->slot[half->first] = -1;
    for (int i = half->first + 1; i <= half->last; i++) {
        const elbo_node *n = &g->node[i];
        if (elbo_half_is_given(g, i)) continue;
        int last = last_reader(g, half, i);
        if (n->op->view || n->op == &elbo_op_dropout) {
            int s = w->slot[i] = w->slot[n->input[0]];
            if (s >= 0 && until[s] < last) until[s] = last;
            continue;
        }
        int s = 0;
        while (s < w->slots && until[s] >= i) s++;
        if (s == w->slots) w->slot_size[w->slots++] = 0;
        size_t size = elbo_shape_size(n->shape) + elbo_c_scratch(n);
        if (w->slot_size[s] < size) w->slot_size[s] = size;
        w->slot[i] = s;
        until[s] = last;
    }
}

static size_t offset_of(const writer *w, int node) {
    size_t at = 0;
    for (int s = 0; s < w->slot[node]; s++) at += w->slot_size[s];
    return at;
}

/* "work + 784", or the function's own array; `more` floats behind its beginning. */
static const char *array_of(const writer *w, const elbo_half *half, int node, size_t more, char text[48]) {
    if (node == half->label) {
        snprintf(text, 48, "label");
        return text;
    }
    if (w->slot[node] < 0) {
        snprintf(text, 48, "%s", !strcmp(half->name, "encoder") ? "image" : "z");
        return text;
    }
    size_t offset = offset_of(w, node) + more;
    if (offset)
        snprintf(text, 48, "work + %zu", offset);
    else
        snprintf(text, 48, "work");
    return text;
}

/* ---- weights ---- */

/* "encoder.1.weight" -> "encoder_1_weight" */
static const char *c_name(const char *name, char out[ELBO_IDENTIFIER]) { return elbo_identifier(name, out); }

/* With all its digits; %g of 1 is "1", and 1f is no number. */
static void put_float(const writer *w, double v) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", v);
    fprintf(w->out, "%s%sf", text, strpbrk(text, ".e") ? "" : ".0");
}

static void put_array(const writer *w, const elbo_param *p) {
    char name[ELBO_IDENTIFIER];
    const float *v = w->model->network.params + p->offset;
    fprintf(w->out, "static const float %s[%zu] = {", c_name(p->name, name), p->count);
    for (size_t i = 0; i < p->count; i++) {
        fputs(i % 8 ? " " : "\n    ", w->out);
        put_float(w, v[i]);
        fputc(',', w->out);
    }
    fputs("\n};\n", w->out);
}

static void put_weights(const writer *w) {
    const elbo_node *loss = elbo_loss_scaled(w->graph); // whose scale no image needs
    for (int i = 0; i < w->graph->params; i++)
        if (!loss || !loss->params || i != loss->first_param) put_array(w, &w->graph->param[i]);
    fputc('\n', w->out);
}

/* ---- calls ---- */

/* Of rows and columns. */
static void put_sides(const writer *w, const elbo_node *n, int argument) {
    fprintf(w->out, ", (const int[2]){%d, %d}", elbo_conv_value(n, argument, 0), elbo_conv_value(n, argument, 1));
}

static void put_shape(const writer *w, elbo_shape s) {
    fprintf(w->out, ", (int[]){%d, %d, %d}", s.dim[0], s.dim[1], s.dim[2]);
}

/* ", encoder_1_weight"; ", NULL" where the node has none of the name. */
static void put_param(const writer *w, const elbo_node *n, const char *suffix, int which) {
    const elbo_param *p = elbo_node_param(w->graph, n, suffix, which);
    char name[ELBO_IDENTIFIER];
    fprintf(w->out, ", %s", p ? c_name(p->name, name) : "NULL");
}

/* The class behind channels is a function of its own. */
static elbo_c_layer layer_of(const elbo_graph *g, const elbo_node *n) {
    bool planes = n->op == &elbo_op_concat && n->shape.rank == 3 && n->input[1] == g->at.label;
    return planes ? ELBO_C_PLANES : elbo_c_layer_of(n);
}

static void put_params(const writer *w, const elbo_node *n, elbo_c_layer layer, int which) {
    static const char *const batch[] = {"weight", "bias", "running_mean", "running_var", NULL},
                             *const attention[] = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias",
                                                   NULL},
                             *const affine[] = {"weight", "bias", NULL}, *const none[] = {NULL};
    const char *const *names = layer == ELBO_C_BATCH_NORM   ? batch
                               : layer == ELBO_C_ATTENTION  ? attention
                               : layer <= ELBO_C_GROUP_NORM ? affine
                                                            : none;
    for (; *names; names++) put_param(w, n, *names, which);
}

/* What a layer's function takes besides y and x. */
static void put_arguments(writer *w, const elbo_half *half, const elbo_node *n, elbo_c_layer layer, int which) {
    const elbo_graph *g = w->graph;
    elbo_shape in = input_of(g, n, 0), out = n->shape;
    size_t values = elbo_shape_size(out);
    char second[48];
    put_params(w, n, layer, which);
    if (n->stacked) out.dim[0] /= 2;
    switch (layer) {
    case ELBO_C_LINEAR: fprintf(w->out, ", %d, %d", in.dim[0], out.dim[0]); return;
    case ELBO_C_CONV:
    case ELBO_C_CONV_TRANSPOSE:
        put_shape(w, in);
        put_shape(w, out);
        put_sides(w, n, ELBO_CONV_KERNEL);
        put_sides(w, n, ELBO_CONV_STRIDE);
        put_sides(w, n, ELBO_CONV_PADDING);
        put_sides(w, n, ELBO_CONV_DILATION);
        return;
    case ELBO_C_BATCH_NORM:
        fprintf(w->out, ", %d, %zu, ", out.dim[0], values / (size_t)out.dim[0]);
        put_float(w, n->value[ELBO_NORM_EPS]);
        return;
    case ELBO_C_LAYER_NORM: fprintf(w->out, ", %zu, %.9g", values, n->value[ELBO_NORM_EPS]); return;
    case ELBO_C_GROUP_NORM:
        fprintf(w->out, ", %d, %zu, %d, %.9g", out.dim[0], values / (size_t)out.dim[0],
                value(n, ELBO_GROUP_NORM_GROUPS), n->value[ELBO_GROUP_NORM_EPS]);
        return;
    case ELBO_C_ATTENTION:
        fprintf(w->out, ", %d, %zu, %d", out.dim[0], values / (size_t)out.dim[0], value(n, ELBO_ATTENTION_HEADS));
        return;
    case ELBO_C_MAX_POOL:
    case ELBO_C_AVG_POOL:
        put_shape(w, in);
        put_shape(w, out);
        fprintf(w->out, ", %d, %d, %d", value(n, ELBO_POOL_KERNEL), value(n, ELBO_POOL_STRIDE),
                value(n, ELBO_POOL_PADDING));
        return;
    case ELBO_C_NEAREST:
    case ELBO_C_BILINEAR:
        put_shape(w, in);
        fprintf(w->out, ", %d", value(n, ELBO_UPSAMPLE_SCALE));
        return;
    case ELBO_C_ADD: fprintf(w->out, ", %s, %zu", array_of(w, half, n->input[1], 0, second), values); return;
    case ELBO_C_PLANES:
        fprintf(w->out, ", label, %zu, %d, %d", elbo_shape_size(in), g->classes, out.dim[1] * out.dim[2]);
        return;
    case ELBO_C_CONCAT:
        fprintf(w->out, ", %s, %zu, %zu", array_of(w, half, n->input[1], 0, second), elbo_shape_size(in),
                elbo_shape_size(input_of(g, n, 1)));
        return;
    case ELBO_C_LEAKY_RELU:
        fprintf(w->out, ", %zu, ", values);
        put_float(w, n->value[ELBO_ACTIVATION_SLOPE]);
        return;
    default: fprintf(w->out, ", %zu", values); return; // another activation
    }
}

static void put_call(writer *w, const elbo_half *half, int i) {
    const elbo_node *n = &w->graph->node[i];
    elbo_c_layer layer = layer_of(w->graph, n);
    char x[48], y[48];
    if (layer == ELBO_C_NOTHING || elbo_half_is_given(w->graph, i)) return;
    w->used[layer] = true;
    for (int k = 0; k < (n->stacked ? 2 : 1); k++) { // mu, and logvar behind it
        size_t more = k ? elbo_shape_size(n->shape) / 2 : 0;
        fprintf(w->out, "    %s(%s, %s", elbo_c_function(layer), array_of(w, half, i, more, y),
                array_of(w, half, n->input[0], 0, x));
        put_arguments(w, half, n, layer, k);
        fputs(");\n", w->out);
    }
}

static void put_half(writer *w, const elbo_half *half, FILE *body) {
    const elbo_graph *g = w->graph;
    FILE *file = w->out;
    w->out = body;
    bool encoder = !strcmp(half->name, "encoder"), vae = g->kind == ELBO_VAE;
    char name[ELBO_IDENTIFIER], last[48], second[48];
    const char *label = half->label >= 0 ? LABEL : "";
    elbo_identifier(w->model->recipe.name, name);
    if (encoder)
        fprintf(body, "void %s_encode(const float *image%s, float *%s, float *work) {\n", name, label,
                vae ? "mu, float *logvar" : "z");
    else
        fprintf(body, "void %s_decode(const float *z%s, float *image, float *work) {\n", name, label);
    place(w, half);
    for (int i = half->first + 1; i <= half->last; i++) put_call(w, half, i);
    array_of(w, half, half->last, 0, last);
    if (encoder && vae)
        fprintf(body,
                "    memcpy(mu, %s, %d * sizeof *mu);\n    if (logvar) memcpy(logvar, %s, %d * sizeof *logvar);\n",
                last, g->latent, array_of(w, half, half->last, (size_t)g->latent, second), g->latent);
    else
        fprintf(body, "    memcpy(%s, %s, %zu * sizeof *%s);\n", encoder ? "z" : "image", last,
                elbo_shape_size(g->node[half->last].shape), encoder ? "z" : "image");
    fputs("}\n", body);
    if (encoder) fputc('\n', body);
    w->out = file;
}

static void put_header(const writer *w, const char *path) {
    const elbo_graph *g = w->graph;
    const elbo_recipe *r = &w->model->recipe;
    char name[ELBO_IDENTIFIER], stem[ELBO_IDENTIFIER];
    bool vae = g->kind == ELBO_VAE;
    char classes[80] = "";
    elbo_identifier(r->name, name);
    if (g->at.label >= 0)
        snprintf(classes, sizeof classes, " * `label` is one of %d classes, one-hot.\n *\n", g->classes);
    fprintf(
        w->out,
        "/* %s, trained and exported by elbo %s. C17, no dependencies but libm: cc -O3 -c %s.c\n *\n"
        " * Images are (%d, %d, %d) from %g to %g, row-major, one a call; codes %d numbers. `work` is the caller's\n"
        " * memory for one call, %s_WORK floats: calls with memory of their own may run at once.\n *\n"
        "%s"
        " *     void %s_encode(const float *image%s, float *%s, float *work);%s\n"
        " *     void %s_decode(const float *z%s, float *image, float *work); */\n"
        "#include <math.h>\n#include <stddef.h>\n#include <string.h>\n\n",
        name, ELBO_VERSION, elbo_stem(path, stem), g->image.channels, g->image.height, g->image.width,
        (double)r->image.low, (double)r->image.high, g->latent, name, classes, name,
        g->encoder_reads_label ? LABEL : "", vae ? "mu, float *logvar" : "z", vae ? " // logvar may be NULL" : "", name,
        g->decoder_reads_label ? LABEL : "");
}

static elbo_status write_file(writer *w, const char *path, elbo_error *err) {
    elbo_half encoder = elbo_half_of(w->graph, false), decoder = elbo_half_of(w->graph, true);
    char *body = NULL, name[ELBO_IDENTIFIER];
    size_t size = 0;
    FILE *text = open_memstream(&body, &size); // the calls, which say what functions there must be
    if (!text) return elbo_no_memory(err);
    put_half(w, &encoder, text);
    put_half(w, &decoder, text);
    if (fclose(text) != 0 || !body) {
        free(body);
        return elbo_no_memory(err);
    }
    elbo_writer file;
    elbo_status status = elbo_writer_open(&file, path, err);
    if (status == ELBO_OK) {
        w->out = file.stream;
        size_t work = 0;
        for (int s = 0; s < w->slots; s++) work += w->slot_size[s];
        put_header(w, path);
        elbo_identifier(w->model->recipe.name, name);
        fprintf(w->out, "enum { %s_LATENT = %d, %s_IMAGE = %zu, %s_WORK = %zu };\n\n", name, w->graph->latent, name,
                elbo_image_size(w->graph->image), name, work);
        put_weights(w);
        for (int i = 0; i < ELBO_C_LAYERS; i++)
            if (w->used[i]) fprintf(w->out, "%s\n", elbo_c_text((elbo_c_layer)i));
        fputs(body, w->out);
        status = elbo_writer_commit(&file, err);
    }
    free(body);
    return status;
}

static elbo_status check(const elbo_graph *g, elbo_error *err) {
    if (g->skips)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "the decoder reads what the encoder saved; such a model is exported to pytorch or onnx");
    for (int i = g->at.input + 1; i <= g->at.output; i++) {
        const elbo_node *n = &g->node[i];
        if (n->op != &elbo_op_sample && !elbo_half_is_given(g, i) && layer_of(g, n) == ELBO_C_LAYERS)
            return elbo_export_refuse(n, "C", err);
    }
    return ELBO_OK;
}

elbo_status elbo_export_c(const elbo_model *m, const elbo_export_files *f, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    ELBO_TRY(check(g, err));
    if (g->count > ELBO_C_MOST_SLOTS)
        return elbo_fail(err, ELBO_BAD_INPUT, "%d layers; at most %d are exported to C", g->count, ELBO_C_MOST_SLOTS);
    writer w = {.model = m,
                .graph = g,
                .slot = calloc((size_t)g->count, sizeof *w.slot),
                .slot_size = calloc((size_t)g->count, sizeof *w.slot_size)};
    elbo_status status = w.slot && w.slot_size ? write_file(&w, f->path[0], err) : elbo_no_memory(err);
    free(w.slot);
    free(w.slot_size);
    return status;
}
