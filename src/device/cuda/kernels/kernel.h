/* The language of the kernels: CUDA as clang alone compiles it, without NVIDIA's headers, or nvcc; with ELBO_SHIM plain C,
 * run on the CPU by shim/. No float atomics, no warp primitives: every sum has an order that the source says. */
#ifndef ELBO_CUDA_KERNEL_H
#define ELBO_CUDA_KERNEL_H

#include "device/cuda/args.h"

#ifdef ELBO_SHIM
#include "device/cuda/shim/shim.h"
#else
#define DEVICE static __attribute__((device)) __attribute__((always_inline)) inline
#define KERNEL(name) extern "C" __attribute__((global)) void elbo_##name(elbo_gpu_launch launch)
/* A block's shared memory, as a struct: `name` points at it. */
#define SHARED(type, name)                                                                                             \
    static __attribute__((shared)) type name##_memory;                                                                 \
    type *const name = &name##_memory
#define BARRIER() __syncthreads()
#ifdef __clang__
#define THREAD ((int)__nvvm_read_ptx_sreg_tid_x())
#define BLOCK ((int)__nvvm_read_ptx_sreg_ctaid_x())
#define SQRT(x) __nvvm_sqrt_rn_f(x)
#define SQRT64(x) __nvvm_sqrt_rn_d(x)
#define FLOAT_BITS(x) __nvvm_bitcast_f2i(x)
#define BITS_FLOAT(x) __nvvm_bitcast_i2f(x)
#else
#define THREAD ((int)threadIdx.x)
#define BLOCK ((int)blockIdx.x)
#define SQRT(x) __fsqrt_rn(x)
#define SQRT64(x) __dsqrt_rn(x)
#define FLOAT_BITS(x) __float_as_int(x)
#define BITS_FLOAT(x) __int_as_float(x)
#endif
#ifndef NULL
#define NULL 0
#endif
#endif

#if defined(__NVCC__)
#define FMA(a, b, c) __fmaf_rn(a, b, c)
#define UNROLL _Pragma("unroll")
#elif defined(__clang__)
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#define UNROLL _Pragma("unroll")
#else
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INF __builtin_inff()

/* The launch's item that this block belongs to, and the block's number in it. */
DEVICE const elbo_gpu_item *item_of(const elbo_gpu_launch *launch, int *block) {
    int i = 0;
    while (i + 1 < launch->items && BLOCK >= launch->item[i + 1].first_block) i++;
    *block = BLOCK - launch->item[i].first_block;
    return &launch->item[i];
}

/* The sum of a number of each thread, in a binary tree, in all threads. */
typedef struct block_sums {
    double of[GPU_THREADS];
} block_sums;
DEVICE double block_sum(block_sums *s, double mine) {
    BARRIER(); // whoever still reads the last sum
    s->of[THREAD] = mine;
    for (int half = GPU_THREADS / 2; half > 0; half /= 2) {
        BARRIER();
        if (THREAD < half) s->of[THREAD] += s->of[THREAD + half];
    }
    BARRIER();
    return s->of[0];
}

#endif
