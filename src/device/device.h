/* A device: where plans run. It owns the memory that tensors lie in; nobody else dereferences one.
 *
 *     elbo_state_open(&state, device, &network, team, NULL, &err);   the weights go to the device
 *     elbo_plan_make(&plan, &state, &options, &err);                 work is lowered to the device's program
 *     elbo_plan_run(&plan, &args, 1, &err);                          a batch; a device may still be at it afterwards
 *     elbo_plan_wait(&plan, &report, &err);                          now it is done
 *     elbo_plan_read(&plan, plan.code, 0, n, codes);
 */
#ifndef ELBO_DEVICE_H
#define ELBO_DEVICE_H

#include "base/random.h"
#include "base/threads.h"
#include "data/data.h"
#include "nn/optimizer.h"
#include "plan/plan.h"

struct elbo_augment;
struct elbo_corrupt;

/* Where the rows of a batch come from, and all that a run may depend on. */
typedef struct elbo_batch_args {
    const elbo_images *images;    // the batch is rows index[0..count) of it; DECODE, SCORE: z as "images"
    const uint32_t *index;        // (count)
    const elbo_images *target;    // SCORE: rows target_index[0..count) of it are what the codes should decode to
    const uint32_t *target_index; // (count)
    int count;                    // at most the plan's batch
    float low, high;              // the range that bytes are read into

    /* What a conditional model is told of each image: row i of the batch has label label_row[i], a weight for each class
     * or the number of one. With neither, the labels that `images` have (SCORE: those that `target` has). */
    const float *label_weights; // (any, graph->classes), or NULL
    const uint8_t *label_class; // (any), or NULL
    const uint32_t *label_row;  // (count)

    const float *skips;       // DECODE, SCORE: (any, graph->skip_floats); row i of the batch goes with row skip_row[i]
    const uint32_t *skip_row; // (count)

    elbo_stream noise;                  // seed, purpose and epoch; the sample is the image's index
    bool no_noise;                      // z = mu
    const float *given_noise;           // (images->count, samples, latent), used instead of drawing; or NULL
    const float *given_draws;           // the same of draws from the prior, which a term compares codes with
    const struct elbo_augment *augment; // of training images, by the numbers of noise's seed and epoch; or NULL
    bool binary;                        // images are made black and white by the fixed numbers of binary_seed or, where
    uint64_t binary_seed;               // binary_draw is not 0, by those of that draw
    uint32_t binary_draw;
    const struct elbo_corrupt *corrupt; // of what the encoder reads, by the numbers of noise's seed and epoch; or NULL
    const float *given_input;           // (images->count, C, H, W), what it reads in place of that; or NULL

    /* Training. */
    float loss_weight[ELBO_MAX_METRICS]; // of each metric of the graph, at this step
    float loss_bound[ELBO_MAX_METRICS];  // evaluation too: of a term that holds the KL to a bound, this bound
    float loss_scale; // of the gradient: 1 / count for the mean over the batch; over its values, too: loss.scale
    elbo_update update;
    bool no_update; // gradients only
} elbo_batch_args;

typedef struct elbo_run_report {
    bool diverged; // a loss was not finite, or the gradient too long: no update was made in that step, nor after it
    bool too_long; // the gradient: more than clip can measure
    int steps;     // of the last run, those before it
} elbo_run_report;

/* One step of a device's program, for people: `elbo plan`, `elbo bench --profile`. */
typedef struct elbo_step_info {
    int phase; // from 1; threads (or launches) meet between phases
    const elbo_node *node;
    const char *what, *kernel;
    int tiles;             // fixed parts of a gradient that it is cut into; 0: cut by shards of the batch
    double flop_per_image; // multiply and add are two
    double seconds;        // of all threads together, since elbo_plan_profile
} elbo_step_info;

typedef struct elbo_program_info {
    int shards, shard_rows;
    int launches;                              // 0: the device has none
    size_t activation_floats, unshared_floats; // activations and gradients; without sharing memory
    size_t work_floats;                        // packed weights, the shards' parts of gradients
} elbo_program_info;

struct elbo_state;

