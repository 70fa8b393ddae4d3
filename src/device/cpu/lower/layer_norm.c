/* Normalisation of each image by itself, so threads need not meet. Weight and bias have a value for each of the image's. */
#include "device/cpu/lower/by_image.h"

static const float *param(const elbo_cpu_step *s, int which) {
    return s->program->params + s->program->graph->param[s->node->first_param + which].offset;
}

static elbo_cpu_image_op op_of(const elbo_cpu_program *p) {
    return (elbo_cpu_image_op){.kernels = p->kernels->norm->name, .kept = 2}; // mean and 1 / deviation
}

static void forward_image(const elbo_cpu_step *s, float *y, float *kept, const float *x, float *scratch) {
    (void)scratch;
    s->program->kernels->norm->layer(y, &kept[0], &kept[1], x, param(s, ELBO_NORM_WEIGHT), param(s, ELBO_NORM_BIAS),
                                     elbo_shape_size(s->node->shape), (float)s->node->value[ELBO_NORM_EPS]);
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    elbo_cpu_images_forward(s, args, shard, thread, forward_image);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_image_op op = op_of(p);
    return elbo_cpu_lower_images_forward(p, np, &op, run_forward, err);
}

static void backward_image(const elbo_cpu_step *s, const elbo_cpu_image *i, float *scratch) {
    (void)scratch;
    size_t n = elbo_shape_size(s->node->shape);
    elbo_layer_norm_image image = {
        .dy = i->dy, .x = i->x, .w = param(s, ELBO_NORM_WEIGHT), .mean = i->kept[0], .inverse = i->kept[1], .n = n};
    s->program->kernels->norm->layer_backward(i->dx, i->sums, i->sums + n, &image, s->accumulate);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    elbo_cpu_images_backward(s, args, shard, thread, backward_image);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_image_op op = op_of(p);
    return elbo_cpu_lower_images_backward(p, np, &op, run_backward, err);
}

const elbo_cpu_lowering elbo_cpu_lower_layer_norm = {.forward = forward, .to_input = backward};
