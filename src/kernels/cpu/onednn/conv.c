/* Convolutions by oneDNN. Each layer's primitives are made once; running one sets the addresses of its memory objects,
 * of which every thread has its own, and allocates nothing. Where oneDNN wants an activation in another layout than the
 * plan keeps it in, a reorder stands before or behind, through the thread's scratch memory.
 *
 * Every layer is an ordinary convolution from a large side to a small one: of conv2d x is the large side, of
 * conv_transpose2d y is, so its forward is the convolution's backward data, and the other way round. oneDNN's own
 * deconvolution does the same, but adds the bias so slowly that the layer took four times as long (bench/log.md).
 *
 * oneDNN 2.6, C API: https://oneapi-src.github.io/oneDNN/v2.6/ */
#include <dnnl.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "kernels/conv.h"

enum { MOST_ARGS = 5 };

/* A primitive, what it reads and writes, and each thread's memory objects. */
typedef struct call {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    int args;
    int arg[MOST_ARGS];
    dnnl_memory_t *memory; // (threads, MOST_ARGS)
    size_t scratchpad;     // bytes
    bool made;
} call;

/* What one direction of the convolution needs: the primitive, and reorders of its three arrays where they are kept otherwise. */
typedef struct direction {
    call main, pack;                // pack: of the weights; for the third direction, unpacking their gradient
    call large_reorder, small_reorder;
    size_t packed;                  // floats of the weights in its layout
} direction;

struct elbo_conv {
    elbo_conv_shape s;
    int threads;
    dnnl_engine_t engine;
    dnnl_stream_t *stream; // (threads)
    direction to_small, to_large, weights; // large -> small, small -> large, both -> gradient
    bool biased;                    // oneDNN adds the bias, and its gradient; else add_bias and sum_bias do
    bool few;                       // forward by few_channels_forward
    bool turned;                    // a conv2d that is run as the transposed convolution it equals: turn_weights
    enum { AS_KEPT, WIDE, FREE } layout; // of what oneDNN works on: below
    size_t large_room, small_room;  // floats of scratch for reordered activations
    size_t scratchpad;              // bytes, the largest of all
};

static size_t floats_of(const dnnl_memory_desc_t *md) { return (dnnl_memory_desc_get_size(md) + 63) / 64 * 16; }

static elbo_status check(dnnl_status_t status, const char *what, elbo_error *err) {
    if (status == dnnl_success) return ELBO_OK;
    if (status == dnnl_out_of_memory) return elbo_no_memory(err);
    return elbo_fail(err, ELBO_BAD_INPUT, "oneDNN cannot make %s of this shape (status %d)", what, (int)status);
}

/* ---- calls ---- */

static elbo_status make_call(elbo_conv *c, call *k, dnnl_primitive_desc_t desc, int args, const int *arg,
                             const dnnl_memory_desc_t *const *md, elbo_error *err) {
    k->desc = desc;
    k->made = true;
    ELBO_TRY(check(dnnl_primitive_create(&k->primitive, desc), "a primitive", err));
    k->args = args + 1; // and the scratchpad
    k->memory = calloc((size_t)c->threads * MOST_ARGS, sizeof(dnnl_memory_t));
    if (!k->memory) return elbo_no_memory(err);
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    k->scratchpad = dnnl_memory_desc_get_size(pad);
    if (k->scratchpad > c->scratchpad) c->scratchpad = k->scratchpad;
    for (int a = 0; a < args; a++) k->arg[a] = arg[a];
    k->arg[args] = DNNL_ARG_SCRATCHPAD;
    for (int t = 0; t < c->threads; t++)
        for (int a = 0; a <= args; a++)
            ELBO_TRY(check(dnnl_memory_create(&k->memory[t * MOST_ARGS + a], a < args ? md[a] : pad, c->engine,
                                              DNNL_MEMORY_NONE),
                           "a memory object", err));
    return ELBO_OK;
}

static void free_call(elbo_conv *c, call *k) {
    if (k->memory)
        for (int i = 0; i < c->threads * MOST_ARGS; i++)
            if (k->memory[i]) dnnl_memory_destroy(k->memory[i]);
    free(k->memory);
    if (k->primitive) dnnl_primitive_destroy(k->primitive);
    if (k->desc) dnnl_primitive_desc_destroy(k->desc);
}

