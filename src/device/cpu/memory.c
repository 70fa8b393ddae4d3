/* Where each tensor lies. Two tensors may share memory when no step between the first touch of the one and its last
 * meets the other: a tensor of shard scope is compared step by step (a shard goes through the steps in order, whatever
 * the other shards do), one of batch scope phase by phase (shards run ahead of each other within a phase). */
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "device/cpu/program_make.h"

static void touch(elbo_cpu_tensor *t, int when) {
    if (!t) return;
    if (t->first < 0) t->first = when;
    t->last = when;
}

static void find_lifetimes(elbo_cpu_program *p) {
    for (int f = 0; f < p->phases; f++)
        for (int i = p->phase[f].first; i < p->phase[f].first + p->phase[f].count; i++)
            for (int k = 0; k < ELBO_STEP_TENSORS; k++) {
                elbo_cpu_tensor *in = p->step[i].in[k], *out = p->step[i].out[k];
                // A tile reads rows of all shards; what the caller reads after the run is laid out for it, too.
                if (in && p->phase[f].tiled) in->whole_batch = true;
                if (out && out->kept) out->whole_batch = true;
            }
    for (int f = 0; f < p->phases; f++)
        for (int i = p->phase[f].first; i < p->phase[f].first + p->phase[f].count; i++)
            for (int k = 0; k < ELBO_STEP_TENSORS; k++) {
                elbo_cpu_tensor *in = p->step[i].in[k], *out = p->step[i].out[k];
                touch(in, in && in->whole_batch ? f : i);
                touch(out, out && out->whole_batch ? f : i);
            }
    for (int i = 0; i < p->tensors; i++)
        if (p->tensor[i]->kept) p->tensor[i]->last = INT32_MAX;
}

typedef struct slot {
    elbo_cpu_tensor *tensor;
    size_t start, size;
} slot;

static int larger_first(const void *a, const void *b) {
    const slot *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x->tensor->first - y->tensor->first;
}

/* Greedy by size: each tensor takes the lowest place that is free during its life. Returns the floats needed. */
static size_t pack(slot *slots, int n) {
    qsort(slots, (size_t)n, sizeof *slots, larger_first);
    size_t end = 0;
    for (int i = 0; i < n; i++) {
        slot *s = &slots[i];
        s->start = 0;
        for (int moved = 1; moved;) {
            moved = 0;
            for (int k = 0; k < i; k++) {
                const slot *o = &slots[k];
                int together = s->tensor->first <= o->tensor->last && o->tensor->first <= s->tensor->last;
                if (together && s->start < o->start + o->size && o->start < s->start + s->size) {
                    s->start = o->start + o->size;
                    moved = 1;
                }
            }
        }
        if (s->start + s->size > end) end = s->start + s->size;
    }
    return end;
}

static size_t round_up(size_t floats) { return (floats + 15) / 16 * 16; }

elbo_status elbo_cpu_place_tensors(elbo_cpu_program *p, elbo_error *err) {
    find_lifetimes(p);
    slot *slots = calloc((size_t)p->tensors + 1, sizeof *slots);
    if (!slots) return elbo_no_memory(err);
    size_t size[2]; // of one shard's part, of the whole batch's
    for (int whole = 0; whole <= 1; whole++) {
        int n = 0;
        for (int i = 0; i < p->tensors; i++) {
            elbo_cpu_tensor *t = p->tensor[i];
            if (t->first < 0 || t->whole_batch != whole) continue;
            size_t rows = (size_t)t->rows * (size_t)(whole ? p->shards : 1);
            slots[n++] = (slot){.tensor = t, .size = round_up(rows * t->per_image)};
        }
        size[whole] = pack(slots, n);
        for (int i = 0; i < n; i++) { // offsets now, addresses when the arena is there
            slots[i].tensor->shard_stride = slots[i].start;
        }
    }
    free(slots);
    p->arena_floats = (size_t)p->shards * size[0] + size[1];
    p->arena = elbo_alloc(p->arena_floats, sizeof(float));
    if (!p->arena)
        return elbo_no_room(err, (double)p->arena_floats * sizeof(float), "the activations and gradients of a batch",
                            "a smaller train.batch needs less");
    for (int i = 0; i < p->tensors; i++) {
        elbo_cpu_tensor *t = p->tensor[i];
        if (t->first < 0) continue;
        size_t offset = t->shard_stride;
        t->base = p->arena + (t->whole_batch ? (size_t)p->shards * size[0] : 0) + offset;
        t->shard_stride = t->whole_batch ? (size_t)t->rows * t->per_image : size[0];
    }
    return ELBO_OK;
}
