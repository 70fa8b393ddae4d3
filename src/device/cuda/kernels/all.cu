/* All kernels, as one program. */
#include "device/cuda/kernels/given.cu"
#include "device/cuda/kernels/loss.cu"
#include "device/cuda/kernels/pointwise.cu"
#include "device/cuda/kernels/product.cu"
#include "device/cuda/kernels/update.cu"
#include "device/cuda/kernels/sample.cu"
