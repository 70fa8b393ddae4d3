/* What the caller gives: the host puts it behind a step's numbers (stage.c), a kernel lays it out. */
#include "device/cuda/lower/lower.h"

static size_t skip_offset(const elbo_graph *g, const elbo_node *n) {
    size_t offset = 0;
    for (int i = 0; &g->node[g->skip[i]] != n; i++) offset += elbo_shape_size(g->node[g->skip[i]].shape);
    return offset;
}

elbo_status elbo_gpu_lower_given(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *to = elbo_gpu_tensor_of(p, w->out[0]);
    if (!to) return elbo_no_memory(err);
    size_t offset;
    ELBO_TRY(elbo_gpu_give(p, w->kind, to->per_row, w->kind == ELBO_WORK_SKIP ? skip_offset(p->graph, w->node) : 0,
                           &offset, err));
    elbo_gpu_work *g = elbo_gpu_new_work(p, ELBO_GPU_gather, w->node, "gather", (size_t)p->rows);
    if (!g) return elbo_no_memory(err);
    g->t[0] = elbo_gpu_at(to);
    g->item.n[0] = (int)to->per_row;
    g->item.n[1] = (int)offset;
    g->item.n[2] = w->kind == ELBO_WORK_ROWS;
    g->item.n[3] = 1;
    elbo_gpu_gives(g, to);
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_read(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *t = elbo_gpu_tensor_of(p, w->in[0]);
    if (!t) return elbo_no_memory(err);
    t->kept = true;
    return ELBO_OK;
}

elbo_status elbo_gpu_numbers(elbo_gpu_program *p, size_t *offset, elbo_error *err) {
    for (int i = 0; i < p->givens; i++)
        if (p->given[i].kind == ELBO_WORK_KINDS) {
            *offset = p->given[i].offset;
            return ELBO_OK;
        }
    return elbo_gpu_give(p, ELBO_WORK_KINDS, 1, 0, offset, err);
}
