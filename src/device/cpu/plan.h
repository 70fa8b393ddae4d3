/* A plan: a graph made ready to run on batches of at most B images, by one device.
 *
 * It is an array of steps in order. A step is cut either by shard (a fixed number of images that go through the whole
 * network on one core) or by tile (a fixed part of a weight gradient, summed over the whole batch). Neighbouring steps
 * of the same cut form a phase; threads meet only between phases. How things are cut depends on the plan alone, and
 * every sum has a fixed order: results are the same to the bit for any number of threads.
 *
 * Every tensor's place in one arena is decided here, from the steps that read and write it. Running allocates nothing.
 */
#ifndef ELBO_PLAN_H
#define ELBO_PLAN_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/random.h"
#include "base/threads.h"
#include "nn/graph.h"
#include "device/cpu/kernels.h"

/* An activation or a gradient. In shard scope each shard has its own; in batch scope the rows of all shards lie one
 * behind the other, (B, per_image), as a product over the whole batch needs them. */
typedef struct elbo_tensor {
    const char *name; // the node's
    bool gradient;
    elbo_shape shape;    // of one image; rank 0: the tensor is no activation
    bool blocked;        // layout: 16 channels beside each other (conv.h); else plain
    size_t per_image;    // floats, those that fill a block included
    bool whole_batch;    // scope
    bool kept;           // read by the caller after the run: lives to the end
    int readers;         // nodes that read it: more than one, and no op may work in place on it
    bool pinned;         // its op's backward reads it: nor then
    bool written;        // gradients, while a plan is made: a consumer has written its share, the next one adds
    int first, last;     // steps that touch it
    float *base;         // first image
    size_t shard_stride; // floats from one shard's first image to the next's
} elbo_tensor;

typedef struct elbo_plan elbo_plan;
typedef struct elbo_step elbo_step;
typedef struct elbo_batch_args elbo_batch_args;

/* A node's place in a plan: its tensors. Gradients are NULL where none is needed. */
typedef struct elbo_node_plan {
    const elbo_node *node;
    elbo_tensor *x[ELBO_MAX_INPUTS], *y;
    elbo_tensor *dx[ELBO_MAX_INPUTS], *dy;
    bool learns;                      // the node, or one before it, has parameters
    bool accumulate[ELBO_MAX_INPUTS]; // backward: dx was written by another consumer before
    elbo_tensor *aux;                 // the op's own: noise, a mask
    void *object;                     // the op's own, prepared in forward for backward too
    float *work;
} elbo_node_plan;

enum { ELBO_STEP_TENSORS = 4 };

struct elbo_step {
    const char *what; // "forward", "backward data"
    const elbo_node *node;
    /* Shard steps: piece is the shard. Tile steps: piece is the tile. */
    void (*run)(const elbo_step *s, const elbo_batch_args *pass, int piece, int thread);
    elbo_tensor *in[ELBO_STEP_TENSORS], *out[ELBO_STEP_TENSORS]; // what it reads and writes: lifetimes come from here
    const elbo_plan *plan;
    int tiles;          // 0: cut by shard
    int first_tile;     // its tiles' place among the plan's
    bool barrier;       // all that came before must be finished
    bool early;         // tiles that run before the shards
    int tile_rows;      // of a weight gradient
    size_t skip_offset; // of a skip among an image's skips
    size_t w, b;        // offsets of weight and bias in the parameter block; b == w: no bias
    bool accumulate;
    int number;          // the op's own: which loss, which input
    void *object;        // the op's own, prepared once
    float *work, *work2; // memory of its own, for all shards
    double flop_per_image;
    const char *kernel;
};

typedef enum elbo_mode {
    ELBO_ENCODE,   // image -> code (mu, or mu above logvar)
    ELBO_DECODE,   // z, and what the encoder saved for the decoder, if anything -> reconstruction
    ELBO_EVAL,     // image -> losses, and the reconstruction
    ELBO_SCORE,    // z, and an image -> the reconstruction's loss: how likely a code makes an image
    ELBO_TRAIN,    // image -> losses, gradients, updated parameters
    ELBO_FEATURES, // of a graph of layers with frozen weights, for a loss (ops/perceptual.c), which runs its steps
                   // itself
} elbo_mode;

