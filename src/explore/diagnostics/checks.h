/* The checks of a diagnosis. Each is one function and one row of the table in diagnosis.c. It looks at one thing, says
 * what it measured whether that is ok or a problem, and what to try where it is one. */
#ifndef ELBO_CHECKS_H
#define ELBO_CHECKS_H

#include "explore/diagnostics/diagnosis.h"
#include "explore/metrics/scores.h"

/* Sets the health and the evidence. */
void elbo_found(elbo_check *v, elbo_health health, const char *format, ...) __attribute__((format(printf, 3, 4)));
void elbo_advise(elbo_check *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
void elbo_number(elbo_check *v, const char *name, double value);

elbo_status elbo_check_range(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // check_network.c
elbo_status elbo_check_dead(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_finished(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // check_curves.c
elbo_status elbo_check_diverged(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_overfitting(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_underfitting(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_collapsed(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // check_code.c
elbo_status elbo_check_ignored(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_prior(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_observation(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // check_observation.c
elbo_status elbo_check_memorised(elbo_check *v, const elbo_eval_context *e, elbo_error *err);   // check_memory.c
elbo_status elbo_check_samples(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_adversary(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // check_adversary.c

#endif