/* Runs a call on these addresses, in the order of its arguments. */
static void run(const elbo_conv *c, const call *k, int thread, float *scratchpad, const void *const *address) {
    dnnl_exec_arg_t args[MOST_ARGS];
    for (int a = 0; a < k->args; a++) {
        dnnl_memory_t m = k->memory[thread * MOST_ARGS + a];
        const void *p = a + 1 < k->args ? address[a] : scratchpad;
        dnnl_memory_set_data_handle(m, (void *)(uintptr_t)p); // oneDNN writes only to what is an output
        args[a] = (dnnl_exec_arg_t){k->arg[a], m};
    }
    dnnl_primitive_execute(k->primitive, c->stream[thread], k->args, args);
}

static elbo_status make_reorder(elbo_conv *c, call *k, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                elbo_error *err) {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_attr_t attr;
    ELBO_TRY(check(dnnl_primitive_attr_create(&attr), "an attribute", err));
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, from, c->engine, to, c->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    ELBO_TRY(check(status, "a reorder", err));
    return make_call(c, k, desc, 2, (int[]){DNNL_ARG_FROM, DNNL_ARG_TO}, (const dnnl_memory_desc_t *[]){from, to}, err);
}

/* A reorder where the two differ. */
static elbo_status make_reorder_if(elbo_conv *c, call *k, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                   const dnnl_memory_desc_t *converted, size_t *floats, elbo_error *err) {
    if (dnnl_memory_desc_equal(from, to)) return ELBO_OK;
    if (floats_of(converted) > *floats) *floats = floats_of(converted);
    return make_reorder(c, k, from, to, err);
}

/* ---- descriptions ---- */

typedef struct layer_descs {
    dnnl_memory_desc_t large, small, w, bias;             // as primitives are asked for: mostly any layout
    dnnl_memory_desc_t kept_large, kept_small, kept_w;    // as the plan and PyTorch keep them
    dnnl_memory_desc_t blocked_large;                     // of a wide layer: the same, blocked
    dnnl_dims_t strides, dilates, padding, padding_behind;
} layer_descs;

/* Where the plan's layout leaves oneDNN 2.6 nothing but plain loops (0.1 GFLOP/s), two ways are left.
 *
 * WIDE, for 4 to 15 channels on the large side (its fast kernels take so few for an image, and want it plain): sixteen of them
 * lie in memory no differently, so we say sixteen; those that are not there have weights of 0.
 *
 * FREE: it chooses, and reorders stand before and behind. A CPU without AVX-512 works on blocks of eight channels. */
static bool can_be_wide(const elbo_conv_shape *s) {
    return (s->transposed ? s->out : s->in) < ELBO_BLOCK && (s->x_blocked || s->y_blocked);
}

/* A transposed convolution may have an output_padding of its stride or more (below its dilation). oneDNN takes no more padding
 * before than behind a picture plus what a step leaves, so there is less behind; and rows and columns further on than any tap
 * reaches are not shown to it. `unmet` is that output_padding, where it is so large, or 0. */
static int unmet(const elbo_conv_shape *s) {
    if (!s->transposed) return 0;
    int extra = s->out_height - ((s->height - 1) * s->stride + s->dilation * (s->kernel - 1) + 1 - 2 * s->padding);
    return extra >= s->stride ? extra : 0;
}
static int rows_beyond(const elbo_conv_shape *s) { return unmet(s) > s->padding ? unmet(s) - s->padding : 0; }

