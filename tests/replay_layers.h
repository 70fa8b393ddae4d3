/* Norms, pooling and upsampling on a tape: replay_ops.h has the table. */
#ifndef ELBO_TESTS_REPLAY_LAYERS_H
#define ELBO_TESTS_REPLAY_LAYERS_H

#include "replay.h"

/* ---- norms ---- */

/* Mean and 1 / sqrt(variance + eps) of some values. Kernels sum them in doubles (over short runs in floats) and keep
 * both as floats, so only these two round; and the rounded mean is what distances are taken from, on the way back, too.
 * (The variance does not depend on the mean that its distances are from: their sum is 0.) */
static void replay_moments(replay *r, const var *x, size_t n, double eps, var *mean, var *inverse) {
    r->t.exact = true;
    var sum = constant(&r->t, 0), squares = constant(&r->t, 0);
    for (size_t i = 0; i < n; i++) sum = plus(&r->t, sum, x[i]);
    var m = times(&r->t, sum, 1 / (double)n);
    r->t.exact = false;
    *mean = times(&r->t, m, 1);
    r->t.exact = true;
    for (size_t i = 0; i < n; i++) {
        var d = function(&r->t, x[i], at(&r->t, x[i]) - at(&r->t, *mean), 1);
        squares = fma_of(&r->t, d, d, squares);
    }
    var variance = plus(&r->t, times(&r->t, squares, 1 / (double)n), constant(&r->t, eps));
    var inv = over(&r->t, constant(&r->t, 1), root_of(&r->t, variance));
    r->t.exact = false;
    *inverse = times(&r->t, inv, 1);
}

static var replay_normalised(replay *r, var x, var mean, var inverse, var weight, var bias) {
    return fma_of(&r->t, mul(&r->t, minus(&r->t, x, mean), inverse), weight, bias);
}

/* Each channel over the batch in training, by the running statistics else. The running variance is that of n - 1; a
 * batch of one value has none and is left out. */
static void replay_batch_norm(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_size(n), channels = (size_t)n->shape.dim[0], pixels = size / channels,
           values = (size_t)r->count * pixels;
    var *column = malloc(values * sizeof *column);
    double momentum = replay_value(n, "momentum"), eps = replay_value(n, "eps");
    size_t means = replay_param(r, n, 2)->offset, variances = replay_param(r, n, 3)->offset;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < values; i++) column[i] = x[i / pixels * size + c * pixels + i % pixels];
        var mean, inverse;
        if (r->training) {
            replay_moments(r, column, values, eps, &mean, &inverse);
            double variance = pow(at(&r->t, inverse), -2) - eps, share = values > 1 ? momentum : 0;
            r->buffer[means + c] += share * (at(&r->t, mean) - r->buffer[means + c]);
            double unbiased = variance * (double)values / fmax(1, (double)values - 1);
            r->buffer[variances + c] += share * (unbiased - r->buffer[variances + c]);
        } else {
            mean = r->param[means + c];
            inverse = times(&r->t, constant(&r->t, 1 / sqrt((double)r->params[variances + c] + eps)), 1);
        }
        var weight = replay_weights(r, n, 0)[c], bias = replay_weights(r, n, 1)[c];
        for (size_t i = 0; i < values; i++)
            y[i / pixels * size + c * pixels + i % pixels] =
                replay_normalised(r, column[i], mean, inverse, weight, bias);
    }
    free(column);
}

static void replay_layer_norm(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_size(n);
    const var *weight = replay_weights(r, n, 0), *bias = replay_weights(r, n, 1);
    for (int b = 0; b < r->count; b++, x += size, y += size) {
        var mean, inverse;
        replay_moments(r, x, size, replay_value(n, "eps"), &mean, &inverse);
        for (size_t i = 0; i < size; i++) y[i] = replay_normalised(r, x[i], mean, inverse, weight[i], bias[i]);
    }
}

static void replay_group_norm(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_size(n), groups = (size_t)replay_value(n, "groups"), channels = (size_t)n->shape.dim[0],
           pixels = size / channels;
    const var *weight = replay_weights(r, n, 0), *bias = replay_weights(r, n, 1);
    for (size_t g = 0; g < (size_t)r->count * groups; g++) {
        var mean, inverse;
        replay_moments(r, x, size / groups, replay_value(n, "eps"), &mean, &inverse);
        for (size_t i = 0; i < size / groups; i++) {
            size_t c = g % groups * (channels / groups) + i / pixels;
            *y++ = replay_normalised(r, *x++, mean, inverse, weight[c], bias[c]);
        }
    }
}

/* ---- attention ---- */

/* y (rows, T) = w (rows, C) x (C, T) + b */
static void replay_project(replay *r, var *y, const var *w, const var *b, const var *x, const int *rows_C_T) {
    int rows = rows_C_T[0], C = rows_C_T[1], T = rows_C_T[2];
    for (int row = 0; row < rows; row++)
        for (int t = 0; t < T; t++) {
            var sum = b[row];
            for (int c = 0; c < C; c++) sum = fma_of(&r->t, w[row * C + c], x[c * T + t], sum);
            y[row * T + t] = sum;
        }
}

