/* As much of NVIDIA's driver API as is used, declared here: its header comes with a toolkit that a build need not have.
 * https://docs.nvidia.com/cuda/cuda-driver-api */
#ifndef ELBO_CUDA_DRIVER_API_H
#define ELBO_CUDA_DRIVER_API_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult, CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
enum { CU_COMPUTE_CAPABILITY_MAJOR = 75, CU_COMPUTE_CAPABILITY_MINOR = 76, CU_STREAM_NON_BLOCKING = 1 };

typedef struct elbo_cuda_api {
#define CUDA_FUNCTION(name, symbol, ...) CUresult (*name)(__VA_ARGS__);
#include "device/cuda/driver_api.def"
#undef CUDA_FUNCTION
} elbo_cuda_api;

#endif
