/* What the CPU makes of a plan: an array of steps in order. A step is cut either by shard (a fixed number of images that
 * go through the whole network on one core) or by tile (a fixed part of a weight gradient, summed over the whole batch).
 * Neighbouring steps of the same cut form a phase; threads meet only between phases. How things are cut depends on the
 * plan alone, and every sum has a fixed order: results are the same to the bit for any number of threads.
 *
 * Every tensor's place in one arena is decided here, from the steps that read and write it. Running allocates nothing.
 */
#ifndef ELBO_CPU_PROGRAM_H
#define ELBO_CPU_PROGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "device/cpu/kernels.h"
#include "device/device.h"

/* An activation or a gradient. In shard scope each shard has its own; in batch scope the rows of all shards lie one
 * behind the other, (B, per_image), as a product over the whole batch needs them. Several of the plan's tensors may be
 * one of these: views, and ops that work in place. */
typedef struct elbo_cpu_tensor {
    const char *name; // the node's
    bool gradient;
    elbo_shape shape;    // of one image; rank 0: the tensor is no activation
    bool blocked;        // layout: 16 channels beside each other (conv.h); else plain
    size_t per_image;    // floats, those that fill a block included
    int rows;            // of a shard: its samples, or its images
    bool whole_batch;    // scope
    bool kept;           // read by the caller after the run: lives to the end
    int readers;         // more than one, and no op may work in place on it
    bool pinned;         // its op's backward reads it: nor then
    bool written;        // gradients, while lowering: a consumer has written its part, the next one adds
    int first, last;     // steps that touch it
    float *base;         // first image
    size_t shard_stride; // floats from one shard's first image to the next's
} elbo_cpu_tensor;

typedef struct elbo_cpu_program elbo_cpu_program;
typedef struct elbo_cpu_step elbo_cpu_step;

/* A node while it is lowered: its tensors. Gradients are NULL where none is needed. */
typedef struct elbo_cpu_node {
    const elbo_node *node;
    elbo_cpu_tensor *x[ELBO_MAX_INPUTS], *y;
    elbo_cpu_tensor *dx[ELBO_MAX_INPUTS], *dy;
    bool accumulate[ELBO_MAX_INPUTS]; // backward: dx was written by another consumer before
    elbo_cpu_tensor *aux;             // the lowering's own: noise, a mask
    void *object;                     // the lowering's own, prepared in forward for backward too
    float *work;
} elbo_cpu_node;

enum {
    ELBO_STEP_TENSORS =
        2 + ((int)ELBO_RECONSTRUCTIONS > (int)ELBO_LATENT_TERMS ? (int)ELBO_RECONSTRUCTIONS : (int)ELBO_LATENT_TERMS)
};

struct elbo_cpu_step {
    const char *what; // "forward", "backward data"
    const elbo_node *node;
    /* Shard steps: piece is the shard. Tile steps: piece is the tile. */
    void (*run)(const elbo_cpu_step *s, const elbo_batch_args *args, int piece, int thread);
    elbo_cpu_tensor *in[ELBO_STEP_TENSORS], *out[ELBO_STEP_TENSORS]; // what it reads and writes: lifetimes
    const elbo_cpu_program *program;
    bool of_images;     // its rows are images, not their samples: `program` is p->images
    int tiles;          // 0: cut by shard
    int first_tile;     // its tiles' place among the program's
    bool barrier;       // all that came before must be finished
    bool early;         // tiles that run before the shards
    int tile_rows;      // of a weight gradient
    size_t skip_offset; // of a skip among an image's skips
    size_t w, b;        // offsets of weight and bias in the parameter block; b == w: no bias
    bool accumulate;
    int number;          // the lowering's own
    void *object;        // the lowering's own, prepared once
    float *work, *work2; // memory of its own, for all shards
    double flop_per_image;
    const char *kernel;
};

/* Something that a lowering made and the program frees. */
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

struct elbo_cpu_program {
    elbo_plan *plan;
    const elbo_graph *graph;
    const elbo_kernels *kernels;
    elbo_team *team;
    float *params;       // (param_floats)
    float *const *array; // (optimizer->arrays), each (param_floats)
    elbo_cpu_node *node; // (graph->count)
    elbo_cpu_tensor **tensor;
    int tensors;
    size_t tensor_capacity;
    elbo_cpu_tensor **read; // (plan->tensors): where the tensors that the caller reads lie, plain; else NULL
    elbo_cpu_step *step;
    int steps;
    size_t step_capacity;
    elbo_phase *phase;
    int phases;
    elbo_tile *tile; // of all tiled phases, in order
    int tiles;
    int shard_rows, shards;
    int samples; // rows of an image, in one shard
    /* With several, what stands before the code is computed once for each image: steps of it see the program with as many
     * rows as images, and such a batch. NULL: everything is computed for each sample. */
    elbo_cpu_program *images;
    bool of_images;                  // while lowering: what is made now
    uint32_t *row_index, *row_label; // of a batch whose images have several: (rows), else NULL
    int part_rows;                   // of the batch, whole shards: leaves of the tree in which gradients are summed

    elbo_owned *owned;
    int owned_count;
    size_t owned_capacity;
    size_t work_floats; // of elbo_cpu_work, in all

    float *arena;
    size_t arena_floats;
    float *scratch; // (threads, scratch_floats): a weight-gradient tile each
    size_t scratch_floats;
    float *grads;             // (param_floats), or NULL: tiles go straight into the update
    double *step_seconds;     // (threads, steps), each thread's time in each step; NULL: nobody asked
    double *tile_squares;     // (tiles): parts of the gradient's norm when clipping
    elbo_thread_range *range; // (phases, threads): the pieces that are still to be taken

