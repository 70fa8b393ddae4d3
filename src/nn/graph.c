#include "nn/graph_inputs.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "nn/graph_adversary.h"
#include "nn/graph_output.h"
#include "nn/losses/loss.h"
#include "recipe/latent_terms.h"

/* What one layer may give for one image: a gigabyte. */
static const size_t MOST_VALUES = (size_t)1 << 28;

size_t elbo_shape_size(elbo_shape s) {
    size_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= (size_t)s.dim[i];
    return n;
}

char *elbo_shape_text(elbo_shape s, char text[40]) {
    if (s.rank == 1)
        snprintf(text, 40, "%d", s.dim[0]);
    else
        snprintf(text, 40, "%dx%dx%d", s.dim[0], s.dim[1], s.dim[2]);
    return text;
}

elbo_status elbo_node_fail(const elbo_node *n, elbo_error *err, const char *format, ...) {
    char place[300], message[400];
    elbo_place_text(n->place, place, sizeof place);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s%s", place, message);
}

/* ---- adding nodes and parameters ---- */

elbo_status elbo_graph_new_node(elbo_graph *g, char *name, elbo_node **node, elbo_error *err) {
    *node = NULL;
    if (!name || !elbo_grow(&g->node, (size_t)g->count, &g->capacity, sizeof *g->node)) {
        free(name);
        return elbo_no_memory(err);
    }
    *node = &g->node[g->count++];
    **node = (elbo_node){.name = name, .text = "", .player = g->player};
    return ELBO_OK;
}

static void read_from(elbo_node *n, int input) { n->input[n->inputs++] = input; }

elbo_status elbo_graph_add_input(elbo_graph *g, const char *name, elbo_shape shape, int *at, elbo_error *err) {
    elbo_node *n;
    ELBO_TRY(elbo_graph_new_node(g, strdup(name), &n, err));
    n->op = &elbo_op_input;
    n->shape = shape;
    *at = g->count - 1;
    g->inputs = g->count;
    return ELBO_OK;
}

static elbo_status add_one_param(elbo_graph *g, char *name, int rank, const int *dim, elbo_param like,
                                 elbo_error *err) {
    if (!name || !elbo_grow(&g->param, (size_t)g->params, &g->param_capacity, sizeof *g->param)) {
        free(name);
        return elbo_no_memory(err);
    }
    elbo_param *p = &g->param[g->params++];
    *p = (elbo_param){.name = name,
                      .rank = rank,
                      .bound = like.bound,
                      .start = like.start,
                      .buffer = like.buffer,
                      .player = g->player,
                      .offset = g->param_floats,
                      .count = 1};
    for (int i = 0; i < rank; i++) {
        p->dim[i] = dim[i];
        if (__builtin_mul_overflow(p->count, (size_t)dim[i], &p->count) || p->count > (size_t)1 << 33)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: more than 2^33 numbers; make the layer smaller", name);
    }
    g->param_floats += p->count;
    if (!p->buffer) g->weights += p->count;
    return ELBO_OK;
}

static elbo_status add_like(elbo_graph *g, elbo_node *n, const char *suffix, int rank, const int *dim, elbo_param like,
                            elbo_error *err) {
    static const char *const single[] = {"", NULL};
    const char *const *part = n->stacked ? n->stacked : single;
    int parts = 0;
    while (part[parts]) parts++;
    g->param_floats = (g->param_floats + 15) / 16 * 16; // blocks start on a cache line
    if (n->params == 0) n->first_param = g->params;
    int share[ELBO_PARAM_MAX_DIMS];
    memcpy(share, dim, (size_t)rank * sizeof *dim);
    share[0] /= parts;
    for (int i = 0; i < parts; i++) {
        char *name = elbo_format("%s.%s", n->stacked ? part[i] : n->name, suffix);
        ELBO_TRY(add_one_param(g, name, rank, share, like, err));
        n->params++;
    }
    return ELBO_OK;
}

elbo_status elbo_graph_add_param(elbo_graph *g, elbo_node *n, const char *suffix, int rank, const int *dim, float bound,
                                 elbo_error *err) {
    return add_like(g, n, suffix, rank, dim, (elbo_param){.bound = bound}, err);
}

elbo_status elbo_graph_add_constant(elbo_graph *g, elbo_node *n, const char *suffix, int rank, const int *dim,
                                    float start, bool buffer, elbo_error *err) {
    return add_like(g, n, suffix, rank, dim, (elbo_param){.start = start, .buffer = buffer}, err);
}

