/* Between the files that make a plan; ops and callers see plan.h. */
#ifndef ELBO_PLAN_MAKE_H
#define ELBO_PLAN_MAKE_H

#include "device/cpu/plan.h"

/* ---- layouts.c ---- */

/* The output's tensor of a node: the input's again where the op is a view, or may work in place. */
elbo_status elbo_plan_give_output(elbo_plan *p, int node, elbo_error *err);
/* A node's output, or a plain copy of it: for a loss, or for the caller. */
elbo_status elbo_plan_plain(elbo_plan *p, int node, elbo_tensor **t, elbo_error *err);

/* ---- caller.c ---- */

/* A decoder's inputs besides the code: what the encoder saved for it. */
elbo_status elbo_plan_give_skips(elbo_plan *p, elbo_error *err);
/* An encoder's outputs besides the code. */
elbo_status elbo_plan_keep_skips(elbo_plan *p, elbo_error *err);
/* The image that a code is compared with, where the network does not start from it. */
elbo_status elbo_plan_target(elbo_plan *p, elbo_error *err);
/* Lets the caller read a node's output after the run. */
elbo_status elbo_plan_watch(elbo_plan *p, int node, elbo_error *err);

/* ---- update.c ---- */

/* The step that clips the whole gradient and then changes the weights. */
elbo_status elbo_plan_clipped_update(elbo_plan *p, elbo_error *err);

/* ---- phases.c ---- */

elbo_status elbo_plan_sort_steps(elbo_plan *p, elbo_error *err);
elbo_status elbo_plan_cut_phases(elbo_plan *p, elbo_error *err);

/* ---- memory_plan.c ---- */

/* Places every tensor and takes the arena. */
elbo_status elbo_plan_place_tensors(elbo_plan *p, elbo_error *err);

#endif
