/* Fully connected layers. */
#include "device/cuda/lower/lower.h"

/* A stacked node has a weight (and a bias) for each of its names; the first of them marks the block's start. */
static size_t weight_at(const elbo_graph *g, const elbo_node *n) { return g->param[n->first_param].offset; }
static bool has_bias(const elbo_node *n) { return n->value[ELBO_LINEAR_BIAS] != 0; }
static size_t bias_at(const elbo_graph *g, const elbo_node *n) {
    return g->param[n->first_param + n->params / 2].offset;
}

static size_t tiles(int n) { return ((size_t)n + GPU_PRODUCT_TILE - 1) / GPU_PRODUCT_TILE; }

/* C (M, N) of A (M, K) and B (K, N); `rows`: which of the three is the batch's. */
static elbo_gpu_work *new_product(elbo_gpu_program *p, const elbo_node *n, const char *what, int rows,
                                  const int size[3]) {
    elbo_gpu_work *w = elbo_gpu_new_work(p, ELBO_GPU_product, n, what, tiles(size[0]) * tiles(size[1]));
    if (!w) return NULL;
    for (int i = 0; i < 3; i++) w->item.n[PRODUCT_M + i] = i == rows ? -1 : size[i];
    w->item.n[PRODUCT_BLOCKS_N] = (int)tiles(size[1]);
    w->item.n[PRODUCT_BLOCKS] = w->blocks;
    elbo_shape x = elbo_input_shape(p->graph, n, 0);
    w->flop_per_image = 2.0 * (double)elbo_shape_size(x) * (double)elbo_shape_size(n->shape) * p->samples;
    return w;
}

static void strides(elbo_gpu_work *w, int a_m, int a_k, int b_k, int b_n, int c_m) {
    int *n = w->item.n;
    n[PRODUCT_A_M] = a_m, n[PRODUCT_A_K] = a_k, n[PRODUCT_B_K] = b_k, n[PRODUCT_B_N] = b_n, n[PRODUCT_C_M] = c_m;
}

static elbo_status forward(elbo_gpu_program *p, const elbo_work *w, int in, int out, elbo_error *err) {
    elbo_gpu_tensor *x = elbo_gpu_tensor_of(p, w->in[0]), *y = elbo_gpu_tensor_of(p, w->out[0]);
    elbo_gpu_work *g = new_product(p, w->node, "forward", 0, (const int[]){p->rows, out, in});
    if (!x || !y || !g) return elbo_no_memory(err);
    strides(g, in, 1, 1, in, out);
    g->t[0] = elbo_gpu_at(y);
    g->t[1] = elbo_gpu_at(x);
    g->t[2] = elbo_gpu_param(weight_at(p->graph, w->node));
    if (has_bias(w->node)) g->t[3] = elbo_gpu_param(bias_at(p->graph, w->node));
    elbo_gpu_gives(g, y);
    return ELBO_OK;
}

static elbo_status to_input(elbo_gpu_program *p, const elbo_work *w, int in, int out, elbo_error *err) {
    elbo_gpu_tensor *dy = elbo_gpu_tensor_of(p, w->in[0]), *dx = elbo_gpu_tensor_of(p, w->out[0]);
    elbo_gpu_work *g = new_product(p, w->node, "backward data", 0, (const int[]){p->rows, in, out});
    if (!dy || !dx || !g) return elbo_no_memory(err);
    strides(g, out, 1, in, 1, in);
    g->t[0] = elbo_gpu_at(dx);
    g->t[1] = elbo_gpu_at(dy);
    g->t[2] = elbo_gpu_param(weight_at(p->graph, w->node));
    elbo_gpu_gives(g, dx);
    return ELBO_OK;
}

static elbo_status to_weights(elbo_gpu_program *p, const elbo_work *w, int in, int out, elbo_error *err) {
    elbo_gpu_tensor *dy = elbo_gpu_tensor_of(p, w->in[0]), *x = elbo_gpu_tensor_of(p, w->in[1]);
    bool bias = has_bias(w->node);
    elbo_gpu_work *g = new_product(p, w->node, "backward weights", 2, (const int[]){out, in + bias, p->rows});
    if (!dy || !x || !g) return elbo_no_memory(err);
    strides(g, 1, out, in, 1, in);
    g->t[1] = elbo_gpu_at(dy);
    g->t[2] = elbo_gpu_at(x);
    elbo_gpu_take_gradient(p, g, weight_at(p->graph, w->node), bias, bias ? bias_at(p->graph, w->node) : 0);
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_linear(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    int in = (int)elbo_shape_size(elbo_input_shape(p->graph, w->node, 0)), out = w->node->shape.dim[0];
    if (w->direction == ELBO_FORWARD) return forward(p, w, in, out, err);
    if (w->direction == ELBO_TO_INPUT) return to_input(p, w, in, out, err);
    return to_weights(p, w, in, out, err);
}