typedef struct elbo_device {
    const char *name, *about;              // one line for people
    int steps_at_once;                     // how many steps a run should hold, so that the device is not kept waiting
    elbo_status (*there)(elbo_error *err); // fails with what is missing; NULL: nothing ever is
    elbo_status (*open)(struct elbo_state *s, elbo_error *err);
    void (*close)(struct elbo_state *s);
    elbo_status (*put)(struct elbo_state *s, elbo_error *err); // the state's host blocks to the device
    elbo_status (*get)(struct elbo_state *s, elbo_error *err); // and back
    elbo_status (*lower)(elbo_plan *p, elbo_error *err);
    void (*free_program)(elbo_plan *p);
    elbo_status (*run)(elbo_plan *p, const elbo_batch_args *args, int steps, elbo_error *err);
    elbo_status (*wait)(elbo_plan *p, elbo_run_report *report, elbo_error *err);
    void (*read)(elbo_plan *p, const elbo_tensor *t, int first, int count, float *to);
    void (*read_gradients)(elbo_plan *p, float *to);
    /* Runs a batch once more, without updates, and finds the first node whose values are not finite; NULL: none. */
    const elbo_node *(*find_nonfinite)(elbo_plan *p, const elbo_batch_args *args, const char **what);
    elbo_status (*profile)(elbo_plan *p, elbo_error *err);
    bool (*step_info)(const elbo_plan *p, int step, elbo_step_info *info);
    void (*program_info)(const elbo_plan *p, elbo_program_info *info);
} elbo_device;

/* Ended by NULL; the first is the default. */
extern const elbo_device *const elbo_devices[];
/* Those that only tests ask for, by name; the same, empty in builds without tests. */
extern const elbo_device *const elbo_test_devices[];
static inline bool elbo_device_is_there(const elbo_device *d) {
    elbo_error why;
    return !d->there || d->there(&why) == ELBO_OK;
}
/* By name; NULL is the default, "auto" a GPU where there is one, else the default. Fails with the names that there are. */
elbo_status elbo_device_find(const elbo_device **device, const char *name, elbo_error *err);

/* A network on a device: its weights and what an optimiser keeps of them, in host memory too. */
typedef struct elbo_state {
    const elbo_device *device;
    const elbo_graph *graph;
    elbo_team *team;                         // not its own: threads that compute, or that feed the device
    float *params;                           // (param_floats) the network's
    const elbo_optimizer_rule *optimizer;    // NULL: nothing is trained
    float *array[ELBO_MAX_OPTIMIZER_ARRAYS]; // (optimizer->arrays), each (param_floats), owned
    uint64_t version; // of the weights: another one after each step of training and each elbo_state_put
    void *self;       // the device's own
} elbo_state;

/* The network and the team must outlive the state. */
elbo_status elbo_state_open(elbo_state *s, const elbo_device *device, const elbo_network *n, elbo_team *team,
                            const elbo_optimizer_rule *optimizer, elbo_error *err);
/* For plans that are only looked at: takes no memory of the device, which need not be there. */
void elbo_state_describe(elbo_state *s, const elbo_device *device, const elbo_network *n, elbo_team *team,
                         const elbo_optimizer_rule *optimizer);
void elbo_state_close(elbo_state *s);
/* After the host's blocks were changed; before they are read. */
elbo_status elbo_state_put(elbo_state *s, elbo_error *err);
elbo_status elbo_state_get(elbo_state *s, elbo_error *err);

/* The state and what the options point at must outlive the plan. */
elbo_status elbo_plan_make(elbo_plan *p, elbo_state *s, const elbo_plan_options *options, elbo_error *err);
void elbo_plan_free(elbo_plan *p);

/* Runs `steps` batches, one after the other; training adds their losses to p->total.  args: (steps) */
elbo_status elbo_plan_run(elbo_plan *p, const elbo_batch_args *args, int steps, elbo_error *err);
elbo_status elbo_plan_wait(elbo_plan *p, elbo_run_report *report, elbo_error *err);
/* One batch that cannot diverge: run and wait. */
elbo_status elbo_plan_run_one(elbo_plan *p, const elbo_batch_args *args, elbo_error *err);
/* Images first .. first+count-1 of a tensor that the plan lets the caller read.  to: (count, shape) */
void elbo_plan_read(elbo_plan *p, const elbo_tensor *t, int first, int count, float *to);
/* With keep_gradients.  to: (param_floats) */
void elbo_plan_read_gradients(elbo_plan *p, float *to);

#endif
