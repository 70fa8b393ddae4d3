/* What a network computes, once more: plain loops in double, node after node, each output in memory of its own. No
 * plan, no shards, nothing in place, no kernel of elbo's. Only the graph (which layers, which shapes, where a parameter
 * lies) is shared with what is tested.
 *
 * A new op is a function here and a row of `oracle_ops`. */
#ifndef ELBO_TESTS_ORACLE_H
#define ELBO_TESTS_ORACLE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "nn/losses/loss.h"
#include "train/trainer.h"

/* A forward run over `count` images. */
typedef struct oracle {
    const elbo_graph *graph;
    const elbo_recipe *recipe;
    const double *params; // (graph->param_floats)
    const double *images; // (count, C H W), in the recipe's range
    int count;
    const uint32_t *index; // (count): the image numbers that random numbers are drawn for
    bool training;         // dropout on
    uint64_t seed;
    uint32_t epoch;
    const double *noise; // (count, latent) by row of this run; NULL: z = mu
    double kl_weight;

    /* Found by oracle_run. */
    double **output;                    // (graph->count): each node's (count, size)
    double *row_reconstruction;         // (count)
    double *row_kl;                     // (count)
    double reconstruction, kl, squared; // means over the images; squared: of the sum of squared errors
    double objective;                   // what training minimises: reconstruction + kl_weight * kl
} oracle;

static inline size_t oracle_size(const elbo_node *n) { return elbo_shape_size(n->shape); }

/* ---- ops ---- */

static inline void oracle_linear(oracle *o, const elbo_node *n, const double *x, double *y) {
    const elbo_graph *g = o->graph;
    size_t in = oracle_size(&g->node[n->input[0]]), out = oracle_size(n);
    int weights = 0; // a head's mu and logvar are two layers side by side; all weights stand before all biases
    for (int k = 0; k < n->params; k++) weights += g->param[n->first_param + k].rank == 2;
    for (int b = 0; b < o->count; b++) {
        size_t column = 0;
        for (int k = 0; k < weights; k++) {
            const elbo_param *weight = &g->param[n->first_param + k];
            const double *w = o->params + weight->offset;
            const double *bias = weights < n->params ? o->params + g->param[n->first_param + weights + k].offset : NULL;
            for (int r = 0; r < weight->dim[0]; r++, column++) {
                double sum = bias ? bias[r] : 0;
                for (size_t i = 0; i < in; i++) sum += w[(size_t)r * in + i] * x[(size_t)b * in + i];
                y[(size_t)b * out + column] = sum;
            }
        }
    }
}

static inline void oracle_map(oracle *o, const elbo_node *n, const double *x, double *y, double (*f)(double, double)) {
    for (size_t i = 0; i < (size_t)o->count * oracle_size(n); i++) y[i] = f(x[i], n->value[0]);
}

static inline double oracle_relu_of(double x, double unused) { return (void)unused, x > 0 ? x : 0; }
static inline double oracle_leaky_relu_of(double x, double slope) { return x > 0 ? x : (double)(float)slope * x; }
static inline double oracle_tanh_of(double x, double unused) { return (void)unused, tanh(x); }
static inline double oracle_sigmoid_of(double x, double unused) { return (void)unused, 1 / (1 + exp(-x)); }

static inline void oracle_relu(oracle *o, const elbo_node *n, const double *x, double *y) {
    oracle_map(o, n, x, y, oracle_relu_of);
}
static inline void oracle_leaky_relu(oracle *o, const elbo_node *n, const double *x, double *y) {
    oracle_map(o, n, x, y, oracle_leaky_relu_of);
}
static inline void oracle_tanh(oracle *o, const elbo_node *n, const double *x, double *y) {
    oracle_map(o, n, x, y, oracle_tanh_of);
}
static inline void oracle_sigmoid(oracle *o, const elbo_node *n, const double *x, double *y) {
    oracle_map(o, n, x, y, oracle_sigmoid_of);
}

static inline double oracle_silu_of(double x, double unused) { return (void)unused, x / (1 + exp(-x)); }
static inline double oracle_gelu_of(double x, double by_tanh) {
    double u = sqrt(2 / acos(-1)) * (x + 0.044715 * pow(x, 3));
    return by_tanh > 0 ? 0.5 * x * (1 + tanh(u)) : 0.5 * x * (1 + erf(x / sqrt(2)));
}
static inline void oracle_silu(oracle *o, const elbo_node *n, const double *x, double *y) {
    oracle_map(o, n, x, y, oracle_silu_of);
}
static inline void oracle_gelu(oracle *o, const elbo_node *n, const double *x, double *y) {
    oracle_map(o, n, x, y, oracle_gelu_of);
}

