/* Self-attention, image by image. What the products gave (q, k, v and the joined heads) is kept for backward; the scores,
 * positions squared, are made again. */
#include "device/cpu/lower/by_image.h"

static elbo_attention_shape shape_of(const elbo_node *n) {
    return (elbo_attention_shape){.channels = n->shape.dim[0],
                                  .heads = (int)n->value[ELBO_ATTENTION_HEADS],
                                  .positions = n->shape.dim[1] * n->shape.dim[2]};
}

static const elbo_param *param(const elbo_cpu_step *s, int which) {
    return &s->program->graph->param[s->node->first_param + which];
}

static elbo_attention_weights weights_of(const elbo_cpu_step *s) {
    const float *w = s->program->params;
    return (elbo_attention_weights){
        w + param(s, ELBO_ATTENTION_IN_WEIGHT)->offset, w + param(s, ELBO_ATTENTION_IN_BIAS)->offset,
        w + param(s, ELBO_ATTENTION_OUT_WEIGHT)->offset, w + param(s, ELBO_ATTENTION_OUT_BIAS)->offset};
}

static elbo_cpu_image_op op_of(const elbo_cpu_program *p, const elbo_node *n) {
    elbo_attention_shape s = shape_of(n);
    double c = s.channels, t = s.positions;
    return (elbo_cpu_image_op){.kernels = p->kernels->attention->name,
                               .kept = 4 * elbo_shape_size(n->shape), // q, k, v, joined heads
                               .scratch = elbo_attention_scratch(&s),
                               .flop = 2 * (4 * c * c * t + 2 * c * t * t)};
}

static void forward_image(const elbo_cpu_step *s, float *y, float *kept, const float *x, float *scratch) {
    elbo_attention_shape shape = shape_of(s->node);
    elbo_attention_weights w = weights_of(s);
    float *joined = kept + 3 * elbo_shape_size(s->node->shape);
    s->program->kernels->attention->forward(y, kept, joined, x, &w, &shape, scratch);
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    elbo_cpu_images_forward(s, args, shard, thread, forward_image);
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_image_op op = op_of(p, np->node);
    return elbo_cpu_lower_images_forward(p, np, &op, run_forward, err);
}

static void backward_image(const elbo_cpu_step *s, const elbo_cpu_image *i, float *scratch) {
    elbo_attention_shape shape = shape_of(s->node);
    elbo_attention_weights w = weights_of(s);
    elbo_attention_gradients g = {.in_w = i->sums};
    g.in_b = g.in_w + param(s, ELBO_ATTENTION_IN_WEIGHT)->count;
    g.out_w = g.in_b + param(s, ELBO_ATTENTION_IN_BIAS)->count;
    g.out_b = g.out_w + param(s, ELBO_ATTENTION_OUT_WEIGHT)->count;
    elbo_attention_image image = {
        .dy = i->dy, .x = i->x, .qkv = i->kept, .joined = i->kept + 3 * elbo_shape_size(s->node->shape)};
    s->program->kernels->attention->backward(i->dx, &g, &image, &w, &shape, s->accumulate, scratch);
}

static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    elbo_cpu_images_backward(s, args, shard, thread, backward_image);
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_image_op op = op_of(p, np->node);
    return elbo_cpu_lower_images_backward(p, np, &op, run_backward, err);
}

const elbo_cpu_lowering elbo_cpu_lower_self_attention = {.forward = forward, .to_input = backward};