static elbo_status describe_layer(const elbo_conv *c, layer_descs *d, elbo_error *err) {
    const elbo_conv_shape *s = &c->s;
    dnnl_dims_t x = {s->rows, s->in, s->height, s->width}, y = {s->rows, s->out, s->out_height, s->out_width};
    dnnl_dims_t w = {s->transposed ? s->in : s->out, s->transposed ? s->out : s->in, s->kernel, s->kernel};
    dnnl_dims_t bias = {s->out};
    for (int i = 0; i < 2; i++) {
        d->strides[i] = s->stride;
        d->dilates[i] = s->dilation - 1;
        d->padding[i] = s->padding;
        long behind = s->padding - unmet(s);
        d->padding_behind[i] = behind > 0 ? behind : 0;
    }
    bool large_blocked = s->transposed ? s->y_blocked : s->x_blocked, small_blocked = s->transposed ? s->x_blocked : s->y_blocked;
    dnnl_dim_t *large = s->transposed ? y : x, *small = s->transposed ? x : y;
    dnnl_dims_t wide;
    int beyond = rows_beyond(s);
    dnnl_dims_t whole, offset = {0};
    memcpy(whole, large, sizeof whole);
    for (int i = 2; i < 4; i++) large[i] -= beyond;
    memcpy(wide, large, sizeof wide);
    bool widened = c->layout == WIDE, kept = c->layout != FREE;
    if (widened) wide[1] = w[1] = ELBO_BLOCK;
    dnnl_status_t status = dnnl_success;
#define DESCRIBE(md, n, dims, tag)                                                                                     \
    if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(md, n, dims, dnnl_f32, tag)
    // Blocked activations stay as they are; for others, which are images or small, oneDNN chooses.
    DESCRIBE(&d->large, 4, wide, (large_blocked && kept) || widened ? dnnl_nChw16c : dnnl_format_tag_any);
    DESCRIBE(&d->blocked_large, 4, large, dnnl_nChw16c);
    DESCRIBE(&d->small, 4, small, small_blocked && kept ? dnnl_nChw16c : dnnl_format_tag_any);
    DESCRIBE(&d->kept_large, 4, whole, large_blocked ? dnnl_nChw16c : dnnl_nchw);
    DESCRIBE(&d->kept_small, 4, small, small_blocked ? dnnl_nChw16c : dnnl_nchw);
    DESCRIBE(&d->w, 4, w, dnnl_format_tag_any);
    DESCRIBE(&d->kept_w, 4, w, dnnl_oihw);
    DESCRIBE(&d->bias, 1, bias, dnnl_a);
#undef DESCRIBE
    dnnl_memory_desc_t all = d->kept_large;
    if (status == dnnl_success && beyond) status = dnnl_memory_desc_init_submemory(&d->kept_large, &all, large, offset);
    return check(status, "a description", err);
}

static elbo_status describe_convolution(const elbo_conv *c, const layer_descs *d, dnnl_prop_kind_t kind,
                                        dnnl_primitive_desc_t *desc, elbo_error *err) {
    dnnl_convolution_desc_t op;
    const dnnl_memory_desc_t *bias = c->biased ? &d->bias : NULL;
    dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_status_t status =
        kind == dnnl_backward_data
            ? dnnl_dilated_convolution_backward_data_desc_init(&op, direct, &d->large, &d->w, &d->small, d->strides,
                                                               d->dilates, d->padding, d->padding_behind)
        : kind == dnnl_backward_weights
            ? dnnl_dilated_convolution_backward_weights_desc_init(&op, direct, &d->large, &d->w, bias, &d->small, d->strides,
                                                                  d->dilates, d->padding, d->padding_behind)
            : dnnl_dilated_convolution_forward_desc_init(&op, kind, direct, &d->large, &d->w, bias, &d->small, d->strides,
                                                         d->dilates, d->padding, d->padding_behind);
    ELBO_TRY(check(status, "a convolution", err));
    dnnl_primitive_attr_t attr;
    ELBO_TRY(check(dnnl_primitive_attr_create(&attr), "an attribute", err));
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    bool forward = kind != dnnl_backward_data && kind != dnnl_backward_weights;
    status = dnnl_primitive_desc_create(desc, &op, attr, c->engine, forward ? NULL : c->to_small.main.desc);
    dnnl_primitive_attr_destroy(attr);
    return check(status, "a convolution", err);
}

/* ---- making ---- */

/* How the query names a direction's arrays, and how execution does. */
typedef struct direction_names {
    dnnl_prop_kind_t kind;
    dnnl_query_t large_md, small_md, w_md;
    int large, small, w, bias;
} direction_names;

static const direction_names to_small_names = {dnnl_forward_training, dnnl_query_src_md, dnnl_query_dst_md,
                                               dnnl_query_weights_md, DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WEIGHTS,
                                               DNNL_ARG_BIAS};