static inline void oracle_same(oracle *o, const elbo_node *n, const double *x, double *y) {
    memcpy(y, x, (size_t)o->count * oracle_size(n) * sizeof *y);
}

/* The mask's place among the random numbers is part of "same seed, same bits". */
static inline void oracle_dropout(oracle *o, const elbo_node *n, const double *x, double *y) {
    size_t size = oracle_size(n);
    float *drawn = malloc(size * sizeof *drawn);
    for (int b = 0; b < o->count; b++) {
        uint32_t layer = (uint32_t)(n - o->graph->node);
        elbo_random_uniform((elbo_stream){o->seed, ELBO_FOR_DROPOUT + (layer << 8), o->epoch, o->index[b]}, drawn,
                            size);
        for (size_t i = 0; i < size; i++) {
            double p = o->training ? n->value[0] : 0;
            y[(size_t)b * size + i] = drawn[i] < (float)p ? 0 : x[(size_t)b * size + i] / (1 - p);
        }
    }
    free(drawn);
}

static inline void oracle_reparameterize(oracle *o, const elbo_node *n, const double *x, double *y) {
    size_t Z = oracle_size(n);
    for (int b = 0; b < o->count; b++) {
        const double *mu = x + (size_t)b * 2 * Z, *logvar = mu + Z;
        o->row_kl[b] = 0;
        for (size_t i = 0; i < Z; i++) {
            double deviation = exp(0.5 * logvar[i]), eps = o->noise ? o->noise[(size_t)b * Z + i] : 0;
            y[(size_t)b * Z + i] = mu[i] + deviation * eps;
            o->row_kl[b] += 0.5 * (mu[i] * mu[i] + deviation * deviation - 1 - logvar[i]);
        }
    }
}

/* Of the columns. */
static inline int oracle_across(const elbo_node *n, const char *name) {
    for (int i = 0; i < ELBO_OP_MAX_VALUES; i++)
        if (n->op->values[i].name && !strcmp(n->op->values[i].name, name)) return (int)n->across[i];
    fail_msg("%s has no %s", n->op->name, name);
    return 0;
}

static inline int oracle_value(const elbo_node *n, const char *name) {
    for (int i = 0; i < ELBO_OP_MAX_VALUES; i++)
        if (n->op->values[i].name && !strcmp(n->op->values[i].name, name)) return (int)n->value[i];
    fail_msg("%s has no %s", n->op->name, name);
    return 0;
}

/* Both kinds, as torch.nn's pages define them: conv2d gathers, y(o, r, c) = b(o) + sum w(o, i, kr, kc) x(i, r s - p +
 * kr d,
 * ...); conv_transpose2d scatters, y(o, r s - p + kr d, ...) += w(i, o, kr, kc) x(i, r, c). */
static inline void oracle_convolution(oracle *o, const elbo_node *n, const double *x, double *y) {
    const elbo_graph *g = o->graph;
    const int *in = g->node[n->input[0]].shape.dim, *out = n->shape.dim; // channels, rows, columns
    bool transposed = !strcmp(n->op->name, "conv_transpose2d");
    int k = oracle_value(n, "kernel"), s = oracle_value(n, "stride"), p = oracle_value(n, "padding");
    int d = oracle_value(n, "dilation");
    int k2 = oracle_across(n, "kernel"), s2 = oracle_across(n, "stride"), p2 = oracle_across(n, "padding"),
        d2 = oracle_across(n, "dilation");
    const double *w = o->params + g->param[n->first_param].offset;
    const double *bias = n->params > 1 ? o->params + g->param[n->first_param + 1].offset : NULL;
    const int *few = transposed ? in : out,
              *many = transposed ? out : in; // the side that steps by the stride is `many`
    for (int b = 0; b < o->count; b++, x += in[0] * in[1] * in[2], y += out[0] * out[1] * out[2]) {
        for (int i = 0; i < out[0] * out[1] * out[2]; i++) y[i] = bias ? bias[i / (out[1] * out[2])] : 0;
        for (int f = 0; f < few[0]; f++)
            for (int m = 0; m < many[0]; m++)
                for (int r = 0; r < few[1]; r++)
                    for (int c = 0; c < few[2]; c++)
                        for (int kr = 0; kr < k; kr++)
                            for (int kc = 0; kc < k2; kc++) {
                                int row = r * s - p + kr * d, column = c * s2 - p2 + kc * d2;
                                if (row < 0 || row >= many[1] || column < 0 || column >= many[2]) continue;
                                double weight =
                                    w[((f * many[0] + m) * k + kr) * k2 + kc]; // (out, in), (in, out) transposed
                                int at_few = (f * few[1] + r) * few[2] + c,
                                    at_many = (m * many[1] + row) * many[2] + column;
                                if (transposed)
                                    y[at_many] += weight * x[at_few];
                                else
                                    y[at_few] += weight * x[at_many];
                            }
    }
}