typedef struct elbo_plan_options {
    elbo_mode mode;
    int batch;
    elbo_team *team; // who runs it; not the plan's own
    elbo_terms reconstruction;
    elbo_optimizer optimizer;
    float clip;                   // global norm of the gradient; 0: off
    const elbo_network *features; // what the perceptual term looks with; NULL: that term is off
    int shard_rows;               // 0: chosen here
    bool frozen_backward;         // features: also back, to the gradient of the input
    bool keep_grads;              // leave the gradient in plan->grads
    const bool *watch; // (graph->count): nodes whose output the caller reads after a run, in plan->watched; or NULL
    bool keep_skips;   // encode: also what the decoder reads of the encoder, in plan->skip
} elbo_plan_options;

/* Something that an op made and the plan frees. */
typedef struct elbo_owned {
    void *object;
    void (*free)(void *object);
} elbo_owned;

/* A run of neighbouring steps without a barrier inside. */
typedef struct elbo_phase {
    bool tiled;
    int first, count; // steps
    int pieces;       // shards, or the tiles of all its steps
} elbo_phase;

typedef struct elbo_tile {
    int step, tile;
} elbo_tile;

/* Pieces first .. end-1 of a phase, a thread's own to begin with: it takes the first of them, a thread that has run out
 * of its own takes the last. So a core meets the same images' activations and the same tiles' weights in every step, in
 * its own cache, as long as nobody is late. On a cache line of its own. */
typedef struct elbo_thread_range {
    _Alignas(64) atomic_uint_fast64_t range; // first << 32 | end
} elbo_thread_range;

struct elbo_plan {
    elbo_plan_options options;
    const elbo_graph *graph;
    const elbo_device *device;
    elbo_node_plan *spot; // (graph->count)
    elbo_tensor **tensor;
    int tensors;
    size_t tensor_capacity;
    elbo_step *step;
    int steps;
    size_t step_capacity;
    elbo_phase *phase;
    int phases;
    elbo_tile *tile; // of all tiled phases, in order
    int tiles;
    int shard_rows, shards;

    elbo_owned *owned;
    int owned_count;
    size_t owned_capacity;
    size_t work_floats; // of elbo_plan_work, in all

    float *arena;
    size_t arena_floats;
    float *scratch; // (threads, scratch_floats): a weight-gradient tile each
    size_t scratch_floats;
    float *grads;         // (param_floats), or NULL: tiles go straight into the update
    double *step_seconds; // (threads, steps), each thread's time in each step; NULL: nobody asked (elbo_plan_profile)
    double *tile_squares; // (tiles): parts of the gradient's norm when clipping
    elbo_thread_range *share; // (phases, threads): the pieces that are still to be taken

    int first_back; // features: its first step that goes back

    elbo_tensor *input, *code, *latent, *output; // kept for the caller; NULL where the mode has none
    elbo_tensor *skip[ELBO_MAX_SAVED];           // (graph->skips) encode with keep_skips, plain
    elbo_tensor *reconstruction, *kl, *squared;  // (B) nats, nats, squared error
    elbo_tensor **watched; // (graph->count), plain; NULL where the node is not watched or not part of the mode
};

/* Where the rows of a batch come from, and all that a run may depend on. */
struct elbo_batch_args {
    const elbo_images *images;    // the batch is rows index[0..count) of it; decode: z as "images"
    const uint32_t *index;        // (count)
    const elbo_images *target;    // ELBO_SCORE: rows target_index[0..count) of it are what the codes should decode to
    const uint32_t *target_index; // (count)
    int count;                    // at most the plan's batch
    const float *params;          // (param_floats)
    float low, high;              // the range that bytes are read into

    const float *skips;       // decode: (any, graph->skip_floats); row i of the batch goes with row skip_row[i] of it
    const uint32_t *skip_row; // (count)

    elbo_stream noise;                  // seed, purpose and epoch; the sample is the image's index
    bool no_noise;                      // z = mu
    const float *given_noise;           // (images->count, latent), used instead of drawing; or NULL
    const struct elbo_augment *augment; // of training images, by the numbers of noise's seed and epoch; or NULL

    float kl_weight;
    float loss_scale; // of the gradient: 1 / count for the mean over the batch; over its values, too: loss.scale

    /* Training. */
    float *weights; // = params, to be changed
    float *m, *v;   // (param_floats)
    elbo_update update;
    bool no_update; // gradients only

