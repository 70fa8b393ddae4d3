/* Where each tensor lies. Two tensors may share memory when no step between the first touch of the one and its last
 * meets the other: a tensor of shard scope is compared step by step (a shard goes through the steps in order, whatever
 * the other shards do), one of batch scope phase by phase (shards run ahead of each other within a phase). */
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "device/cpu/program_make.h"
#include "plan/place.h"

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

static size_t round_up(size_t floats) { return (floats + 15) / 16 * 16; }

elbo_status elbo_cpu_place_tensors(elbo_cpu_program *p, elbo_error *err) {
    find_lifetimes(p);
    elbo_placed *slots = calloc((size_t)p->tensors + 1, sizeof *slots);
    if (!slots) return elbo_no_memory(err);
    size_t size[2]; // of one shard's part, of the whole batch's
    for (int whole = 0; whole <= 1; whole++) {
        int n = 0;
        for (int i = 0; i < p->tensors; i++) {
            elbo_cpu_tensor *t = p->tensor[i];
            if (t->first < 0 || t->whole_batch != whole) continue;
            size_t rows = (size_t)t->rows * (size_t)(whole ? p->shards : 1);
            slots[n++] =
                (elbo_placed){.of = t, .size = round_up(rows * t->per_image), .first = t->first, .last = t->last};
        }
        size[whole] = elbo_place_all(slots, n);
        for (int i = 0; i < n; i++) { // offsets now, addresses when the arena is there
            ((elbo_cpu_tensor *)slots[i].of)->shard_stride = slots[i].start;
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