/* How much position t takes of each, in p (T). Less the largest score, which changes nothing, as exp would run over. */
static void replay_softmax(replay *r, const var *q, const var *k, const int *d_T, int t, var *p) {
    int d = d_T[0], T = d_T[1];
    double most = -INFINITY;
    for (int u = 0; u < T; u++) {
        var score = constant(&r->t, 0);
        for (int c = 0; c < d; c++) score = fma_of(&r->t, q[c * T + t], k[c * T + u], score);
        p[u] = times(&r->t, score, 1 / sqrt(d));
        most = fmax(most, at(&r->t, p[u]));
    }
    var sum = constant(&r->t, 0);
    for (int u = 0; u < T; u++) {
        p[u] = exp_of(&r->t, minus(&r->t, p[u], constant(&r->t, most)));
        sum = plus(&r->t, sum, p[u]);
    }
    for (int u = 0; u < T; u++) p[u] = over(&r->t, p[u], sum);
}

static void replay_self_attention(replay *r, const elbo_node *n, const var *x, var *y) {
    int C = n->shape.dim[0], T = n->shape.dim[1] * n->shape.dim[2], heads = (int)replay_value(n, "heads"),
        d = C / heads;
    var *qkv = malloc((size_t)(3 * C * T) * sizeof *qkv), *joined = malloc((size_t)(C * T) * sizeof *joined),
        *p = malloc((size_t)T * sizeof *p);
    for (int b = 0; b < r->count; b++, x += C * T, y += C * T) {
        replay_project(r, qkv, replay_weights(r, n, 0), replay_weights(r, n, 1), x, (int[]){3 * C, C, T});
        for (int h = 0; h < heads; h++) {
            const var *q = qkv + h * d * T, *k = q + C * T, *v = k + C * T;
            for (int t = 0; t < T; t++) {
                replay_softmax(r, q, k, (int[]){d, T}, t, p);
                for (int c = 0; c < d; c++) {
                    var sum = constant(&r->t, 0);
                    for (int u = 0; u < T; u++) sum = fma_of(&r->t, p[u], v[c * T + u], sum);
                    joined[(h * d + c) * T + t] = sum;
                }
            }
        }
        replay_project(r, y, replay_weights(r, n, 2), replay_weights(r, n, 3), joined, (int[]){C, C, T});
    }
    free(qkv), free(joined), free(p);
}

/* ---- pooling and upsampling ---- */

/* Padding is zeros to the average, nothing to the maximum. */
static void replay_pool(replay *r, const elbo_node *n, const var *x, var *y) {
    bool max = n->op == &elbo_op_max_pool2d;
    const int *in = r->graph->node[n->input[0]].shape.dim, *out = n->shape.dim;
    int k = (int)replay_value(n, "kernel"), stride = (int)replay_value(n, "stride"),
        padding = (int)replay_value(n, "padding");
    var *window = malloc((size_t)(k * k) * sizeof *window);
    for (int plane = 0; plane < r->count * in[0]; plane++, x += in[1] * in[2])
        for (int i = 0; i < out[1] * out[2]; i++) {
            int found = 0;
            for (int tap = 0; tap < k * k; tap++) {
                int row = i / out[2] * stride + tap / k - padding, column = i % out[2] * stride + tap % k - padding;
                if (row >= 0 && row < in[1] && column >= 0 && column < in[2]) window[found++] = x[row * in[2] + column];
            }
            if (max) {
                *y++ = largest_of(&r->t, window, found);
                continue;
            }
            var sum = constant(&r->t, 0);
            for (int f = 0; f < found; f++) sum = plus(&r->t, sum, window[f]);
            *y++ = times(&r->t, sum, 1.0 / (k * k));
        }
    free(window);
}

/* Rows (or columns) above and below an output's centre, held at the edges, and the share of the second. */
static double replay_between(int i, int scale, int size, int at_[2]) {
    double centre = fmax(0, (i + 0.5) / scale - 0.5);
    at_[0] = (int)floor(centre);
    at_[1] = at_[0] + 1 < size ? at_[0] + 1 : at_[0];
    return centre - at_[0];
}

static void replay_upsample(replay *r, const elbo_node *n, const var *x, var *y) {
    bool bilinear = n->word && !strcmp(n->word, "bilinear");
    const int *in = r->graph->node[n->input[0]].shape.dim, *out = n->shape.dim;
    int scale = (int)replay_value(n, "scale");
    for (int plane = 0; plane < r->count * in[0]; plane++, x += in[1] * in[2])
        for (int i = 0; i < out[1] * out[2]; i++) {
            int row[2], column[2];
            double down = replay_between(i / out[2], scale, in[1], row),
                   right = replay_between(i % out[2], scale, in[2], column);
            if (!bilinear) {
                *y++ = x[i / out[2] / scale * in[2] + i % out[2] / scale];
                continue;
            }
            var sum = constant(&r->t, 0);
            for (int corner = 0; corner < 4; corner++) {
                double share = (corner / 2 ? down : 1 - down) * (corner % 2 ? right : 1 - right);
                sum = plus(&r->t, sum, times(&r->t, x[row[corner / 2] * in[2] + column[corner % 2]], share));
            }
            *y++ = sum;
        }
}

#endif
