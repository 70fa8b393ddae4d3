/* batch_norm2d and batch_norm1d: y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance of each channel
 * over the batch in training, running ones else. Ioffe and Szegedy, "Batch normalization", 2015; running statistics as
 * PyTorch's.
 *
 * In training every shard needs what all shards sum, so there are two meetings: moments | normalise forward, sums |
 * gradient backward. Each shard combines the others' parts itself, all in the same order, which is cheaper than one
 * more meeting. */
#include <math.h>
#include <string.h>

#include "nn/ops/op.h"

enum { EPS, MOMENTUM };
enum { WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };

/* ---- shape ---- */

static elbo_status shape(elbo_graph *g, elbo_node *n, int rank, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != rank)
        return elbo_node_fail(n, err, "%s: its input is %s; use `%s` for it", n->text, elbo_shape_text(x, text),
                              rank == 3 ? "batch_norm1d" : "batch_norm2d");
    n->shape = x;
    int channels[] = {x.dim[0]};
    ELBO_TRY(elbo_graph_add_constant(g, n, "weight", 1, channels, 1, false, err));
    ELBO_TRY(elbo_graph_add_constant(g, n, "bias", 1, channels, 0, false, err));
    ELBO_TRY(elbo_graph_add_constant(g, n, "running_mean", 1, channels, 0, true, err));
    return elbo_graph_add_constant(g, n, "running_var", 1, channels, 1, true, err);
}

static elbo_status shape_1d(elbo_graph *g, elbo_node *n, elbo_error *err) { return shape(g, n, 1, err); }
static elbo_status shape_2d(elbo_graph *g, elbo_node *n, elbo_error *err) { return shape(g, n, 3, err); }

/* ---- where things are ---- */

/* Of the node's shape: a tensor's own may be that of a view before this node. */
static elbo_planes planes_of(const elbo_step *s, const elbo_tensor *t, int rows) {
    size_t channels = (size_t)s->node->shape.dim[0], pixels = elbo_shape_size(s->node->shape) / channels;
    if (t->blocked) return (elbo_planes){(size_t)rows, t->per_image / pixels / ELBO_BLOCK, pixels, ELBO_BLOCK};
    if (pixels == 1) return (elbo_planes){(size_t)rows, 1, 1, channels};
    return (elbo_planes){(size_t)rows, channels, pixels, 1};
}

/* Each shard's room: its moments, its sums, and its own copy of what all have in common. By channel, padded. */
typedef enum part { MEAN, SQUARES, SUM, PRODUCT, BATCH_MEAN, BATCH_INVERSE, A, B, C, PARTS } part;

static size_t width_of(const elbo_node *n) { return (size_t)elbo_padded_channels(n->shape.dim[0]); }
static float *part_of(const elbo_step *s, int shard, part which) {
    size_t width = (size_t)s->number;
    return s->work + ((size_t)shard * PARTS + (size_t)which) * width;
}

static const float *param(const elbo_step *s, const elbo_batch_args *pass, int which) {
    return pass->params + s->plan->graph->param[s->node->first_param + which].offset;
}

static int channels(const elbo_step *s) { return s->node->shape.dim[0]; }
static int shards_of(const elbo_step *s, const elbo_batch_args *pass) {
    return (pass->count + s->plan->shard_rows - 1) / s->plan->shard_rows;
}
static double pixels_of(const elbo_step *s) { return (double)elbo_shape_size(s->node->shape) / channels(s); }

/* ---- evaluation ---- */

static void run_evaluate(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    float *scale = part_of(s, shard, A), *mean = part_of(s, shard, MEAN), *shift = part_of(s, shard, B);
    for (int c = 0; c < channels(s); c++) {
        mean[c] = param(s, pass, RUNNING_MEAN)[c];
        scale[c] = param(s, pass, WEIGHT)[c] / sqrtf(param(s, pass, RUNNING_VAR)[c] + (float)s->node->value[EPS]);
        shift[c] = param(s, pass, BIAS)[c];
    }
    elbo_planes p = planes_of(s, s->in[0], s->plan->shard_rows);
    s->plan->device->norm->normalise(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), mean, scale, shift, &p);
}

/* ---- training, forward ---- */

