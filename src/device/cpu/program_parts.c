/* What lowerings ask a program for: tensors, steps, memory and objects of their own. */
#include <stdlib.h>

#include "base/memory.h"
#include "device/cpu/program.h"

elbo_cpu_tensor *elbo_cpu_new_tensor(elbo_cpu_program *p, const char *name, size_t per_image, bool gradient) {
    if (!elbo_grow(&p->tensor, (size_t)p->tensors, &p->tensor_capacity, sizeof *p->tensor)) return NULL;
    elbo_cpu_tensor *t = malloc(sizeof *t);
    if (!t) return NULL;
    *t = (elbo_cpu_tensor){
        .name = name, .gradient = gradient, .per_image = per_image, .rows = p->shard_rows, .first = -1, .last = -1};
    return p->tensor[p->tensors++] = t;
}

elbo_cpu_tensor *elbo_cpu_activation(elbo_cpu_program *p, const char *name, elbo_shape shape, bool blocked,
                                     bool gradient) {
    size_t size = elbo_shape_size(shape);
    if (blocked) size = size / (size_t)shape.dim[0] * (size_t)elbo_padded_channels(shape.dim[0]);
    elbo_cpu_tensor *t = elbo_cpu_new_tensor(p, name, size, gradient);
    if (t) {
        t->shape = shape;
        t->blocked = blocked;
    }
    return t;
}

elbo_status elbo_cpu_own(elbo_cpu_program *p, void *object, void (*release)(void *), elbo_error *err) {
    if (!elbo_grow(&p->owned, (size_t)p->owned_count, &p->owned_capacity, sizeof *p->owned)) {
        release(object);
        return elbo_no_memory(err);
    }
    p->owned[p->owned_count++] = (elbo_owned){object, release};
    return ELBO_OK;
}

float *elbo_cpu_work(elbo_cpu_program *p, size_t floats) {
    float *work = elbo_alloc(floats, sizeof *work);
    if (!work || elbo_cpu_own(p, work, free, NULL) != ELBO_OK) return NULL;
    p->work_floats += floats;
    return work;
}

bool elbo_cpu_of_images(elbo_cpu_program *p, bool of_images) {
    bool before = p->of_images;
    if (!p->images || of_images == before) return before;
    p->of_images = of_images;
    p->shard_rows = of_images ? p->shard_rows / p->samples : p->shard_rows * p->samples;
    p->part_rows = of_images ? p->part_rows / p->samples : p->part_rows * p->samples;
    return before;
}

void elbo_cpu_need_scratch(elbo_cpu_program *p, size_t floats) {
    floats = (floats + 15) / 16 * 16;
    if (floats > p->scratch_floats) p->scratch_floats = floats;
}

elbo_cpu_step *elbo_cpu_new_step(elbo_cpu_program *p, const elbo_node *node, const char *what, const char *kernel,
                                 void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int piece, int thread)) {
    if (!elbo_grow(&p->step, (size_t)p->steps, &p->step_capacity, sizeof *p->step)) return NULL;
    elbo_cpu_step *s = &p->step[p->steps++];
    *s = (elbo_cpu_step){
        .what = what, .node = node, .run = run, .of_images = p->of_images, .program = p, .kernel = kernel};
    return s;
}

static void run_add(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    s->program->kernels->pointwise->add(elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                        s->out[0]->per_image * (size_t)s->program->shard_rows);
}

elbo_status elbo_cpu_add(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *to, elbo_cpu_tensor *from,
                         elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, node, "add", p->kernels->pointwise->name, run_add);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->in[1] = s->out[0] = to;
    return ELBO_OK;
}

elbo_cpu_tensor *elbo_cpu_metric(elbo_cpu_program *p, int metric) {
    elbo_cpu_tensor *t = elbo_cpu_new_tensor(p, p->graph->metrics.metric[metric].name, 1, false);
    if (!t) return NULL;
    t->kept = true;
    if (p->plan->metric[metric]) p->read[p->plan->metric[metric]->index] = t;
    return t;
}
