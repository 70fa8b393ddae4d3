/* The files of a run folder, each written whole or not at all. */
#ifndef ELBO_RUN_FOLDER_H
#define ELBO_RUN_FOLDER_H

#include "device/device.h"

/* The format of a run folder: `elbo_version` in the metadata of model.safetensors and of checkpoint.safetensors. This
 * release writes the newest and reads all from the oldest on; of a newer one it says so in one line. tests/runs/ keeps a
 * run of each, which tests read.
 *
 * 1: log.jsonl has of each split images, loss, reconstruction, kl and mse. The checkpoint's `position` ends with the sums
 *    of the epoch under way: reconstruction, kl, squared error, then the seconds.
 * 2: log.jsonl has the objective, too, and `metrics`: each one's mean by its name (nn/metrics.h). In the checkpoint sums
 *    are tensors by name: `sum.reconstruction`, `sum.kl`, `sum.squared_error`, and `metric.NAME` of each metric. model.safetensors may have `elbo_classes`, the names of
 *    the data's classes, a line each. */
enum { ELBO_RUN_OLDEST = 1, ELBO_RUN_VERSION = 2 };

/* Where training stands: enough to go on to the same bits. */
typedef struct elbo_position {
    int epoch;             // finished epochs
    uint32_t images_done;  // of the epoch under way
    uint64_t step;         // optimiser steps in all
    elbo_metric_sums sums; // of the epoch under way
    double seconds;        // of training so far
    double epoch_seconds;  // of the epoch under way
    /* A run goes on with the data it began with: of the training split, */
    uint32_t images;
    bool has_fingerprint;   // (not in the checkpoints of format 1's first release, which have the other alone)
    uint64_t fingerprint;   // elbo_images_fingerprint
    uint64_t fingerprint_1; // elbo_images_fingerprint_1
} elbo_position;

/* What a run's recipe.yaml does not say. New strings, freed by elbo_run_facts_free. */
typedef struct elbo_run_facts {
    elbo_image_shape image;
    char *recipe;       // its name, "mnist-vae"
    char *data;         // what --data named, or NULL
    char **class_names; // (classes) of the data; NULL in the runs of format 1 and 2's beginning, and without labels
    int classes;
} elbo_run_facts;
void elbo_run_facts_free(elbo_run_facts *f);

/* model.safetensors: the weights, as a PyTorch state_dict, and the facts (the image shape is the network's) as
 * metadata. */
elbo_status elbo_model_save(const char *run, const elbo_network *n, const elbo_run_facts *facts, elbo_error *err);
/* Reads weights into a network made from the run's recipe. */
elbo_status elbo_model_load(const char *run, elbo_network *n, elbo_error *err);
/* The metadata alone, before there is a network. */
elbo_status elbo_run_facts_load(const char *run, elbo_run_facts *f, elbo_error *err);

/* The run's own recipe.yaml, under the name that its recipe had. */
elbo_status elbo_run_recipe_open(elbo_recipe *r, const char *run, const elbo_run_facts *f, const char *const *sets,
                                 int set_count, elbo_error *err);

/* Fails where there is no run to `resume`, or a run in the way that is not to be replaced. */
elbo_status elbo_run_folder_check(const char *run, bool resume, bool replace, elbo_error *err);

/* Makes `run` a folder that this process alone trains in, until elbo_run_folder_close or its end: a second one would
 * take the files away under the first. A run that is not to be replaced is refused, under the lock. Removes what an
 * earlier process that was killed left half-written and, unless `resume`, the earlier run. */
elbo_status elbo_run_folder_open(int *lock, const char *run, bool resume, bool replace, elbo_error *err);
void elbo_run_folder_close(int *lock);

/* checkpoint.safetensors: weights, what the optimiser keeps of each (their host blocks: elbo_state_get before, put after),
 * position. Metrics that an older one, or one of other terms, has no sums of are NaN where they do not follow from the
 * rest. */
elbo_status elbo_checkpoint_save(const char *run, const elbo_state *s, const elbo_position *at, elbo_error *err);
elbo_status elbo_checkpoint_load(const char *run, elbo_state *s, elbo_position *at, elbo_error *err);

/* A line of log.jsonl. */
typedef struct elbo_epoch_log {
    int epoch; // 1, 2, ...
    elbo_scores train, test;
    double seconds, images_per_second; // of the training part
    double lr, kl_weight;              // kl_weight: in the epoch's last step, and in both splits' objective
} elbo_epoch_log;

/* log.jsonl. */
typedef struct elbo_log {
    elbo_metrics metrics;  // what the scores' metrics are
    elbo_epoch_log *epoch; // (count)
    int count;
    size_t capacity;
} elbo_log;
elbo_status elbo_log_add(elbo_log *log, const elbo_epoch_log *line, elbo_error *err);
elbo_status elbo_log_save(const char *run, const elbo_log *log, elbo_error *err);
/* The log of a run of this recipe on images of this shape: what an older one has not is derived, or NaN. */
elbo_status elbo_log_load(const char *run, const elbo_recipe *r, elbo_image_shape image, elbo_log *log,
                          elbo_error *err);
void elbo_log_free(elbo_log *log);
/* The KL's weight in the last step of the last epoch; before there is one, the recipe's. */
double elbo_log_kl_weight(const elbo_log *log, const elbo_recipe *r);

#endif
