/* Runs opened to be looked at: what every analysis of one or several trained models starts from. */
#ifndef ELBO_OPENED_RUNS_H
#define ELBO_OPENED_RUNS_H

#include "explore/metrics/quality.h"
#include "run/model.h"
#include "run/run_folder.h"

/* A run folder opened: the model, its log, and the name that figures call it by. */
typedef struct elbo_run {
    elbo_model *model;
    elbo_log log;
    char *label;
    elbo_quality *quality; // its scores; NULL until they are measured or recalled
} elbo_run;

/* Opens run folders whose images have one shape. Labels are the folders' names, or paths where two names are the same.
 * `device` NULL: the default. */
elbo_status elbo_runs_open(elbo_run *runs, const char *const *folders, int count, const char *device, int threads,
                           elbo_error *err);
void elbo_runs_close(elbo_run *runs, int count);

/* elbo_model_take_data of the first run; the others must find their labels in it, too. */
elbo_status elbo_runs_take_data(const elbo_run *runs, int count, elbo_dataset *d, elbo_error *err);

/* The scores that the run's folder holds. ELBO_NOT_FOUND: none of this model, or of other images than d's (NULL: not
 * asked). */
elbo_status elbo_run_recall(elbo_run *r, const elbo_dataset *d, elbo_error *err);
/* The same, or measured; `keep`: and written for the next time, which is right where the images are the run's own. */
elbo_status elbo_run_measure(elbo_run *r, const elbo_eval_context *e, bool keep, elbo_error *err);
bool elbo_runs_same_data(const elbo_run *a, const elbo_run *b);
void elbo_run_forget(elbo_run *r);
/* Whether a run is the best of those that a score can be compared of. */
bool elbo_run_best(const elbo_run *runs, int count, int which, const elbo_quality_row *row);

/* The labels of runs, new: `*labels` (count), freed by elbo_texts_free. */
elbo_status elbo_runs_labels(char ***labels, const elbo_run *runs, int count, elbo_error *err);

/* The run whose codes choose typical images: the first VAE, whose space is smooth, else the first. */
elbo_run *elbo_runs_chooser(elbo_run *runs, int count);

#endif
