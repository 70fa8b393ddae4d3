/* What is wrong with a run, in plain words with the numbers behind them. */
#ifndef ELBO_DIAGNOSIS_H
#define ELBO_DIAGNOSIS_H

#include <jansson.h>

#include "explore/opened_runs.h"

typedef enum elbo_health {
    ELBO_CHECK_NOT_ASKED, // the question makes no sense for this run: an autoencoder has no prior
    ELBO_CHECK_OK,
    ELBO_CHECK_NOTE, // worth knowing; may be meant
    ELBO_CHECK_PROBLEM,
} elbo_health;
const char *elbo_health_name(elbo_health h); // "not checked", "ok", "note", "problem"

enum { ELBO_MOST_CHECKS = 16, ELBO_CHECK_NUMBERS = 8 };

typedef struct elbo_check {
    const char *name, *title; // of its row in the table: "collapsed", "Latent dimensions"
    elbo_health health;
    char evidence[480]; // what was measured, with units
    char advice[320];   // what to try; empty where it is ok
    struct {
        const char *name;
        double value;
    } number[ELBO_CHECK_NUMBERS]; // the same for programs; ended by a row without a name
} elbo_check;

/* Plain data, all by value: nothing is to be freed. */
typedef struct elbo_diagnosis {
    elbo_check check[ELBO_MOST_CHECKS]; // (count), in the order of the table
    int count;
} elbo_diagnosis;

/* Runs every check, on the test images or, where there are none, on those of training. */
elbo_status elbo_diagnose(elbo_diagnosis *d, const elbo_run *run, const elbo_dataset *data, const elbo_job *job,
                          elbo_error *err);
/* The same where the codes are known already. */
elbo_status elbo_diagnose_context(elbo_diagnosis *d, const elbo_eval_context *e, elbo_error *err);

int elbo_diagnosis_count(const elbo_diagnosis *d, elbo_health health);
/* {"problems": count, "checks": [...]}. NULL: no memory. */
json_t *elbo_diagnosis_json(const elbo_diagnosis *d);

#endif
