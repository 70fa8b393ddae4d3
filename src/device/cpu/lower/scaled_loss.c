/* gaussian and logistic: a loss of values with a scale sigma, and the gradients of the reconstruction and of log sigma in
 * the same pass. Each shard leaves its sum of the latter; when all are through, one tile adds them up in the tree and
 * updates the parameter. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/lower/lower.h"
#include "device/cpu/tree.h"

#define HALF_LOG_2_PI 0.91893853320467274178

/* With this step's parameters. */
typedef struct scaled {
    double log_sigma, slope; // slope: d log sigma / d parameter
    float weight;            // of the gradient
    elbo_logistic logistic;
} scaled;

/* 256 values from low to high: half of the distance between two. */
static elbo_logistic logistic_of(const elbo_node *n, double log_sigma) {
    double low = n->value[ELBO_LOSS_LOW], high = n->value[ELBO_LOSS_HIGH], half = (high - low) / 510;
    return (elbo_logistic){.scale = (float)exp(log_sigma),
                           .half = (float)half,
                           .lowest = (float)(low + half),
                           .highest = (float)(high - half)};
}

/* -log p of one image in nats; *d: its derivative by log sigma. */
static double image_loss(const elbo_loss_kernels *k, const elbo_node *node, const scaled *q, float *dy, float *squared,
                         const float *y, const float *x, size_t n, double *d) {
    if (node->op->which == ELBO_LOGISTIC) {
        float by_scale, loss = k->logistic(dy, squared, &by_scale, y, x, n, &q->logistic, q->weight);
        *d = by_scale;
        return loss;
    }
    double precision = exp(-2 * q->log_sigma); // the gradient is that of mse, times this half
    k->pixel[ELBO_MSE](dy, squared, y, x, n, (float)(0.5 * precision * q->weight));
    *d = (double)n - *squared * precision;
    return (double)n * (HALF_LOG_2_PI + q->log_sigma) + 0.5 * *squared * precision;
}

/* in: reconstruction, image; out: squared error, gradient, loss, sigma, the gradients of sigma. number: the loss's metric. */
static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const elbo_cpu_program *p = s->program;
    size_t n = s->in[0]->per_image;
    scaled q = {.weight = args->loss_weight[s->number] * elbo_cpu_loss_scale(p, args)};
    q.log_sigma = elbo_loss_log_sigma(p->graph, s->node, p->params, &q.slope);
    q.logistic = logistic_of(s->node, q.log_sigma);
    const float *y = elbo_cpu_rows(s->in[0], shard);
    float *squared = elbo_cpu_rows(s->out[0], shard), *loss = elbo_cpu_rows(s->out[2], shard),
          *dy = s->out[1] ? elbo_cpu_rows(s->out[1], shard) : NULL;
    int valid = elbo_cpu_valid_rows(p, args, shard);
    double sum = 0;
    for (int r = 0; r < valid; r++) {
        double d;
        if (elbo_cpu_row_is_draw(p, r)) {
            loss[r] = loss[r - 1];
            squared[r] = squared[r - 1];
            if (dy) memset(dy + (size_t)r * n, 0, n * sizeof *dy);
            if (s->out[3]) elbo_cpu_rows(s->out[3], shard)[r] = (float)exp(q.log_sigma);
            continue;
        }
        loss[r] = (float)image_loss(p->kernels->loss, s->node, &q, dy ? dy + (size_t)r * n : NULL, &squared[r],
                                    y + (size_t)r * n, elbo_cpu_image_row(p, s->in[1], shard, r), n, &d);
        sum += d;
        if (s->out[4]) elbo_cpu_rows(s->out[4], shard)[r] = (float)(d * q.slope * q.weight);
        if (s->out[3]) elbo_cpu_rows(s->out[3], shard)[r] = (float)exp(q.log_sigma);
    }
    if (s->work) s->work[shard] = (float)(sum * q.slope * q.weight);
    // Rows that only fill the shard add nothing to any weight's gradient.
    if (dy) memset(dy + (size_t)valid * n, 0, (size_t)(p->shard_rows - valid) * n * sizeof *dy);
}

static void run_finish(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    size_t offset = s->program->graph->param[s->node->first_param].offset;
    int shards = (args->count + s->program->shard_rows - 1) / s->program->shard_rows;
    float *g = elbo_cpu_gradient_tile(s, offset, thread, 0);
    elbo_tree_sum(s->program->kernels, g, s->work, 1, shards, 1);
    elbo_cpu_finish_tile(s, args, tile, offset, g, 1);
}

static elbo_status lower_scale(elbo_cpu_program *p, elbo_cpu_step *s, elbo_error *err) {
    float *sums = s->work = elbo_cpu_work(p, (size_t)p->shards);
    if (p->bound.kl) { // the samples' shares are not known yet
        s->out[4] = p->bound.by_scale = elbo_cpu_new_tensor(p, s->node->name, 1, true);
        if (!s->out[4]) return elbo_no_memory(err);
        p->bound.scale_sums = sums;
    }
    elbo_cpu_step *finish =
        elbo_cpu_new_step(p, s->node, "sum and update", p->kernels->pointwise->name, run_finish); // moves s
    if (!sums || !finish) return elbo_no_memory(err);
    finish->work = sums;
    finish->tiles = 1;
    elbo_cpu_need_scratch(p, 1);
    return ELBO_OK;
}

elbo_status elbo_cpu_lower_scaled_loss(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *prediction,
                                       elbo_cpu_tensor *gradient, elbo_error *err) {
    const elbo_metrics *m = &p->graph->metrics;
    int sigma = elbo_metrics_find(m, "sigma");
    elbo_cpu_step *s = elbo_cpu_new_step(p, node, "loss", p->kernels->loss->name, run);
    if (!s) return elbo_no_memory(err);
    s->number = elbo_metrics_find(m, node->op->name);
    s->in[0] = prediction;
    s->in[1] = p->node[p->graph->at.target].y;
    s->out[0] = elbo_cpu_metric(p, elbo_cpu_squared_error(p));
    s->out[1] = gradient;
    s->out[2] = elbo_cpu_metric(p, s->number);
    s->out[3] = sigma < 0 ? NULL : elbo_cpu_metric(p, sigma);
    if (!s->out[0] || !s->out[2] || (sigma >= 0 && !s->out[3])) return elbo_no_memory(err);
    return gradient && node->params ? lower_scale(p, s, err) : ELBO_OK;
}
