/* From items to launches, and where everything lies on the device. */
#include "device/cuda/program.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plan/place.h"

/* Gradients of weights, and updates, do not depend on each other: those of one kernel are one launch. */
static bool is_grouped(int when) { return when == GPU_PARTS || when == GPU_GRADIENT || when == GPU_LAST; }

/* In the order of `when`, of those that are grouped in that of kernels, else as they were made. */
static elbo_status sort_work(elbo_gpu_program *p, elbo_error *err) {
    elbo_gpu_work *sorted = malloc((size_t)p->works * sizeof *sorted + 1);
    if (!sorted) return elbo_no_memory(err);
    int n = 0;
    for (int when = GPU_NOW; when <= GPU_LAST; when++)
        for (int kernel = 0; kernel < (is_grouped(when) ? (int)ELBO_GPU_KERNELS : 1); kernel++)
            for (int i = 0; i < p->works; i++)
                if ((int)p->work[i].when == when && (!is_grouped(when) || (int)p->work[i].kernel == kernel))
                    sorted[n++] = p->work[i];
    memcpy(p->work, sorted, (size_t)n * sizeof *sorted);
    free(sorted);
    return ELBO_OK;
}

static elbo_status group(elbo_gpu_program *p, elbo_error *err) {
    p->call = calloc((size_t)p->works + 1, sizeof *p->call);
    if (!p->call) return elbo_no_memory(err);
    for (int i = 0; i < p->works; i++) {
        elbo_gpu_work *w = &p->work[i];
        elbo_gpu_call *c = p->calls ? &p->call[p->calls - 1] : NULL;
        bool joins = c && c->kernel == w->kernel && w->when == p->work[c->first].when && is_grouped((int)w->when);
        if (!joins) {
            c = &p->call[p->calls++];
            *c = (elbo_gpu_call){.kernel = w->kernel, .first = i};
        }
        w->item.first_block = c->blocks;
        c->blocks += w->blocks;
        c->items++;
    }
    return ELBO_OK;
}

static void find_lifetimes(elbo_gpu_program *p) {
    for (int c = 0; c < p->calls; c++)
        for (int i = p->call[c].first; i < p->call[c].first + p->call[c].items; i++)
            for (int k = 0; k < ELBO_GPU_OPERANDS; k++) {
                elbo_gpu_tensor *t = p->work[i].t[k].tensor;
                if (!t) continue;
                if (t->first < 0) t->first = c;
                t->last = c;
            }
    for (int i = 0; i < p->tensors; i++)
        if (p->tensor[i]->kept) p->tensor[i]->last = INT_MAX;
}

/* Offsets, in floats, into `at`: addresses when there is memory. */
static elbo_status place(elbo_gpu_program *p, elbo_error *err) {
    enum { ALIGNED = 64 }; // floats
    find_lifetimes(p);
    elbo_placed *things = calloc((size_t)p->tensors + 1, sizeof *things);
    if (!things) return elbo_no_memory(err);
    int n = 0;
    for (int i = 0; i < p->tensors; i++) {
        elbo_gpu_tensor *t = p->tensor[i];
        if (t->first < 0) continue;
        p->unshared_floats += t->floats;
        things[n++] = (elbo_placed){
            .of = t, .size = (t->floats + ALIGNED - 1) / ALIGNED * ALIGNED, .first = t->first, .last = t->last};
    }
    p->arena_floats = elbo_place_all(things, n);
    for (int i = 0; i < n; i++) ((elbo_gpu_tensor *)things[i].of)->place = things[i].start;
    free(things);
    return ELBO_OK;
}

/* ---- memory ---- */

static elbo_status take(elbo_gpu_program *p, void *at, size_t bytes, elbo_error *err) {
    return p->state->machine->take(p->state->self, at, bytes ? bytes : 1, err);
}

