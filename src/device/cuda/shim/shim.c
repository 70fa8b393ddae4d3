/* The CPU in a GPU's place: blocks one after the other, in an order that the seed decides; a block's threads in rounds
 * from barrier to barrier, in another order each round. */
#include "device/cuda/shim/shim.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "device/cuda/machine.h"
#include "device/cuda/shim/fiber.h"
#include "device/cuda/shim/schedule.h"

enum { MOST_THREADS = 256 };

typedef void kernel_function(elbo_gpu_launch launch);
#define KERNEL_ROW(name, threads) kernel_function elbo_shim_##name;
#include "device/cuda/kernels.def"
#undef KERNEL_ROW
static kernel_function *const functions[ELBO_GPU_KERNELS] = {
#define KERNEL_ROW(name, threads) elbo_shim_##name,
#include "device/cuda/kernels.def"
#undef KERNEL_ROW
};

typedef struct shim {
    elbo_fiber scheduler, fiber[MOST_THREADS];
    enum { STARTS, AT_BARRIER, ENDED } is[MOST_THREADS];
    int order[MOST_THREADS], barriers[MOST_THREADS]; // barriers: that a thread has come to
    uint32_t random;
    elbo_gpu_kernel kernel;
    elbo_gpu_launch launch;
    char *shared;
} shim;

_Thread_local elbo_shim_block elbo_shim_here;
static _Thread_local shim *running;
/* For tests alone, which set it before a run. */
uint32_t elbo_shim_seed = 1;
int elbo_shim_broken_kernel = -1, elbo_shim_broken_barrier;

static void leave(int state) {
    int thread = elbo_shim_here.thread;
    running->is[thread] = state;
    elbo_fiber_leave(&running->fiber[thread], &running->scheduler, state == ENDED);
    elbo_shim_here.thread = thread;
}

void elbo_shim_barrier(void) {
    int number = running->barriers[elbo_shim_here.thread]++;
    if ((int)running->kernel == elbo_shim_broken_kernel && number == elbo_shim_broken_barrier) return;
    leave(AT_BARRIER);
}

static void start(void) {
    elbo_fiber_started();
    functions[running->kernel](running->launch);
    leave(ENDED);
}

/* Below n, from a generator that every seed starts elsewhere; 0 leaves all in order. */
static int draw(shim *s, int n) {
    s->random = s->random * 1664525u + 1013904223u;
    return (int)((uint64_t)s->random * (uint64_t)n >> 32);
}

static void shuffle(shim *s, int n) {
    for (int i = n - 1; i > 0 && elbo_shim_seed; i--) {
        int j = draw(s, i + 1), keep = s->order[i];
        s->order[i] = s->order[j];
        s->order[j] = keep;
    }
}

static elbo_status run_block(shim *s, int block, int threads, elbo_error *err) {
    memset(s->shared, 0xff, ELBO_SHIM_SHARED); // NaN
    for (int t = 0; t < threads; t++) {
        s->is[t] = STARTS;
        s->order[t] = t;
        s->barriers[t] = 0;
        elbo_fiber_make(&s->fiber[t], start);
    }
    for (int ended = 0; ended < threads;) {
        int waiting = 0;
        ended = 0;
        shuffle(s, threads);
        for (int i = 0; i < threads; i++) {
            int t = s->order[i];
            elbo_shim_here = (elbo_shim_block){.block = block, .thread = t, .shared = s->shared};
            elbo_fiber_enter(&s->scheduler, &s->fiber[t]);
            ended += s->is[t] == ENDED;
            waiting += s->is[t] == AT_BARRIER;
        }
        if (ended && waiting)
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "kernel %s, block %d: %d threads wait at a barrier that %d never reach",
                             elbo_gpu_kernel_names[s->kernel], block, waiting, ended);
    }
    return ELBO_OK;
}

static elbo_status launch_blocks(void *self, elbo_gpu_kernel kernel, int blocks, const elbo_gpu_launch *launch,
                                 elbo_error *err) {
    shim *s = self;
    s->kernel = kernel;
    s->launch = *launch;
    s->random = elbo_shim_seed * 2654435761u;
    running = s;
    bool backwards = elbo_shim_seed && draw(s, 2);
    elbo_status status = ELBO_OK;
    for (int b = 0; b < blocks && status == ELBO_OK; b++)
        status = run_block(s, backwards ? blocks - 1 - b : b, elbo_gpu_kernel_threads[kernel], err);
    running = NULL;
    return status;
}

static void close_shim(void *self) {
    shim *s = self;
    for (int t = 0; t < MOST_THREADS; t++) free(s->fiber[t].stack);
    free(s->shared);
    free(s);
}

static elbo_status open_shim(void **self, elbo_error *err) {
    shim *s = elbo_alloc(1, sizeof *s);
    if (!s) return elbo_no_memory(err);
    s->shared = elbo_alloc(1, ELBO_SHIM_SHARED);
    bool all = s->shared;
    for (int t = 0; t < MOST_THREADS; t++) all &= (s->fiber[t].stack = malloc(ELBO_FIBER_STACK)) != NULL;
    if (!all) {
        close_shim(s);
        return elbo_no_memory(err);
    }
    *self = s;
    return ELBO_OK;
}

static elbo_status take(void *self, void *at, size_t bytes, elbo_error *err) {
    (void)self;
    void *taken = elbo_alloc(bytes, 1);
    memcpy(at, &taken, sizeof taken);
    return taken ? ELBO_OK : elbo_no_memory(err);
}

static void give_back(void *self, void *at) {
    (void)self;
    free(at);
}

static elbo_status copy(void *self, void *to, const void *from, size_t bytes, elbo_error *err) {
    (void)self, (void)err;
    memcpy(to, from, bytes);
    return ELBO_OK;
}

const elbo_gpu_machine elbo_gpu_shim = {.open = open_shim,
                                        .close = close_shim,
                                        .take = take,
                                        .give_back = give_back,
                                        .write = copy,
                                        .read = copy,
                                        .launch = launch_blocks};
