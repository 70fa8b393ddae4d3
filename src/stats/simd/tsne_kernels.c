#include "stats/simd/tsne_kernels.h"

#include "base/cpu.h"

#define DECLARE(isa)                                                                                                   \
    extern const elbo_tsne_force_kernels elbo_tsne_force_kernels_##isa;                                                \
    extern const elbo_tsne_grid_kernels elbo_tsne_grid_kernels_##isa;                                                  \
    static const elbo_tsne_kernels isa = {&elbo_tsne_force_kernels_##isa, &elbo_tsne_grid_kernels_##isa};

DECLARE(baseline)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#endif

const elbo_tsne_kernels *elbo_tsne_kernels_here(void) {
    switch (elbo_cpu_isa()) {
#if defined(__x86_64__)
    case ELBO_ISA_AVX512: return &avx512;
    case ELBO_ISA_AVX2: return &avx2;
#endif
    default: return &baseline;
    }
}
