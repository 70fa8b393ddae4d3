/* What the CPU's steps call to compute: small functions on plain arrays, outputs first, then inputs, then sizes. Device
 * `cpu` takes each group from the fastest place this machine supports, device `ref` plain loops.
 *
 * A kernel runs on the calling thread; what is elbo's allocates nothing. */
#ifndef ELBO_KERNELS_H
#define ELBO_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "device/cpu/conv.h"
#include "nn/ops/activation.h"
#include "nn/ops/gate.h"
#include "nn/optimizer.h"

/* Matrix products of a fully connected layer. w is PyTorch's (out, in). False where what computes them (oneDNN packs in
 * memory of its own) had no memory: the result is then none. */
typedef struct elbo_linear_kernels {
    const char *name;
    /* scratch: (out, rows) */
    bool (*forward)(float *y,                                          // (rows, out) = x w^T + bias
                    const float *x, const float *w, const float *bias, // (rows, in), (out, in), (out) or NULL
                    int rows, int in, int out, float *scratch);
    bool (*backward_data)(float *dx,                       // (rows, in) = dy w, or += where `accumulate`
                          const float *dy, const float *w, // (rows, out), (out, in)
                          int rows, int in, int out, bool accumulate);
    /* The gradient of `tile` neighbouring outputs over all rows. dy points at the first of them in row 0. */
    bool (*backward_weights)(float *dw, float *dbias,         // (tile, in), (tile) or NULL
                             const float *dy, const float *x, // (rows, out)[:, first:first+tile], (rows, in)
                             int rows, int in, int out, int tile);
} elbo_linear_kernels;

/* Functions of single values. y may be x, dx may be dy. */
typedef struct elbo_pointwise_kernels {
    const char *name;
    void (*activation_forward)(float *y, const float *x, size_t n, elbo_activation a, float slope);
    /* From the output alone: every activation here can tell its derivative from y. */
    void (*activation_backward)(float *dx, const float *dy, const float *y, size_t n, elbo_activation a, float slope);
    /* y = low + (high - low) * (x / 255): what a byte means in the recipe's range. */
    void (*from_bytes)(float *y, const uint8_t *x, size_t n, float low, float high);
    /* y = x * mask; a mask holds 0 or 1 / (1 - p). */
    void (*multiply)(float *y, const float *x, const float *mask, size_t n);
    void (*add)(float *y, const float *x, size_t n); // y += x
    /* Between the layouts of conv.h, one image: (C, pixels) and (C/16, pixels, 16). Padding is written 0, and not
     * read. */
    void (*to_blocked)(float *blocked, const float *plain, int channels, size_t pixels);
    void (*to_plain)(float *plain, const float *blocked, int channels, size_t pixels);
} elbo_pointwise_kernels;

/* x g(x), value by value (nn/ops/gate.h). */
typedef struct elbo_gate_kernels {
    const char *name;
    void (*forward)(float *y, const float *x, size_t n, elbo_gate g);
    /* dx = dy (g(x) + x g'(x)); or += where `accumulate` */
    void (*backward)(float *dx, const float *dy, const float *x, size_t n, elbo_gate g, bool accumulate);
} elbo_gate_kernels;

/* A loss of one image, value by value: returns the sum of its terms. *squared: the sum of squared errors of the
 * reconstruction (of bce and cb, whose y are logits, of their distribution's mean). dy (n), its gradient times `scale`, or NULL. */
typedef float elbo_pixel_loss(float *dy, float *squared, const float *y, const float *x, size_t n, float scale);

/* What a discretised logistic needs besides: its scale, half the distance between two values, and the values below and
 * above which its ends are open. */
typedef struct elbo_logistic {
    float scale, half, lowest, highest;
} elbo_logistic;

