/* Normalisation over the batch. In training every shard needs what all shards sum, so threads meet twice: moments |
 * normalise forward, sums | gradient backward. Each shard combines the others' parts itself, all in the same order,
 * which is cheaper than one more barrier. */
#include <math.h>
#include <string.h>

#include "device/cpu/lower/lower.h"

/* ---- where things are ---- */

/* Of the node's shape: a tensor's own may be that of a view before this node. */
static elbo_planes planes_of(const elbo_cpu_step *s, const elbo_cpu_tensor *t, int rows) {
    size_t channels = (size_t)s->node->shape.dim[0], pixels = elbo_shape_size(s->node->shape) / channels;
    if (t->blocked) return (elbo_planes){(size_t)rows, t->per_image / pixels / ELBO_BLOCK, pixels, ELBO_BLOCK};
    if (pixels == 1) return (elbo_planes){(size_t)rows, 1, 1, channels};
    return (elbo_planes){(size_t)rows, channels, pixels, 1};
}

/* Each shard's room: its moments, its sums, and its own copy of what all have in common. By channel, padded. */
typedef enum part { MEAN, SQUARES, SUM, PRODUCT, BATCH_MEAN, BATCH_INVERSE, A, B, C, PARTS } part;

static size_t width_of(const elbo_node *n) { return (size_t)elbo_padded_channels(n->shape.dim[0]); }
static float *part_of(const elbo_cpu_step *s, int shard, part which) {
    size_t width = (size_t)s->number;
    return s->work + ((size_t)shard * PARTS + (size_t)which) * width;
}

static const float *param(const elbo_cpu_step *s, int which) {
    return s->program->params + s->program->graph->param[s->node->first_param + which].offset;
}

static int channels(const elbo_cpu_step *s) { return s->node->shape.dim[0]; }
static int shards_of(const elbo_cpu_step *s, const elbo_batch_args *args) {
    return (args->count + s->program->shard_rows - 1) / s->program->shard_rows;
}
static double pixels_of(const elbo_cpu_step *s) { return (double)elbo_shape_size(s->node->shape) / channels(s); }

/* ---- evaluation ---- */

static void run_evaluate(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    (void)thread;
    float *scale = part_of(s, shard, A), *mean = part_of(s, shard, MEAN), *shift = part_of(s, shard, B);
    for (int c = 0; c < channels(s); c++) {
        mean[c] = param(s, ELBO_NORM_RUNNING_MEAN)[c];
        scale[c] = param(s, ELBO_NORM_WEIGHT)[c] /
                   sqrtf(param(s, ELBO_NORM_RUNNING_VAR)[c] + (float)s->node->value[ELBO_NORM_EPS]);
        shift[c] = param(s, ELBO_NORM_BIAS)[c];
    }
    elbo_planes p = planes_of(s, s->in[0], s->program->shard_rows);
    s->program->kernels->norm->normalise(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard), mean, scale,
                                         shift, &p);
}

/* ---- training, forward ---- */

static void run_moments(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    elbo_planes p = planes_of(s, s->in[0], elbo_cpu_valid_rows(s->program, args, shard));
    s->program->kernels->norm->moments(part_of(s, shard, MEAN), part_of(s, shard, SQUARES),
                                       elbo_cpu_rows(s->in[0], shard), &p);
}

/* All shards' moments into the batch's: Chan, Golub and LeVeque 1979, two sets at a time. */
static double combine_moments(const elbo_cpu_step *s, const elbo_batch_args *args, int c, double *mean) {
    double count = 0, squares = 0;
    *mean = 0;
    for (int k = 0; k < shards_of(s, args); k++) {
        double n = elbo_cpu_valid_rows(s->program, args, k) * pixels_of(s), m = part_of(s, k, MEAN)[c];
        double delta = m - *mean, together = count + n;
        squares += part_of(s, k, SQUARES)[c] + delta * delta * count * n / together;
        *mean += delta * n / together;
        count = together;
    }
    return squares / count;
}

static void run_normalise(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    float *mean = part_of(s, shard, BATCH_MEAN), *inverse = part_of(s, shard, BATCH_INVERSE),
          *scale = part_of(s, shard, A), *shift = part_of(s, shard, B);
    for (int c = 0; c < channels(s); c++) {
        double m, variance = combine_moments(s, args, c, &m);
        mean[c] = (float)m;
        inverse[c] = (float)(1 / sqrt(variance + s->node->value[ELBO_NORM_EPS]));
        scale[c] = param(s, ELBO_NORM_WEIGHT)[c] * inverse[c];
        shift[c] = param(s, ELBO_NORM_BIAS)[c];
    }
    elbo_planes p = planes_of(s, s->in[0], s->program->shard_rows);
    s->program->kernels->norm->normalise(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard), mean, scale,
                                         shift, &p);
}

/* Once a step, when the shards are through: running = (1 - momentum) running + momentum batch, the variance with n - 1.
 * A single value per channel (the last image of an epoch, under batch_norm1d) has no variance: its 0 would pull the
 * running one down by a momentum, so such a batch is left out. PyTorch stops there. */
static void run_update_statistics(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    (void)tile, (void)thread;
    if (args->no_update) return;
    const elbo_param *mean = &s->program->graph->param[s->node->first_param + ELBO_NORM_RUNNING_MEAN];
    const elbo_param *var = &s->program->graph->param[s->node->first_param + ELBO_NORM_RUNNING_VAR];
    double momentum = s->node->value[ELBO_NORM_MOMENTUM], n = args->count * pixels_of(s);
    if (n < 2) return;
    for (int c = 0; c < channels(s); c++) {
        double m, variance = combine_moments(s, args, c, &m);
        float *rm = s->program->params + mean->offset + c, *rv = s->program->params + var->offset + c;
        *rm = (float)((1 - momentum) * *rm + momentum * m);
        *rv = (float)((1 - momentum) * *rv + momentum * variance * (n / (n - 1)));
    }
}

