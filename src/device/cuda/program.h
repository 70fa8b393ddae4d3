/* What a GPU makes of a plan: a list of launches, each for the whole batch, in order on one stream. Tensors are plain,
 * row by row; where each lies in one block of memory is decided from the launches that touch it. */
#ifndef ELBO_CUDA_PROGRAM_H
#define ELBO_CUDA_PROGRAM_H

#include "device/cuda/machine.h"
#include "device/device.h"

/* How many steps a run should hold; as many have room for their numbers and rows at once. */
enum { ELBO_GPU_STEPS = 8 };

/* The network on the device: parameters, and the optimizer's arrays behind them. */
typedef struct elbo_gpu_state {
    const elbo_gpu_machine *machine;
    void *self; // the machine's own
    float *params;
    float *array[ELBO_MAX_OPTIMIZER_ARRAYS];
} elbo_gpu_state;

typedef struct elbo_gpu_tensor {
    const char *name;
    size_t floats; // of the whole batch
    size_t per_row;
    bool gradient, written; // while lowering: has somebody's share
    bool kept;              // read after the run
    int readers;
    int first, last; // launches that touch it
    size_t place;    // floats, in the arena
    float *at;
} elbo_gpu_tensor;

/* What an item's t[k] points at. */
typedef struct elbo_gpu_operand {
    enum { GPU_NOTHING, GPU_TENSOR, GPU_PARAMS, GPU_ARRAY, GPU_GRADS, GPU_LOSSES } kind;
    elbo_gpu_tensor *tensor;
    int array;
    size_t offset; // floats
} elbo_gpu_operand;

/* An item with the names of what it touches. */
typedef struct elbo_gpu_work {
    elbo_gpu_item item;
    elbo_gpu_operand t[ELBO_GPU_OPERANDS];
    elbo_gpu_kernel kernel;
    int blocks;
    const elbo_node *node;
    const char *what;
    double flop_per_image;
    enum {
        GPU_NOW,
        GPU_PARTS,
        GPU_GRADIENT,
        GPU_CLIP,
        GPU_VERDICT,
        GPU_LAST
    } when;                  // gradients of weights wait for all that reads weights
    elbo_gpu_tensor *writes; // what find_nonfinite looks at
} elbo_gpu_work;

typedef struct elbo_gpu_call { // one launch of items first .. first + items - 1
    elbo_gpu_kernel kernel;
    int first, items, blocks;
} elbo_gpu_call;

/* Rows that the host puts behind a step's numbers. */
typedef struct elbo_gpu_given {
    elbo_work_kind kind;    // ELBO_WORK_KINDS: the images' numbers
    size_t per_row, offset; // floats of a row; bytes behind the step
    size_t skip_offset;     // SKIP: of an image's skips
} elbo_gpu_given;
enum { ELBO_GPU_MOST_GIVEN = 8 + ELBO_MAX_SAVED };

typedef struct elbo_gpu_program {
    elbo_plan *plan;
    const elbo_graph *graph;
    elbo_gpu_state *state; // NULL: only described
    int rows, samples;
    elbo_gpu_tensor **tensor;
    int tensors;
    size_t tensor_capacity;
    elbo_gpu_tensor **of; // (plan->tensors): of each of the plan's
    elbo_gpu_work *work;
    int works;
    size_t work_capacity;
    elbo_gpu_call *call;
    int calls;
    bool losses_lowered;    // while lowering
    elbo_gpu_tensor *noise; // of the sample, for its way back
    elbo_gpu_given given[ELBO_GPU_MOST_GIVEN];
    int givens;
    size_t slot_bytes; // a step's numbers and rows
    char *staged;      // (slot_bytes) in host memory
    float *scratch;    // an image, for the host's own use

    /* Memory of the device. */
    size_t arena_floats, unshared_floats;
    float *arena, *grads, *losses; // losses: (metrics, rows)
    elbo_gpu_item *items;          // (works)
    elbo_gpu_verdict *verdict;
    char *slots; // (ELBO_GPU_STEPS, slot_bytes)
    elbo_run_report report;
    int steps_asked;
} elbo_gpu_program;

/* ---- for lowerings ---- */

static inline bool elbo_gpu_learns(const elbo_gpu_program *p) { return p->plan->options.mode == ELBO_TRAIN; }
/* NULL: no memory. */
elbo_gpu_tensor *elbo_gpu_new_tensor(elbo_gpu_program *p, const char *name, size_t per_row, size_t floats);
/* That of the plan's tensor; made when first asked for. NULL: no memory, or `t` is NULL. */
elbo_gpu_tensor *elbo_gpu_tensor_of(elbo_gpu_program *p, const elbo_tensor *t);
/* An item that is launched by itself, in order; NULL: no memory. It points into an array that grows. */
elbo_gpu_work *elbo_gpu_new_work(elbo_gpu_program *p, elbo_gpu_kernel kernel, const elbo_node *node, const char *what,
                                 size_t blocks);
static inline elbo_gpu_operand elbo_gpu_at(elbo_gpu_tensor *t) {
    return (elbo_gpu_operand){.kind = t ? GPU_TENSOR : GPU_NOTHING, .tensor = t};
}
static inline elbo_gpu_operand elbo_gpu_param(size_t offset) {
    return (elbo_gpu_operand){.kind = GPU_PARAMS, .offset = offset};
}
/* Marks it as an output that has, or gets, this item's share. */
void elbo_gpu_gives(elbo_gpu_work *w, elbo_gpu_tensor *t);
/* Room behind a step's numbers: its place among the given. */
elbo_status elbo_gpu_give(elbo_gpu_program *p, elbo_work_kind kind, size_t per_row, size_t skip_offset, size_t *offset,
                          elbo_error *err);

elbo_status elbo_gpu_lower(elbo_gpu_program *p, elbo_error *err);               // lower.c
elbo_status elbo_gpu_make(elbo_plan *plan, elbo_gpu_state *s, elbo_error *err); // program.c
void elbo_gpu_free(elbo_gpu_program *p);
void elbo_gpu_stage(elbo_gpu_program *p, const elbo_batch_args *args); // stage.c

/* exec.c */
elbo_status elbo_gpu_run(elbo_plan *plan, const elbo_batch_args *args, int steps, elbo_error *err);
elbo_status elbo_gpu_wait(elbo_plan *plan, elbo_run_report *report, elbo_error *err);
void elbo_gpu_read(elbo_plan *plan, const elbo_tensor *t, int first, int count, float *to);
void elbo_gpu_read_gradients(elbo_plan *plan, float *to);
const elbo_node *elbo_gpu_find_nonfinite(elbo_plan *plan, const elbo_batch_args *args, const char **what);

#endif