/* Losses of one image each: they return nats and, where asked, write the gradient times `scale`. */
typedef struct elbo_loss_kernels {
    const char *name;
    /* Elements 0 .. n-1 of a stream of standard normal numbers, as elbo_random_normal. */
    void (*normal)(float *out, size_t n, elbo_stream s);
    /* The same uniform in [0, 1), exactly as elbo_random_uniform. */
    void (*uniform)(float *out, size_t n, elbo_stream s);
    /* By term (recipe/losses.def); NULL where it is not one of values. */
    elbo_pixel_loss *pixel[ELBO_RECONSTRUCTIONS];
    /* mse and l1 at once: returns the sum of |y - x|; the gradient is that of mse_weight (y - x)^2 + l1_weight |y - x|. */
    float (*mse_l1)(float *dy, float *squared, const float *y, const float *x, size_t n, float mse_weight,
                    float l1_weight, float scale);
    /* -log of the probability that a logistic distribution about y gives to the value that x is. *by_scale: the sum of
     * its derivative by log scale, not times `scale`. */
    float (*logistic)(float *dy, float *squared, float *by_scale, const float *y, const float *x, size_t n,
                      const elbo_logistic *l, float scale);
    /* z = mu + eps exp(logvar / 2), and the return value KL(N(mu, exp(logvar)) || N(0, 1))
     * = 1/2 sum(mu^2 + exp(logvar) - 1 - logvar): Kingma and Welling 2013, appendix B. eps NULL: z = mu. logvar is
     * bounded as nn/distributions.h says. */
    float (*reparameterize)(float *z, const float *mu, const float *logvar, const float *eps, size_t n);
    /* Gradients of both, `weight` being that of the KL term times the loss's scale. dmu may not be dz. */
    void (*reparameterize_backward)(float *dmu, float *dlogvar, const float *dz, const float *mu, const float *logvar,
                                    const float *eps, size_t n, float weight);
    /* log q(z|x) - log p(z) of the z that eps made, 1/2 sum(z^2 - eps^2 - logvar): the KL of one sample. */
    float (*sampled_kl)(const float *z, const float *logvar, const float *eps, size_t n);
    /* Gradients of z and of it; as the KL's, its own goes on where logvar is out of its bounds. dmu may not be dz. */
    void (*sampled_kl_backward)(float *dmu, float *dlogvar, const float *dz, const float *z, const float *logvar,
                                const float *eps, size_t n, float weight);
    /* y *= factor */
    void (*scale)(float *y, size_t n, float factor);
} elbo_loss_kernels;

/* The codes of a batch, as terms over all of it read them: by dimension, (Z, stride), an image in each column, zeros in
 * those from `count` on, up to a stride of whole sixteens. NULL what is not there. */
typedef struct elbo_codes {
    const float *z, *mu, *logvar, *draw; // draw: from the prior, one for each image
    size_t Z, count, stride;
} elbo_codes;

/* Gradients with respect to these, in the same layout. */
typedef struct elbo_code_gradients {
    float *z, *mu, *logvar;
} elbo_code_gradients;

/* A term of one image's code, or of its mu and logvar, x (n): returns the value; dx (NULL: nobody asks) += its gradient
 * times `scale`. */
typedef float elbo_row_term(float *dx, const float *x, size_t n, float scale);

/* A term over a batch, the mean of a value of each image; here the images first .. first+rows-1 of it, for which values
 * are written, and (unless g is NULL) the gradients of the sum of these values times `scale` added, to whomever's they
 * are. */
typedef struct elbo_batch_term_args {
    size_t first, rows;
    float scale;
    float bound;     // what the KL is held to
    unsigned choice; // which kernel
    float *room;     // elbo_batch_term_room
} elbo_batch_term_args;
typedef void elbo_batch_term(float *value, const elbo_code_gradients *g, const elbo_codes *c,
                             const elbo_batch_term_args *a);
static inline size_t elbo_batch_term_room(size_t Z, size_t stride) { return (4 * Z + 2) * stride + Z; }

/* recipe/latent_terms.def; NULL: it is of the other kind. */
typedef struct elbo_latent_kernels {
    const char *name;
    elbo_row_term *row[ELBO_LATENT_TERMS];
    elbo_batch_term *batch[ELBO_LATENT_TERMS];
} elbo_latent_kernels;