/* Each channel over the batch in training, over what was seen before (the running statistics) else. */
static inline void oracle_batch_norm(oracle *o, const elbo_node *n, const double *x, double *y) {
    const elbo_param *p = &o->graph->param[n->first_param]; // weight, bias, running mean, running variance
    size_t size = oracle_size(n), channels = (size_t)n->shape.dim[0], pixels = size / channels;
    double count = (double)o->count * (double)pixels;
    for (size_t c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (int b = 0; b < o->count; b++)
            for (size_t k = 0; k < pixels; k++) mean += x[(size_t)b * size + c * pixels + k] / count;
        for (int b = 0; b < o->count; b++)
            for (size_t k = 0; k < pixels; k++) variance += pow(x[(size_t)b * size + c * pixels + k] - mean, 2) / count;
        if (!o->training) mean = o->params[p[2].offset + c], variance = o->params[p[3].offset + c];
        double scale = o->params[p[0].offset + c] / sqrt(variance + n->value[0]), shift = o->params[p[1].offset + c];
        for (int b = 0; b < o->count; b++)
            for (size_t k = 0; k < pixels; k++) {
                size_t i = (size_t)b * size + c * pixels + k;
                y[i] = (x[i] - mean) * scale + shift;
            }
    }
}

static inline void oracle_add(oracle *o, const elbo_node *n, const double *x, double *y) {
    const double *saved = o->output[n->input[1]];
    for (size_t i = 0; i < (size_t)o->count * oracle_size(n); i++) y[i] = x[i] + saved[i];
}

static inline void oracle_concat(oracle *o, const elbo_node *n, const double *x, double *y) {
    const double *saved = o->output[n->input[1]];
    size_t first = oracle_size(&o->graph->node[n->input[0]]), second = oracle_size(&o->graph->node[n->input[1]]);
    for (int b = 0; b < o->count; b++, x += first, saved += second, y += first + second) {
        memcpy(y, x, first * sizeof *y);
        memcpy(y + first, saved, second * sizeof *y);
    }
}

/* One image's values among themselves. */
static inline void oracle_layer_norm(oracle *o, const elbo_node *n, const double *x, double *y) {
    const elbo_param *p = &o->graph->param[n->first_param];
    size_t size = oracle_size(n);
    for (int b = 0; b < o->count; b++, x += size, y += size) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < size; i++) mean += x[i] / (double)size;
        for (size_t i = 0; i < size; i++) variance += pow(x[i] - mean, 2) / (double)size;
        for (size_t i = 0; i < size; i++)
            y[i] =
                (x[i] - mean) / sqrt(variance + n->value[0]) * o->params[p[0].offset + i] + o->params[p[1].offset + i];
    }
}

/* The values of each group of channels among themselves. */
static inline void oracle_group_norm(oracle *o, const elbo_node *n, const double *x, double *y) {
    const elbo_param *p = &o->graph->param[n->first_param];
    size_t groups = (size_t)oracle_value(n, "groups"), size = oracle_size(n) / groups,
           pixels = oracle_size(n) / (size_t)n->shape.dim[0];
    for (size_t g = 0; g < (size_t)o->count * groups; g++, x += size, y += size) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < size; i++) mean += x[i] / (double)size;
        for (size_t i = 0; i < size; i++) variance += pow(x[i] - mean, 2) / (double)size;
        for (size_t i = 0; i < size; i++) {
            size_t c = (g % groups * size + i) / pixels;
            y[i] =
                (x[i] - mean) / sqrt(variance + n->value[1]) * o->params[p[0].offset + c] + o->params[p[1].offset + c];
        }
    }
}

/* A linear map of each position's channels: y (rows, T) = w (rows, C) x (C, T) + b. */
static inline void oracle_positions(double *y, const double *w, const double *b, const double *x, int rows, int C,
                                    int T) {
    for (int i = 0; i < rows * T; i++) {
        y[i] = b[i / T];
        for (int c = 0; c < C; c++) y[i] += w[i / T * C + c] * x[c * T + i % T];
    }
}

