/* The files of a run folder, each written whole or not at all. */
#ifndef ELBO_RUN_FOLDER_H
#define ELBO_RUN_FOLDER_H

#include "device/device.h"
#include "formats/safetensors.h"

/* The format of a run folder: `elbo_version` in the metadata of model.safetensors and of checkpoint.safetensors. This
 * release writes the newest and reads all from the oldest on; of a newer one it says so in one line. tests/runs/ keeps a
 * run of each, which tests read.
 *
 * 1: log.jsonl has of each split images, loss, reconstruction, kl and mse. The checkpoint's `position` ends with the sums
 *    of the epoch under way: reconstruction, kl, squared error, then the seconds.
 * 2: log.jsonl has the objective, too, and `metrics`: each one's mean by its name (nn/metrics.h). In the checkpoint sums
 *    are tensors by name: `sum.reconstruction`, `sum.kl`, `sum.squared_error`, and `metric.NAME` of each metric.
 *    Where the recipe has train.validation, train.keep or train.ema (which an older release of this format does not know,
 *    and says so), log.jsonl has the scores of the `validation` images and `best`, the epoch of which they were best so
 *    far; the checkpoint `average.WEIGHT`, `best.WEIGHT`, `validation.best_epoch` and `validation.best_objective`; and
 *    model.safetensors the weights that are kept. `prior.*` and `adversary.*` are weights as others, where the recipe
 *    has such. It may have `elbo_classes`, the names of the data's classes, a line
 *    each, `elbo_epoch` and `elbo_imported`. */
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

/* Weights beside those that are being trained, where the recipe has such. */
typedef struct elbo_kept {
    float *average;        // (param_floats) train.ema: their moving average; or NULL
    float *best;           // (param_floats) train.keep: best: of best_epoch; or NULL
    int best_epoch;        // with the lowest validation objective so far; 0: none yet
    double best_objective; // that one
} elbo_kept;

/* What a run's recipe.yaml does not say. New strings, freed by elbo_run_facts_free. */
typedef struct elbo_run_facts {
    elbo_image_shape image;
    char *recipe;       // its name, "mnist-vae"
    char *data;         // what --data named, or NULL
    char **class_names; // (classes) of the data; NULL in the runs of format 1 and 2's beginning, and without labels
    int classes;
    int epoch;     // finished ones that the weights are of; -1: not known, of a run of an earlier release
    bool imported; // the weights were trained elsewhere (elbo_run_make): there is nothing to resume
} elbo_run_facts;
void elbo_run_facts_free(elbo_run_facts *f);

/* model.safetensors: the weights, as a PyTorch state_dict, and the facts (the image shape is the network's) as
 * metadata.  weights: (param_floats) the network's own, or others for it. */
elbo_status elbo_model_save(const char *run, const elbo_network *n, const float *weights, const elbo_run_facts *facts,
                            elbo_error *err);
/* Writes a safetensors file of a graph's tensors: those of the first so many players, 1 being the model alone.
 * weights: (param_floats) */
elbo_status elbo_params_write(const char *path, const elbo_graph *g, int players, const float *weights,
                              const elbo_st_pair *pairs, int count, elbo_error *err);
/* Reads weights into a network made from the run's recipe. */
elbo_status elbo_model_load(const char *run, elbo_network *n, elbo_error *err);
/* Copies a file's tensor PREFIX+name into its place in a block, its shape checked.  block: (param_floats) */
elbo_status elbo_param_read(const elbo_safetensors *file, const char *path, const char *prefix, const elbo_param *p,
                            float *block, elbo_error *err);
/* The metadata alone, before there is a network. */
elbo_status elbo_run_facts_load(const char *run, elbo_run_facts *f, elbo_error *err);

/* The run's own recipe.yaml, under the name that its recipe had. */
elbo_status elbo_run_recipe_open(elbo_recipe *r, const char *run, const elbo_run_facts *f, const char *const *sets,
                                 int set_count, elbo_error *err);

/* recipe.yaml, which repeats the run. */
elbo_status elbo_run_recipe_save(const char *run, const elbo_recipe *r, elbo_error *err);

/* Weights that something else trained: a safetensors file with exactly the recipe's parameters by their names, beside
 * which only PyTorch's num_batches_tracked is passed over. */
elbo_status elbo_network_import(elbo_network *n, const char *path, elbo_error *err);
/* A run folder of a network that was not trained here: no epochs, no checkpoint. `data`: what --data named, or NULL. */
elbo_status elbo_run_make(const char *run, const elbo_recipe *r, const elbo_network *n, const char *data, bool replace,
                          elbo_error *err);

/* Fails where there is no run to `resume`, or a run in the way that is not to be replaced. */
elbo_status elbo_run_folder_check(const char *run, bool resume, bool replace, elbo_error *err);

/* Makes `run` a folder that this process alone trains in, until elbo_run_folder_close or its end: a second one would
 * take the files away under the first. A run that is not to be replaced is refused, under the lock. Removes what an
 * earlier process that was killed left half-written and, unless `resume`, the earlier run. */
elbo_status elbo_run_folder_open(int *lock, const char *run, bool resume, bool replace, elbo_error *err);
void elbo_run_folder_close(int *lock);
/* Whether some process holds that lock; false where nobody can say. It is not touched: a training that begins in that
 * moment is not disturbed. */
bool elbo_run_is_training(const char *run);

/* checkpoint.safetensors: weights, what the optimiser keeps of each (their host blocks: elbo_state_get before, put after),
 * position, and what is kept beside the weights (which blocks `kept` has is the recipe's business; NULL: none of them is
 * read). Metrics that an older one, or one of other terms, has no sums of are NaN where they do not follow from the
 * rest. */
elbo_status elbo_checkpoint_save(const char *run, const elbo_state *s, const elbo_position *at, const elbo_kept *kept,
                                 elbo_error *err);
elbo_status elbo_checkpoint_load(const char *run, elbo_state *s, elbo_position *at, elbo_kept *kept, elbo_error *err);

/* A line of log.jsonl. */
typedef struct elbo_epoch_log {
    int epoch;                           // 1, 2, ...
    elbo_scores train, test, validation; // validation: of no images where none are held out; with the full KL weight
    int best;                            // the epoch with the lowest validation objective so far; 0: none
    double seconds, images_per_second;   // of the training part
    double lr, kl_weight;                // kl_weight: in the epoch's last step, and in both splits' objective
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
/* The epoch whose weights the run keeps: the last, or the best. NULL before one is finished. */
const elbo_epoch_log *elbo_log_kept(const elbo_log *log, const elbo_recipe *r);
/* Whether training ended because the validation objective had not fallen for train.patience epochs. */
bool elbo_log_stopped_early(const elbo_log *log, const elbo_recipe *r);
/* The KL's weight in the last step of that epoch; before there is one, the recipe's. */
double elbo_log_kl_weight(const elbo_log *log, const elbo_recipe *r);

#endif