/* An optimizer: one pass over parameters w (n), gradients g (n) and what it keeps, array[k] (n). The formulas are
 * PyTorch's. */
typedef void elbo_optimizer_step(float *w, float *const *array, const float *g, size_t n, const elbo_update *u);

typedef struct elbo_update_kernels {
    const char *name;
    elbo_optimizer_step *step[ELBO_OPTIMIZERS]; // recipe/optimizers.def
    double (*sum_of_squares)(const float *g, size_t n);
} elbo_update_kernels;

/* How channels lie in some images: (rows, groups, pixels, lanes), channel = group * lanes + lane. Plain images have a
 * group per channel and one lane, blocked ones 16 lanes, features one group and a lane each. Arrays by channel hold
 * groups * lanes. */
typedef struct elbo_planes {
    size_t rows, groups, pixels, lanes;
} elbo_planes;

/* By channel: what the gradient of normalisation over the batch is made of. */
typedef struct elbo_norm_gradient {
    const float *mean;       // of x
    const float *a, *b, *c0; // dx = a dy + b (x - mean) + c0
} elbo_norm_gradient;

/* Of one image that was normalised by itself. */
typedef struct elbo_layer_norm_image {
    const float *dy, *x; // (n)
    const float *w;      // (n): the layer's weight
    float mean, inverse; // as `layer` left them
    size_t n;
} elbo_layer_norm_image;

/* One image (channels, pixels), plain, whose channels are normalised in groups. */
typedef struct elbo_group_norm_image {
    const float *dy, *x; // dy: of backward only
    const float *w, *b;  // (channels); b: of forward only
    size_t groups, channels, pixels;
} elbo_group_norm_image;

/* What normalisation over the batch needs, channel by channel. */
typedef struct elbo_norm_kernels {
    const char *name;
    /* Over rows and pixels: the mean, and the sum of squared deviations from it. */
    void (*moments)(float *mean, float *squares, const float *x, const elbo_planes *p);
    /* y = (x - mean) scale + shift */
    void (*normalise)(float *y, const float *x, const float *mean, const float *scale, const float *shift,
                      const elbo_planes *p);
    /* Sums over rows and pixels of dy, and of dy (x - mean). */
    void (*gradient_sums)(float *sum, float *product, const float *dy, const float *x, const float *mean,
                          const elbo_planes *p);
    /* dx = a dy + b (x - mean) + c0; or += where `accumulate` */
    void (*backward)(float *dx, const float *dy, const float *x, const elbo_norm_gradient *of, const elbo_planes *p,
                     bool accumulate);
    /* Normalisation of one image by itself, all n values of it: y = (x - mean) inverse w + b, inverse = 1 / sqrt(var +
     * eps). *mean and *inverse are left for backward. */
    void (*layer)(float *y, float *mean, float *inverse, const float *x, const float *w, const float *b, size_t n,
                  float eps);
    /* dw += dy (x - mean) inverse, db += dy; dx (NULL: nobody asks) is set, or added to where `accumulate`. */
    void (*layer_backward)(float *dx, float *dw, float *db, const elbo_layer_norm_image *image, bool accumulate);
    /* The same of each group of channels, weight and bias by channel.  moments: (groups, 2), mean and inverse */
    void (*group)(float *y, float *moments, const elbo_group_norm_image *image, float eps);
    void (*group_backward)(float *dx, float *dw, float *db, const float *moments, const elbo_group_norm_image *image,
                           bool accumulate);
} elbo_norm_kernels;

/* Images made smaller or larger, as (planes, height, width, lanes): plain ones have a plane per channel and one lane,
 * blocked ones a plane per 16 channels and 16 lanes. */
typedef struct elbo_resample {
    size_t planes, lanes;
    int height, width;           // of x
    int out_height, out_width;   // of y
    int kernel, stride, padding; // of pooling, as in torch.nn.MaxPool2d and AvgPool2d; square
    int scale;                   // of upsampling: one pixel becomes scale x scale
} elbo_resample;

