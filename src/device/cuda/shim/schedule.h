/* For tests: in which order the shim runs blocks and threads. */
#ifndef ELBO_CUDA_SCHEDULE_H
#define ELBO_CUDA_SCHEDULE_H

#include <stdint.h>

extern uint32_t elbo_shim_seed; // 0: each in its turn
/* A kernel, and which of its barriers nobody waits at: results must then change with the schedule. -1: all hold. */
extern int elbo_shim_broken_kernel, elbo_shim_broken_barrier;

#endif