/* torch.nn.MultiheadAttention of an image's positions with themselves. */
static inline void oracle_self_attention(oracle *o, const elbo_node *n, const double *x, double *y) {
    const elbo_param *w = &o->graph->param[n->first_param]; // in_proj weight and bias, out_proj weight and bias
    int C = n->shape.dim[0], T = n->shape.dim[1] * n->shape.dim[2], d = C / oracle_value(n, "heads");
    double *qkv = malloc((size_t)(3 * C * T) * sizeof *qkv), *joined = malloc((size_t)(C * T) * sizeof *joined);
    for (int b = 0; b < o->count; b++, x += C * T, y += C * T) {
        oracle_positions(qkv, o->params + w[0].offset, o->params + w[1].offset, x, 3 * C, C, T);
        for (int i = 0; i < C * T; i++) { // value of channel i / T at position i % T
            int head = i / T / d, t = i % T;
            double sum = 0, all = 0;
            for (int u = 0; u < T; u++) {
                double score = 0;
                for (int c = head * d; c < (head + 1) * d; c++) score += qkv[c * T + t] * qkv[(C + c) * T + u];
                sum += exp(score / sqrt(d)) * qkv[(2 * C + i / T) * T + u];
                all += exp(score / sqrt(d));
            }
            joined[i] = sum / all;
        }
        oracle_positions(y, o->params + w[2].offset, o->params + w[3].offset, joined, C, C, T);
    }
    free(qkv), free(joined);
}

/* On a picture with `padding` more pixels on each side: zeros for the average, nothing for the maximum. */
static inline void oracle_pool(oracle *o, const elbo_node *n, const double *x, double *y) {
    bool max = !strcmp(n->op->name, "max_pool2d");
    const int *in = o->graph->node[n->input[0]].shape.dim, *out = n->shape.dim;
    int k = oracle_value(n, "kernel"), s = oracle_value(n, "stride"), p = oracle_value(n, "padding");
    for (int plane = 0; plane < o->count * in[0]; plane++, x += in[1] * in[2])
        for (int r = 0; r < out[1]; r++)
            for (int c = 0; c < out[2]; c++) {
                double sum = 0, most = -INFINITY;
                for (int i = 0; i < k * k; i++) {
                    int row = r * s + i / k - p, column = c * s + i % k - p;
                    if (row < 0 || row >= in[1] || column < 0 || column >= in[2]) continue;
                    sum += x[row * in[2] + column];
                    most = fmax(most, x[row * in[2] + column]);
                }
                *y++ = max ? most : sum / (k * k);
            }
}

/* How much a pixel counts for an output whose centre lies `distance` pixels from its own: a tent for bilinear. What
 * would stand beyond the edge is the edge's pixel. */
static inline void oracle_upsample(oracle *o, const elbo_node *n, const double *x, double *y) {
    const int *in = o->graph->node[n->input[0]].shape.dim, *out = n->shape.dim;
    bool bilinear = n->word && !strcmp(n->word, "bilinear");
    int scale = oracle_value(n, "scale");
    for (int plane = 0; plane < o->count * in[0]; plane++, x += in[1] * in[2])
        for (int r = 0; r < out[1]; r++)
            for (int c = 0; c < out[2]; c++, y++) {
                double row = (r + 0.5) / scale - 0.5, column = (c + 0.5) / scale - 0.5;
                *y = bilinear ? 0 : x[r / scale * in[2] + c / scale];
                for (int i = -1; bilinear && i <= in[1]; i++)
                    for (int k = -1; k <= in[2]; k++) {
                        double weight = fmax(0, 1 - fabs(row - i)) * fmax(0, 1 - fabs(column - k));
                        int held_row = i < 0       ? 0
                                       : i < in[1] ? i
                                                   : in[1] - 1,
                            held = k < 0       ? 0
                                   : k < in[2] ? k
                                               : in[2] - 1;
                        *y += weight * x[held_row * in[2] + held];
                    }
            }
}

typedef struct oracle_op {
    const char *name;
    void (*forward)(oracle *o, const elbo_node *n, const double *x, double *y);
} oracle_op;

static const oracle_op oracle_ops[] = {
    {"linear", oracle_linear},
    {"relu", oracle_relu},
    {"leaky_relu", oracle_leaky_relu},
    {"tanh", oracle_tanh},
    {"sigmoid", oracle_sigmoid},
    {"silu", oracle_silu},
    {"gelu", oracle_gelu},
    {"flatten", oracle_same},
    {"unflatten", oracle_same},
    {"dropout", oracle_dropout},
    {"reparameterize", oracle_reparameterize},
    {"conv2d", oracle_convolution},
    {"conv_transpose2d", oracle_convolution},
    {"batch_norm1d", oracle_batch_norm},
    {"batch_norm2d", oracle_batch_norm},
    {"add", oracle_add},
    {"concat", oracle_concat},
    {"layer_norm", oracle_layer_norm},
    {"group_norm", oracle_group_norm},
    {"self_attention", oracle_self_attention},
    {"max_pool2d", oracle_pool},
    {"avg_pool2d", oracle_pool},
    {"upsample", oracle_upsample},
    {NULL, NULL},
};

