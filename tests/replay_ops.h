/* What each op computes, forward, on a tape: replay.h. */
#ifndef ELBO_TESTS_REPLAY_OPS_H
#define ELBO_TESTS_REPLAY_OPS_H

#include "replay.h"

/* ---- fully connected ---- */

/* A head's mu and logvar are two layers side by side; all weights stand before all biases. */
static void replay_linear(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t in = replay_in(r, n), out = replay_size(n);
    int weights = 0;
    for (int k = 0; k < n->params; k++) weights += replay_param(r, n, k)->rank == 2;
    for (int b = 0; b < r->count; b++, x += in, y += out) {
        size_t column = 0;
        for (int k = 0; k < weights; k++)
            for (int row = 0; row < replay_param(r, n, k)->dim[0]; row++) {
                const var *w = replay_weights(r, n, k) + (size_t)row * in;
                var sum = weights < n->params ? replay_weights(r, n, weights + k)[row] : constant(&r->t, 0);
                for (size_t i = 0; i < in; i++) sum = fma_of(&r->t, w[i], x[i], sum);
                y[column++] = sum;
            }
    }
}

/* ---- convolutions ---- */

/* conv2d gathers what conv_transpose2d scatters; the side that steps by the stride is `large`. Of a head of mu and
 * logvar each has its own weights, of half of the channels: they lie one behind the other. */
static void replay_convolution(replay *r, const elbo_node *n, const var *x, var *y) {
    const int *in = r->graph->node[n->input[0]].shape.dim, *out = n->shape.dim;
    bool transposed = n->op == &elbo_op_conv_transpose2d, bias = replay_value(n, "bias") != 0;
    int stride = (int)replay_value(n, "stride"), padding = (int)replay_value(n, "padding"),
        dilation = (int)replay_value(n, "dilation");
    int stride2 = (int)replay_across(n, "stride"), padding2 = (int)replay_across(n, "padding"),
        dilation2 = (int)replay_across(n, "dilation");
    const elbo_param *first = replay_param(r, n, 0);
    int kernel[2] = {first->dim[2], first->dim[3]}, stacked = n->stacked ? n->params / (bias ? 2 : 1) : 1;
    const int *small = transposed ? in : out, *large = transposed ? out : in;
    size_t x_size = replay_in(r, n), y_size = replay_size(n);
    const var *w = replay_weights(r, n, 0), *b = bias ? replay_weights(r, n, stacked) : NULL;
    for (int image = 0; image < r->count; image++, x += x_size, y += y_size) {
        for (size_t i = 0; i < y_size; i++) y[i] = b ? b[i / (size_t)(out[1] * out[2])] : constant(&r->t, 0);
        for (int s = 0; s < small[0]; s++)
            for (int l = 0; l < large[0]; l++)
                for (int at_small = 0; at_small < small[1] * small[2]; at_small++)
                    for (int tap = 0; tap < kernel[0] * kernel[1]; tap++) {
                        int row = at_small / small[2] * stride - padding + tap / kernel[1] * dilation,
                            column = at_small % small[2] * stride2 - padding2 + tap % kernel[1] * dilation2;
                        if (row < 0 || row >= large[1] || column < 0 || column >= large[2]) continue;
                        int i = s * small[1] * small[2] + at_small, k = (l * large[1] + row) * large[2] + column;
                        var weight = w[(s * large[0] + l) * kernel[0] * kernel[1] + tap];
                        var *to = transposed ? &y[k] : &y[i];
                        *to = fma_of(&r->t, weight, transposed ? x[i] : x[k], *to);
                    }
    }
}

/* ---- value by value ---- */

#define REPLAY_EACH(r, n) for (size_t i = 0, all_ = (size_t)(r)->count * replay_size(n); i < all_; i++)

static void replay_relu(replay *r, const elbo_node *n, const var *x, var *y) {
    REPLAY_EACH(r, n) y[i] = above_0(&r->t, at(&r->t, x[i])) ? x[i] : constant(&r->t, 0);
}

static void replay_leaky_relu(replay *r, const elbo_node *n, const var *x, var *y) {
    double slope = (float)n->value[0];
    REPLAY_EACH(r, n) y[i] = above_0(&r->t, at(&r->t, x[i])) ? x[i] : times(&r->t, x[i], slope);
}

