/* The GPU as a device: its memory holds copies of the weights and of what the optimizer keeps of them. */
#include "device/cuda/cuda.h"

#include <stdlib.h>

#include "base/memory.h"
#include "device/cuda/program.h"

const char *const elbo_gpu_kernel_names[ELBO_GPU_KERNELS] = {
#define KERNEL_ROW(name, threads) "elbo_" #name,
#include "device/cuda/kernels.def"
#undef KERNEL_ROW
};

const int elbo_gpu_kernel_threads[ELBO_GPU_KERNELS] = {
#define KERNEL_ROW(name, threads) threads,
#include "device/cuda/kernels.def"
#undef KERNEL_ROW
};

/* ---- the network's weights ---- */

static size_t block_bytes(const elbo_state *s) { return s->graph->param_floats * sizeof(float); }
static int arrays_of(const elbo_state *s) { return s->optimizer ? s->optimizer->arrays : 0; }

static void close_state(elbo_state *s) {
    elbo_gpu_state *q = s->self;
    if (q->params) q->machine->give_back(q->self, q->params);
    for (int k = 0; k < ELBO_MAX_OPTIMIZER_ARRAYS; k++)
        if (q->array[k]) q->machine->give_back(q->self, q->array[k]);
    if (q->self) q->machine->close(q->self);
    free(q);
    s->self = NULL;
}

static elbo_status open_state(elbo_state *s, const elbo_gpu_machine *machine, elbo_error *err) {
    elbo_gpu_state *q = s->self = elbo_alloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    q->machine = machine;
    ELBO_TRY(machine->open(&q->self, err));
    for (int k = -1; k < arrays_of(s); k++) {
        if (machine->take(q->self, k < 0 ? &q->params : &q->array[k], block_bytes(s) + 1, err) != ELBO_OK)
            return elbo_no_room(err, (double)(1 + arrays_of(s)) * (double)block_bytes(s),
                                "on the GPU the weights and what the optimizer keeps of them",
                                "fewer channels or features need less");
    }
    return ELBO_OK;
}

static elbo_status put(elbo_state *s, elbo_error *err) {
    elbo_gpu_state *q = s->self;
    ELBO_TRY(q->machine->write(q->self, q->params, s->params, block_bytes(s), err));
    for (int k = 0; k < arrays_of(s); k++)
        ELBO_TRY(q->machine->write(q->self, q->array[k], s->array[k], block_bytes(s), err));
    return ELBO_OK;
}

static elbo_status get(elbo_state *s, elbo_error *err) {
    elbo_gpu_state *q = s->self;
    if (!s->optimizer) return ELBO_OK; // nothing here changes them
    ELBO_TRY(q->machine->read(q->self, s->params, q->params, block_bytes(s), err));
    for (int k = 0; k < arrays_of(s); k++)
        ELBO_TRY(q->machine->read(q->self, s->array[k], q->array[k], block_bytes(s), err));
    return ELBO_OK;
}

/* ---- programs ---- */

static elbo_status lower(elbo_plan *plan, elbo_error *err) { return elbo_gpu_make(plan, plan->state->self, err); }

static void free_program(elbo_plan *plan) {
    elbo_gpu_free(plan->program);
    plan->program = NULL;
}

static elbo_status profile(elbo_plan *plan, elbo_error *err) {
    return elbo_fail(err, ELBO_BAD_INPUT, "device `%s` has no profile of its launches yet; `--device cpu` has",
                     plan->state->device->name);
}

static bool step_info(const elbo_plan *plan, int step, elbo_step_info *info) {
    const elbo_gpu_program *p = plan->program;
    if (step >= p->works) return false;
    const elbo_gpu_work *w = &p->work[step];
    int call = 0;
    while (p->call[call].first + p->call[call].items <= step) call++;
    *info = (elbo_step_info){.phase = call + 1,
                             .node = w->node,
                             .what = w->what,
                             .kernel = elbo_gpu_kernel_names[w->kernel],
                             .tiles = w->blocks,
                             .flop_per_image = w->flop_per_image};
    return true;
}

static void program_info(const elbo_plan *plan, elbo_program_info *info) {
    const elbo_gpu_program *p = plan->program;
    *info = (elbo_program_info){.shards = 1,
                                .shard_rows = p->rows,
                                .launches = p->calls,
                                .activation_floats = p->arena_floats,
                                .unshared_floats = p->unshared_floats};
}

#define GPU                                                                                                            \
    .steps_at_once = ELBO_GPU_STEPS, .close = close_state, .put = put, .get = get, .lower = lower,                     \
    .free_program = free_program, .run = elbo_gpu_run, .wait = elbo_gpu_wait, .read = elbo_gpu_read,                   \
    .read_gradients = elbo_gpu_read_gradients, .find_nonfinite = elbo_gpu_find_nonfinite, .profile = profile,          \
    .step_info = step_info, .program_info = program_info

static elbo_status open_cuda(elbo_state *s, elbo_error *err) { return open_state(s, &elbo_gpu_driver, err); }
const elbo_device elbo_device_cuda = {.name = "cuda",
                                      .about = "an NVIDIA GPU (not tested on one yet: docs/cuda.md)",
                                      .there = elbo_gpu_driver_there,
                                      .open = open_cuda,
                                      GPU};

#ifdef ELBO_WITH_SHIM
static elbo_status open_shim(elbo_state *s, elbo_error *err) { return open_state(s, &elbo_gpu_shim, err); }
const elbo_device elbo_device_shim = {
    .name = "shim", .about = "the kernels of `cuda` on the CPU, for tests", .open = open_shim, GPU};
#endif
