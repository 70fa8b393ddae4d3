/* From a plan's work to launches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cuda/lower/lower.h"

elbo_gpu_tensor *elbo_gpu_new_tensor(elbo_gpu_program *p, const char *name, size_t per_row, size_t floats) {
    if (!elbo_grow(&p->tensor, (size_t)p->tensors, &p->tensor_capacity, sizeof *p->tensor)) return NULL;
    elbo_gpu_tensor *t = malloc(sizeof *t);
    if (!t) return NULL;
    *t = (elbo_gpu_tensor){.name = name, .per_row = per_row, .floats = floats, .first = -1, .last = -1};
    return p->tensor[p->tensors++] = t;
}

elbo_gpu_tensor *elbo_gpu_tensor_of(elbo_gpu_program *p, const elbo_tensor *t) {
    if (!t) return NULL;
    elbo_gpu_tensor **of = &p->of[t->index];
    if (*of) return *of;
    size_t per_row = elbo_shape_size(t->shape);
    *of = elbo_gpu_new_tensor(p, t->name, per_row, per_row * (size_t)p->rows);
    if (!*of) return NULL;
    (*of)->gradient = t->gradient;
    (*of)->kept = t->read;
    (*of)->readers = t->readers;
    return *of;
}

elbo_gpu_work *elbo_gpu_new_work(elbo_gpu_program *p, elbo_gpu_kernel kernel, const elbo_node *node, const char *what,
                                 size_t blocks) {
    if (!elbo_grow(&p->work, (size_t)p->works, &p->work_capacity, sizeof *p->work)) return NULL;
    elbo_gpu_work *w = &p->work[p->works++];
    *w = (elbo_gpu_work){.kernel = kernel, .node = node, .what = what, .blocks = (int)blocks};
    return w;
}

void elbo_gpu_gives(elbo_gpu_work *w, elbo_gpu_tensor *t) {
    w->writes = t;
    if (!t || !t->gradient) return;
    w->item.accumulate = t->written;
    t->written = true;
}

elbo_status elbo_gpu_give(elbo_gpu_program *p, elbo_work_kind kind, size_t per_row, size_t skip_offset, size_t *offset,
                          elbo_error *err) {
    if (p->givens == ELBO_GPU_MOST_GIVEN) return elbo_no_memory(err);
    *offset = p->slot_bytes;
    p->given[p->givens++] =
        (elbo_gpu_given){.kind = kind, .per_row = per_row, .offset = p->slot_bytes, .skip_offset = skip_offset};
    p->slot_bytes += (per_row * (size_t)p->rows * sizeof(float) + 63) / 64 * 64;
    return ELBO_OK;
}

elbo_status elbo_gpu_refuse(const elbo_gpu_program *p, const elbo_node *n, const char *why, elbo_error *err) {
    const char *device = p->plan->state->device->name;
    if (!n->place.file) // no layer of the recipe's
        return elbo_fail(err, ELBO_BAD_INPUT, "device `%s` cannot compute `%s`%s yet; `--device cpu` can", device,
                         n->op->name, why);
    return elbo_node_fail(n, err, "device `%s` cannot compute `%s`%s yet; `--device cpu` can", device,
                          n->text ? n->text : n->op->name, why);
}

elbo_gpu_work *elbo_gpu_maker(elbo_gpu_program *p, const elbo_gpu_tensor *t) {
    elbo_gpu_work *maker = NULL;
    for (int i = 0; i < p->works; i++) {
        elbo_gpu_work *w = &p->work[i];
        for (int k = 1; k < ELBO_GPU_OPERANDS; k++)
            if (w->t[k].tensor == t) return NULL; // somebody reads it as it is: a gradient that an `add` handed on
        if (w->writes != t) continue;
        if (maker) return NULL;
        maker = w;
    }
    bool ends_so = maker &&
                   (maker->kernel == ELBO_GPU_product || maker->kernel == ELBO_GPU_conv_down ||
                    maker->kernel == ELBO_GPU_conv_up) &&
                   maker->when == GPU_NOW && !maker->item.accumulate && !maker->item.n[PRODUCT_ACTIVATION] &&
                   !maker->item.n[PRODUCT_MASK];
    return ends_so ? maker : NULL;
}

elbo_status elbo_gpu_lower(elbo_gpu_program *p, elbo_error *err) {
    const elbo_plan *plan = p->plan;
    for (int i = 0; i < plan->works; i++) {
        const elbo_work *w = &plan->work[i];
        elbo_gpu_lowering *lower = elbo_gpu_lowerings[w->kind];
        if (!lower) return elbo_gpu_refuse(p, w->node, "", err);
        ELBO_TRY(lower(p, w, err));
    }
    return elbo_gpu_lower_end(p, err);
}
