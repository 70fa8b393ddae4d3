#include "stats/near.h"

extern const elbo_near_kernels elbo_near_baseline, elbo_near_avx2, elbo_near_avx512;

const elbo_near_kernels *elbo_near_kernels_for(elbo_isa isa) {
#if defined(__x86_64__)
    if (isa == ELBO_ISA_AVX512) return &elbo_near_avx512;
    if (isa == ELBO_ISA_AVX2) return &elbo_near_avx2;
#endif
    (void)isa;
    return &elbo_near_baseline;
}

const elbo_near_kernels *elbo_near_kernels_here(void) { return elbo_near_kernels_for(elbo_cpu_isa()); }