    /* Written by the run. */
    bool diverged; // a loss was not finite: no update was made
};

elbo_status elbo_plan_make(elbo_plan *p, const elbo_graph *g, const elbo_device *device, elbo_plan_options options,
                           elbo_error *err);
void elbo_plan_free(elbo_plan *p);

/* Runs all steps on a batch. */
void elbo_plan_run(elbo_plan *p, elbo_batch_args *pass);

/* Adds the last batch's losses, summed over its first `count` images in order, to sum: (metrics), as elbo_metrics_of
 * lists them. */
void elbo_plan_add_metrics(const elbo_plan *p, int count, double *sum);

/* From now on, adds up what time each thread spends in each step. */
elbo_status elbo_plan_profile(elbo_plan *p, elbo_error *err);

/* For diagnosis: runs the forward steps alone, one by one on this thread, and returns the first step that writes
 * something that is not finite, or NULL. */
const elbo_step *elbo_plan_find_nonfinite(elbo_plan *p, elbo_batch_args *pass);

/* ---- for ops, while a plan is made ---- */

elbo_tensor *elbo_plan_tensor(elbo_plan *p, const char *name, size_t per_image, bool gradient); // NULL: no memory
/* An activation of a shape, plain or blocked. */
elbo_tensor *elbo_plan_activation(elbo_plan *p, const char *name, elbo_shape shape, bool blocked, bool gradient);
/* Memory of the op's own, freed with the plan; NULL: no memory. */
float *elbo_plan_work(elbo_plan *p, size_t floats);
/* Hands an object to the plan, which frees it, also when this fails. */
elbo_status elbo_plan_own(elbo_plan *p, void *object, void (*free)(void *), elbo_error *err);
/* A step that adds one tensor to another of the same layout. */
elbo_status elbo_plan_add(elbo_plan *p, const elbo_node *node, elbo_tensor *to, elbo_tensor *from, elbo_error *err);
/* Whether the plan goes back through its layers, and whether their weights learn. */
static inline bool elbo_plan_goes_back(const elbo_plan *p) {
    return p->options.mode == ELBO_TRAIN || p->options.frozen_backward;
}
static inline bool elbo_plan_learns(const elbo_plan *p) { return p->options.mode == ELBO_TRAIN; }
/* Whether a node's input has anything to learn before it: then its backward is asked for the input's gradient. */
bool elbo_plan_learns_before(const elbo_plan *p, const elbo_node *n);
/* Each thread's scratch memory holds at least this much. */
void elbo_plan_need_scratch(elbo_plan *p, size_t floats);
/* Steps that copy between a blocked tensor and a plain one, in whichever direction they differ. */
elbo_status elbo_plan_convert(elbo_plan *p, const elbo_node *node, elbo_tensor *to, elbo_tensor *from, elbo_error *err);
/* The step to fill in; NULL when memory is out. */
elbo_step *elbo_plan_step(elbo_plan *p, const elbo_node *node, const char *what, const char *kernel,
                          void (*run)(const elbo_step *, const elbo_batch_args *, int piece, int thread));

/* ---- for ops, while a plan runs ---- */

/* The shape of a node's input. Not the tensor's: behind a view, that is the shape before it. */
static inline elbo_shape elbo_input_shape(const elbo_plan *p, const elbo_node *n, int k) {
    return p->graph->node[n->input[k]].shape;
}
static inline float *elbo_rows(const elbo_tensor *t, int shard) { return t->base + (size_t)shard * t->shard_stride; }
/* Of a shard, the images that are part of the batch. */
static inline int elbo_valid_rows(const elbo_plan *p, const elbo_batch_args *pass, int shard) {
    int left = pass->count - shard * p->shard_rows;
    return left < p->shard_rows ? left : p->shard_rows;
}
static inline float *elbo_scratch(const elbo_plan *p, int thread) {
    return p->scratch + (size_t)thread * p->scratch_floats;
}
/* A finished part of the gradient: into the update, or kept for later. */
float *elbo_gradient_tile(const elbo_step *s, size_t offset, int thread, size_t scratch_offset);
void elbo_finish_tile(const elbo_step *s, const elbo_batch_args *pass, int tile, size_t offset, const float *g,
                      size_t n);

#endif
