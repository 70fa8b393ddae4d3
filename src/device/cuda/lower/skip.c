/* add and concat: what joins a skip connection; labels behind features or channels. */
#include "device/cuda/lower/lower.h"

/* `count` values of each row, from `from` on and to `to` on; each of x is there `times` times. */
typedef struct part {
    elbo_gpu_tensor *y, *x;
    size_t count, to, from, times;
} part;

static elbo_status copy(elbo_gpu_program *p, const elbo_node *n, const char *what, part q, elbo_gpu_tensor *plus,
                        elbo_error *err) {
    if (!q.y || !q.x) return elbo_no_memory(err);
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_copy, n, what, elbo_gpu_blocks(p, q.count));
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(q.y);
    g->t[1] = elbo_gpu_at(q.x);
    g->t[2] = elbo_gpu_at(plus);
    int numbers[] = {(int)q.count, (int)q.y->per_row, (int)q.to, (int)q.x->per_row, (int)q.from, (int)q.times};
    for (int i = 0; i < 6; i++) g->item.n[i] = numbers[i];
    elbo_gpu_gives(g, q.y);
    return ELBO_OK;
}

elbo_status elbo_gpu_add(elbo_gpu_program *p, const elbo_node *n, elbo_gpu_tensor *to, elbo_gpu_tensor *from,
                         elbo_error *err) {
    return copy(p, n, "add", (part){.y = to, .x = from, .count = to->per_row, .times = 1}, NULL, err);
}

/* Both inputs get the output's gradient: the second one a copy, the first one the tensor itself, where nobody has written
 * its share before. */
elbo_status elbo_gpu_lower_add(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *first = elbo_gpu_tensor_of(p, w->in[0]);
    if (!first) return elbo_no_memory(err);
    if (w->direction == ELBO_FORWARD) {
        elbo_gpu_tensor *y = elbo_gpu_tensor_of(p, w->out[0]), *second = elbo_gpu_tensor_of(p, w->in[1]);
        if (!second) return elbo_no_memory(err);
        return copy(p, w->node, "forward", (part){.y = y, .x = first, .count = first->per_row, .times = 1}, second,
                    err);
    }
    bool same = w->out[1] == w->out[0];
    if (w->out[1]) {
        elbo_gpu_tensor *dx = elbo_gpu_tensor_of(p, w->out[1]);
        ELBO_TRY(
            copy(p, w->node, "backward", (part){.y = dx, .x = first, .count = first->per_row, .times = 1}, NULL, err));
    }
    if (!w->out[0]) return ELBO_OK;
    if (same || p->of[w->out[0]->index]) return elbo_gpu_add(p, w->node, p->of[w->out[0]->index], first, err);
    p->of[w->out[0]->index] = first;
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_concat(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    const elbo_node *n = w->node;
    size_t pixels = elbo_shape_size(n->shape) / (size_t)n->shape.dim[0], at = 0;
    bool label = n->input[1] == p->graph->at.label;
    for (int k = 0; k < 2; k++) {
        size_t size = (size_t)elbo_input_shape(p->graph, n, k).dim[0] * pixels, times = k == 1 && label ? pixels : 1;
        part q = {.count = size, .times = times};
        if (w->direction == ELBO_FORWARD)
            q.y = elbo_gpu_tensor_of(p, w->out[0]), q.x = elbo_gpu_tensor_of(p, w->in[k]), q.to = at;
        else
            q.y = elbo_gpu_tensor_of(p, w->out[k]), q.x = elbo_gpu_tensor_of(p, w->in[0]), q.from = at;
        at += size;
        if (w->direction == ELBO_FORWARD || w->out[k])
            ELBO_TRY(copy(p, n, w->direction == ELBO_FORWARD ? "forward" : "backward", q, NULL, err));
    }
    return ELBO_OK;
}
