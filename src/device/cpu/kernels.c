/* Which kernels this machine gets. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/threads.h"
#include "device/cpu/ref/ref.h"
#include "device/cpu/simd/simd.h"
#include "device/cpu/kernels.h"

const elbo_kernels elbo_kernels_ref = {
    "ref",          &elbo_ref_linear,   &elbo_ref_pointwise, &elbo_ref_loss,      &elbo_ref_update, &elbo_ref_conv,
    &elbo_ref_norm, &elbo_ref_resample, &elbo_ref_gate,      &elbo_ref_attention, &elbo_ref_latent};

/* By instruction set. */
static const struct cpu_level {
    elbo_kernels kernels;
    double (*fma_loop)(long rounds);
} levels[] = {
#define LEVEL(isa)                                                                                                     \
    {                                                                                                                  \
        {"cpu",                                                                                                        \
         &elbo_simd_linear_##isa,                                                                                      \
         &elbo_simd_pointwise_##isa,                                                                                   \
         &elbo_simd_loss_##isa,                                                                                        \
         &elbo_simd_update_##isa,                                                                                      \
         &elbo_simd_conv_##isa,                                                                                        \
         &elbo_simd_norm_##isa,                                                                                        \
         &elbo_simd_resample_##isa,                                                                                    \
         &elbo_simd_gate_##isa,                                                                                        \
         &elbo_simd_attention_##isa,                                                                                   \
         &elbo_simd_latent_##isa},                                                                                     \
            elbo_simd_fma_loop_##isa                                                                                   \
    }
    [ELBO_ISA_BASELINE] = LEVEL(baseline),
#if defined(__x86_64__)
    [ELBO_ISA_AVX2] = LEVEL(avx2),
    [ELBO_ISA_AVX512] = LEVEL(avx512),
#endif
};

static const struct cpu_level *this_cpu(void) { return &levels[elbo_cpu_isa()]; }

const elbo_kernels *elbo_kernels_here(void) { return &this_cpu()->kernels; }

struct peak {
    double (*loop)(long rounds);
    double flop;
};

static void measure_piece(void *context, int piece) {
    (void)piece;
    struct peak *p = context;
    p->flop = p->loop(400000); // every piece does the same, so which one writes last is no matter
}

double elbo_measure_peak(int threads) {
    if (threads <= 0) threads = elbo_threads_default();
    struct peak p = {.loop = this_cpu()->fma_loop};
    double best = 0;
    for (int attempt = 0; attempt < 12; attempt++) { // the best: the machine's peak, not its mood
        double start = elbo_now();
        elbo_parallel_for(threads, threads, measure_piece, &p);
        double rate = threads * p.flop / (elbo_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}
