/* What ops ask a plan for while it is made: tensors, steps, memory and objects of their own. */
#include <stdlib.h>

#include "base/memory.h"
#include "device/cpu/plan.h"

elbo_tensor *elbo_plan_tensor(elbo_plan *p, const char *name, size_t per_image, bool gradient) {
    if (!elbo_grow(&p->tensor, (size_t)p->tensors, &p->tensor_capacity, sizeof *p->tensor)) return NULL;
    elbo_tensor *t = malloc(sizeof *t);
    if (!t) return NULL;
    *t = (elbo_tensor){.name = name, .gradient = gradient, .per_image = per_image, .first = -1, .last = -1};
    return p->tensor[p->tensors++] = t;
}

elbo_tensor *elbo_plan_activation(elbo_plan *p, const char *name, elbo_shape shape, bool blocked, bool gradient) {
    size_t size = elbo_shape_size(shape);
    if (blocked) size = size / (size_t)shape.dim[0] * (size_t)elbo_padded_channels(shape.dim[0]);
    elbo_tensor *t = elbo_plan_tensor(p, name, size, gradient);
    if (t) {
        t->shape = shape;
        t->blocked = blocked;
    }
    return t;
}

elbo_status elbo_plan_own(elbo_plan *p, void *object, void (*release)(void *), elbo_error *err) {
    if (!elbo_grow(&p->owned, (size_t)p->owned_count, &p->owned_capacity, sizeof *p->owned)) {
        release(object);
        return elbo_no_memory(err);
    }
    p->owned[p->owned_count++] = (elbo_owned){object, release};
    return ELBO_OK;
}

float *elbo_plan_work(elbo_plan *p, size_t floats) {
    float *work = elbo_alloc(floats, sizeof *work);
    if (!work || elbo_plan_own(p, work, free, NULL) != ELBO_OK) return NULL;
    p->work_floats += floats;
    return work;
}

bool elbo_plan_learns_before(const elbo_plan *p, const elbo_node *n) {
    for (int k = 0; k < n->inputs; k++)
        if (p->spot[n->input[k]].learns) return true;
    return false;
}

void elbo_plan_need_scratch(elbo_plan *p, size_t floats) {
    floats = (floats + 15) / 16 * 16;
    if (floats > p->scratch_floats) p->scratch_floats = floats;
}

elbo_step *elbo_plan_step(elbo_plan *p, const elbo_node *node, const char *what, const char *kernel,
                          void (*run)(const elbo_step *, const elbo_batch_args *, int piece, int thread)) {
    if (!elbo_grow(&p->step, (size_t)p->steps, &p->step_capacity, sizeof *p->step)) return NULL;
    elbo_step *s = &p->step[p->steps++];
    *s = (elbo_step){.what = what, .node = node, .run = run, .plan = p, .kernel = kernel};
    return s;
}

static void run_add(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    s->plan->device->pointwise->add(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard),
                                    s->out[0]->per_image * (size_t)s->plan->shard_rows);
}

elbo_status elbo_plan_add(elbo_plan *p, const elbo_node *node, elbo_tensor *to, elbo_tensor *from, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, node, "add", p->device->pointwise->name, run_add);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->in[1] = s->out[0] = to;
    return ELBO_OK;
}
