/* conv2d and conv_transpose2d: kernels/conv.cu says what is the large side and what the small one. */
#include "device/cuda/lower/lower.h"

enum { PART = 4096 }; // pixels in a part of a weight gradient: enough parts to fill a GPU, few enough to add up

static bool transposed(const elbo_node *n) { return n->op == &elbo_op_conv_transpose2d; }
static size_t tiles(size_t n) { return (n + GPU_PRODUCT_TILE - 1) / GPU_PRODUCT_TILE; }

/* Numbers of both sides. */
static void describe(const elbo_gpu_program *p, const elbo_node *n, elbo_gpu_item *item) {
    elbo_shape in = elbo_input_shape(p->graph, n, 0), out = n->shape, x = transposed(n) ? out : in,
               y = transposed(n) ? in : out;
    int *to = item->n;
    to[CONV_C] = x.dim[0], to[CONV_H] = x.dim[1], to[CONV_W] = x.dim[2];
    to[CONV_O] = y.dim[0], to[CONV_OH] = y.dim[1], to[CONV_OW] = y.dim[2];
    to[CONV_KERNEL] = (int)n->value[ELBO_CONV_KERNEL];
    to[CONV_STRIDE] = (int)n->value[ELBO_CONV_STRIDE];
    to[CONV_PADDING] = (int)n->value[ELBO_CONV_PADDING];
    to[CONV_DILATION] = (int)n->value[ELBO_CONV_DILATION];
}

static double flop(const elbo_gpu_program *p, const elbo_gpu_item *i) {
    return 2.0 * i->n[CONV_O] * i->n[CONV_OH] * i->n[CONV_OW] * i->n[CONV_C] * i->n[CONV_KERNEL] * i->n[CONV_KERNEL] *
           p->samples;
}

/* One side of the other, forward or back. */
static elbo_status side(elbo_gpu_program *p, const elbo_work *w, bool down, bool bias, elbo_error *err) {
    elbo_gpu_tensor *from = elbo_gpu_tensor_of(p, w->in[0]), *to = elbo_gpu_tensor_of(p, w->out[0]);
    elbo_gpu_work *g = elbo_gpu_new_work(p, down ? ELBO_GPU_conv_down : ELBO_GPU_conv_up, w->node,
                                         w->direction == ELBO_FORWARD ? "forward" : "backward data", 0);
    if (!from || !to || !g) return elbo_no_memory(err);
    int *n = g->item.n;
    describe(p, w->node, &g->item);
    size_t pixels = (size_t)(down ? n[CONV_OH] * n[CONV_OW] : n[CONV_H] * n[CONV_W]) * (size_t)p->rows;
    n[PRODUCT_M] = down ? n[CONV_O] : n[CONV_C];
    n[PRODUCT_K] = (down ? n[CONV_C] : n[CONV_O]) * n[CONV_KERNEL] * n[CONV_KERNEL];
    n[PRODUCT_BLOCKS_N] = (int)tiles(pixels);
    n[PRODUCT_BLOCKS] = g->blocks = (int)(tiles(pixels) * tiles((size_t)n[PRODUCT_M]));
    const elbo_param *weights = &p->graph->param[w->node->first_param];
    g->t[0] = elbo_gpu_at(to);
    g->t[1] = elbo_gpu_param(weights->offset);
    g->t[2] = elbo_gpu_at(from);
    if (bias) g->t[3] = elbo_gpu_param(p->graph->param[w->node->first_param + w->node->params / 2].offset);
    g->flop_per_image = flop(p, &g->item);
    elbo_gpu_gives(g, to);
    return ELBO_OK;
}

static elbo_status to_weights(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *dy = elbo_gpu_tensor_of(p, w->in[0]), *x = elbo_gpu_tensor_of(p, w->in[1]);
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_conv_weights, w->node, "backward weights", 0);
    if (!dy || !x || !g) return elbo_no_memory(err);
    int *n = g->item.n;
    describe(p, w->node, &g->item);
    size_t all = (size_t)p->rows * (size_t)(n[CONV_OH] * n[CONV_OW]), parts = (all + PART - 1) / PART;
    n[PRODUCT_M] = n[CONV_O];
    n[PRODUCT_N] = n[CONV_C] * n[CONV_KERNEL] * n[CONV_KERNEL];
    n[PRODUCT_BLOCKS_N] = (int)tiles((size_t)n[PRODUCT_N]);
    n[PRODUCT_BLOCKS] = (int)(tiles((size_t)n[PRODUCT_M]) * tiles((size_t)n[PRODUCT_N]));
    n[CONV_SPLIT] = PART;
    g->blocks = n[PRODUCT_BLOCKS] * (int)parts;
    g->when = GPU_PARTS;
    size_t weights = (size_t)n[PRODUCT_M] * (size_t)n[PRODUCT_N];
    elbo_gpu_tensor *sums = elbo_gpu_new_tensor(p, w->node->name, 0, parts * weights);
    if (!sums) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(sums);
    g->t[1] = elbo_gpu_at(transposed(w->node) ? x : dy);
    g->t[2] = elbo_gpu_at(transposed(w->node) ? dy : x);
    g->flop_per_image = flop(p, &g->item);
    const elbo_param *param = &p->graph->param[w->node->first_param];
    ELBO_TRY(elbo_gpu_add_parts(p, w->node, param->offset, sums, weights, parts, err));
    if (w->node->value[ELBO_CONV_BIAS] == 0) return ELBO_OK;
    elbo_shape out = w->node->shape;
    return elbo_gpu_add_channel_sums(p, w->node, p->graph->param[w->node->first_param + w->node->params / 2].offset, dy,
                                     out.dim[0], out.dim[1] * out.dim[2], err);
}

elbo_status elbo_gpu_lower_conv(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    bool forward = w->direction == ELBO_FORWARD;
    if (!elbo_conv_is_square(w->node)) return elbo_gpu_refuse(p, w->node, ", not square,", err);
    if (w->direction == ELBO_TO_WEIGHTS) return to_weights(p, w, err);
    return side(p, w, forward != transposed(w->node), forward && w->node->value[ELBO_CONV_BIAS] != 0, err);
}