static elbo_cpu_step *new_step(elbo_cpu_program *p, elbo_cpu_node *np, const char *what,
                               void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int, int)) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, what, p->kernels->norm->name, run);
    if (!s) return NULL;
    s->work = np->work;
    s->number = (int)width_of(np->node);
    s->in[0] = np->x[0];
    return s;
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    np->work = elbo_cpu_work(p, (size_t)p->shards * PARTS * width_of(np->node));
    if (!np->work) return elbo_no_memory(err);
    bool training = p->plan->options.mode == ELBO_TRAIN;
    elbo_cpu_step *s;
    if (training && !new_step(p, np, "moments", run_moments)) return elbo_no_memory(err);
    s = new_step(p, np, training ? "normalise" : "forward", training ? run_normalise : run_evaluate);
    if (!s) return elbo_no_memory(err);
    s->barrier = training;
    s->out[0] = np->y;
    if (!elbo_cpu_learns_node(p, np->node)) return ELBO_OK; // in the adversary's step, nor do the statistics move
    s = new_step(p, np, "running statistics", run_update_statistics);
    if (!s) return elbo_no_memory(err);
    s->in[0] = NULL; // it reads the shards' moments only
    s->tiles = 1;
    return ELBO_OK;
}

/* ---- training, backward ---- */

static void run_sums(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    elbo_planes p = planes_of(s, s->in[0], elbo_cpu_valid_rows(s->program, args, shard));
    s->program->kernels->norm->gradient_sums(part_of(s, shard, SUM), part_of(s, shard, PRODUCT),
                                             elbo_cpu_rows(s->in[1], shard), elbo_cpu_rows(s->in[0], shard),
                                             part_of(s, shard, BATCH_MEAN), &p);
}

/* The whole batch's sums of dy and of dy (x - mean). */
static void combine_sums(const elbo_cpu_step *s, const elbo_batch_args *args, int c, double *sum, double *product) {
    *sum = *product = 0;
    for (int k = 0; k < shards_of(s, args); k++) {
        *sum += part_of(s, k, SUM)[c];
        *product += part_of(s, k, PRODUCT)[c];
    }
}

/* dx = weight inverse (dy - mean(dy) - xhat mean(dy xhat)), with xhat = (x - mean) inverse. */
static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    double n = args->count * pixels_of(s);
    float *a = part_of(s, shard, A), *b = part_of(s, shard, B), *constant = part_of(s, shard, C);
    for (int c = 0; c < channels(s); c++) {
        double sum, product, inverse = part_of(s, shard, BATCH_INVERSE)[c];
        combine_sums(s, args, c, &sum, &product);
        double scale = param(s, ELBO_NORM_WEIGHT)[c] * inverse;
        a[c] = (float)scale;
        b[c] = (float)(-scale * inverse * inverse * product / n);
        constant[c] = (float)(-scale * sum / n);
    }
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    elbo_planes p = planes_of(s, s->in[0], valid);
    elbo_norm_gradient of = {.mean = part_of(s, shard, BATCH_MEAN), .a = a, .b = b, .c0 = constant};
    s->program->kernels->norm->backward(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[1], shard),
                                        elbo_cpu_rows(s->in[0], shard), &of, &p, s->accumulate);
    // Rows that only fill the shard have no gradient: a convolution before this sums over them, too.
    size_t size = s->out[0]->per_image;
    if (!s->accumulate)
        memset(elbo_cpu_rows(s->out[0], shard) + (size_t)valid * size, 0,
               (size_t)(s->program->shard_rows - valid) * size * sizeof(float));
}

static void run_finish(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    const elbo_param *weight = &s->program->graph->param[s->node->first_param + ELBO_NORM_WEIGHT];
    const elbo_param *bias = &s->program->graph->param[s->node->first_param + ELBO_NORM_BIAS];
    float *dw = elbo_cpu_gradient_tile(s, weight->offset, thread, 0);
    float *db = elbo_cpu_gradient_tile(s, bias->offset, thread, (size_t)s->number);
    for (int c = 0; c < channels(s); c++) {
        double sum, product;
        combine_sums(s, args, c, &sum, &product);
        dw[c] = (float)(product * part_of(s, 0, BATCH_INVERSE)[c]);
        db[c] = (float)sum;
    }
    elbo_cpu_finish_tile(s, args, tile, weight->offset, dw, weight->count);
    elbo_cpu_finish_tile(s, args, tile, bias->offset, db, bias->count);
}

static elbo_status to_weights(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = new_step(p, np, "gradient sums", run_sums);
    if (!s) return elbo_no_memory(err);
    s->in[1] = np->dy;
    s = new_step(p, np, "sum and update", run_finish);
    if (!s) return elbo_no_memory(err);
    s->in[0] = NULL;
    s->tiles = 1;
    elbo_cpu_need_scratch(p, 2 * width_of(np->node));
    return ELBO_OK;
}

static elbo_status to_input(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = new_step(p, np, "backward", run_backward);
    if (!s) return elbo_no_memory(err);
    s->barrier = true;
    s->in[1] = np->dy;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[2] = np->dx[0];
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_batch_norm = {
    .forward = forward, .to_weights = to_weights, .to_input = to_input};
