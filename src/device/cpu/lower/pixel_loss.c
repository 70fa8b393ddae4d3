/* The reconstruction's loss against the image, value by value, and its gradient in the same pass. A recipe has one of
 * these, or mse and l1 together. */
#include <stdlib.h>
#include <string.h>

#include "device/cpu/lower/lower.h"

typedef struct pixel_losses {
    int count;                // 1, or 2: mse and l1, which have a kernel together
    int metric[2], which[2];  // each one's metric and the loss that it is
    elbo_cpu_tensor *loss[2]; // (B), unweighted
} pixel_losses;

/* One image, `row` of the shard. The gradient (NULL: not asked for) is that of the weighted sum. */
static void run_image(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int row, float *gradient) {
    const elbo_loss_kernels *k = s->program->kernels->loss;
    const pixel_losses *q = s->object;
    size_t n = s->in[0]->per_image;
    const float *y = elbo_cpu_rows(s->in[0], shard) + (size_t)row * n;
    const float *x = elbo_cpu_image_row(s->program, s->in[1], shard, row);
    float *squared = elbo_cpu_rows(s->out[0], shard) + row;
    if (q->count == 2) {
        int mse = q->which[1] == ELBO_MSE;
        elbo_cpu_rows(q->loss[!mse], shard)[row] =
            k->mse_l1(gradient, squared, y, x, n, args->loss_weight[q->metric[mse]], args->loss_weight[q->metric[!mse]],
                      elbo_cpu_loss_scale(s->program, args));
        elbo_cpu_rows(q->loss[mse], shard)[row] = *squared;
        return;
    }
    float scale = args->loss_weight[q->metric[0]] * elbo_cpu_loss_scale(s->program, args);
    elbo_cpu_rows(q->loss[0], shard)[row] = k->pixel[q->which[0]](gradient, squared, y, x, n, scale);
}

static void pass_over(const elbo_cpu_step *s, int shard, int row, float *gradient) {
    const pixel_losses *q = s->object;
    float *squared = elbo_cpu_rows(s->out[0], shard) + row;
    squared[0] = squared[-1];
    for (int i = 0; i < q->count; i++)
        elbo_cpu_rows(q->loss[i], shard)[row] = elbo_cpu_rows(q->loss[i], shard)[row - 1];
    if (gradient) memset(gradient, 0, s->in[0]->per_image * sizeof *gradient);
}

static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    size_t n = s->in[0]->per_image;
    float *dy = s->out[1] ? elbo_cpu_rows(s->out[1], shard) : NULL;
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++) {
        float *gradient = dy ? dy + (size_t)r * n : NULL;
        if (elbo_cpu_row_is_draw(s->program, r))
            pass_over(s, shard, r, gradient);
        else
            run_image(s, args, shard, r, gradient);
    }
    // Rows that only fill the shard add nothing to any weight's gradient.
    if (dy) memset(dy + (size_t)valid * n, 0, (size_t)(s->program->shard_rows - valid) * n * sizeof *dy);
}

static bool find_losses(elbo_cpu_program *p, pixel_losses *q) {
    for (int k = 0; k < p->graph->metrics.count && q->count < 2; k++) {
        const elbo_op *op = p->graph->loss[k] < 0 ? NULL : p->graph->node[p->graph->loss[k]].op;
        if (!op || !p->plan->metric[k] || op == &elbo_loss_perceptual ||
            p->graph->metrics.metric[k].role != ELBO_METRIC_RECONSTRUCTION)
            continue;
        q->metric[q->count] = k;
        q->which[q->count] = op->which;
        if (!(q->loss[q->count++] = elbo_cpu_metric(p, k))) return false;
    }
    return true;
}

int elbo_cpu_squared_error(const elbo_cpu_program *p) {
    int k = 0;
    while (p->graph->metrics.metric[k].role != ELBO_METRIC_SQUARED_ERROR) k++;
    return k;
}

elbo_status elbo_cpu_lower_pixel_losses(elbo_cpu_program *p, elbo_cpu_tensor *prediction, elbo_cpu_tensor *gradient,
                                        elbo_error *err) {
    pixel_losses *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    ELBO_TRY(elbo_cpu_own(p, q, free, err));
    if (!find_losses(p, q)) return elbo_no_memory(err);
    const elbo_node *first = &p->graph->node[p->graph->loss[q->metric[0]]];
    elbo_cpu_step *s = elbo_cpu_new_step(p, first, "loss", p->kernels->loss->name, run);
    if (!s) return elbo_no_memory(err);
    s->object = q;
    s->in[0] = prediction;
    s->in[1] = p->node[p->graph->at.target].y;
    s->out[0] = elbo_cpu_metric(p, elbo_cpu_squared_error(p));
    s->out[1] = gradient;
    for (int i = 0; i < q->count; i++) s->out[2 + i] = q->loss[i];
    return s->out[0] ? ELBO_OK : elbo_no_memory(err);
}
