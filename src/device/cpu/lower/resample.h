/* What pooling and upsampling share: how the images of a shard lie, for the kernels. */
#ifndef ELBO_CPU_RESAMPLE_H
#define ELBO_CPU_RESAMPLE_H

#include <string.h>

#include "device/cpu/lower/lower.h"

/* `x` is the input, or its gradient: the output lies the same way. */
static inline elbo_resample elbo_resample_of(const elbo_cpu_step *s, const elbo_cpu_tensor *x) {
    elbo_shape in = elbo_input_shape(s->program->graph, s->node, 0), out = s->node->shape;
    size_t planes = (size_t)(x->blocked ? elbo_padded_channels(in.dim[0]) / ELBO_BLOCK : in.dim[0]);
    return (elbo_resample){
        .planes = planes * (size_t)s->program->shard_rows,
        .lanes = x->blocked ? ELBO_BLOCK : 1,
        .height = in.dim[1],
        .width = in.dim[2],
        .out_height = out.dim[1],
        .out_width = out.dim[2],
    };
}

/* The input's gradient, which the kernels add to: zeros, unless another consumer has written its share. */
static inline float *elbo_resample_dx(const elbo_cpu_step *s, int shard) {
    float *dx = elbo_cpu_rows(s->out[0], shard);
    if (!s->accumulate) memset(dx, 0, s->out[0]->per_image * (size_t)s->program->shard_rows * sizeof *dx);
    return dx;
}

/* These append the step; `x`: backward reads the input, too. */
static inline elbo_status elbo_resample_forward(elbo_cpu_program *p, elbo_cpu_node *np,
                                                void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int, int),
                                                elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->resample->name, run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    return ELBO_OK;
}

static inline elbo_status elbo_resample_backward(elbo_cpu_program *p, elbo_cpu_node *np, bool x,
                                                 void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int, int),
                                                 elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->resample->name, run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    if (x) s->in[1] = np->x[0];
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[2] = np->dx[0];
    return ELBO_OK;
}

#endif
