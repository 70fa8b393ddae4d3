/* The kernels as clang compiled them when elbo was built (meson.build); "" where there was no clang. */
#ifndef ELBO_CUDA_PTX_H
#define ELBO_CUDA_PTX_H

extern const char elbo_gpu_ptx[];

#endif
