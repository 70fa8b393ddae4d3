/* A convolution that oneDNN runs: what its files share.
 *
 * call.c: oneDNN's primitives. describe.c: the layer in oneDNN's words. make.c: choosing and making. weights.c: packing
 * them, and unpacking their gradients. few_channels.c: the one kernel that is not oneDNN's. conv.c: running. */
#ifndef ELBO_ONEDNN_LAYER_H
#define ELBO_ONEDNN_LAYER_H

#include <dnnl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "device/cpu/conv.h"

enum { ONEDNN_MOST_ARGS = 5 };

/* A primitive, what it reads and writes, and each thread's memory objects. */
typedef struct onednn_call {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    int args;
    int arg[ONEDNN_MOST_ARGS];
    dnnl_memory_t *memory; // (threads, ONEDNN_MOST_ARGS)
    size_t scratchpad;     // bytes
    bool made;
} onednn_call;

/* What one direction of the convolution needs: the primitive, and reorders of its three arrays where they are kept
 * otherwise. */
typedef struct onednn_direction {
    onednn_call main, pack; // pack: of the weights; for the third direction, unpacking their gradient
    onednn_call large_reorder, small_reorder;
    size_t packed; // floats of the weights in its layout
} onednn_direction;

/* Where the plan's layout leaves oneDNN 2.6 nothing but plain loops (0.1 GFLOP/s), two ways are left.
 *
 * Wide, for 4 to 15 channels on the large side (its fast kernels take so few for an image, and want it plain): sixteen
 * of them lie in memory no differently, so we say sixteen; those that are not there have weights of 0.
 *
 * Free: it chooses, and reorders stand before and behind. A CPU without AVX-512 works on blocks of eight channels. */
typedef enum onednn_layout { ONEDNN_AS_KEPT, ONEDNN_WIDE, ONEDNN_FREE } onednn_layout;

struct elbo_conv {
    elbo_conv_shape s;
    int threads;
    dnnl_engine_t engine;
    dnnl_stream_t *stream;                        // (threads)
    onednn_direction to_small, to_large, weights; // large -> small, small -> large, both -> gradient
    bool biased;                                  // oneDNN adds the bias, and its gradient; else conv.c does
    bool few;                                     // forward by few_channels.c
    bool turned;                   // a conv2d that is run as the transposed convolution it equals: weights.c
    onednn_layout layout;          // of what oneDNN works on
    size_t large_room, small_room; // floats of scratch for reordered activations
    size_t scratchpad;             // bytes, the largest of all
};

/* ---- call.c ---- */

elbo_status elbo_onednn_check(dnnl_status_t status, const char *what, elbo_error *err);
elbo_status elbo_onednn_make_call(elbo_conv *c, onednn_call *k, dnnl_primitive_desc_t desc, int args, const int *arg,
                                  const dnnl_memory_desc_t *const *md, elbo_error *err);
elbo_status elbo_onednn_make_reorder(elbo_conv *c, onednn_call *k, const dnnl_memory_desc_t *from,
                                     const dnnl_memory_desc_t *to, elbo_error *err);
void elbo_onednn_free_call(elbo_conv *c, onednn_call *k);
/* Runs a call on these addresses, in the order of its arguments; false where oneDNN could not. */
bool elbo_onednn_run(const elbo_conv *c, const onednn_call *k, int thread, float *scratchpad,
                     const void *const *address);

/* ---- describe.c ---- */

typedef struct onednn_arrays {
    dnnl_memory_desc_t large, small, w, bias;          // as primitives are asked for: mostly any layout
    dnnl_memory_desc_t kept_large, kept_small, kept_w; // as the plan and PyTorch keep them
    dnnl_memory_desc_t blocked_large;                  // of a wide layer: the same, blocked
    dnnl_dims_t strides, dilates, padding, padding_behind;
} onednn_arrays;

elbo_status elbo_onednn_describe_layer(const elbo_conv *c, onednn_arrays *d, elbo_error *err);
elbo_status elbo_onednn_describe_convolution(const elbo_conv *c, const onednn_arrays *d, dnnl_prop_kind_t kind,
                                             dnnl_primitive_desc_t *desc, elbo_error *err);
/* Rows and columns of y, right and below, that no tap reaches: oneDNN is not shown them. */
bool elbo_onednn_some_beyond(const elbo_conv_shape *s);

/* ---- make.c ---- */

elbo_status elbo_onednn_make(elbo_conv **conv, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                             elbo_error *err);
void elbo_onednn_free(void *conv);
const char *elbo_onednn_describe(const elbo_conv *c);

/* ---- weights.c ---- */

size_t elbo_onednn_packed_floats(const elbo_conv *c);
size_t elbo_onednn_gradient_floats(const elbo_conv *c);
/* What a thread's scratch holds of weights: those of a wide layer, those of a turned one. */
size_t elbo_onednn_wide_floats(const elbo_conv *c);
size_t elbo_onednn_turned_floats(const elbo_conv *c);
bool elbo_onednn_pack(const elbo_conv *c, float *packed, const float *plain, float *scratch, int thread);
bool elbo_onednn_unpack_gradient(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                                 int thread);

/* ---- few_channels.c ---- */

/* x (rows, in / 16, H, W, 16) to y (rows, out, H', W'), by weights as a transposed convolution has them. `column`
 * (elbo_onednn_column_floats). */
bool elbo_onednn_few_channels_forward(const elbo_conv *c, float *y, const float *x, const float *w, float *column);
size_t elbo_onednn_column_floats(const elbo_conv *c); // of one image

/* ---- a thread's scratch: room for each side reordered, oneDNN's own, columns, wide weights, turned ones ---- */

static inline size_t whole_lines(size_t floats) { return (floats + 15) / 16 * 16; }
static inline size_t pad_floats(const elbo_conv *c) { return whole_lines(c->scratchpad / sizeof(float) + 1); }

static inline float *large_room(float *scratch) { return scratch; }
static inline float *small_room(const elbo_conv *c, float *scratch) { return scratch + c->large_room; }
static inline float *pad_room(const elbo_conv *c, float *scratch) { return small_room(c, scratch) + c->small_room; }
static inline float *column_room(const elbo_conv *c, float *scratch) { return pad_room(c, scratch) + pad_floats(c); }
static inline float *wide_room(const elbo_conv *c, float *scratch) {
    return column_room(c, scratch) + elbo_onednn_column_floats(c);
}
static inline float *turned_room(const elbo_conv *c, float *scratch) {
    return wide_room(c, scratch) + elbo_onednn_wide_floats(c);
}

#endif