/* An activation that tells its slope from its output, which is a float: where it is flat, that is all one knows. */
static var replay_from_output(replay *r, var x, double y, double (*slope)(double)) {
    var v = function(&r->t, x, y, 0);
    r->t.step[v].by[0] = slope(at(&r->t, v));
    return v;
}
static double replay_tanh_slope(double y) { return 1 - y * y; }
static double replay_sigmoid_slope(double y) { return y * (1 - y); }

static void replay_tanh(replay *r, const elbo_node *n, const var *x, var *y) {
    REPLAY_EACH(r, n) y[i] = replay_from_output(r, x[i], tanh(at(&r->t, x[i])), replay_tanh_slope);
}

static void replay_sigmoid(replay *r, const elbo_node *n, const var *x, var *y) {
    REPLAY_EACH(r, n)
    y[i] = replay_from_output(r, x[i], 1 / (1 + exp(-at(&r->t, x[i]))), replay_sigmoid_slope);
}

/* x g(x), with x g'(x) + g(x) from double formulas of x. */
static void replay_silu(replay *r, const elbo_node *n, const var *x, var *y) {
    REPLAY_EACH(r, n) {
        double v = at(&r->t, x[i]), s = 1 / (1 + exp(-v));
        y[i] = mul(&r->t, x[i], function(&r->t, x[i], s, s * (1 - s)));
    }
}

/* In the tails a gate is the exponential of something large: its rounding counts. */
static void replay_gelu(replay *r, const elbo_node *n, const var *x, var *y) {
    bool by_tanh = n->word && !strcmp(n->word, "tanh");
    const double pi = acos(-1), k = 2 * sqrt(2 / pi);
    REPLAY_EACH(r, n) {
        var u = times(&r->t, x[i], by_tanh ? k : sqrt(0.5)), gate; // (1 + tanh(v)) / 2 is the sigmoid of 2 v
        if (by_tanh) u = fma_of(&r->t, times(&r->t, mul(&r->t, x[i], x[i]), 0.044715), u, u);
        double v = at(&r->t, u), s = 1 / (1 + exp(-v));
        if (by_tanh)
            gate = function(&r->t, u, s, s * (1 - s));
        else
            gate = function(&r->t, u, erfc(-v) / 2, exp(-v * v) / sqrt(pi));
        y[i] = mul(&r->t, x[i], gate);
    }
}

static void replay_same(replay *r, const elbo_node *n, const var *x, var *y) { REPLAY_EACH(r, n) y[i] = x[i]; }

/* A mask's place among the random numbers is part of "same seed, same bits". */
static void replay_dropout(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_size(n);
    float *drawn = malloc(size * sizeof *drawn), p = (float)n->value[0];
    uint32_t purpose = ELBO_FOR_DROPOUT + ((uint32_t)(n - r->graph->node) << 8);
    for (int b = 0; b < r->count; b++, x += size, y += size) {
        elbo_random_uniform((elbo_stream){r->recipe->train.seed, purpose, r->epoch, r->index[b]}, drawn, size);
        for (size_t i = 0; i < size; i++)
            y[i] = !r->training ? x[i] : drawn[i] < p ? constant(&r->t, 0) : times(&r->t, x[i], 1 / (1 - (double)p));
    }
    free(drawn);
}

/* ---- skip connections ---- */

static void replay_add(replay *r, const elbo_node *n, const var *x, var *y) {
    const var *saved = r->out[n->input[1]];
    REPLAY_EACH(r, n) y[i] = plus(&r->t, x[i], saved[i]);
}

static void replay_concat(replay *r, const elbo_node *n, const var *x, var *y) {
    const var *saved = r->out[n->input[1]];
    size_t first = replay_in(r, n), second = replay_size(n) - first;
    for (int b = 0; b < r->count; b++, x += first, saved += second, y += first + second) {
        memcpy(y, x, first * sizeof *y);
        memcpy(y + first, saved, second * sizeof *y);
    }
}

/* ---- losses: of each image one number ---- */

/* z = mu + eps exp(logvar / 2). A device draws eps by functions of its own, which agree to some of the last digits of
 * the largest numbers drawn, not of the smallest. */