static int find_saved(const elbo_graph *g, const char *name) {
    for (int i = 0; i < g->saved_count; i++)
        if (!strcmp(g->saved[i].name, name)) return g->saved[i].node;
    return -1;
}

/* `save NAME` is a name for the activation before it; the last of the list takes no node. */
static elbo_status save(elbo_graph *g, const elbo_node *n, elbo_error *err) {
    if (!strcmp(n->word, "class"))
        return elbo_node_fail(n, err, "%s: `class` is the image's label (`concat class` reads it); use another name",
                              n->text);
    if (find_saved(g, n->word) >= 0) return elbo_node_fail(n, err, "%s: the name is taken; use another", n->text);
    if (g->saved_count == ELBO_MAX_SAVED)
        return elbo_node_fail(n, err, "%s: at most %d are saved", n->text, ELBO_MAX_SAVED);
    g->saved[g->saved_count++] = (elbo_saved){n->word, g->count - 2};
    free(g->node[--g->count].name);
    return ELBO_OK;
}

/* The second input of `add` and `concat`. */
static elbo_status read_saved(elbo_graph *g, elbo_node *n, elbo_error *err) {
    int saved = find_saved(g, n->word);
    if (!strcmp(n->word, "class")) {
        if (n->op != &elbo_op_concat)
            return elbo_node_fail(n, err, "%s: the label can only be appended to features; write `concat class`",
                                  n->text);
        saved = g->at.label;
    }
    if (saved >= 0) {
        read_from(n, saved);
        return ELBO_OK;
    }
    const char *names[ELBO_MAX_SAVED + 1];
    for (int i = 0; i < g->saved_count; i++) names[i] = g->saved[i].name;
    names[g->saved_count] = NULL;
    const char *nearest = elbo_nearest_word(n->word, names);
    if (nearest)
        return elbo_node_fail(n, err, "%s: nothing is saved as `%s`; did you mean `%s`?", n->text, n->word, nearest);
    return elbo_node_fail(n, err, "%s: nothing is saved as `%s`; put `save %s` after an earlier layer", n->text,
                          n->word, n->word);
}

elbo_status elbo_graph_add_layer(elbo_graph *g, const char *prefix, int number, const elbo_layer *layer,
                                 elbo_error *err) {
    elbo_node *n;
    ELBO_TRY(elbo_graph_new_node(g, elbo_format("%s.%d", prefix, number), &n, err));
    n->place = layer->place;
    n->text = layer->text;
    ELBO_TRY(elbo_op_read_layer(n, layer, err));
    if (n->op == &elbo_op_save) return save(g, n, err);
    read_from(n, g->count - 2);
    if (n->op->reads_saved) ELBO_TRY(read_saved(g, n, err));
    ELBO_TRY(n->op->shape(g, n, err));
    char text[40];
    if (elbo_shape_size(n->shape) > MOST_VALUES) // and so no number of features or channels runs over
        return elbo_node_fail(n, err, "%s: gives %s, more than 2^28 values an image; make it smaller", n->text,
                              elbo_shape_text(n->shape, text));
    return ELBO_OK;
}

/* ---- building ---- */

/* "code" for an AE; for a VAE what its posterior takes, "mu" above "logvar": one product computes both. */
static elbo_status new_head(elbo_graph *g, const elbo_recipe *r, elbo_node **n, elbo_error *err) {
    ELBO_TRY(elbo_graph_new_node(g, strdup(g->posterior ? "mu+logvar" : "code"), n, err));
    (*n)->place = r->latent_place;
    (*n)->stacked = g->posterior ? g->posterior->params : NULL;
    return ELBO_OK;
}

/* `head: conv2d kernel=4 stride=2 padding=1`, with the channels that the latent has. Other layers with weights keep
 * their outputs in another dimension than the first, in which mu and logvar are stacked. */
