/* Between the files that make a program; lowerings see program.h. */
#ifndef ELBO_CPU_PROGRAM_MAKE_H
#define ELBO_CPU_PROGRAM_MAKE_H

#include "device/cpu/program.h"

/* lower.c: the program of a plan, whose p->program it becomes. `shard_rows` 0: chosen here. */
elbo_status elbo_cpu_program_make(elbo_plan *plan, const elbo_kernels *kernels, elbo_team *team, float *params,
                                  float *const *array, int shard_rows, elbo_error *err);
void elbo_cpu_program_free(elbo_cpu_program *p);

/* layouts.c: the output's tensor of a node: the input's again where the op is a view, or may work in place. */
elbo_status elbo_cpu_give_output(elbo_cpu_program *p, const elbo_work *w, elbo_error *err);

/* update.c: the step that clips the whole gradient and then changes the weights. */
elbo_status elbo_cpu_clipped_update(elbo_cpu_program *p, elbo_error *err);

/* After a batch: the gradient that train.clip measures is longer than the root of the largest float, or not finite. */
bool elbo_cpu_gradient_diverged(const elbo_cpu_program *p);

/* phases.c */
elbo_status elbo_cpu_sort_steps(elbo_cpu_program *p, elbo_error *err);
elbo_status elbo_cpu_cut_phases(elbo_cpu_program *p, elbo_error *err);

/* memory.c: places every tensor and takes the arena. */
elbo_status elbo_cpu_place_tensors(elbo_cpu_program *p, elbo_error *err);

#endif
