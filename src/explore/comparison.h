/* Runs beside each other: their curves, what they were trained for, their scores, and which is the best of those that can
 * be compared.
 *
 *     elbo_comparison c;
 *     if (elbo_compare(&c, runs, count, err) == ELBO_OK) ...
 *     elbo_run_measure(&runs[i], ...); // or elbo_run_recall: scores, which may take long
 *     if (elbo_comparison_take_scores(&c, runs, err) == ELBO_OK) ...
 *     elbo_comparison_free(&c); */
#ifndef ELBO_COMPARISON_H
#define ELBO_COMPARISON_H

#include <jansson.h>

#include "explore/opened_runs.h"

typedef struct elbo_compared_run {
    char *run, *label, *data; // its folder; what figures call it; the data set that its recipe names
    elbo_kind kind;
    int latent;
    size_t parameters;

    /* The log. */
    elbo_metrics metrics;
    elbo_epoch_log *epoch;             // (epochs)
    int epochs, kept;                  // kept: the epoch whose weights the run has, from 1; 0 before one is finished
    double seconds, images_per_second; // of all the training

    /* What was trained, with the KL's weight at the end of training. */
    double kl_weight;
    bool objective_is_loss;                       // the negative ELBO in nats
    char objective_formula[ELBO_OBJECTIVE_TEXT];  // "reconstruction + 4 kl"
    char objective_number[ELBO_OBJECTIVE_NUMBER]; // its last value; "" before an epoch is finished

    /* elbo_comparison_take_scores. */
    bool scored;
    elbo_quality quality;
    bool best[ELBO_MOST_QUALITY_ROWS]; // by row of elbo_quality_rows
} elbo_compared_run;

/* Plain data: it outlives the runs. */
typedef struct elbo_comparison {
    elbo_compared_run *run; // (count)
    int count;
    /* All minimise one sum, which is not the loss: so curves are of it. */
    bool draws_objective;
    char drawn_formula[ELBO_OBJECTIVE_TEXT]; // with `w` for a KL weight that moves
} elbo_comparison;

/* From the logs, and the scores where the runs have them already. */
elbo_status elbo_compare(elbo_comparison *c, const elbo_run *runs, int count, elbo_error *err);
/* The scores that the same runs have by now. */
elbo_status elbo_comparison_take_scores(elbo_comparison *c, const elbo_run *runs, elbo_error *err);
void elbo_comparison_free(elbo_comparison *c);

/* Of the epoch whose weights the run keeps: the test images' where there are some, else those of training. NULL before an epoch is finished. */
const elbo_scores *elbo_compared_scores(const elbo_compared_run *r);
/* NULL where it has none. */
const elbo_quality *elbo_compared_quality(const elbo_compared_run *r);
/* Whether a table of scores beside that of the logs has the row: some run has the score, and the log has it not. */
bool elbo_comparison_has(const elbo_comparison *c, const elbo_quality_row *row);

/* An array of objects, one for each run. NULL: no memory. */
json_t *elbo_comparison_json(const elbo_comparison *c);

#endif
