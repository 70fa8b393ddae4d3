/* What runs launches: a GPU through its driver (driver.c), or the CPU in its place (shim/), for tests. Memory of it is
 * addressed by pointers that nobody else follows. */
#ifndef ELBO_CUDA_MACHINE_H
#define ELBO_CUDA_MACHINE_H

#include <stddef.h>

#include "base/status.h"
#include "device/cuda/args.h"

typedef enum elbo_gpu_kernel {
#define KERNEL_ROW(name, threads) ELBO_GPU_##name,
#include "device/cuda/kernels.def"
#undef KERNEL_ROW
    ELBO_GPU_KERNELS
} elbo_gpu_kernel;

extern const char *const elbo_gpu_kernel_names[ELBO_GPU_KERNELS];
extern const int elbo_gpu_kernel_threads[ELBO_GPU_KERNELS];

/* Launches and copies are done in the order in which they were asked for; write returns when `from` may be changed, read
 * when all is done. */
typedef struct elbo_gpu_machine {
    elbo_status (*open)(void **self, elbo_error *err);
    void (*close)(void *self);
    elbo_status (*take)(void *self, void *at, size_t bytes, elbo_error *err); // zeroed; at: a pointer's address
    void (*give_back)(void *self, void *at);
    elbo_status (*write)(void *self, void *to, const void *from, size_t bytes, elbo_error *err);
    elbo_status (*read)(void *self, void *to, const void *from, size_t bytes, elbo_error *err);
    elbo_status (*launch)(void *self, elbo_gpu_kernel kernel, int blocks, const elbo_gpu_launch *launch,
                          elbo_error *err);
} elbo_gpu_machine;

extern const elbo_gpu_machine elbo_gpu_driver;
/* Fails with what is missing: kernels, driver, a GPU that is new enough. */
elbo_status elbo_gpu_driver_there(elbo_error *err);
#ifdef ELBO_WITH_SHIM
extern const elbo_gpu_machine elbo_gpu_shim;
#endif

#endif
