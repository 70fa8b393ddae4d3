/* A loop of multiply-adds that touches no memory: as fast as this core can go. */
#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

double ELBO_SIMD(fma_loop)(long rounds) {
    // Enough independent sums to hide the latency of each, few enough to stay in registers: 16 vectors of AVX-512 or,
    // where a vec takes several registers, as many as there are.
    enum { SUMS = sizeof(vec) == 64 && ELBO_VECTOR_BYTES == 64 ? 16 : ELBO_VECTOR_BYTES == 32 ? 6 : 3 };
    vec sum[SUMS], factor = vset(0.999999f), term = vset(1e-6f);
    for (int s = 0; s < SUMS; s++) sum[s] = vset((float)s);
    __asm__("" : "+m"(factor), "+m"(term)); // constants that the compiler may not fold
    for (long r = 0; r < rounds; r++)
        for (int s = 0; s < SUMS; s++) sum[s] = sum[s] * factor + term;
    vec total = {};
    for (int s = 0; s < SUMS; s++) total += sum[s];
    volatile float sink = vsum(total);
    (void)sink;
    return 2.0 * LANES * SUMS * (double)rounds;
}