static const direction_names to_large_names = {dnnl_backward_data, dnnl_query_diff_src_md, dnnl_query_diff_dst_md,
                                               dnnl_query_weights_md, DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST,
                                               DNNL_ARG_WEIGHTS, 0};
static const direction_names weights_names = {dnnl_backward_weights, dnnl_query_src_md, dnnl_query_diff_dst_md,
                                              dnnl_query_diff_weights_md, DNNL_ARG_SRC, DNNL_ARG_DIFF_DST,
                                              DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS};

/* Which way a reorder goes: an array that the primitive writes is reordered behind it. */
static elbo_status make_direction(elbo_conv *c, direction *k, const direction_names *names, const layer_descs *d,
                                  elbo_error *err) {
    dnnl_primitive_desc_t desc;
    ELBO_TRY(describe_convolution(c, d, names->kind, &desc, err));
    const dnnl_memory_desc_t *large = dnnl_primitive_desc_query_md(desc, names->large_md, 0);
    const dnnl_memory_desc_t *small = dnnl_primitive_desc_query_md(desc, names->small_md, 0);
    const dnnl_memory_desc_t *w = dnnl_primitive_desc_query_md(desc, names->w_md, 0);
    bool biased = c->biased && names->bias;
    ELBO_TRY(make_call(c, &k->main, desc, biased ? 4 : 3, (int[]){names->large, names->w, names->small, names->bias},
                       (const dnnl_memory_desc_t *[]){large, w, small, &d->bias}, err));
    k->packed = floats_of(w);
    bool gradient = names->kind == dnnl_backward_weights;
    ELBO_TRY(make_reorder(c, &k->pack, gradient ? w : &d->kept_w, gradient ? &d->kept_w : w, err));
    if (c->layout == WIDE) large = &d->blocked_large;
    bool writes_large = names->kind == dnnl_backward_data, writes_small = names->kind == dnnl_forward_training;
    ELBO_TRY(make_reorder_if(c, &k->large_reorder, writes_large ? large : &d->kept_large,
                             writes_large ? &d->kept_large : large, large, &c->large_room, err));
    return make_reorder_if(c, &k->small_reorder, writes_small ? small : &d->kept_small,
                           writes_small ? &d->kept_small : small, small, &c->small_room, err);
}

static elbo_status make_all(elbo_conv *c, bool need_dw, bool need_dx, elbo_error *err) {
    ELBO_TRY(check(dnnl_engine_create(&c->engine, dnnl_cpu, 0), "an engine", err));
    c->stream = calloc((size_t)c->threads, sizeof *c->stream);
    if (!c->stream) return elbo_no_memory(err);
    for (int t = 0; t < c->threads; t++)
        ELBO_TRY(check(dnnl_stream_create(&c->stream[t], c->engine, dnnl_stream_default_flags), "a stream", err));
    layer_descs d;
    ELBO_TRY(describe_layer(c, &d, err));
    ELBO_TRY(make_direction(c, &c->to_small, &to_small_names, &d, err)); // the hint that the others need
    if (c->s.transposed || need_dx) ELBO_TRY(make_direction(c, &c->to_large, &to_large_names, &d, err));
    return need_dw ? make_direction(c, &c->weights, &weights_names, &d, err) : ELBO_OK;
}

static void free_direction(elbo_conv *c, direction *k) {
    free_call(c, &k->main);
    free_call(c, &k->pack);
    free_call(c, &k->large_reorder);
    free_call(c, &k->small_reorder);
}

/* All that make_all made. */
static void clear(elbo_conv *c) {
    free_direction(c, &c->to_small);
    free_direction(c, &c->to_large);
    free_direction(c, &c->weights);
    for (int t = 0; c->stream && t < c->threads; t++)
        if (c->stream[t]) dnnl_stream_destroy(c->stream[t]);
    free(c->stream);
    if (c->engine) dnnl_engine_destroy(c->engine);
    c->to_small = c->to_large = c->weights = (direction){0};
    c->stream = NULL;
    c->engine = NULL;
    c->large_room = c->small_room = c->scratchpad = 0;
}

