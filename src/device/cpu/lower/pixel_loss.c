/* The reconstruction's losses against the image, value by value, and their gradient in the same pass. */
#include <stdlib.h>
#include <string.h>

#include "device/cpu/lower/lower.h"

/* The metrics of the terms; -1: not among the recipe's. */
typedef struct pixel_losses {
    int bce, mse, l1;
} pixel_losses;

static float weight_of(const elbo_batch_args *args, int metric) { return args->loss_weight[metric]; }

/* One image. Unweighted losses go to the terms' places, `gradient` (NULL: not asked for) is that of their sum. */
static void run_image(const elbo_cpu_step *s, const elbo_batch_args *args, const float *y, const float *x,
                      float *const loss[2], float *squared, float *gradient) {
    const elbo_loss_kernels *k = s->program->kernels->loss;
    const pixel_losses *q = s->object;
    size_t n = s->in[0]->per_image;
    float scale = args->loss_scale;
    if (q->bce >= 0)
        *loss[0] = k->bce(gradient, squared, y, x, n, weight_of(args, q->bce) * scale);
    else if (q->l1 < 0)
        *loss[0] = k->mse(gradient, squared, y, x, n, weight_of(args, q->mse) * scale);
    else if (q->mse < 0)
        *loss[0] = k->l1(gradient, squared, y, x, n, weight_of(args, q->l1) * scale);
    else {
        *loss[1] = k->mse_l1(gradient, squared, y, x, n, weight_of(args, q->mse), weight_of(args, q->l1), scale);
        *loss[0] = *squared;
    }
}

static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    size_t n = s->in[0]->per_image;
    const float *y = elbo_cpu_rows(s->in[0], shard), *x = elbo_cpu_rows(s->in[1], shard);
    float *loss[2] = {elbo_cpu_rows(s->out[0], shard), s->out[3] ? elbo_cpu_rows(s->out[3], shard) : NULL};
    float *squared = elbo_cpu_rows(s->out[1], shard), *dy = s->out[2] ? elbo_cpu_rows(s->out[2], shard) : NULL;
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++, y += n, x += n)
        run_image(s, args, y, x, (float *const[]){loss[0] + r, loss[1] ? loss[1] + r : NULL}, squared + r,
                  dy ? dy + (size_t)r * n : NULL);
    // Rows that only fill the shard add nothing to any weight's gradient.
    if (dy) memset(dy + (size_t)valid * n, 0, (size_t)(s->program->shard_rows - valid) * n * sizeof *dy);
}

static int metric_of(const elbo_cpu_program *p, const elbo_op *loss) {
    for (int k = 0; k < p->graph->metrics.count; k++)
        if (p->plan->metric[k] && p->graph->node[p->graph->loss[k]].op == loss) return k;
    return -1;
}

static int squared_error(const elbo_cpu_program *p) {
    int k = 0;
    while (p->graph->metrics.metric[k].role != ELBO_METRIC_SQUARED_ERROR) k++;
    return k;
}

elbo_status elbo_cpu_lower_pixel_losses(elbo_cpu_program *p, elbo_cpu_tensor *prediction, elbo_cpu_tensor *gradient,
                                        elbo_error *err) {
    pixel_losses *q = malloc(sizeof *q);
    if (!q) return elbo_no_memory(err);
    *q = (pixel_losses){metric_of(p, &elbo_loss_bce), metric_of(p, &elbo_loss_mse), metric_of(p, &elbo_loss_l1)};
    ELBO_TRY(elbo_cpu_own(p, q, free, err));
    int first = q->bce >= 0 ? q->bce : q->mse >= 0 ? q->mse : q->l1;
    elbo_cpu_step *s =
        elbo_cpu_new_step(p, &p->graph->node[p->graph->loss[first]], "loss", p->kernels->loss->name, run);
    if (!s) return elbo_no_memory(err);
    s->object = q;
    s->in[0] = prediction;
    s->in[1] = p->node[p->graph->at.input].y;
    s->out[0] = elbo_cpu_metric(p, first);
    s->out[1] = elbo_cpu_metric(p, squared_error(p));
    s->out[2] = gradient;
    bool both = q->mse >= 0 && q->l1 >= 0;
    if (both) s->out[3] = elbo_cpu_metric(p, q->l1);
    return s->out[0] && s->out[1] && (!both || s->out[3]) ? ELBO_OK : elbo_no_memory(err);
}