static elbo_status add_conv_head(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    elbo_layer layer = r->head.layer.layer[0];
    elbo_node *n;
    ELBO_TRY(new_head(g, r, &n, err));
    n->place = layer.place;
    n->text = layer.text;
    if (strcmp(layer.name, elbo_op_conv2d.name))
        return elbo_node_fail(n, err, "latent.head: %s; expected a conv2d, such as conv2d kernel=4 stride=2 padding=1",
                              n->text);
    if (layer.argument_count == ELBO_MAX_ARGUMENTS || (layer.argument_count && !layer.arguments[0].key))
        return elbo_node_fail(n, err, "latent.head: %s; its channels are latent.channels: write conv2d kernel=K",
                              n->text);
    char channels[16];
    snprintf(channels, sizeof channels, "%d", r->kind == ELBO_VAE ? 2 * r->head.channels : r->head.channels);
    layer.arguments[layer.argument_count++] = (elbo_argument){.value = channels};
    ELBO_TRY(elbo_op_read_layer(n, &layer, err));
    read_from(n, g->count - 2);
    return n->op->shape(g, n, err);
}

static elbo_status add_head(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    elbo_node *n;
    if (g->node[g->count - 1].shape.rank != 1) { // as tutorials do: x.view(-1, features)
        ELBO_TRY(elbo_graph_new_node(g, strdup("flatten"), &n, err));
        n->op = &elbo_op_flatten;
        n->place = r->latent_place;
        read_from(n, g->count - 2);
        ELBO_TRY(n->op->shape(g, n, err));
    }
    ELBO_TRY(new_head(g, r, &n, err));
    n->op = &elbo_op_linear;
    n->text = "latent";
    n->value[0] = r->kind == ELBO_VAE ? 2.0 * r->latent : r->latent;
    n->value[1] = 1;
    read_from(n, g->count - 2);
    return n->op->shape(g, n, err);
}

static elbo_status add_latent(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    if (r->latent > 0) ELBO_TRY(add_head(g, r, err));
    if (r->head.channels > 0) ELBO_TRY(add_conv_head(g, r, err));
    g->at.code = g->at.latent = g->count - 1;
    if (r->kind == ELBO_VAE) {
        elbo_node *n;
        if (r->latent == 0 && r->head.channels == 0) {
            char place[300];
            elbo_place_text(r->latent_place, place, sizeof place);
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "%slatent: none has no room for mu and logvar; a vae needs a number, as `latent: 20`",
                             place);
        }
        ELBO_TRY(elbo_graph_new_node(g, strdup("sample"), &n, err));
        n->op = &elbo_op_sample;
        n->place = r->latent_place;
        n->text = "mu + eps * exp(logvar / 2)";
        read_from(n, g->count - 2);
        ELBO_TRY(n->op->shape(g, n, err));
        g->at.latent = g->count - 1;
    }
    g->code_shape = g->node[g->at.latent].shape;
    g->latent = (int)elbo_shape_size(g->code_shape);
    return ELBO_OK;
}

/* The losses behind the network: of the reconstruction against the image, of the posterior against the prior, and other
 * terms over the code. */
static elbo_status add_losses(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    g->metrics = elbo_metrics_of(r);
    for (int k = 0; k < g->metrics.count; k++) {
        const elbo_metric *m = &g->metrics.metric[k];
        g->loss[k] = -1;
        const elbo_loss *loss = elbo_loss_find(m->name);
        if (!loss) continue;
        elbo_node *n;
        ELBO_TRY(elbo_graph_new_node(g, strdup(m->name), &n, err));
        n->op = loss->op;
        n->text = "loss";
        n->player = m->player;
        n->value[ELBO_LOSS_WEIGHT] = m->weight;
        n->value[ELBO_LOSS_SIGMA] = r->loss.sigma;
        n->value[ELBO_LOSS_LOW] = r->image.low;
        n->value[ELBO_LOSS_HIGH] = r->image.high;
        g->loss[k] = g->count - 1;
        const elbo_latent_row *latent = elbo_loss_latent_row(n);
        int reads = latent ? latent->reads : 0;
        if (latent) n->value[1] = r->loss.latent[n->op->which].choice;
        if (m->role == ELBO_METRIC_RECONSTRUCTION) read_from(n, g->at.logits), read_from(n, g->at.target);
        bool bound = m->role == ELBO_METRIC_BOUND;
        if (bound || reads & ELBO_LATENT_READS_CODE) read_from(n, g->at.latent);
        if (bound || m->role == ELBO_METRIC_KL || reads & ELBO_LATENT_READS_POSTERIOR) read_from(n, g->at.code);
        bool mixture = m->role == ELBO_METRIC_KL && r->mixture;
        if (mixture) {
            n->value[ELBO_LOSS_COMPONENTS] = r->mixture;
            read_from(n, g->at.latent);
        }
        if (n->op == &elbo_loss_adversary || n->op == &elbo_loss_discriminator) read_from(n, g->at.verdict);
        ELBO_TRY(n->op->shape(g, n, err));
    }
    return ELBO_OK;
}