static void free_conv(void *conv) {
    if (conv) clear(conv);
    free(conv);
}

static const char *kernel_of(const direction *k) {
    const char *name = "onednn";
    if (k->main.made) dnnl_primitive_desc_query(k->main.desc, dnnl_query_impl_info_str, 0, (void *)&name);
    return name;
}

static bool has_plain_loops(const elbo_conv *c) {
    const direction *all[] = {&c->to_small, &c->to_large, &c->weights};
    for (int i = 0; i < 3; i++)
        if (!strncmp(kernel_of(all[i]), "ref", 3)) return true;
    return false;
}

/* In the first of the layouts that has fast kernels, or else in the last. */
static elbo_status make_fast(elbo_conv *c, bool need_dw, bool need_dx, elbo_error *err) {
    for (c->layout = AS_KEPT;; c->layout++) {
        if (c->layout == WIDE && !can_be_wide(&c->s)) continue;
        ELBO_TRY(make_all(c, need_dw, need_dx, err));
        if (c->layout == FREE || !has_plain_loops(c)) return ELBO_OK;
        clear(c);
    }
}

/* To one or a few channels: oneDNN fills a vector with channels that are not there (14 of 290 GFLOP/s). */
static bool few_channels(const elbo_conv_shape *s) {
    return s->x_blocked && !s->y_blocked && s->out * s->kernel * s->kernel <= 128;
}

/* With stride 1 a conv2d is the transposed convolution whose kernel is turned by 180 degrees, and whose padding is what is left
 * of the kernel's reach. To few channels that one is much faster, in all three directions. */
static bool can_turn(const elbo_conv_shape *s) {
    return !s->transposed && s->stride == 1 && s->padding <= s->dilation * (s->kernel - 1);
}
static void turn(elbo_conv_shape *s) {
    s->transposed = true;
    s->padding = s->dilation * (s->kernel - 1) - s->padding;
}

static elbo_status make(elbo_conv **conv, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                        elbo_error *err) {
    *conv = NULL;
    elbo_conv *c = elbo_alloc(1, sizeof *c);
    if (!c) return elbo_no_memory(err);
    c->s = *s;
    c->threads = threads;
    c->turned = few_channels(s) && can_turn(s);
    if (c->turned) turn(&c->s);
    c->few = few_channels(s) && c->s.transposed;
    c->biased = s->bias && !c->s.transposed;
    int threads_outside = omp_get_max_threads(); // a primitive remembers how many threads it was made for
    omp_set_num_threads(1);
    elbo_status status = make_fast(c, need_dw, need_dx, err);
    omp_set_num_threads(threads_outside);
    if (status != ELBO_OK) {
        free_conv(c);
        return status;
    }
    *conv = c;
    return ELBO_OK;
}

static const char *describe(const elbo_conv *c) {
    if (c->few) return "onednn sgemm + col2im";
    return kernel_of(c->s.transposed ? &c->to_large : &c->to_small);
}

/* ---- sizes ---- */

static size_t whole_lines(size_t floats) { return (floats + 15) / 16 * 16; }
static size_t plain_weights(const elbo_conv *c) {
    return (size_t)c->s.in * (size_t)c->s.out * (size_t)c->s.kernel * (size_t)c->s.kernel;
}
/* Packed: for large to small, for small to large, and plain where few_channels_forward reads them. */
static size_t packed_floats(const elbo_conv *c) {
    return c->to_small.packed + c->to_large.packed + (c->few ? whole_lines(plain_weights(c)) : 0);
}
static size_t gradient_floats(const elbo_conv *c) { return c->weights.packed + whole_lines((size_t)c->s.out); }
static size_t columns(const elbo_conv *c) { // of one image
    size_t pixels = (size_t)c->s.height * (size_t)c->s.width;
    return c->few ? whole_lines(pixels * (size_t)(c->s.out * c->s.kernel * c->s.kernel)) : 0;
}
/* Plain weights of a wide layer: each of the small side's channels has a row, of which the first part is there. */
static size_t row_there(const elbo_conv *c) {
    return (size_t)(c->s.transposed ? c->s.out : c->s.in) * (size_t)c->s.kernel * (size_t)c->s.kernel;
}
static size_t row_wide(const elbo_conv *c) { return (size_t)(ELBO_BLOCK * c->s.kernel * c->s.kernel); }
static size_t rows_of(const elbo_conv *c) { return (size_t)(c->s.transposed ? c->s.in : c->s.out); }
static size_t wide_weights(const elbo_conv *c) { return c->layout == WIDE ? rows_of(c) * row_wide(c) : 0; }

