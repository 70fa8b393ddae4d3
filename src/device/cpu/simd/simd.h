/* The vector kernels, once per instruction set. */
#ifndef ELBO_KERNELS_SIMD_H
#define ELBO_KERNELS_SIMD_H

#include "device/cpu/kernels.h"

#define ELBO_SIMD_DECLARE(isa)                                                                                         \
    extern const elbo_linear_kernels elbo_simd_linear_##isa;                                                           \
    extern const elbo_pointwise_kernels elbo_simd_pointwise_##isa;                                                     \
    extern const elbo_loss_kernels elbo_simd_loss_##isa;                                                               \
    extern const elbo_update_kernels elbo_simd_update_##isa;                                                           \
    extern const elbo_norm_kernels elbo_simd_norm_##isa;                                                               \
    extern const elbo_resample_kernels elbo_simd_resample_##isa;                                                       \
    extern const elbo_gate_kernels elbo_simd_gate_##isa;                                                               \
    extern const elbo_attention_kernels elbo_simd_attention_##isa;                                                     \
    extern const elbo_conv_kernels elbo_simd_conv_##isa;                                                               \
    extern const elbo_latent_kernels elbo_simd_latent_##isa;                                                           \
    const elbo_conv_kernels *elbo_simd_winograd_for_##isa(const elbo_conv_shape *s); /* NULL: it does not suit */      \
    const elbo_conv_kernels *elbo_simd_winograd_strided_for_##isa(const elbo_conv_shape *s);                           \
    void elbo_simd_normal_##isa(float *out, size_t n, elbo_stream s);                                                  \
    void elbo_simd_uniform_##isa(float *out, size_t n, elbo_stream s);                                                 \
    double elbo_simd_fma_loop_##isa(long rounds); /* returns the FLOP that it did */

ELBO_SIMD_DECLARE(baseline)
ELBO_SIMD_DECLARE(avx2)
ELBO_SIMD_DECLARE(avx512)

/* In this folder's files ELBO_ISA is one of the three, and ELBO_ISA_NAME the same in quotes. */
#define ELBO_SIMD_JOIN_(a, b) a##b
#define ELBO_SIMD_JOIN(a, b) ELBO_SIMD_JOIN_(a, b)
#define ELBO_SIMD(name) ELBO_SIMD_JOIN(elbo_simd_##name##_, ELBO_ISA)

#endif
