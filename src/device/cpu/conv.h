/* Convolutions, as kernels: prepared once for a shape, then run by any thread.
 *
 * A transposed convolution is the same thing with its input and output exchanged, so both are one group.
 *
 * Activations come in two layouts. Plain is PyTorch's (C, H, W). Blocked, oneDNN's nChw16c, is (C/16, H, W, 16):
 * sixteen channels beside each other, so that a vector holds one value of each; channels are padded up to a multiple of
 * 16. In both, images lie one behind the other. */
#ifndef ELBO_CONV_H
#define ELBO_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { ELBO_BLOCK = 16 };

static inline int elbo_padded_channels(int channels) { return (channels + ELBO_BLOCK - 1) / ELBO_BLOCK * ELBO_BLOCK; }

typedef struct elbo_conv_shape {
    bool transposed;
    int rows;                                          // images at a time
    int in, height, width;                             // channels and size of x
    int out, out_height, out_width;                    // of y
    int kernel[2], stride[2], padding[2], dilation[2]; // of rows and columns, as torch.nn.Conv2d and ConvTranspose2d
    bool bias;
    bool x_blocked, y_blocked; // the layouts of x and dx, and of y and dy
} elbo_conv_shape;

static inline int elbo_conv_taps(const elbo_conv_shape *s) { return s->kernel[0] * s->kernel[1]; }

typedef struct elbo_conv elbo_conv; // the group's own

typedef struct elbo_conv_kernels {
    const char *name;
    bool blocked; // wants its activations blocked
    /* `need_dw`, `need_dx`: backward to the weights, to the input. `threads`: how many may run it at once. */
    elbo_status (*make)(elbo_conv **c, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                        elbo_error *err);
    void (*free)(void *conv);
    const char *(*describe)(const elbo_conv *c);   // the kernel that was chosen
    size_t (*packed_floats)(const elbo_conv *c);   // weights as the kernels want them
    size_t (*gradient_floats)(const elbo_conv *c); // a shard's share of the gradient of weights and bias, likewise
    size_t (*scratch_floats)(const elbo_conv *c);  // per thread
    /* These five: false where oneDNN had no memory; the result is then none. */
    /* From PyTorch's layout: conv2d (out, in, rows, columns), conv_transpose2d (in, out, rows, columns). */
    bool (*pack)(const elbo_conv *c, float *packed, const float *w, float *scratch, int thread);
    bool (*forward)(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                    float *scratch, int thread);
    bool (*backward_data)(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch,
                          int thread);
    bool (*backward_weights)(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch,
                             int thread);
    /* Into PyTorch's layout. dbias (out) or NULL. */
    bool (*unpack_gradient)(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                            int thread);
} elbo_conv_kernels;

extern const elbo_conv_kernels elbo_ref_conv, elbo_onednn_conv;

#endif