static size_t turned_weights(const elbo_conv *c) { return c->turned ? whole_lines(plain_weights(c)) : 0; }

static size_t pad_floats(const elbo_conv *c) { return whole_lines(c->scratchpad / sizeof(float) + 1); }
static size_t scratch_floats(const elbo_conv *c) {
    return c->large_room + c->small_room + pad_floats(c) + columns(c) + whole_lines(wide_weights(c)) + turned_weights(c);
}

/* ---- bias ---- */

static size_t y_floats(const elbo_conv_shape *s) {
    size_t channels = (size_t)(s->y_blocked ? elbo_padded_channels(s->out) : s->out);
    return (size_t)s->rows * channels * (size_t)s->out_height * (size_t)s->out_width;
}

/* y's layout as planes of lanes: blocked, 16 channels beside each other; plain, 1. */
static int lanes_of(const elbo_conv_shape *s) { return s->y_blocked ? ELBO_BLOCK : 1; }

static void add_bias(const elbo_conv *c, float *y, const float *bias) {
    const elbo_conv_shape *s = &c->s;
    size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    if (!s->y_blocked) {
        for (int r = 0; r < s->rows; r++)
            for (int o = 0; o < s->out; o++)
                for (size_t p = 0; p < pixels; p++) *y++ += bias[o];
        return;
    }
    for (int r = 0; r < s->rows; r++)
        for (int o = 0; o < s->out; o += ELBO_BLOCK) {
            float b[ELBO_BLOCK] = {0};
            memcpy(b, bias + o, (size_t)(s->out - o < ELBO_BLOCK ? s->out - o : ELBO_BLOCK) * sizeof *b);
            for (size_t p = 0; p < pixels; p++, y += ELBO_BLOCK)
                for (int lane = 0; lane < ELBO_BLOCK; lane++) y[lane] += b[lane];
        }
}

static void sum_bias(const elbo_conv *c, float *dbias, const float *dy) {
    const elbo_conv_shape *s = &c->s;
    size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    int lanes = lanes_of(s);
    memset(dbias, 0, (size_t)s->out * sizeof *dbias);
    for (int r = 0; r < s->rows; r++)
        for (int o = 0; o < s->out; o += lanes) {
            float sum[ELBO_BLOCK] = {0}; // plain: sixteen parts of one channel's sum
            size_t n = pixels * (size_t)lanes, i = 0;
            for (; i + ELBO_BLOCK <= n; i += ELBO_BLOCK)
                for (int lane = 0; lane < ELBO_BLOCK; lane++) sum[lane] += dy[i + (size_t)lane];
            for (; i < n; i++) sum[i % ELBO_BLOCK] += dy[i];
            for (int lane = 0; lane < ELBO_BLOCK; lane++) {
                int channel = s->y_blocked ? o + lane : o;
                if (channel < s->out) dbias[channel] += sum[lane];
            }
            dy += n;
        }
}

/* ---- running ---- */

/* The thread's scratch: room for each side reordered, oneDNN's own, columns, wide weights, turned ones. */
static float *large_room(float *scratch) { return scratch; }
static float *small_room(const elbo_conv *c, float *scratch) { return scratch + c->large_room; }
static float *pad_room(const elbo_conv *c, float *scratch) { return scratch + c->large_room + c->small_room; }
static float *column_room(const elbo_conv *c, float *scratch) { return pad_room(c, scratch) + pad_floats(c); }
static float *weight_room(const elbo_conv *c, float *scratch) { return column_room(c, scratch) + columns(c); }
static float *turned_room(const elbo_conv *c, float *scratch) {
    return weight_room(c, scratch) + whole_lines(wide_weights(c));
}

