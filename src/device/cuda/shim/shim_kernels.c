/* The kernels, compiled for the CPU. */
#define ELBO_SHIM
#include "device/cuda/kernels/all.cu"
