/* What `elbo eval` says of a run: every score on a split, and what a reader needs to know of them. */
#ifndef ELBO_EVALUATION_H
#define ELBO_EVALUATION_H

#include <jansson.h>

#include "explore/metrics/code_use.h"
#include "explore/opened_runs.h"

typedef struct elbo_evaluation_options {
    elbo_splits split;            // ELBO_TEST_SPLIT, or ELBO_TRAIN_SPLIT
    bool confusion;               // false; also which classes are taken for which, where classes are measured
    elbo_quality_options measure; // classes only on the test split, and with both splits open; no likelihood
} elbo_evaluation_options;
elbo_evaluation_options elbo_evaluation_defaults(void);

/* Plain data: it outlives the run and the data set. */
typedef struct elbo_evaluation {
    char *run, *label, *data; // the run's folder and label, the data set's name
    elbo_kind kind;
    bool on_training;                             // the split
    bool mean_code;                               // decoded without noise
    bool elbo;                                    // the loss is a negative ELBO: a likelihood's, not a weighted sum's
    float low, high;                              // the range of a value, which the MSE is in
    char reconstruction[ELBO_TERMS_TEXT];         // "mse + 0.7 l1": the terms that were computed
    char objective_formula[ELBO_OBJECTIVE_TEXT];  // what training minimises
    char objective_number[ELBO_OBJECTIVE_NUMBER]; // its value with the decimals that it needs
    bool objective_is_loss;                       // it is the negative ELBO itself
    size_t training_codes;                        // that classes are told from
    size_t image_bytes, code_bytes;               // an image at a byte a value, its code at four
    elbo_quality quality;
    elbo_confusion confusion; // classes 0: not asked for, or no classes
    elbo_code_use code_use;
    bool skips; // the decoder reads the encoder's activations beside the code
} elbo_evaluation;

elbo_status elbo_evaluate_run(elbo_evaluation *v, const elbo_run *run, const elbo_dataset *data,
                              const elbo_evaluation_options *o, const elbo_job *job, elbo_error *err);
void elbo_evaluation_free(elbo_evaluation *v);

/* NULL: no memory. */
json_t *elbo_evaluation_json(const elbo_evaluation *v);

#endif
