/* Making a layer: which way it is run, in which layout, and the calls of its three directions. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/onednn/layer.h"

static size_t floats_of(const dnnl_memory_desc_t *md) { return (dnnl_memory_desc_get_size(md) + 63) / 64 * 16; }

/* A reorder where the two differ. */
static elbo_status make_reorder_if(elbo_conv *c, onednn_call *k, const dnnl_memory_desc_t *from,
                                   const dnnl_memory_desc_t *to, const dnnl_memory_desc_t *converted, size_t *floats,
                                   elbo_error *err) {
    if (dnnl_memory_desc_equal(from, to)) return ELBO_OK;
    if (floats_of(converted) > *floats) *floats = floats_of(converted);
    return elbo_onednn_make_reorder(c, k, from, to, err);
}

/* How the query names a direction's arrays, and how execution does. */
typedef struct direction_names {
    dnnl_prop_kind_t kind;
    dnnl_query_t large_md, small_md, w_md;
    int large, small, w, bias;
} direction_names;

static const direction_names to_small_names = {
    .kind = dnnl_forward_training,
    .large_md = dnnl_query_src_md,
    .small_md = dnnl_query_dst_md,
    .w_md = dnnl_query_weights_md,
    .large = DNNL_ARG_SRC,
    .small = DNNL_ARG_DST,
    .w = DNNL_ARG_WEIGHTS,
    .bias = DNNL_ARG_BIAS,
};
static const direction_names to_large_names = {
    .kind = dnnl_backward_data,
    .large_md = dnnl_query_diff_src_md,
    .small_md = dnnl_query_diff_dst_md,
    .w_md = dnnl_query_weights_md,
    .large = DNNL_ARG_DIFF_SRC,
    .small = DNNL_ARG_DIFF_DST,
    .w = DNNL_ARG_WEIGHTS,
};
static const direction_names weights_names = {
    .kind = dnnl_backward_weights,
    .large_md = dnnl_query_src_md,
    .small_md = dnnl_query_diff_dst_md,
    .w_md = dnnl_query_diff_weights_md,
    .large = DNNL_ARG_SRC,
    .small = DNNL_ARG_DIFF_DST,
    .w = DNNL_ARG_DIFF_WEIGHTS,
    .bias = DNNL_ARG_DIFF_BIAS,
};

/* An array that the primitive writes is reordered behind it. */
static elbo_status make_direction(elbo_conv *c, onednn_direction *k, const direction_names *names,
                                  const onednn_arrays *d, elbo_error *err) {
    dnnl_primitive_desc_t desc;
    ELBO_TRY(elbo_onednn_describe_convolution(c, d, names->kind, &desc, err));
    const dnnl_memory_desc_t *large = dnnl_primitive_desc_query_md(desc, names->large_md, 0);
    const dnnl_memory_desc_t *small = dnnl_primitive_desc_query_md(desc, names->small_md, 0);
    const dnnl_memory_desc_t *w = dnnl_primitive_desc_query_md(desc, names->w_md, 0);
    bool biased = c->biased && names->bias;
    ELBO_TRY(elbo_onednn_make_call(c, &k->main, desc, biased ? 4 : 3,
                                   (int[]){names->large, names->w, names->small, names->bias},
                                   (const dnnl_memory_desc_t *[]){large, w, small, &d->bias}, err));
    k->packed = floats_of(w);
    bool gradient = names->kind == dnnl_backward_weights;
    ELBO_TRY(elbo_onednn_make_reorder(c, &k->pack, gradient ? w : &d->kept_w, gradient ? &d->kept_w : w, err));
    if (c->layout == ONEDNN_WIDE) large = &d->blocked_large;
    bool writes_large = names->kind == dnnl_backward_data, writes_small = names->kind == dnnl_forward_training;
    ELBO_TRY(make_reorder_if(c, &k->large_reorder, writes_large ? large : &d->kept_large,
                             writes_large ? &d->kept_large : large, large, &c->large_room, err));
    return make_reorder_if(c, &k->small_reorder, writes_small ? small : &d->kept_small,
                           writes_small ? &d->kept_small : small, small, &c->small_room, err);
}

