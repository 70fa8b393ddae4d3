/* Normalisation of each image's groups of channels, so threads need not meet. */
#include "device/cpu/lower/by_image.h"

static size_t groups_of(const elbo_node *n) { return (size_t)n->value[ELBO_GROUP_NORM_GROUPS]; }

static elbo_cpu_image_op op_of(const elbo_cpu_program *p, const elbo_node *n) {
    return (elbo_cpu_image_op){.kernels = p->kernels->norm->name, .kept = 2 * groups_of(n)}; // each group's moments
}

static elbo_group_norm_image image_of(const elbo_cpu_step *s, const float *x, const float *dy) {
    const elbo_cpu_program *p = s->program;
    const elbo_param *weight = &p->graph->param[s->node->first_param + ELBO_NORM_WEIGHT];
    size_t channels = (size_t)s->node->shape.dim[0];
    return (elbo_group_norm_image){.x = x,
                                   .dy = dy,
                                   .w = p->params + weight->offset,
                                   .b = p->params + weight[1].offset,
                                   .groups = groups_of(s->node),
                                   .channels = channels,
                                   .pixels = elbo_shape_size(s->node->shape) / channels};
}

static void forward_image(const elbo_cpu_step *s, float *y, float *kept, const float *x, float *scratch) {
    (void)scratch;
    elbo_group_norm_image image = image_of(s, x, NULL);
    s->program->kernels->norm->group(y, kept, &image, (float)s->node->value[ELBO_GROUP_NORM_EPS]);
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    elbo_cpu_images_forward(s, args, shard, thread, forward_image);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_image_op op = op_of(p, np->node);
    return elbo_cpu_lower_images_forward(p, np, &op, run_forward, err);
}

static void backward_image(const elbo_cpu_step *s, const elbo_cpu_image *i, float *scratch) {
    (void)scratch;
    elbo_group_norm_image image = image_of(s, i->x, i->dy);
    s->program->kernels->norm->group_backward(i->dx, i->sums, i->sums + image.channels, i->kept, &image, s->accumulate);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    elbo_cpu_images_backward(s, args, shard, thread, backward_image);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_image_op op = op_of(p, np->node);
    return elbo_cpu_lower_images_backward(p, np, &op, run_backward, err);
}

const elbo_cpu_lowering elbo_cpu_lower_group_norm = {.forward = forward, .to_input = backward};
