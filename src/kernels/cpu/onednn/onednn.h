/* Kernels by oneDNN. They run on the calling thread: the executor sees to that (exec.c). */
#ifndef ELBO_KERNELS_ONEDNN_H
#define ELBO_KERNELS_ONEDNN_H

#include "kernels/kernels.h"

extern const elbo_linear_kernels elbo_onednn_linear;

#endif
