/* Activations: part of the product before them, forward and back, wherever nobody else sees what is between. */
#include "device/cuda/lower/lower.h"
#include "nn/ops/activation.h"

static int number_of(const elbo_node *n) {
    static const int numbers[ELBO_ACTIVATIONS] = {[ELBO_RELU] = GPU_RELU,
                                                  [ELBO_LEAKY_RELU] = GPU_LEAKY_RELU,
                                                  [ELBO_TANH] = GPU_TANH,
                                                  [ELBO_SIGMOID] = GPU_SIGMOID};
    return numbers[n->op->which];
}

static float slope_of(const elbo_node *n) { return (float)n->value[ELBO_ACTIVATION_SLOPE]; }

static elbo_status forward(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *x = elbo_gpu_tensor_of(p, w->in[0]), *y = elbo_gpu_tensor_of(p, w->out[0]);
    if (!x || !y) return elbo_no_memory(err);
    elbo_gpu_work *maker = x->readers == 1 && !x->kept ? elbo_gpu_maker(p, x) : NULL;
    if (maker) {
        maker->item.n[PRODUCT_ACTIVATION] = number_of(w->node);
        maker->item.f[0] = slope_of(w->node);
        maker->t[0] = elbo_gpu_at(y);
        maker->writes = y;
        return ELBO_OK;
    }
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_activation, w->node, "forward", elbo_gpu_blocks(p, y->per_row));
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(y);
    g->t[1] = elbo_gpu_at(x);
    g->item.n[0] = (int)y->per_row;
    g->item.n[1] = number_of(w->node);
    g->item.f[0] = slope_of(w->node);
    elbo_gpu_gives(g, y);
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_activation(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    if (w->direction == ELBO_FORWARD) return forward(p, w, err);
    elbo_gpu_tensor *dy = elbo_gpu_tensor_of(p, w->in[0]), *y = elbo_gpu_tensor_of(p, w->in[1]),
                    *dx = elbo_gpu_tensor_of(p, w->out[0]);
    if (!dy || !y || !dx) return elbo_no_memory(err);
    elbo_gpu_work *maker = dx->written ? NULL : elbo_gpu_maker(p, dy);
    if (maker) {
        maker->item.n[PRODUCT_MASK] = number_of(w->node);
        maker->item.f[0] = slope_of(w->node);
        maker->t[0] = elbo_gpu_at(dx);
        maker->t[4] = elbo_gpu_at(y);
        elbo_gpu_gives(maker, dx);
        return ELBO_OK;
    }
    elbo_gpu_work *g =
        elbo_gpu_new_work(p, ELBO_GPU_activation_back, w->node, "backward", elbo_gpu_blocks(p, dx->per_row));
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(dx);
    g->t[1] = elbo_gpu_at(dy);
    g->t[2] = elbo_gpu_at(y);
    g->item.n[0] = (int)dx->per_row;
    g->item.n[1] = number_of(w->node);
    g->item.f[0] = slope_of(w->node);
    elbo_gpu_gives(g, dx);
    return ELBO_OK;
}

/* ---- x g(x) ---- */

static int gate_of(const elbo_node *n) {
    if (n->op == &elbo_op_gelu) return n->value[ELBO_GELU_APPROXIMATE] > 0 ? GPU_GELU_TANH : GPU_GELU;
    return GPU_SILU;
}

elbo_status elbo_gpu_lower_gate(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    bool back = w->direction != ELBO_FORWARD;
    elbo_gpu_tensor *to = elbo_gpu_tensor_of(p, w->out[0]), *from = elbo_gpu_tensor_of(p, w->in[0]),
                    *x = back ? elbo_gpu_tensor_of(p, w->in[1]) : NULL;
    if (!to || !from || (back && !x)) return elbo_no_memory(err);
    elbo_gpu_work *g = elbo_gpu_new_work(p, back ? ELBO_GPU_gate_back : ELBO_GPU_gate, w->node,
                                         back ? "backward" : "forward", elbo_gpu_blocks(p, to->per_row));
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(to);
    g->t[1] = elbo_gpu_at(from);
    g->t[2] = elbo_gpu_at(x);
    g->item.n[0] = (int)to->per_row;
    g->item.n[1] = gate_of(w->node);
    elbo_gpu_gives(g, to);
    return ELBO_OK;
}

/* ---- dropout ---- */

elbo_status elbo_gpu_lower_dropout(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    if (!elbo_gpu_learns(p)) return elbo_gpu_lower_reshape(p, w, err); // x itself
    elbo_gpu_tensor *to = elbo_gpu_tensor_of(p, w->out[0]), *from = elbo_gpu_tensor_of(p, w->in[0]);
    size_t numbers;
    ELBO_TRY(elbo_gpu_numbers(p, &numbers, err));
    elbo_gpu_work *g = to && from ? elbo_gpu_new_work(p, ELBO_GPU_dropout, w->node,
                                                      w->direction == ELBO_FORWARD ? "forward" : "backward",
                                                      elbo_gpu_blocks(p, to->per_row))
                                  : NULL;
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(to);
    g->t[1] = elbo_gpu_at(from);
    g->item.n[0] = (int)to->per_row;
    g->item.n[1] = (int)numbers;
    g->item.n[2] = ELBO_FOR_DROPOUT + ((int)(w->node - p->graph->node) << 8);
    g->item.f[0] = (float)w->node->value[ELBO_DROPOUT_P];
    elbo_gpu_gives(g, to);
    return ELBO_OK;
}
