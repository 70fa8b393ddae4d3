/* Whether the network can say what it should: its last layer's range, and its relu units. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/shown.h"
#include "explore/diagnostics/checks.h"
#include "nn/ops/op.h"

/* ---- the output layer and the data ---- */

static void widen(double *low, double *high, const elbo_images *images, const elbo_recipe *r) {
    if ((images->bytes || images->sprites) && images->count) { // bytes are read into the recipe's range, whatever they are
        *low = fmin(*low, r->image.low);
        *high = fmax(*high, r->image.high);
    }
    for (size_t i = 0; images->floats && i < images->count * elbo_image_size(images->shape); i++) {
        *low = fmin(*low, images->floats[i]);
        *high = fmax(*high, images->floats[i]);
    }
}

elbo_status elbo_check_range(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_recipe *r = &e->model->recipe;
    const elbo_graph *g = &e->model->network.graph;
    const elbo_node *last = &g->node[g->at.output];
    double low = INFINITY, high = -INFINITY, least = -INFINITY, most = INFINITY;
    widen(&low, &high, &e->data->train, r);
    widen(&low, &high, &e->data->test, r);
    if (last->op == &elbo_op_sigmoid) least = 0, most = 1;
    if (last->op == &elbo_op_tanh) least = -1, most = 1;
    if (last->op == &elbo_op_relu) least = 0;
    elbo_number(v, "data_low", low);
    elbo_number(v, "data_high", high);
    double slack = 1e-3 * (high - low);
    const char *end = isfinite(least) ? last->op->name : "the last layer";
    if (low < least - slack || high > most + slack) {
        elbo_found(v, ELBO_CHECK_PROBLEM, "the data go from %.4g to %.4g; the range of `%s` is %s", low, high, end,
                   least < 0  ? "-1 to 1"
                   : most > 1 ? "0 and more"
                              : "0 to 1");
        if (e->data->train.floats || e->data->test.floats) // which no range in the recipe changes
            elbo_advise(
                v, "scale the file's values to the range of `%s`, or end the decoder with a linear layer (any value)",
                end);
        else
            elbo_advise(v, "%s",
                        least < 0 ? "`image: {range: [-1, 1]}`"
                                  : "`image: {range: [0, 1]}`, or end the decoder with `tanh` (-1 to 1) or a "
                                    "linear layer (any value)");
    } else if (last->op == &elbo_op_tanh && low >= 0) {
        elbo_found(v, ELBO_CHECK_NOTE,
                   "the data go from %.4g to %.4g, half the range of `tanh` (-1 to 1): black is its midpoint", low,
                   high);
        elbo_advise(v, "`image: {range: [-1, 1]}` with `tanh`, or end the decoder with `sigmoid`");
    } else if (low < r->image.low - slack || high > r->image.high + slack) {
        elbo_found(v, ELBO_CHECK_NOTE, "the data go from %.4g to %.4g, beyond the recipe's range of %g to %g", low,
                   high, (double)r->image.low, (double)r->image.high);
        elbo_advise(v, "scale the file's values into the range; figures and scores clip values outside");
    } else {
        elbo_found(v, ELBO_CHECK_OK, "the data go from %.4g to %.4g, within the range of `%s`", low, high,
                   last->op->name);
    }
    return ELBO_OK;
}

/* ---- dead units ---- */

enum { IMAGES = 10000 };

/* A unit of a layer is a feature, or a channel of all its pixels. */
typedef struct layer {
    int node, units, dead;
    size_t pixels;
    bool *alive; // (units)
} layer;

/* Of `count` images, which units of each layer are ever above 0. */
static void look(layer *l, int layers, elbo_plan *p, int count, float *room) {
    for (int i = 0; i < layers; i++)
        for (int r = 0; r < count; r++) {
            elbo_plan_read(p, p->watched[l[i].node], r, 1, room);
            const float *y = room;
            for (int u = 0; u < l[i].units; u++)
                for (size_t k = 0; k < l[i].pixels; k++) l[i].alive[u] |= *y++ > 0;
        }
}

static size_t largest(const layer *l, int layers) {
    size_t most = 1;
    for (int i = 0; i < layers; i++)
        if ((size_t)l[i].units * l[i].pixels > most) most = (size_t)l[i].units * l[i].pixels;
    return most;
}

