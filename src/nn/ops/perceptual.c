/* The perceptual loss: the squared difference of a frozen network's features of the image and of its reconstruction.
 * Gradients flow through that network to the reconstruction; its weights have none.
 *
 * The network has a plan of its own with a piece for each thread: a shard takes the piece of the thread that it runs
 * on, first for the image, then for the reconstruction, then back. So its activations need memory by threads, not by
 * shards. */
#include <stdlib.h>
#include <string.h>

#include "nn/ops/op.h"

typedef struct perceptual {
    elbo_plan plan;
    const elbo_network *features;
    elbo_tensor *y, *dy; // the features and their gradient
    float *target;       // (threads, shard rows, features): the image's
    int first_back;      // steps from here on go back
    float weight;        // of the mean squared difference: as many values count as the image has
} perceptual;

static void free_perceptual(void *object) {
    elbo_plan_free(&((perceptual *)object)->plan);
    free(object);
}

/* All steps by shard from `first` to `last`, which reads as `piece`. */
static void run_steps(const perceptual *q, const elbo_batch_args *pass, int first, int last, int piece, int thread) {
    for (int i = first; i < last; i++)
        if (!q->plan.step[i].tiles) q->plan.step[i].run(&q->plan.step[i], pass, piece, thread);
}

static void run(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    const perceptual *q = s->object;
    const elbo_plan *p = s->plan;
    int rows = p->shard_rows, valid = elbo_valid_rows(p, pass, shard);
    size_t n = s->in[0]->per_image, all = n * (size_t)rows, per_image = q->y->per_image;
    float *target = q->target + (size_t)thread * (size_t)rows * per_image, *x = elbo_rows(q->plan.input, thread);
    elbo_batch_args own = *pass;
    own.params = q->features->params;
    memcpy(x, elbo_rows(s->in[1], shard), all * sizeof *x);
    run_steps(q, &own, 0, q->first_back, thread, thread);
    memcpy(target, elbo_rows(q->y, thread), (size_t)rows * per_image * sizeof *target);
    memcpy(x, elbo_rows(s->in[0], shard), all * sizeof *x);
    run_steps(q, &own, 0, q->first_back, thread, thread);

    const float *y = elbo_rows(q->y, thread);
    float *loss = elbo_rows(s->out[0], shard), *dy = q->dy ? elbo_rows(q->dy, thread) : NULL, squared;
    for (int r = 0; r < valid; r++) {
        float *gradient = dy ? dy + (size_t)r * per_image : NULL;
        loss[r] +=
            q->weight * p->device->loss->mse(gradient, &squared, y + (size_t)r * per_image,
                                             target + (size_t)r * per_image, per_image, q->weight * pass->loss_scale);
    }
    if (!dy) return;
    memset(dy + (size_t)valid * per_image, 0, (size_t)(rows - valid) * per_image * sizeof *dy);
    run_steps(q, &own, q->first_back, q->plan.steps, thread, thread);
    p->device->pointwise->add(elbo_rows(s->out[1], shard), elbo_rows(q->plan.spot[0].dy, thread), all);
}

/* The plan of the frozen network, its weights packed once and for all. */
static elbo_status prepare(elbo_plan *p, perceptual *q, bool back, elbo_error *err) {
    const elbo_graph *g = &q->features->graph;
    int threads = elbo_team_threads(p->options.team);
    elbo_plan_options o = {.mode = ELBO_FEATURES,
                           .batch = threads * p->shard_rows,
                           .shard_rows = p->shard_rows,
                           .team = p->options.team,
                           .frozen_backward = back};
    ELBO_TRY(elbo_plan_make(&q->plan, g, p->device, o, err));
    q->y = q->plan.spot[g->at.output].y;
    q->dy = q->plan.spot[g->at.output].dy;
    q->first_back = q->plan.first_back;
    size_t features = elbo_shape_size(g->node[g->at.output].shape);
    q->weight = elbo_term_weight(&p->options.reconstruction, ELBO_PERCEPTUAL) *
                (float)((double)elbo_image_size(p->graph->image) / (double)features);
    q->target = elbo_plan_work(&q->plan, (size_t)threads * (size_t)p->shard_rows * q->y->per_image);
    if (!q->target) return elbo_no_memory(err);
    elbo_batch_args pass = {.params = q->features->params};
    for (int i = 0; i < q->plan.steps; i++)
        for (int t = 0; t < q->plan.step[i].tiles; t++) q->plan.step[i].run(&q->plan.step[i], &pass, t, 0);
    return ELBO_OK;
}

elbo_status elbo_add_perceptual_loss(elbo_plan *p, elbo_tensor *prediction, elbo_tensor *gradient, elbo_tensor *image,
                                     elbo_error *err) {
    perceptual *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    q->features = p->options.features;
    ELBO_TRY(elbo_plan_own(p, q, free_perceptual, err));
    ELBO_TRY(prepare(p, q, gradient != NULL, err));
    elbo_step *s = elbo_plan_step(p, &p->graph->node[p->graph->at.output], "perceptual", p->device->conv->name, run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = prediction;
    s->in[1] = image;
    s->in[2] = p->reconstruction;
    s->in[3] = gradient;
    s->out[0] = p->reconstruction;
    s->out[1] = gradient;
    s->object = q;
    for (int i = 0; i < q->plan.steps; i++) // forward twice
        s->flop_per_image += q->plan.step[i].flop_per_image * (i < q->first_back ? 2 : 1);
    p->work_floats += q->plan.work_floats + q->plan.arena_floats;
    return ELBO_OK;
}
