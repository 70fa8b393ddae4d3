/* A layer's shape in oneDNN's words: its arrays as they are kept, and as its primitives are asked for. */
#include <string.h>

#include "device/cpu/onednn/layer.h"

/* A transposed convolution may have an output_padding of its stride or more (below its dilation). oneDNN takes no more
 * padding before than behind a picture plus what a step leaves, so there is less behind; and rows and columns further
 * on than any tap reaches are not shown to it. `unmet` is that output_padding, where it is so large, or 0. */
static int unmet(const elbo_conv_shape *s, int axis) {
    if (!s->transposed) return 0;
    int in = axis ? s->width : s->height, out = axis ? s->out_width : s->out_height;
    int extra =
        out - ((in - 1) * s->stride[axis] + s->dilation[axis] * (s->kernel[axis] - 1) + 1 - 2 * s->padding[axis]);
    return extra >= s->stride[axis] ? extra : 0;
}

/* Rows (axis 0) or columns that no tap reaches. */
static int beyond(const elbo_conv_shape *s, int axis) {
    return unmet(s, axis) > s->padding[axis] ? unmet(s, axis) - s->padding[axis] : 0;
}

bool elbo_onednn_some_beyond(const elbo_conv_shape *s) { return beyond(s, 0) || beyond(s, 1); }

elbo_status elbo_onednn_describe_layer(const elbo_conv *c, onednn_arrays *d, elbo_error *err) {
    const elbo_conv_shape *s = &c->s;
    dnnl_dims_t x = {s->rows, s->in, s->height, s->width}, y = {s->rows, s->out, s->out_height, s->out_width};
    dnnl_dims_t w = {s->transposed ? s->in : s->out, s->transposed ? s->out : s->in, s->kernel[0], s->kernel[1]};
    dnnl_dims_t bias = {s->out};
    for (int i = 0; i < 2; i++) {
        d->strides[i] = s->stride[i];
        d->dilates[i] = s->dilation[i] - 1;
        d->padding[i] = s->padding[i];
        long behind = s->padding[i] - unmet(s, i);
        d->padding_behind[i] = behind > 0 ? behind : 0;
    }
    bool large_blocked = s->transposed ? s->y_blocked : s->x_blocked,
         small_blocked = s->transposed ? s->x_blocked : s->y_blocked;
    dnnl_dim_t *large = s->transposed ? y : x, *small = s->transposed ? x : y;
    dnnl_dims_t wide;
    dnnl_dims_t whole, offset = {0};
    memcpy(whole, large, sizeof whole);
    for (int i = 0; i < 2; i++) large[2 + i] -= beyond(s, i);
    memcpy(wide, large, sizeof wide);
    bool widened = c->layout == ONEDNN_WIDE, kept = c->layout != ONEDNN_FREE;
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
    if (status == dnnl_success && elbo_onednn_some_beyond(s))
        status = dnnl_memory_desc_init_submemory(&d->kept_large, &all, large, offset);
    return elbo_onednn_check(status, "a description", err);
}

elbo_status elbo_onednn_describe_convolution(const elbo_conv *c, const onednn_arrays *d, dnnl_prop_kind_t kind,
                                             dnnl_primitive_desc_t *desc, elbo_error *err) {
    dnnl_convolution_desc_t op;
    const dnnl_memory_desc_t *bias = c->biased ? &d->bias : NULL;
    dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_status_t status =
        kind == dnnl_backward_data
            ? dnnl_dilated_convolution_backward_data_desc_init(&op, direct, &d->large, &d->w, &d->small, d->strides,
                                                               d->dilates, d->padding, d->padding_behind)
        : kind == dnnl_backward_weights
            ? dnnl_dilated_convolution_backward_weights_desc_init(&op, direct, &d->large, &d->w, bias, &d->small,
                                                                  d->strides, d->dilates, d->padding, d->padding_behind)
            : dnnl_dilated_convolution_forward_desc_init(&op, kind, direct, &d->large, &d->w, bias, &d->small,
                                                         d->strides, d->dilates, d->padding, d->padding_behind);
    ELBO_TRY(elbo_onednn_check(status, "a convolution", err));
    dnnl_primitive_attr_t attr;
    ELBO_TRY(elbo_onednn_check(dnnl_primitive_attr_create(&attr), "an attribute", err));
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    bool forward = kind != dnnl_backward_data && kind != dnnl_backward_weights;
    status = dnnl_primitive_desc_create(desc, &op, attr, c->engine, forward ? NULL : c->to_small.main.desc);
    dnnl_primitive_attr_destroy(attr);
    return elbo_onednn_check(status, "a convolution", err);
}
