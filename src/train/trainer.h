/* Training: the loop over epochs and batches, schedules, the log and checkpoints of a run folder.
 *
 * With an adversary a step is two, of the same batch: first the adversary's, which sees what the model gives (its weights,
 * noise and dropout those of the step that follows) and changes its own parameters alone; then the model's, whose
 * gradient flows through the adversary as it is now. */
#ifndef ELBO_TRAINER_H
#define ELBO_TRAINER_H

#include "data/data.h"
#include "device/device.h"
#include "run/run_folder.h"

/* Evaluates on a set of images. `noise`: (images->count, latent) used for the reparameterisation, or NULL: drawn from
 * the seed. `mean_code`: z = mu, no noise. The objective is that with the recipe's full KL weight
 * (elbo_scores_set_objective for another). */
typedef struct elbo_eval_options {
    const elbo_device *device; // NULL: the first of elbo_devices
    int threads;
    uint64_t seed;
    const float *noise;
    bool mean_code;
    double epochs;        // trained so far, as the recipe's schedules have it; 0: all
    const uint32_t *only; // (only_count) the images that are looked at; NULL: all
    uint32_t only_count;
} elbo_eval_options;
elbo_status elbo_evaluate(elbo_scores *s, const elbo_network *n, const elbo_recipe *r, const elbo_images *images,
                          elbo_eval_options o, elbo_error *err);

/* What the caller sees of a run while it goes on. */
typedef struct elbo_progress {
    int epoch, epochs;            // the current one, from 1
    uint32_t images_done, images; // of this epoch
    double loss, objective;       // means over this epoch so far; the loss in nats per image
    double images_per_second;
    double seconds_left;            // of the whole run
    const elbo_epoch_log *finished; // set once at the end of each epoch
} elbo_progress;

typedef struct elbo_train_options {
    const char *run;       // the run folder, made if it is not there; NULL: nothing is written
    const char *data_path; // what --data named, remembered in the run; or NULL
    bool resume;           // go on from its checkpoint
    bool replace;          // a run that is there already; else it is refused
    int threads;           // 0: all cores
    const char *device;    // NULL: the first of elbo_devices
    /* Called before the first step, about ten times a second and at the end of each epoch. Returning true stops the run
     * after the current step, with a checkpoint and a usable model; elbo_train then returns ELBO_STOPPED. */
    bool (*progress)(void *context, const elbo_progress *p);
    void *context;
    void (*saved)(void *context); // the folder has new weights: at the end of an epoch, or of several short ones; or NULL
    void *saved_context;
} elbo_train_options;

typedef struct elbo_train_result {
    elbo_epoch_log last, kept; // kept: of the weights that the run keeps, by train.keep; its epoch says which
    int epochs;                // finished
    bool stopped_early;        // by train.patience
    bool was_finished;         // a resumed run that had all its epochs already
    double seconds;            // of training in all, over every part of a resumed run
} elbo_train_result;

/* Trains the recipe on the data set and writes the run folder: recipe.yaml, model.safetensors, checkpoint.safetensors,
 * log.jsonl. `r` is the recipe as resolved; with `resume`, the run's own. */
elbo_status elbo_train(elbo_train_result *result, const elbo_recipe *r, const elbo_dataset *d, elbo_train_options o,
                       elbo_error *err);

/* What one optimiser step of this recipe runs with; also for `bench` and tests. `step` counts from 1. */
elbo_batch_args elbo_training_args(const elbo_recipe *r, const elbo_graph *g, const elbo_images *images,
                                   const uint32_t *index, int count, int epoch, uint64_t step, uint64_t steps_an_epoch);

/* The same step's of the adversary, which goes before the model's on the same batch: with its own learning rate. */
elbo_batch_args elbo_adversary_args(const elbo_recipe *r, const elbo_batch_args *model, int epoch, uint64_t step);

/* The learning rate at a step (0, 1, ...) of an epoch: schedules go by epoch, as PyTorch's. */
double elbo_learning_rate(const elbo_recipe *r, int epoch); // epoch from 0
/* The KL weight at a step: grows linearly over the warm-up's epochs. */
double elbo_kl_weight(const elbo_recipe *r, uint64_t step, uint64_t steps_per_epoch);
/* What terms hold the KL to, after so many epochs.  bound: (g->metrics.count) */
void elbo_loss_bounds(const elbo_recipe *r, const elbo_graph *g, double epochs, float *bound);
/* Whether its warm-up, and the growth of its capacity, is over at that step. */
bool elbo_kl_is_warm(const elbo_recipe *r, uint64_t step, uint64_t steps_per_epoch);

#endif
