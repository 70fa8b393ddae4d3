/* A loop of multiply-adds that touches no memory: as fast as this core can go. */
#include "device/cpu/simd/simd.h"

/* One register of this instruction set. A vec (vector.h) that takes several of them is kept in memory by GCC wherever a
 * loop carries it from one round to the next. */
typedef float reg __attribute__((vector_size(ELBO_VECTOR_BYTES)));

/* Independent sums: two units of a latency of four want eight at least; these, the factor and the term fit into the
 * sixteen registers of SSE and AVX. */
enum { SUMS = 12 };

/* The machine's peak is the same in a build with sanitizers, whose flags would time something else. */
#ifdef __clang__
#define AT_FULL_SPEED __attribute__((no_sanitize("address", "undefined", "thread")))
#else
#define AT_FULL_SPEED __attribute__((no_sanitize("address", "undefined", "thread"), optimize("O3")))
#endif

AT_FULL_SPEED double ELBO_SIMD(fma_loop)(long rounds) {
    reg sum[SUMS], factor = (reg){} + 0.999999f, term = (reg){} + 1e-6f;
    for (int s = 0; s < SUMS; s++) sum[s] = (reg){} + (float)s;
    __asm__("" : "+m"(factor), "+m"(term)); // constants that the compiler may not fold
    for (long r = 0; r < rounds; r++)
        for (int s = 0; s < SUMS; s++) sum[s] = sum[s] * factor + term;
    reg total = {};
    for (int s = 0; s < SUMS; s++) total += sum[s];
    volatile float sink = 0;
    for (int i = 0; i < (int)(sizeof total / sizeof(float)); i++) sink += total[i];
    (void)sink;
    return 2.0 * (sizeof total / sizeof(float)) * SUMS * (double)rounds;
}