static float *address_of(const elbo_gpu_program *p, const elbo_gpu_operand *o) {
    switch (o->kind) {
    case GPU_NOTHING: return NULL;
    case GPU_TENSOR: return o->tensor->at + o->offset;
    case GPU_PARAMS: return p->state->params + o->offset;
    case GPU_ARRAY: return p->state->array[o->array] + o->offset;
    case GPU_GRADS: return p->grads + o->offset;
    case GPU_LOSSES: return p->losses + o->offset;
    }
    return NULL;
}

static elbo_status write_items(elbo_gpu_program *p, elbo_error *err) {
    elbo_gpu_item *items = calloc((size_t)p->works + 1, sizeof *items);
    if (!items) return elbo_no_memory(err);
    for (int i = 0; i < p->works; i++) {
        items[i] = p->work[i].item;
        for (int k = 0; k < ELBO_GPU_OPERANDS; k++) items[i].t[k] = address_of(p, &p->work[i].t[k]);
    }
    elbo_status status =
        p->state->machine->write(p->state->self, p->items, items, (size_t)p->works * sizeof *items, err);
    free(items);
    return status;
}

static elbo_status take_memory(elbo_gpu_program *p, elbo_error *err) {
    const elbo_graph *g = p->graph;
    bool grads = elbo_gpu_learns(p) && (p->plan->options.clip > 0 || p->plan->options.keep_gradients);
    if (take(p, &p->arena, p->arena_floats * sizeof(float), err) != ELBO_OK)
        return elbo_no_room(err, (double)p->arena_floats * sizeof(float),
                            "on the GPU the activations and gradients of a batch", "a smaller train.batch needs less");
    if (grads) ELBO_TRY(take(p, &p->grads, g->param_floats * sizeof(float), err));
    ELBO_TRY(take(p, &p->losses, (size_t)(g->metrics.count + 1) * (size_t)p->rows * sizeof(float), err));
    ELBO_TRY(take(p, &p->items, (size_t)p->works * sizeof *p->items, err));
    ELBO_TRY(take(p, &p->verdict, sizeof *p->verdict, err));
    ELBO_TRY(take(p, &p->slots, ELBO_GPU_STEPS * p->slot_bytes, err));
    p->staged = elbo_alloc(1, p->slot_bytes);
    p->scratch = elbo_alloc(elbo_image_size(g->image) + 1, sizeof *p->scratch);
    if (!p->staged || !p->scratch) return elbo_no_memory(err);
    for (int i = 0; i < p->tensors; i++) p->tensor[i]->at = p->arena + p->tensor[i]->place;
    return write_items(p, err);
}

elbo_status elbo_gpu_make(elbo_plan *plan, elbo_gpu_state *s, elbo_error *err) {
    elbo_gpu_program *p = plan->program = elbo_alloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    p->plan = plan;
    p->graph = plan->graph;
    p->state = s;
    p->rows = elbo_plan_rows(plan);
    p->samples = elbo_plan_samples(plan);
    p->slot_bytes = (sizeof(elbo_gpu_step) + 63) / 64 * 64;
    p->of = elbo_alloc((size_t)plan->tensors + 1, sizeof(elbo_gpu_tensor *));
    if (!p->of) return elbo_no_memory(err);
    ELBO_TRY(elbo_gpu_lower(p, err));
    ELBO_TRY(sort_work(p, err));
    ELBO_TRY(group(p, err));
    ELBO_TRY(place(p, err));
    return s ? take_memory(p, err) : ELBO_OK;
}

void elbo_gpu_free(elbo_gpu_program *p) {
    void *taken[] = {p->arena, p->grads, p->losses, p->items, p->verdict, p->slots};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (taken[i]) p->state->machine->give_back(p->state->self, taken[i]);
    for (int i = 0; i < p->tensors; i++) free(p->tensor[i]);
    free(p->tensor);
    free(p->of);
    free(p->work);
    free(p->call);
    free(p->staged);
    free(p->scratch);
    free(p);
}