static void replay_reparameterize(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t Z = replay_size(n);
    float *eps = malloc(Z * sizeof *eps);
    for (int b = 0; b < r->count; b++, x += 2 * Z, y += Z) {
        elbo_random_normal((elbo_stream){r->recipe->train.seed, ELBO_FOR_NOISE, r->epoch, r->index[b]}, eps, Z);
        for (size_t i = 0; i < Z; i++) {
            var large = constant(&r->t, 8), drawn = minus(&r->t, plus(&r->t, constant(&r->t, eps[i]), large), large);
            y[i] = r->training ? fma_of(&r->t, drawn, exp_of(&r->t, times(&r->t, x[Z + i], 0.5)), x[i]) : x[i];
        }
    }
    free(eps);
}

static void replay_kl(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t Z = replay_in(r, n) / 2;
    for (int b = 0; b < r->count; b++, x += 2 * Z) {
        y[b] = constant(&r->t, 0);
        for (size_t i = 0; i < Z; i++) {
            var rest = minus(&r->t, exp_of(&r->t, x[Z + i]), plus(&r->t, x[Z + i], constant(&r->t, 1)));
            y[b] = plus(&r->t, y[b], times(&r->t, fma_of(&r->t, x[i], x[i], rest), 0.5));
        }
    }
}

/* -log of a Bernoulli's probability, from logits: log(1 + exp(l)) - x l. */
static void replay_bce(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_in(r, n);
    const var *image = r->out[n->input[1]];
    for (int b = 0; b < r->count; b++, x += size, image += size) {
        y[b] = constant(&r->t, 0);
        for (size_t i = 0; i < size; i++) {
            double l = at(&r->t, x[i]), softplus = l > 0 ? l + log1p(exp(-l)) : log1p(exp(l));
            var term = function(&r->t, x[i], softplus, 1 / (1 + exp(-l)));
            y[b] = plus(&r->t, y[b], minus(&r->t, term, mul(&r->t, image[i], x[i])));
        }
    }
}

static void replay_mse(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_in(r, n);
    const var *image = r->out[n->input[1]];
    for (int b = 0; b < r->count; b++, x += size, image += size) {
        y[b] = constant(&r->t, 0);
        for (size_t i = 0; i < size; i++) {
            var d = minus(&r->t, x[i], image[i]);
            y[b] = fma_of(&r->t, d, d, y[b]);
        }
    }
}

static void replay_l1(replay *r, const elbo_node *n, const var *x, var *y) {
    size_t size = replay_in(r, n);
    const var *image = r->out[n->input[1]];
    for (int b = 0; b < r->count; b++, x += size, image += size) {
        y[b] = constant(&r->t, 0);
        for (size_t i = 0; i < size; i++) {
            var d = minus(&r->t, x[i], image[i]);
            double side = at(&r->t, d) == 0 ? 0 : above_0(&r->t, at(&r->t, d)) ? 1 : -1;
            y[b] = plus(&r->t, y[b], times(&r->t, d, side));
        }
    }
}

#include "replay_layers.h"

static const replay_op replay_ops[] = {
    {"linear", replay_linear},
    {"conv2d", replay_convolution},
    {"conv_transpose2d", replay_convolution},
    {"relu", replay_relu},
    {"leaky_relu", replay_leaky_relu},
    {"tanh", replay_tanh},
    {"sigmoid", replay_sigmoid},
    {"silu", replay_silu},
    {"gelu", replay_gelu},
    {"flatten", replay_same},
    {"unflatten", replay_same},
    {"dropout", replay_dropout},
    {"batch_norm1d", replay_batch_norm},
    {"batch_norm2d", replay_batch_norm},
    {"layer_norm", replay_layer_norm},
    {"group_norm", replay_group_norm},
    {"self_attention", replay_self_attention},
    {"max_pool2d", replay_pool},
    {"avg_pool2d", replay_pool},
    {"upsample", replay_upsample},
    {"add", replay_add},
    {"concat", replay_concat},
    {"reparameterize", replay_reparameterize},
    {"kl", replay_kl},
    {"bce", replay_bce},
    {"mse", replay_mse},
    {"l1", replay_l1},
    {NULL, NULL},
};

static const replay_op *replay_find(const char *name) {
    for (const replay_op *op = replay_ops; op->name; op++)
        if (!strcmp(op->name, name)) return op;
    fprintf(stderr, "replay_ops.h has no row for `%s`: what does it compute?\n", name);
    abort();
}

#endif