static void run_moments(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    elbo_planes p = planes_of(s, s->in[0], elbo_valid_rows(s->plan, pass, shard));
    s->plan->device->norm->moments(part_of(s, shard, MEAN), part_of(s, shard, SQUARES), elbo_rows(s->in[0], shard), &p);
}

/* All shards' moments into the batch's: Chan, Golub and LeVeque 1979, two sets at a time. */
static double combine_moments(const elbo_step *s, const elbo_batch_args *pass, int c, double *mean) {
    double count = 0, squares = 0;
    *mean = 0;
    for (int k = 0; k < shards_of(s, pass); k++) {
        double n = elbo_valid_rows(s->plan, pass, k) * pixels_of(s), m = part_of(s, k, MEAN)[c];
        double delta = m - *mean, together = count + n;
        squares += part_of(s, k, SQUARES)[c] + delta * delta * count * n / together;
        *mean += delta * n / together;
        count = together;
    }
    return squares / count;
}

static void run_normalise(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    float *mean = part_of(s, shard, BATCH_MEAN), *inverse = part_of(s, shard, BATCH_INVERSE),
          *scale = part_of(s, shard, A), *shift = part_of(s, shard, B);
    for (int c = 0; c < channels(s); c++) {
        double m, variance = combine_moments(s, pass, c, &m);
        mean[c] = (float)m;
        inverse[c] = (float)(1 / sqrt(variance + s->node->value[EPS]));
        scale[c] = param(s, pass, WEIGHT)[c] * inverse[c];
        shift[c] = param(s, pass, BIAS)[c];
    }
    elbo_planes p = planes_of(s, s->in[0], s->plan->shard_rows);
    s->plan->device->norm->normalise(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), mean, scale, shift, &p);
}

/* Once a step, when the shards are through: running = (1 - momentum) running + momentum batch, the variance with n -
 * 1. */
static void run_update_statistics(const elbo_step *s, const elbo_batch_args *pass, int tile, int thread) {
    (void)tile, (void)thread;
    if (pass->no_update) return;
    const elbo_param *mean = &s->plan->graph->param[s->node->first_param + RUNNING_MEAN];
    const elbo_param *var = &s->plan->graph->param[s->node->first_param + RUNNING_VAR];
    double momentum = s->node->value[MOMENTUM], n = pass->count * pixels_of(s);
    for (int c = 0; c < channels(s); c++) {
        double m, variance = combine_moments(s, pass, c, &m);
        float *rm = pass->weights + mean->offset + c, *rv = pass->weights + var->offset + c;
        *rm = (float)((1 - momentum) * *rm + momentum * m);
        *rv = (float)((1 - momentum) * *rv + momentum * variance * (n > 1 ? n / (n - 1) : 1));
    }
}

static elbo_step *new_step(elbo_plan *p, elbo_node_plan *spot, const char *what,
                           void (*run)(const elbo_step *, const elbo_batch_args *, int, int)) {
    elbo_step *s = elbo_plan_step(p, spot->node, what, p->device->norm->name, run);
    if (!s) return NULL;
    s->work = spot->work;
    s->number = (int)width_of(spot->node);
    s->in[0] = spot->x[0];
    return s;
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    spot->work = elbo_plan_work(p, (size_t)p->shards * PARTS * width_of(spot->node));
    if (!spot->work) return elbo_no_memory(err);
    bool training = p->options.mode == ELBO_TRAIN;
    elbo_step *s;
    if (training && !new_step(p, spot, "moments", run_moments)) return elbo_no_memory(err);
    s = new_step(p, spot, training ? "normalise" : "forward", training ? run_normalise : run_evaluate);
    if (!s) return elbo_no_memory(err);
    s->barrier = training;
    s->out[0] = spot->y;
    if (!training) return ELBO_OK;
    s = new_step(p, spot, "running statistics", run_update_statistics);
    if (!s) return elbo_no_memory(err);
    s->in[0] = NULL; // it reads the shards' moments only
    s->tiles = 1;
    return ELBO_OK;
}

/* ---- training, backward ---- */

static void run_sums(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    elbo_planes p = planes_of(s, s->in[0], elbo_valid_rows(s->plan, pass, shard));
    s->plan->device->norm->gradient_sums(part_of(s, shard, SUM), part_of(s, shard, PRODUCT), elbo_rows(s->in[1], shard),
                                         elbo_rows(s->in[0], shard), part_of(s, shard, BATCH_MEAN), &p);
}

