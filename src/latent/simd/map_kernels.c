#include "latent/simd/map_kernels.h"

#define DECLARE(isa)                                                                                                   \
    extern const elbo_map_forces elbo_map_forces_##isa;                                                                \
    extern const elbo_map_grid elbo_map_grid_##isa;                                                                    \
    static const elbo_map_kernels isa = {&elbo_map_forces_##isa, &elbo_map_grid_##isa};

DECLARE(baseline)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#endif

const elbo_map_kernels *elbo_map_kernels_here(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
        return &avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) return &avx2;
#endif
    return &baseline;
}