/* What the decoder needs besides the code. */
static void find_skips(elbo_graph *g) {
    for (int i = g->at.latent + 1; i < g->count; i++) // (the losses are not there yet)
        for (int k = 0; k < g->node[i].inputs; k++) {
            int from = g->node[i].input[k];
            bool known = from >= g->at.latent || from == g->at.label;
            for (int s = 0; s < g->skips; s++) known |= g->skip[s] == from;
            if (known) continue;
            g->skip[g->skips++] = from; // each has a name of its own: they fit
            g->skip_floats += elbo_shape_size(g->node[from].shape);
        }
}

int elbo_graph_batch(const elbo_graph *g, int most) {
    size_t floats = 0, budget = (size_t)1 << 28;
    for (int i = 0; i < g->count; i++) floats += elbo_shape_size(g->node[i].shape);
    int batch = 1;
    while (2 * batch <= most && (size_t)(2 * batch) * floats <= budget) batch *= 2;
    return batch;
}

static elbo_status build(elbo_graph *g, const elbo_recipe *r, elbo_image_shape image, elbo_error *err) {
    ELBO_TRY(elbo_graph_add_inputs(g, r, image, err));
    for (int i = 0; i < r->encoder.count; i++)
        ELBO_TRY(elbo_graph_add_layer(g, "encoder", i, &r->encoder.layer[i], err));
    ELBO_TRY(add_latent(g, r, err));
    for (int i = 0; i < r->decoder.count; i++)
        ELBO_TRY(elbo_graph_add_layer(g, "decoder", i, &r->decoder.layer[i], err));
    ELBO_TRY(elbo_graph_check_output(g, r, err));
    find_skips(g);
    elbo_graph_find_label_readers(g);
    ELBO_TRY(elbo_graph_add_adversary(g, r, err));
    ELBO_TRY(add_losses(g, r, err));
    g->param_floats = (g->param_floats + 15) / 16 * 16;
    return ELBO_OK;
}

elbo_status elbo_graph_build(elbo_graph *g, const elbo_recipe *r, elbo_image_shape image, elbo_error *err) {
    *g = (elbo_graph){.image = image, .kind = r->kind, .posterior = elbo_posterior_of(r), .prior = elbo_prior_of(r)};
    elbo_status status = build(g, r, image, err);
    if (status != ELBO_OK) elbo_graph_free(g);
    return status;
}

elbo_status elbo_graph_build_features(elbo_graph *g, const elbo_layers *layers, elbo_image_shape image,
                                      elbo_error *err) {
    *g = (elbo_graph){.image = image, .inputs = 1, .at.label = -1, .at.versus = -1};
    elbo_node *n;
    elbo_status status = elbo_graph_new_node(g, strdup("input"), &n, err);
    if (status == ELBO_OK) {
        n->op = &elbo_op_input;
        n->shape = (elbo_shape){3, {image.channels, image.height, image.width}};
    }
    for (int i = 0; status == ELBO_OK && i < layers->count; i++)
        status = elbo_graph_add_layer(g, "features", i, &layers->layer[i], err);
    g->at.output = g->at.logits = g->count - 1;
    g->param_floats = (g->param_floats + 15) / 16 * 16;
    if (status != ELBO_OK) elbo_graph_free(g);
    return status;
}

void elbo_graph_forget_texts(elbo_graph *g) {
    for (int i = 0; i < g->count; i++) g->node[i].text = g->node[i].op ? g->node[i].op->name : "";
}

void elbo_graph_free(elbo_graph *g) {
    for (int i = 0; i < g->count; i++) free(g->node[i].name);
    for (int i = 0; i < g->params; i++) free(g->param[i].name);
    free(g->node);
    free(g->param);
    *g = (elbo_graph){0};
}

void elbo_graph_init_params(const elbo_graph *g, uint64_t seed, float *block) {
    memset(block, 0, g->param_floats * sizeof *block);
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        float *w = block + p->offset;
        elbo_random_uniform((elbo_stream){.seed = seed, .purpose = ELBO_FOR_WEIGHTS, .sample = (uint32_t)i}, w,
                            p->count);
        for (size_t k = 0; k < p->count; k++) w[k] = p->bound > 0 ? p->bound * (2 * w[k] - 1) : p->start;
    }
}
