/* The sets of kernels that are tested: `ref`, and the vector kernels of each instruction set that this CPU has.
 *
 * Tolerances. A float holds 24 bits: rounding a result once costs at most EPS = 2^-24 of it. `ref` computes in double
 * and rounds at the end, so it is held to 2 EPS. The fast ones round at every operation: a function of one value (exp
 * within 2 ulp, then a division) to 16 EPS = 1e-6 of the value, and a sum of n terms to 32 EPS = 2e-6 of the sum of the
 * terms' sizes, since its error grows with what was added, not with what is left after cancellation. */
#ifndef ELBO_TESTS_KERNEL_SETS_H
#define ELBO_TESTS_KERNEL_SETS_H

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "close.h"
#include "device/cpu/ref/ref.h"
#include "device/cpu/simd/simd.h"

static const double EPS = 0x1p-24;
#define SUM (32 * EPS) // a sum in floats, relative to the sum of sizes
enum { GUARD = 16 };

typedef struct kernel_set {
    const char *name;
    const elbo_pointwise_kernels *pointwise;
    const elbo_loss_kernels *loss;
    const elbo_update_kernels *update;
    const elbo_linear_kernels *linear;
    const elbo_norm_kernels *norm;
    const elbo_resample_kernels *resample;
    const elbo_conv_kernels *conv;
    const elbo_gate_kernels *gate;
    const elbo_attention_kernels *attention;
    const elbo_latent_kernels *latent;
} kernel_set;

static kernel_set sets[4];
static int set_count;
#define FOR_EACH_SET(s) for (const kernel_set *s = sets; s < sets + set_count; s++)

static inline int find_sets(void **state) {
    (void)state;
    omp_set_num_threads(1); // as inside a team: oneDNN on the calling thread
#define SET(isa)                                                                                                       \
    sets[set_count++] = (kernel_set){.name = #isa,                                                                     \
                                     .pointwise = &elbo_simd_pointwise_##isa,                                          \
                                     .loss = &elbo_simd_loss_##isa,                                                    \
                                     .update = &elbo_simd_update_##isa,                                                \
                                     .linear = &elbo_simd_linear_##isa,                                                \
                                     .norm = &elbo_simd_norm_##isa,                                                    \
                                     .resample = &elbo_simd_resample_##isa,                                            \
                                     .conv = &elbo_simd_conv_##isa,                                                    \
                                     .gate = &elbo_simd_gate_##isa,                                                    \
                                     .attention = &elbo_simd_attention_##isa,                                          \
                                     .latent = &elbo_simd_latent_##isa}
    sets[set_count++] = (kernel_set){.name = "ref",
                                     .pointwise = &elbo_ref_pointwise,
                                     .loss = &elbo_ref_loss,
                                     .update = &elbo_ref_update,
                                     .linear = &elbo_ref_linear,
                                     .norm = &elbo_ref_norm,
                                     .resample = &elbo_ref_resample,
                                     .conv = &elbo_ref_conv,
                                     .gate = &elbo_ref_gate,
                                     .attention = &elbo_ref_attention,
                                     .latent = &elbo_ref_latent};
    SET(baseline);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) SET(avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        SET(avx512);
#endif
    return 0;
}

#endif