static elbo_status run_layers(layer *l, int layers, const bool *watch, const elbo_eval_context *e, uint32_t *seen,
                              elbo_error *err) {
    elbo_model *m = e->model;
    const elbo_images *images = e->train ? &e->data->train : e->images;
    uint32_t *chosen = elbo_alloc(IMAGES, sizeof *chosen);
    float *room = elbo_alloc(largest(l, layers), sizeof *room);
    if (!chosen || !room) {
        free(chosen);
        free(room);
        return elbo_no_memory(err);
    }
    *seen = (uint32_t)(e->n < IMAGES ? e->n : IMAGES);
    for (uint32_t i = 0; i < *seen; i++) chosen[i] = i;
    if (e->train) *seen = (uint32_t)elbo_eval_context_some_training(e, IMAGES, chosen);
    uint32_t batch = (uint32_t)m->batch;
    elbo_plan plan = {0};
    elbo_plan_options o = {.mode = ELBO_EVAL, .batch = (int)batch, .watch = watch};
    elbo_status status = elbo_plan_make(&plan, &m->state, &o, err);
    for (uint32_t start = 0; start < *seen && status == ELBO_OK; start += batch) {
        uint32_t count = *seen - start < batch ? *seen - start : batch;
        elbo_batch_args args = {.images = images,
                                .index = chosen + start,
                                .count = (int)count,
                                .low = m->recipe.image.low,
                                .high = m->recipe.image.high,
                                .noise = {.purpose = ELBO_FOR_TEST_NOISE}}; // codes as training draws them
        status = elbo_plan_run_one(&plan, &args, err);
        if (status != ELBO_OK) break;
        look(l, layers, &plan, (int)count, room);
        status = elbo_eval_context_step(e->work, "dead units", (double)start / *seen, err);
    }
    elbo_plan_free(&plan);
    free(chosen);
    free(room);
    return status;
}

static void check_layers(elbo_check *v, layer *l, int layers, const elbo_graph *g, uint32_t seen) {
    int units = 0, dead = 0, worst = 0;
    for (int i = 0; i < layers; i++) {
        for (int u = 0; u < l[i].units; u++) l[i].dead += !l[i].alive[u];
        units += l[i].units;
        dead += l[i].dead;
        if ((double)l[i].dead / l[i].units > (double)l[worst].dead / l[worst].units) worst = i;
    }
    char images[32];
    double share = (double)l[worst].dead / l[worst].units;
    elbo_number(v, "units", units);
    elbo_number(v, "dead_units", dead);
    elbo_number(v, "worst_layer_share", share);
    // The first layer of a healthy dense network on MNIST has a third to a half of its units at 0, and does well
    // without them.
    elbo_health health = share > 0.9 ? ELBO_CHECK_PROBLEM : share > 0.75 ? ELBO_CHECK_NOTE : ELBO_CHECK_OK;
    elbo_found(v, health, "%d of %d relu units are 0 for each of %s images%s%s%s", dead, units,
               elbo_thousands(seen, images), dead ? "; most in `" : "", dead ? g->node[l[worst].node].name : "",
               dead ? "`" : "");
    if (dead) {
        size_t n = 0;
        while (v->evidence[n]) n++;
        snprintf(v->evidence + n, sizeof v->evidence - n, ": %d of %d (%.0f %%)", l[worst].dead, l[worst].units,
                 100 * share);
    }
    if (health != ELBO_CHECK_OK)
        elbo_advise(v, "a smaller learning rate, `leaky_relu`, or `batch_norm` before the relu; if the network is good "
                       "as it is, a narrower layer is enough");
}

elbo_status elbo_check_dead(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    const elbo_graph *g = &e->model->network.graph;
    bool *watch = calloc((size_t)g->count, sizeof *watch);
    layer *l = calloc((size_t)g->count, sizeof *l);
    int layers = 0;
    elbo_status status = watch && l ? ELBO_OK : elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i <= g->at.logits; i++) {
        if (g->node[i].op != &elbo_op_relu) continue;
        int units = g->node[i].shape.dim[0];
        watch[i] = true;
        l[layers] = (layer){.node = i,
                            .units = units,
                            .pixels = elbo_shape_size(g->node[i].shape) / (size_t)units,
                            .alive = calloc((size_t)units, sizeof(bool))};
        if (!l[layers++].alive) status = elbo_no_memory(err);
    }
    uint32_t seen = 0;
    if (status == ELBO_OK && layers) status = run_layers(l, layers, watch, e, &seen, err);
    if (status == ELBO_OK && layers) check_layers(v, l, layers, g, seen);
    for (int i = 0; l && i < layers; i++) free(l[i].alive);
    free(l);
    free(watch);
    return status;
}