static const float *convert(const elbo_conv *c, const call *reorder, const float *from, float *room, float *scratch,
                            int thread) {
    if (!reorder->made) return from;
    run(c, reorder, thread, pad_room(c, scratch), (const void *[]){from, room});
    return room;
}

static void run_to_small(const elbo_conv *c, float *small, const float *large, const float *packed, const float *bias,
                         float *scratch, int thread) {
    const direction *k = &c->to_small;
    large = convert(c, &k->large_reorder, large, large_room(scratch), scratch, thread);
    float *to = k->small_reorder.made ? small_room(c, scratch) : small;
    run(c, &k->main, thread, pad_room(c, scratch), (const void *[]){large, packed, to, bias});
    convert(c, &k->small_reorder, to, small, scratch, thread);
}

static void run_to_large(const elbo_conv *c, float *large, const float *small, const float *packed, float *scratch,
                         int thread) {
    const direction *k = &c->to_large;
    small = convert(c, &k->small_reorder, small, small_room(c, scratch), scratch, thread);
    float *to = k->large_reorder.made ? large_room(scratch) : large;
    run(c, &k->main, thread, pad_room(c, scratch), (const void *[]){to, packed + c->to_small.packed, small});
    convert(c, &k->large_reorder, to, large, scratch, thread);
}

/* The columns ix for which 0 <= ix * stride + offset < width of y: from `*first` to before `*end`. */
static void columns_inside(const elbo_conv_shape *s, int offset, int *first, int *end) {
    *first = offset < 0 ? (-offset + s->stride - 1) / s->stride : 0;
    int room = s->out_width - offset;
    *end = room <= 0 ? 0 : (room + s->stride - 1) / s->stride;
    if (*end > s->width) *end = s->width;
}

/* y (out, H', W') of one image from its columns (out k k, pixels): each pixel of x adds its k x k patch. Row by row, so that
 * with stride 1 whole vectors are added. */
static void columns_to_image(const elbo_conv_shape *s, float *y, const float *column) {
    int k = s->kernel;
    for (int o = 0; o < s->out; o++, y += (size_t)s->out_height * (size_t)s->out_width)
        for (int tap = 0; tap < k * k; tap++, column += (size_t)s->height * (size_t)s->width) {
            int below = tap / k * s->dilation - s->padding, right = tap % k * s->dilation - s->padding, first, end;
            columns_inside(s, right, &first, &end);
            for (int iy = 0; iy < s->height; iy++) {
                int oy = iy * s->stride + below;
                if (oy < 0 || oy >= s->out_height || first >= end) continue;
                const float *from = column + (size_t)iy * (size_t)s->width;
                float *to = y + (size_t)oy * (size_t)s->out_width;
                if (s->stride == 1)
                    for (int ix = first; ix < end; ix++) to[ix + right] += from[ix];
                else
                    for (int ix = first; ix < end; ix++) to[ix * s->stride + right] += from[ix];
            }
        }
}

/* As a matrix product: (out k k, channels) (channels, pixels), the blocks of channels one after the other. */
static void few_channels_forward(const elbo_conv *c, float *y, const float *x, const float *w, float *scratch) {
    const elbo_conv_shape *s = &c->s;
    int pixels = s->height * s->width, taps = s->out * s->kernel * s->kernel;
    size_t y_size = (size_t)s->out * (size_t)s->out_height * (size_t)s->out_width;
    float *column = column_room(c, scratch);
    for (int r = 0; r < s->rows; r++, y += y_size) {
        for (int i = 0; i < s->in; i += ELBO_BLOCK, x += pixels * ELBO_BLOCK) {
            int here = s->in - i < ELBO_BLOCK ? s->in - i : ELBO_BLOCK;
            dnnl_sgemm('T', 'T', taps, pixels, here, 1.0f, w + (size_t)i * (size_t)taps, taps, x, ELBO_BLOCK,
                       i ? 1.0f : 0.0f, column, pixels);
        }
        memset(y, 0, y_size * sizeof *y);
        columns_to_image(s, y, column);
    }
}

static const float *widen(const elbo_conv *c, const float *w, float *scratch) {
    if (c->layout != WIDE) return w;
    float *wide = weight_room(c, scratch);
    memset(wide, 0, wide_weights(c) * sizeof *wide);
    for (size_t r = 0; r < rows_of(c); r++) memcpy(wide + r * row_wide(c), w + r * row_there(c), row_there(c) * sizeof *wide);
    return wide;
}