/* The whole batch's sums of dy and of dy (x - mean). */
static void combine_sums(const elbo_step *s, const elbo_batch_args *pass, int c, double *sum, double *product) {
    *sum = *product = 0;
    for (int k = 0; k < shards_of(s, pass); k++) {
        *sum += part_of(s, k, SUM)[c];
        *product += part_of(s, k, PRODUCT)[c];
    }
}

/* dx = weight inverse (dy - mean(dy) - xhat mean(dy xhat)), with xhat = (x - mean) inverse. */
static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    double n = pass->count * pixels_of(s);
    float *a = part_of(s, shard, A), *b = part_of(s, shard, B), *constant = part_of(s, shard, C);
    for (int c = 0; c < channels(s); c++) {
        double sum, product, inverse = part_of(s, shard, BATCH_INVERSE)[c];
        combine_sums(s, pass, c, &sum, &product);
        double scale = param(s, pass, WEIGHT)[c] * inverse;
        a[c] = (float)scale;
        b[c] = (float)(-scale * inverse * inverse * product / n);
        constant[c] = (float)(-scale * sum / n);
    }
    int valid = elbo_valid_rows(s->plan, pass, shard);
    elbo_planes p = planes_of(s, s->in[0], valid);
    s->plan->device->norm->backward(elbo_rows(s->out[0], shard), elbo_rows(s->in[1], shard), elbo_rows(s->in[0], shard),
                                    part_of(s, shard, BATCH_MEAN), a, b, constant, &p, s->accumulate);
    // Rows that only fill the shard have no gradient: a convolution before this sums over them, too.
    size_t size = s->out[0]->per_image;
    if (!s->accumulate)
        memset(elbo_rows(s->out[0], shard) + (size_t)valid * size, 0,
               (size_t)(s->plan->shard_rows - valid) * size * sizeof(float));
}

static void run_finish(const elbo_step *s, const elbo_batch_args *pass, int tile, int thread) {
    const elbo_param *weight = &s->plan->graph->param[s->node->first_param + WEIGHT];
    const elbo_param *bias = &s->plan->graph->param[s->node->first_param + BIAS];
    float *dw = elbo_gradient_tile(s, weight->offset, thread, 0);
    float *db = elbo_gradient_tile(s, bias->offset, thread, (size_t)s->number);
    for (int c = 0; c < channels(s); c++) {
        double sum, product;
        combine_sums(s, pass, c, &sum, &product);
        dw[c] = (float)(product * part_of(s, 0, BATCH_INVERSE)[c]);
        db[c] = (float)sum;
    }
    elbo_finish_tile(s, pass, tile, weight->offset, dw, weight->count);
    elbo_finish_tile(s, pass, tile, bias->offset, db, bias->count);
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_step *s = new_step(p, spot, "gradient sums", run_sums);
    if (!s) return elbo_no_memory(err);
    s->in[1] = spot->dy;
    s = new_step(p, spot, "sum and update", run_finish);
    if (!s) return elbo_no_memory(err);
    s->in[0] = NULL;
    s->tiles = 1;
    elbo_plan_need_scratch(p, 2 * width_of(spot->node));
    if (!spot->dx[0]) return ELBO_OK;
    s = new_step(p, spot, "backward", run_backward);
    if (!s) return elbo_no_memory(err);
    s->barrier = true;
    s->in[1] = spot->dy;
    s->out[0] = spot->dx[0];
    s->accumulate = spot->accumulate[0];
    if (s->accumulate) s->in[2] = spot->dx[0];
    return ELBO_OK;
}

#define BATCH_NORM                                                                                                     \
    .values = {{"eps", ELBO_FLOAT, false, 1e-5, 1e-12, 1}, {"momentum", ELBO_FLOAT, false, 0.1, 0, 1}},                \
    .forward = forward, .backward = backward

const elbo_op elbo_op_batch_norm1d = {
    .name = "batch_norm1d", .usage = "batch_norm1d [eps=1e-5] [momentum=0.1]", .shape = shape_1d, BATCH_NORM};
const elbo_op elbo_op_batch_norm2d = {
    .name = "batch_norm2d", .usage = "batch_norm2d [eps=1e-5] [momentum=0.1]", .shape = shape_2d, BATCH_NORM};
