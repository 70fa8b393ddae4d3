/* CUDA on a CPU, for tests: a block's threads are fibers of the calling thread. At a barrier the others run first, in an
 * order that a seed decides: a kernel that lacks a barrier gives other bits under another seed. What CUDA leaves
 * undefined is found: shared memory holds NaN when a block starts, and a barrier that only some threads reach fails. */
#ifndef ELBO_CUDA_SHIM_H
#define ELBO_CUDA_SHIM_H

#include <stddef.h>
#include <string.h>

#include "device/cuda/args.h"

/* The block that runs on this thread of the CPU. */
typedef struct elbo_shim_block {
    int block, thread;
    char *shared;
} elbo_shim_block;
extern _Thread_local elbo_shim_block elbo_shim_here;
void elbo_shim_barrier(void);

/* A fused multiply-add is one instruction of most processors, and a slow function of the others: the same bits. */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CLONES __attribute__((target_clones("arch=haswell", "default")))
#else
#define CLONES
#endif
#define DEVICE static inline __attribute__((unused, always_inline))
/* The clones are static: GCC exports what chooses between them, whatever the visibility. */
#define KERNEL(name)                                                                                                   \
    static void name##_kernel(elbo_gpu_launch launch);                                                                 \
    void elbo_shim_##name(elbo_gpu_launch launch);                                                                     \
    void elbo_shim_##name(elbo_gpu_launch launch) { name##_kernel(launch); }                                           \
    CLONES static void name##_kernel(elbo_gpu_launch launch)
enum { ELBO_SHIM_SHARED = 48 << 10 };
#define SHARED(type, name)                                                                                             \
    _Static_assert(sizeof(type) <= ELBO_SHIM_SHARED, "more shared memory than a block has");                           \
    type *const name = (type *)(void *)elbo_shim_here.shared
#define THREAD (elbo_shim_here.thread)
#define BLOCK (elbo_shim_here.block)
#define BARRIER() elbo_shim_barrier()
#define SQRT(x) __builtin_sqrtf(x)
#define SQRT64(x) __builtin_sqrt(x)

static inline int elbo_shim_bits(float x) {
    int bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float elbo_shim_float(int bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
#define FLOAT_BITS(x) elbo_shim_bits(x)
#define BITS_FLOAT(x) elbo_shim_float(x)

#endif