    uint64_t packed;                      // the version of the weights that the first phase's packed ones are of
    bool gradients_given, losses_lowered; // while lowering
    void *latent_terms;                   // the same: lower/latent.c's own
    bool latent_gradient_lowered;
    struct {
        elbo_cpu_tensor *kl, *share, *by_scale; // (B): the samples' KL, times its image's samples its share, a gradient
        float *scale_sums;                      // (shards): of by_scale by their shares
    } bound;                                    // IWAE: lower/bound.c; NULL of other recipes
    int first_back;                             // FEATURES: its first step that goes back
    bool diverged, too_long;                    // of the last run
    atomic_bool *no_memory;                     // a step of the last batch could not do its part
    int steps_run;
};

/* ---- for lowerings: tensors, steps, memory and objects of their own ---- */

/* A tensor of so many floats an image; NULL when memory is out. */
elbo_cpu_tensor *elbo_cpu_new_tensor(elbo_cpu_program *p, const char *name, size_t per_image, bool gradient);
/* An activation of a shape, plain or blocked. */
elbo_cpu_tensor *elbo_cpu_activation(elbo_cpu_program *p, const char *name, elbo_shape shape, bool blocked,
                                     bool gradient);
/* Memory of the lowering's own, freed with the program; NULL: no memory. */
float *elbo_cpu_work(elbo_cpu_program *p, size_t floats);
/* Hands an object to the program, which frees it, also when this fails. */
elbo_status elbo_cpu_own(elbo_cpu_program *p, void *object, void (*free)(void *), elbo_error *err);
/* Whether what is made from now on has a row for each image or for each sample; nothing happens where that is the same.
 * Returns what was before. */
bool elbo_cpu_of_images(elbo_cpu_program *p, bool of_images);
/* A step that adds one tensor to another of the same layout. */
elbo_status elbo_cpu_add(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *to, elbo_cpu_tensor *from,
                         elbo_error *err);
/* A gradient that was computed apart, plain: to where it belongs, set or (`accumulate`) added, in its layout. */
elbo_status elbo_cpu_give_gradient(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *to,
                                   elbo_cpu_tensor *from, bool accumulate, elbo_error *err);
/* Each thread's scratch memory holds at least this much. */
void elbo_cpu_need_scratch(elbo_cpu_program *p, size_t floats);
/* Steps that copy between a blocked tensor and a plain one, in whichever direction they differ. */
elbo_status elbo_cpu_convert(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *to, elbo_cpu_tensor *from,
                             elbo_error *err);
/* The step to fill in; NULL when memory is out. */
elbo_cpu_step *elbo_cpu_new_step(elbo_cpu_program *p, const elbo_node *node, const char *what, const char *kernel,
                                 void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int piece, int thread));
/* A node's output, or a plain copy of it: for a loss, or for the caller. */
elbo_status elbo_cpu_plain(elbo_cpu_program *p, int node, elbo_cpu_tensor **t, elbo_error *err);
/* A metric's numbers, (B), which the caller reads. */
elbo_cpu_tensor *elbo_cpu_metric(elbo_cpu_program *p, int metric);
static inline bool elbo_cpu_learns(const elbo_cpu_program *p) { return p->plan->options.mode == ELBO_TRAIN; }

/* Whether a node's gradients of weights are asked for. */
static inline bool elbo_cpu_learns_node(const elbo_cpu_program *p, const elbo_node *n) {
    return elbo_plan_learns_node(p->plan, n);
}

/* ---- for steps, while they run ---- */

static inline float *elbo_cpu_rows(const elbo_cpu_tensor *t, int shard) {
    return t->base + (size_t)shard * t->shard_stride;
}
/* Of a shard, the images that are part of the batch. */
static inline int elbo_cpu_valid_rows(const elbo_cpu_program *p, const elbo_batch_args *args, int shard) {
    int left = args->count - shard * p->shard_rows;
    return left < p->shard_rows ? left : p->shard_rows;
}
/* A row of a tensor that may have one for all samples of an image. */
static inline float *elbo_cpu_image_row(const elbo_cpu_program *p, const elbo_cpu_tensor *t, int shard, int row) {
    return elbo_cpu_rows(t, shard) + (size_t)(row / (p->shard_rows / t->rows)) * t->per_image;
}
/* Rows that are of a draw from the prior, where each image has one beside its reconstruction: no loss compares what the
 * decoder makes of it with the image. What is told of it is told of the image's other row. */
static inline bool elbo_cpu_row_is_draw(const elbo_cpu_program *p, int row) {
    return elbo_plan_draws_images(p->plan) && row % ELBO_SIDES;
}
/* loss_scale of a loss that the other rows have: theirs alone is the mean over images. */
static inline float elbo_cpu_loss_scale(const elbo_cpu_program *p, const elbo_batch_args *args) {
    return elbo_plan_draws_images(p->plan) ? args->loss_scale * ELBO_SIDES : args->loss_scale;
}
/* What a kernel says: false, and the batch fails when its threads are through; what the step wrote is then none. */
static inline void elbo_cpu_expect(const elbo_cpu_program *p, bool done) {
    if (!done) atomic_store_explicit(p->no_memory, true, memory_order_relaxed);
}
static inline float *elbo_cpu_scratch(const elbo_cpu_program *p, int thread) {
    return p->scratch + (size_t)thread * p->scratch_floats;
}
/* A finished part of the gradient: into the update, or kept for later. */
float *elbo_cpu_gradient_tile(const elbo_cpu_step *s, size_t offset, int thread, size_t scratch_offset);
void elbo_cpu_finish_tile(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, size_t offset, const float *g,
                          size_t n);

#endif