/* Backward adds to dx: windows overlap, and dx may hold another consumer's share. */
typedef struct elbo_resample_kernels {
    const char *name;
    /* The largest value of each window, the first of equal ones; NaN is larger than all, so that a diverged run is
     * seen. */
    void (*max_pool)(float *y, const float *x, const elbo_resample *s);
    void (*max_pool_backward)(float *dx, const float *dy, const float *x, const elbo_resample *s);
    /* The sum of each window over kernel^2, padding counted as zeros. */
    void (*average_pool)(float *y, const float *x, const elbo_resample *s);
    void (*average_pool_backward)(float *dx, const float *dy, const elbo_resample *s);
    void (*nearest)(float *y, const float *x, const elbo_resample *s);
    void (*nearest_backward)(float *dx, const float *dy, const elbo_resample *s);
    /* Between pixels' centres, those at the edge held (PyTorch's align_corners=False). */
    void (*bilinear)(float *y, const float *x, const elbo_resample *s);
    void (*bilinear_backward)(float *dx, const float *dy, const elbo_resample *s);
} elbo_resample_kernels;

/* Self-attention of one image's positions: q, k, v = in_w x + in_b; P = softmax(q^T k / sqrt(d)) of each head, row by
 * row; y = out_w (v P^T) + out_b. All arrays are (channels, positions) or (3 channels, positions): q above k above v. */
typedef struct elbo_attention_shape {
    int channels, heads, positions;
} elbo_attention_shape;

typedef struct elbo_attention_weights {
    const float *in_w, *in_b, *out_w, *out_b; // (3 C, C), (3 C), (C, C), (C): PyTorch's
} elbo_attention_weights;

typedef struct elbo_attention_gradients {
    float *in_w, *in_b, *out_w, *out_b;
} elbo_attention_gradients;

typedef struct elbo_attention_image {
    const float *dy, *x;
    const float *qkv, *joined; // as forward left them
} elbo_attention_image;

typedef struct elbo_attention_kernels {
    const char *name;
    /* qkv (3 C, positions) and joined (C, positions), v P^T of all heads, are kept for backward. */
    void (*forward)(float *y, float *qkv, float *joined, const float *x, const elbo_attention_weights *w,
                    const elbo_attention_shape *s, float *scratch);
    /* Adds to the gradients `g`; dx (NULL: nobody asks) is set, or added to where `accumulate`. */
    void (*backward)(float *dx, const elbo_attention_gradients *g, const elbo_attention_image *image,
                     const elbo_attention_weights *w, const elbo_attention_shape *s, bool accumulate, float *scratch);
} elbo_attention_kernels;

/* Of either: scores and their gradients of one head, gradients of q, k, v and of what the heads give. */
static inline size_t elbo_attention_scratch(const elbo_attention_shape *s) {
    size_t positions = (size_t)s->positions;
    return 2 * positions * positions + 4 * (size_t)s->channels * positions;
}

typedef struct elbo_kernels {
    const char *name;
    const elbo_linear_kernels *linear;
    const elbo_pointwise_kernels *pointwise;
    const elbo_loss_kernels *loss;
    const elbo_update_kernels *update;
    const elbo_conv_kernels *conv;
    const elbo_norm_kernels *norm;
    const elbo_resample_kernels *resample;
    const elbo_gate_kernels *gate;
    const elbo_attention_kernels *attention;
    const elbo_latent_kernels *latent;
} elbo_kernels;

/* The fastest for this machine. Also for host code that has arrays of its own. */
const elbo_kernels *elbo_kernels_here(void);
extern const elbo_kernels elbo_kernels_ref; // plain loops: what all others are checked against

/* Single-precision peak of `threads` threads, measured now by a loop of fused multiply-adds on the widest vectors that
 * this machine has. In FLOP per second. */
double elbo_measure_peak(int threads);

#endif