/* conv2d's weights (out, in, k, k) as the transposed convolution's (in, out, k, k), each kernel turned; or back. */
static void turn_weights(const elbo_conv *c, float *to, const float *from, bool back) {
    size_t in = (size_t)c->s.in, out = (size_t)c->s.out, taps = (size_t)(c->s.kernel * c->s.kernel);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < taps; k++) {
                size_t straight = (o * in + i) * taps + k, turned = (i * out + o) * taps + taps - 1 - k;
                if (back)
                    to[straight] = from[turned];
                else
                    to[turned] = from[straight];
            }
}

static void pack(const elbo_conv *c, float *packed, const float *plain, float *scratch, int thread) {
    if (c->turned) {
        turn_weights(c, turned_room(c, scratch), plain, false);
        plain = turned_room(c, scratch);
    }
    const float *w = widen(c, plain, scratch);
    run(c, &c->to_small.pack, thread, pad_room(c, scratch), (const void *[]){w, packed});
    if (c->to_large.pack.made)
        run(c, &c->to_large.pack, thread, pad_room(c, scratch), (const void *[]){w, packed + c->to_small.packed});
    if (c->few) memcpy(packed + c->to_small.packed + c->to_large.packed, plain, plain_weights(c) * sizeof *plain);
}

static void forward(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias, float *scratch,
                    int thread) {
    if (!c->s.transposed)
        run_to_small(c, y, x, packed, bias, scratch, thread);
    else if (c->few)
        few_channels_forward(c, y, x, packed + c->to_small.packed + c->to_large.packed, scratch);
    else {
        if (rows_beyond(&c->s)) memset(y, 0, y_floats(&c->s) * sizeof *y);
        run_to_large(c, y, x, packed, scratch, thread);
    }
    if (bias && !c->biased) add_bias(c, y, bias);
}

static void backward_data(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch, int thread) {
    if (c->s.transposed)
        run_to_small(c, dx, dy, packed, NULL, scratch, thread);
    else
        run_to_large(c, dx, dy, packed, scratch, thread);
}

static void backward_weights(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch, int thread) {
    const direction *k = &c->weights;
    const float *large = c->s.transposed ? dy : x, *small = c->s.transposed ? x : dy;
    float *dbias = gradient + k->packed;
    large = convert(c, &k->large_reorder, large, large_room(scratch), scratch, thread);
    small = convert(c, &k->small_reorder, small, small_room(c, scratch), scratch, thread);
    run(c, &k->main, thread, pad_room(c, scratch), (const void *[]){large, gradient, small, dbias});
    if (c->s.bias && !c->biased) sum_bias(c, dbias, dy);
}

static void unpack_gradient(const elbo_conv *c, float *dw, float *dbias, float *gradients, int shares, float *scratch,
                            int thread) {
    size_t n = gradient_floats(c);
    for (int share = 1; share < shares; share++) {
        const float *more = gradients + (size_t)share * n;
        for (size_t i = 0; i < n; i++) gradients[i] += more[i];
    }
    float *plain = c->turned ? turned_room(c, scratch) : dw, *all = c->layout == WIDE ? weight_room(c, scratch) : plain;
    run(c, &c->weights.pack, thread, pad_room(c, scratch), (const void *[]){gradients, all});
    for (size_t r = 0; c->layout == WIDE && r < rows_of(c); r++)
        memcpy(plain + r * row_there(c), all + r * row_wide(c), row_there(c) * sizeof *dw);
    if (c->turned) turn_weights(c, dw, plain, true);
    if (dbias) memcpy(dbias, gradients + c->weights.packed, (size_t)c->s.out * sizeof *dbias);
}

const elbo_conv_kernels elbo_onednn_conv = {
    .name = "onednn",
    .blocked = true,
    .make = make,
    .free = free_conv,
    .describe = describe,
    .packed_floats = packed_floats,
    .gradient_floats = gradient_floats,
    .scratch_floats = scratch_floats,
    .pack = pack,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
    .unpack_gradient = unpack_gradient,
};