static elbo_status make_all(elbo_conv *c, bool need_dw, bool need_dx, elbo_error *err) {
    ELBO_TRY(elbo_onednn_check(dnnl_engine_create(&c->engine, dnnl_cpu, 0), "an engine", err));
    c->stream = calloc((size_t)c->threads, sizeof *c->stream);
    if (!c->stream) return elbo_no_memory(err);
    for (int t = 0; t < c->threads; t++)
        ELBO_TRY(elbo_onednn_check(dnnl_stream_create(&c->stream[t], c->engine, dnnl_stream_default_flags), "a stream",
                                   err));
    onednn_arrays d;
    ELBO_TRY(elbo_onednn_describe_layer(c, &d, err));
    ELBO_TRY(make_direction(c, &c->to_small, &to_small_names, &d, err)); // the hint that the others need
    if (c->s.transposed || need_dx) ELBO_TRY(make_direction(c, &c->to_large, &to_large_names, &d, err));
    return need_dw ? make_direction(c, &c->weights, &weights_names, &d, err) : ELBO_OK;
}

static void free_direction(elbo_conv *c, onednn_direction *k) {
    elbo_onednn_free_call(c, &k->main);
    elbo_onednn_free_call(c, &k->pack);
    elbo_onednn_free_call(c, &k->large_reorder);
    elbo_onednn_free_call(c, &k->small_reorder);
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
    c->to_small = c->to_large = c->weights = (onednn_direction){0};
    c->stream = NULL;
    c->engine = NULL;
    c->large_room = c->small_room = c->scratchpad = 0;
}

void elbo_onednn_free(void *conv) {
    if (conv) clear(conv);
    free(conv);
}

static const char *kernel_of(const onednn_direction *k) {
    const char *name = "onednn";
    if (k->main.made) dnnl_primitive_desc_query(k->main.desc, dnnl_query_impl_info_str, 0, (void *)&name);
    return name;
}

static bool has_plain_loops(const elbo_conv *c) {
    const onednn_direction *all[] = {&c->to_small, &c->to_large, &c->weights};
    for (int i = 0; i < 3; i++)
        if (!strncmp(kernel_of(all[i]), "ref", 3)) return true;
    return false;
}

static bool can_be_wide(const elbo_conv_shape *s) {
    return (s->transposed ? s->out : s->in) < ELBO_BLOCK && (s->x_blocked || s->y_blocked);
}

/* In the first of the layouts that has fast kernels, or else in the last. */
static elbo_status make_fast(elbo_conv *c, bool need_dw, bool need_dx, elbo_error *err) {
    for (c->layout = ONEDNN_AS_KEPT;; c->layout++) {
        if (c->layout == ONEDNN_WIDE && !can_be_wide(&c->s)) continue;
        ELBO_TRY(make_all(c, need_dw, need_dx, err));
        if (c->layout == ONEDNN_FREE || !has_plain_loops(c)) return ELBO_OK;
        clear(c);
    }
}

/* To one or a few channels: oneDNN fills a vector with channels that are not there (14 of 290 GFLOP/s). */
static bool few_channels(const elbo_conv_shape *s) {
    return s->x_blocked && !s->y_blocked && s->out * elbo_conv_taps(s) <= 128;
}

/* With stride 1 a conv2d is the transposed convolution whose kernel is turned by 180 degrees, and whose padding is what
 * is left of the kernel's reach. To few channels that one is much faster, in all three directions. */
static int reach_of(const elbo_conv_shape *s, int axis) { return s->dilation[axis] * (s->kernel[axis] - 1); }

static bool can_turn(const elbo_conv_shape *s) {
    bool can = !s->transposed;
    for (int i = 0; i < 2; i++) can = can && s->stride[i] == 1 && s->padding[i] <= reach_of(s, i);
    return can;
}

static void turn(elbo_conv_shape *s) {
    s->transposed = true;
    for (int i = 0; i < 2; i++) s->padding[i] = reach_of(s, i) - s->padding[i];
}

elbo_status elbo_onednn_make(elbo_conv **conv, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
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
        elbo_onednn_free(c);
        return status;
    }
    *conv = c;
    return ELBO_OK;
}

const char *elbo_onednn_describe(const elbo_conv *c) {
    if (c->few) return "onednn sgemm + col2im";
    return kernel_of(c->s.transposed ? &c->to_large : &c->to_small);
}
