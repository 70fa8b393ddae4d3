/* Device `cuda`: launches of own kernels on an NVIDIA GPU. Device `shim`, for tests: the same on the CPU. */
#ifndef ELBO_CUDA_H
#define ELBO_CUDA_H

#include "device/device.h"

extern const elbo_device elbo_device_cuda;
#ifdef ELBO_WITH_SHIM
extern const elbo_device elbo_device_shim;
#endif

#endif
