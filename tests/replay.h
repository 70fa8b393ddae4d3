/* One training step of a network once more, in double on a tape (tape.h): its losses, the gradient of every weight and
 * the running statistics after it. Of the library it reads the graph (which nodes, which shapes, where a parameter
 * lies), the random numbers, and what an augmentation makes of an image, which has tests of its own.
 *
 * An op is one function in replay_ops.h or replay_layers.h, and its row in `replay_ops`: what it computes, forward. */
#ifndef ELBO_TESTS_REPLAY_H
#define ELBO_TESTS_REPLAY_H

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "data/augment/augment.h"
#include "nn/losses/loss.h"
#include "tape.h"

typedef struct replay {
    const elbo_graph *graph;
    const elbo_recipe *recipe;
    const float *params; // (graph->param_floats), before the step
    const elbo_images *images;
    const uint32_t *index; // (count)
    int count;
    uint32_t epoch;
    bool training;        // else: the mean code, running statistics, no dropout, no augmentation
    const double *weight; // (metrics) of each trained term, times the loss's scale
    const double *turn;   // (graph->count): how near a decision of a node must be to be turned; NULL: none is
    bool forward_only;    // no gradient

    tape t;
    double *shift;  // (param_floats): added to the parameters, for finite differences
    var *param;     // (param_floats)
    var **out;      // (graph->count): each node's (count, size)
    double *buffer; // (param_floats): running statistics after the step
    double *metric; // (metrics, count)
    double objective;
} replay;

static inline size_t replay_size(const elbo_node *n) { return elbo_shape_size(n->shape); }
static inline size_t replay_in(const replay *r, const elbo_node *n) {
    return elbo_shape_size(r->graph->node[n->input[0]].shape);
}
/* A node's parameter, by its place among the node's. */
static inline const elbo_param *replay_param(const replay *r, const elbo_node *n, int which) {
    return &r->graph->param[n->first_param + which];
}
static inline var *replay_weights(const replay *r, const elbo_node *n, int which) {
    return r->param + replay_param(r, n, which)->offset;
}
/* An argument by its name in the op's table. */
static inline double replay_value(const elbo_node *n, const char *name) {
    for (int i = 0; i < ELBO_OP_MAX_VALUES; i++)
        if (n->op->values[i].name && !strcmp(n->op->values[i].name, name)) return n->value[i];
    abort();
}

/* Of the columns. */
static inline double replay_across(const elbo_node *n, const char *name) {
    for (int i = 0; i < ELBO_OP_MAX_VALUES; i++)
        if (n->op->values[i].name && !strcmp(n->op->values[i].name, name)) return n->across[i];
    abort();
}

typedef struct replay_op {
    const char *name;
    /* x: (count, size of the first input), y: (count, size) */
    void (*run)(replay *r, const elbo_node *n, const var *x, var *y);
} replay_op;

static const replay_op *replay_find(const char *name);

/* ---- running ---- */

static inline void replay_open(replay *r, const elbo_graph *g, const elbo_recipe *recipe, int most) {
    *r = (replay){.graph = g, .recipe = recipe, .t.random = 0x9e3779b97f4a7c15};
    r->shift = calloc(g->param_floats + 1, sizeof *r->shift);
    r->param = calloc(g->param_floats + 1, sizeof *r->param);
    r->buffer = calloc(g->param_floats + 1, sizeof *r->buffer);
    r->metric = calloc((size_t)most * ELBO_MAX_METRICS, sizeof *r->metric);
    r->out = calloc((size_t)g->count, sizeof *r->out);
    for (int i = 0; i < g->count; i++) r->out[i] = calloc((size_t)most * replay_size(&g->node[i]), sizeof **r->out);
}

static inline void replay_close(replay *r) {
    for (int i = 0; i < r->graph->count; i++) free(r->out[i]);
    free(r->out), free(r->shift), free(r->param), free(r->buffer), free(r->metric);
    tape_free(&r->t);
}

/* The batch as the network sees it. A byte b is low + (high - low) b / 255, rounded where floats round. */
static inline void replay_images(replay *r) {
    size_t size = elbo_image_size(r->graph->image);
    float low = r->recipe->image.low, high = r->recipe->image.high;
    float *image = malloc(2 * size * sizeof *image);
    for (int b = 0; b < r->count; b++) {
        for (size_t i = 0; i < size; i++) {
            size_t from = r->index[b] * size + i;
            var *x = &r->out[0][(size_t)b * size + i];
            if (r->images->floats)
                *x = constant(&r->t, r->images->floats[from]);
            else
                *x = plus(&r->t, times(&r->t, constant(&r->t, r->images->bytes[from] / 255.0), (double)high - low),
                          constant(&r->t, low));
            image[i] = (float)at(&r->t, *x);
        }
        if (!r->training || !r->recipe->augments) continue;
        elbo_stream stream = {r->recipe->train.seed, ELBO_FOR_AUGMENTATION, r->epoch, r->index[b]};
        elbo_augment_run(r->recipe->augments, stream, r->graph->image, low, high, image, image + size);
        for (size_t i = 0; i < size; i++) r->out[0][(size_t)b * size + i] = constant(&r->t, image[i]);
    }
    free(image);
}

/* The sum of the terms, each by its weight. */
static inline var replay_objective(replay *r) {
    const elbo_graph *g = r->graph;
    var sum = constant(&r->t, 0);
    for (int k = 0; k < g->metrics.count; k++) {
        if (g->loss[k] < 0) continue;
        for (int b = 0; b < r->count; b++) {
            var loss = r->out[g->loss[k]][b];
            r->metric[k * r->count + b] = at(&r->t, loss);
            if (r->training) sum = plus(&r->t, sum, times(&r->t, loss, r->weight[k]));
        }
    }
    return sum;
}

/* Of the reconstruction, whichever loss is trained; of bce's logits, behind the sigmoid. */
static inline void replay_squared_error(replay *r, double *metric) {
    const elbo_graph *g = r->graph;
    size_t size = elbo_image_size(g->image);
    bool logits = g->at.logits != g->at.output;
    for (int b = 0; b < r->count; b++) {
        metric[b] = 0;
        for (size_t i = (size_t)b * size; i < (size_t)(b + 1) * size; i++) {
            double y = at(&r->t, r->out[g->at.logits][i]), x = at(&r->t, r->out[0][i]);
            metric[b] += pow((logits ? 1 / (1 + exp(-y)) : y) - x, 2);
        }
    }
}

/* Forward, and in training back: r->t.step[r->param[i]].slope is the gradient of parameter i. */
static inline void replay_run(replay *r) {
    const elbo_graph *g = r->graph;
    tape_clear(&r->t);
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        for (size_t k = p->offset; k < p->offset + p->count; k++) {
            r->param[k] = constant(&r->t, r->params[k] + r->shift[k]);
            r->buffer[k] = r->params[k];
        }
    }
    replay_images(r);
    for (int i = 1; i < g->count; i++) {
        const elbo_node *n = &g->node[i];
        r->t.turn = r->turn ? r->turn[n->input[0]] : 0;
        replay_find(n->op->name)->run(r, n, r->out[n->input[0]], r->out[i]);
    }
    r->t.turn = 0;
    for (int k = 0; k < g->metrics.count; k++)
        if (g->metrics.metric[k].role == ELBO_METRIC_SQUARED_ERROR) replay_squared_error(r, r->metric + k * r->count);
    var sum = replay_objective(r);
    r->objective = at(&r->t, sum);
    if (r->training && !r->forward_only) tape_back(&r->t, sum);
}

#endif
