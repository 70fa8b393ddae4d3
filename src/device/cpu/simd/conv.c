/* Which convolution a layer gets: one of this folder's where it suits, else oneDNN's. */
#include <stdlib.h>

#include "device/cpu/simd/simd.h"

struct elbo_conv {
    const elbo_conv_kernels *kernels;
    void *conv; // theirs
};

static elbo_status make(elbo_conv **conv, const elbo_conv_shape *s, bool need_dw, bool need_dx, int threads,
                        elbo_error *err) {
    const elbo_conv_kernels *kernels = ELBO_SIMD(winograd_for)(s);
    if (!kernels) kernels = ELBO_SIMD(winograd_strided_for)(s);
    if (!kernels) kernels = &elbo_onednn_conv;
    elbo_conv *c = malloc(sizeof *c), *theirs;
    if (!c) return elbo_no_memory(err);
    elbo_status status = kernels->make(&theirs, s, need_dw, need_dx, threads, err);
    if (status != ELBO_OK) {
        free(c);
        return status;
    }
    *c = (elbo_conv){kernels, theirs};
    *conv = c;
    return ELBO_OK;
}

static void free_conv(void *conv) {
    elbo_conv *c = conv;
    if (c) c->kernels->free(c->conv);
    free(c);
}

static const char *describe(const elbo_conv *c) { return c->kernels->describe(c->conv); }
static size_t packed_floats(const elbo_conv *c) { return c->kernels->packed_floats(c->conv); }
static size_t gradient_floats(const elbo_conv *c) { return c->kernels->gradient_floats(c->conv); }
static size_t scratch_floats(const elbo_conv *c) { return c->kernels->scratch_floats(c->conv); }

static bool pack(const elbo_conv *c, float *packed, const float *w, float *scratch, int thread) {
    return c->kernels->pack(c->conv, packed, w, scratch, thread);
}

static bool forward(const elbo_conv *c, float *y, const float *x, const float *packed, const float *bias,
                    float *scratch, int thread) {
    return c->kernels->forward(c->conv, y, x, packed, bias, scratch, thread);
}

static bool backward_data(const elbo_conv *c, float *dx, const float *dy, const float *packed, float *scratch,
                          int thread) {
    return c->kernels->backward_data(c->conv, dx, dy, packed, scratch, thread);
}

static bool backward_weights(const elbo_conv *c, float *gradient, const float *x, const float *dy, float *scratch,
                             int thread) {
    return c->kernels->backward_weights(c->conv, gradient, x, dy, scratch, thread);
}

static bool unpack_gradient(const elbo_conv *c, float *dw, float *dbias, const float *gradient, float *scratch,
                            int thread) {
    return c->kernels->unpack_gradient(c->conv, dw, dbias, gradient, scratch, thread);
}

const elbo_conv_kernels ELBO_SIMD(conv) = {
    .name = "cpu",
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