/* ---- the loss ---- */

/* -log p of a value x about y, of distributions that are normalised; l: the logit of y. */
static inline double oracle_nats(const oracle *o, elbo_reconstruction kind, double y, double l, double x) {
    if (kind == ELBO_CB) return log1p(exp(l)) - x * l - log(l / tanh(l / 2));
    const elbo_node *n = elbo_loss_scaled(o->graph);
    double p = n->params ? o->params[o->graph->param[n->first_param].offset] : 0;
    double s = n->params ? exp(-6) * (1 + exp(p + 6)) : (double)o->recipe->loss.sigma, d = x - y;
    if (kind == ELBO_GAUSSIAN) return 0.5 * log(2 * acos(-1)) + log(s) + d * d / (2 * s * s);
    double low = o->recipe->image.low, high = o->recipe->image.high, h = (high - low) / 510;
    double above = x > high - h ? 1 : 1 / (1 + exp(-(d + h) / s)),
           below = x < low + h ? 0 : 1 / (1 + exp(-(d - h) / s));
    return -log(above - below);
}

/* In double log(1 + exp(l)) needs no care. */
static inline void oracle_loss(oracle *o) {
    const elbo_graph *g = o->graph;
    size_t size = elbo_image_size(g->image);
    const double *y = o->output[g->at.output], *logits = o->output[g->at.logits];
    o->reconstruction = o->kl = o->squared = 0;
    for (int b = 0; b < o->count; b++) {
        o->row_reconstruction[b] = 0;
        for (size_t i = (size_t)b * size; i < (size_t)(b + 1) * size; i++) {
            double x = o->images[i], e = y[i] - x;
            const elbo_terms *t = &o->recipe->loss.reconstruction;
            o->row_reconstruction[b] += elbo_term_weight(t, ELBO_MSE) * e * e + elbo_term_weight(t, ELBO_L1) * fabs(e);
            if (elbo_term_weight(t, ELBO_BCE) > 0)
                o->row_reconstruction[b] += elbo_term_weight(t, ELBO_BCE) * (log1p(exp(logits[i])) - x * logits[i]);
            const elbo_term *one = elbo_terms_scaled(t) ? elbo_terms_scaled(t) : elbo_terms_of_logits(t);
            if (one && one->kind != ELBO_BCE)
                o->row_reconstruction[b] += one->weight * oracle_nats(o, one->kind, y[i], logits[i], x);
            if (one && one->kind == ELBO_CB) e = 1 / (1 - exp(-logits[i])) - 1 / logits[i] - x; // of the mean
            o->squared += e * e / o->count;
        }
        o->reconstruction += o->row_reconstruction[b] / o->count;
        o->kl += o->row_kl[b] / o->count;
    }
    o->objective = o->reconstruction + o->kl_weight * o->kl;
}

/* ---- running ---- */

static inline void oracle_open(oracle *o, const elbo_graph *g, const elbo_recipe *r, int count) {
    *o = (oracle){.graph = g, .recipe = r, .count = count};
    o->output = calloc((size_t)g->count, sizeof *o->output);
    for (int i = 0; i < g->count; i++) o->output[i] = calloc((size_t)count * oracle_size(&g->node[i]), sizeof(double));
    o->row_reconstruction = calloc((size_t)count, sizeof(double));
    o->row_kl = calloc((size_t)count, sizeof(double));
}

static inline void oracle_close(oracle *o) {
    for (int i = 0; i < o->graph->count; i++) free(o->output[i]);
    free(o->output);
    free(o->row_reconstruction);
    free(o->row_kl);
}

static inline void oracle_run(oracle *o) {
    const elbo_graph *g = o->graph;
    memcpy(o->output[0], o->images, (size_t)o->count * elbo_image_size(g->image) * sizeof(double));
    for (int i = 1; i < g->count; i++) {
        const elbo_node *n = &g->node[i];
        if (elbo_loss_find(n->op->name)) continue; // oracle_loss
        const oracle_op *op = oracle_ops;
        while (op->name && strcmp(op->name, n->op->name)) op++;
        if (!op->name) fail_msg("oracle.h has no row for `%s`: what does it compute?", n->op->name);
        op->forward(o, n, o->output[n->input[0]], o->output[i]);
    }
    oracle_loss(o);
}

#endif
