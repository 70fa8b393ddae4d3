/* What every score and check starts from: the model, the data it is asked about, and the codes of both splits, computed
 * once. */
#ifndef ELBO_EVAL_CONTEXT_H
#define ELBO_EVAL_CONTEXT_H

#include "base/job.h"
#include "explore/metrics/confusion.h"
#include "run/model.h"

/* More training images than these change no score's second digit; of a larger split a fixed sample is looked at. */
enum { ELBO_EVAL_MAX_TRAIN = 60000 };

typedef struct elbo_eval_context {
    elbo_model *model;
    const elbo_log *log;
    const elbo_dataset *data;
    const elbo_images *images; // the split that is evaluated
    bool trained_on;           // it is the training split
    const elbo_job *work;      // never NULL
    size_t n, Z;               // images evaluated, numbers in a code
    float *mu, *logvar;        // (n, Z) of the split that is evaluated; logvar NULL for an AE
    size_t train;              // training images looked at; 0: that split is not open, or empty
    uint32_t *train_index;     // (train)
    elbo_confusion *confusion; // elbo_class_score fills it, where it is asked for; or NULL
} elbo_eval_context;

/* Encodes. The model, the log, the data and `work` must outlive it. */
elbo_status elbo_eval_context_open(elbo_eval_context *e, elbo_model *m, const elbo_log *log, const elbo_dataset *d,
                                   elbo_splits split, const elbo_job *work, elbo_error *err);
void elbo_eval_context_close(elbo_eval_context *e);

/* At most n training images, evenly from train_index: index (n). Returns how many. */
size_t elbo_eval_context_some_training(const elbo_eval_context *e, size_t n, uint32_t *index);

/* How many of the images a score takes at once: with their reconstructions as floats they take at most a GiB; of a network
 * with skips, which take memory too, as many as it computes at once. From 1 to ELBO_EVAL_AT_ONCE. */
enum { ELBO_EVAL_AT_ONCE = 512 };
uint32_t elbo_eval_at_once(const elbo_model *m, const elbo_images *images);

/* For scores: says how far the work is, and whether to stop. */
elbo_status elbo_eval_context_step(const elbo_job *work, const char *what, double done, elbo_error *err);
/* Runs work(context, piece) for each piece on the model's own threads. */
void elbo_eval_context_parallel(const elbo_model *m, size_t pieces, void (*work)(void *context, size_t piece),
                                void *context);

#endif
