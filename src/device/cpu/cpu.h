/* Devices `cpu` and `ref`: the same lowering over two sets of kernels. */
#ifndef ELBO_CPU_H
#define ELBO_CPU_H

#include "device/device.h"

extern const elbo_device elbo_device_cpu, elbo_device_ref;

/* exec.c */
elbo_status elbo_cpu_run(elbo_plan *plan, const elbo_batch_args *args, int steps, elbo_error *err);
elbo_status elbo_cpu_wait(elbo_plan *plan, elbo_run_report *report, elbo_error *err);
void elbo_cpu_read(elbo_plan *plan, const elbo_tensor *t, int first, int count, float *to);
void elbo_cpu_read_gradients(elbo_plan *plan, float *to);
const elbo_node *elbo_cpu_find_nonfinite(elbo_plan *plan, const elbo_batch_args *args, const char **what);

#endif
