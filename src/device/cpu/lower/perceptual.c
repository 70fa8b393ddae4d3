/* The perceptual loss: the squared difference of a frozen network's features of the image and of its reconstruction.
 * Gradients flow through that network to the reconstruction; its weights have none.
 *
 * The network has a program of its own with a piece for each thread: a shard takes the piece of the thread that it runs
 * on, first for the image, then for the reconstruction, then back. So its activations need memory by threads, not by
 * shards. */
#include <stdlib.h>
#include <string.h>

#include "device/cpu/lower/lower.h"
#include "device/cpu/program_make.h"

typedef struct perceptual {
    elbo_plan plan;
    elbo_cpu_program *program; // the plan's
    elbo_cpu_tensor *x, *dx;   // the network's input and its gradient
    elbo_cpu_tensor *y, *dy;   // the features and their gradient
    float *target;             // (threads, shard rows, features): the image's
    float per_value;           // makes the features' sum a mean, and this as many values as the image has
} perceptual;

static void free_perceptual(void *object) {
    perceptual *q = object;
    if (q->plan.program) elbo_cpu_program_free(q->plan.program);
    elbo_plan_clear(&q->plan);
    free(q);
}

/* All steps by shard from `first` to `last`, which reads as `piece`. */
static void run_steps(const perceptual *q, const elbo_batch_args *args, int first, int last, int piece, int thread) {
    const elbo_cpu_step *step = q->program->step;
    for (int i = first; i < last; i++)
        if (!step[i].tiles) step[i].run(&step[i], args, piece, thread);
}

static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const perceptual *q = s->object;
    const elbo_cpu_program *p = s->program;
    int rows = p->shard_rows, valid = elbo_cpu_valid_rows(p, args, shard);
    size_t n = s->in[0]->per_image, all = n * (size_t)rows, per_image = q->y->per_image;
    float *target = q->target + (size_t)thread * (size_t)rows * per_image, *x = elbo_cpu_rows(q->x, thread);
    memcpy(x, elbo_cpu_rows(s->in[1], shard), all * sizeof *x);
    run_steps(q, args, 0, q->program->first_back, thread, thread);
    memcpy(target, elbo_cpu_rows(q->y, thread), (size_t)rows * per_image * sizeof *target);
    memcpy(x, elbo_cpu_rows(s->in[0], shard), all * sizeof *x);
    run_steps(q, args, 0, q->program->first_back, thread, thread);

    const float *y = elbo_cpu_rows(q->y, thread);
    float *loss = elbo_cpu_rows(s->out[0], shard), *dy = q->dy ? elbo_cpu_rows(q->dy, thread) : NULL, squared;
    float weight = args->loss_weight[s->number] * q->per_value;
    for (int r = 0; r < valid; r++) {
        float *gradient = dy ? dy + (size_t)r * per_image : NULL;
        loss[r] = q->per_value * p->kernels->loss->pixel[ELBO_MSE](gradient, &squared, y + (size_t)r * per_image,
                                                                   target + (size_t)r * per_image, per_image,
                                                                   weight * args->loss_scale);
    }
    if (!dy) return;
    memset(dy + (size_t)valid * per_image, 0, (size_t)(rows - valid) * per_image * sizeof *dy);
    run_steps(q, args, q->program->first_back, q->program->steps, thread, thread);
    p->kernels->pointwise->add(elbo_cpu_rows(s->out[1], shard), elbo_cpu_rows(q->dx, thread), all);
}

/* The program of the frozen network, its weights packed once and for all. */
static elbo_status prepare(elbo_cpu_program *p, perceptual *q, bool back, elbo_error *err) {
    const elbo_network *features = p->plan->options.features;
    const elbo_graph *g = &features->graph;
    int threads = elbo_team_threads(p->team);
    elbo_plan_options o = {.mode = ELBO_FEATURES, .batch = threads * p->shard_rows, .frozen_backward = back};
    ELBO_TRY(elbo_plan_write(&q->plan, g, &o, err));
    ELBO_TRY(elbo_cpu_program_make(&q->plan, p->kernels, p->team, features->params, NULL, p->shard_rows, err));
    q->program = q->plan.program;
    q->x = q->program->node[0].y;
    q->dx = q->program->node[0].dy;
    q->y = q->program->node[g->at.output].y;
    q->dy = q->program->node[g->at.output].dy;
    size_t size = elbo_shape_size(g->node[g->at.output].shape);
    q->per_value = (float)((double)elbo_image_size(p->graph->image) / (double)size);
    q->target = elbo_cpu_work(q->program, (size_t)threads * (size_t)p->shard_rows * q->y->per_image);
    if (!q->target) return elbo_no_memory(err);
    elbo_batch_args args = {.count = o.batch};
    for (int i = 0; i < q->program->steps; i++)
        for (int t = 0; t < q->program->step[i].tiles; t++) q->program->step[i].run(&q->program->step[i], &args, t, 0);
    return ELBO_OK;
}

elbo_status elbo_cpu_lower_perceptual(elbo_cpu_program *p, int metric, elbo_cpu_tensor *prediction,
                                      elbo_cpu_tensor *gradient, elbo_error *err) {
    perceptual *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    ELBO_TRY(elbo_cpu_own(p, q, free_perceptual, err));
    ELBO_TRY(prepare(p, q, gradient != NULL, err));
    elbo_cpu_step *s =
        elbo_cpu_new_step(p, &p->graph->node[p->graph->loss[metric]], "loss", p->kernels->conv->name, run);
    if (!s) return elbo_no_memory(err);
    s->number = metric;
    s->in[0] = prediction;
    s->in[1] = p->node[p->graph->at.target].y;
    s->in[2] = gradient;
    s->out[0] = elbo_cpu_metric(p, metric);
    s->out[1] = gradient;
    s->object = q;
    if (!s->out[0]) return elbo_no_memory(err);
    for (int i = 0; i < q->program->steps; i++) // forward twice
        s->flop_per_image += q->program->step[i].flop_per_image * (i < q->program->first_back ? 2 : 1);
    p->work_floats += q->program->work_floats + q->program->arena_floats;
    return ELBO_OK;
}
