/* Which activations lie plain and which in blocks of 16 channels, and the steps that copy from one to the other. */
#include "device/cpu/program_make.h"
#include "device/cpu/lower/lower.h"

static void run_convert(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args, (void)thread;
    const elbo_cpu_tensor *blocked = s->in[0]->blocked ? s->in[0] : s->out[0];
    int channels = blocked->shape.dim[0];
    size_t pixels = elbo_shape_size(blocked->shape) / (size_t)channels;
    float *to = elbo_cpu_rows(s->out[0], shard);
    const float *from = elbo_cpu_rows(s->in[0], shard);
    for (int r = 0; r < s->program->shard_rows; r++, to += s->out[0]->per_image, from += s->in[0]->per_image) {
        if (s->out[0]->blocked)
            s->program->kernels->pointwise->to_blocked(to, from, channels, pixels);
        else
            s->program->kernels->pointwise->to_plain(to, from, channels, pixels);
    }
}

elbo_status elbo_cpu_convert(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *to, elbo_cpu_tensor *from,
                             elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, node, to->blocked ? "block" : "unblock", "copy", run_convert);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->out[0] = to;
    return ELBO_OK;
}

elbo_status elbo_cpu_give_gradient(elbo_cpu_program *p, const elbo_node *node, elbo_cpu_tensor *to,
                                   elbo_cpu_tensor *from, bool accumulate, elbo_error *err) {
    if (to == from) return ELBO_OK;
    if (to->blocked && !accumulate) return elbo_cpu_convert(p, node, to, from, err);
    if (to->blocked) {
        elbo_cpu_tensor *share = elbo_cpu_activation(p, node->name, to->shape, true, true);
        if (!share) return elbo_no_memory(err);
        ELBO_TRY(elbo_cpu_convert(p, node, share, from, err));
        from = share;
    }
    return elbo_cpu_add(p, node, to, from, err);
}

elbo_status elbo_cpu_plain(elbo_cpu_program *p, int node, elbo_cpu_tensor **t, elbo_error *err) {
    *t = p->node[node].y;
    if (!(*t)->blocked) return ELBO_OK;
    elbo_cpu_tensor *plain = elbo_cpu_activation(p, (*t)->name, (*t)->shape, false, false);
    if (!plain) return elbo_no_memory(err);
    ELBO_TRY(elbo_cpu_convert(p, p->node[node].node, plain, *t, err));
    *t = plain;
    return ELBO_OK;
}

static bool output_blocked(const elbo_cpu_program *p, const elbo_work *w, const elbo_cpu_tensor *x) {
    enum { FEW = 8 }; // channels that would waste half a block, or more: images, mostly
    elbo_shape shape = w->node->shape;
    bool view = w->kind == ELBO_WORK_RESHAPE;
    switch (view && shape.rank == 1 ? ELBO_LAYOUT_PLAIN : elbo_cpu_lowerings[w->kind]->layout) {
    case ELBO_LAYOUT_SAME: return x->blocked;
    case ELBO_LAYOUT_PLAIN: return false;
    case ELBO_LAYOUT_BLOCKED:
        if (view && x->blocked) return false; // other channels, other blocks: by way of plain
        return p->kernels->conv->blocked && shape.rank == 3 && shape.dim[0] >= FEW;
    }
    return false;
}

elbo_status elbo_cpu_give_output(elbo_cpu_program *p, const elbo_work *w, elbo_error *err) {
    const elbo_node *n = w->node;
    elbo_cpu_node *np = &p->node[n - p->graph->node];
    elbo_cpu_tensor *x = np->x[0];
    int readers = w->out[0]->readers;
    bool blocked = output_blocked(p, w, x);
    if (n->op->view && w->kind == ELBO_WORK_RESHAPE && blocked == x->blocked) {
        np->y = x;
        x->readers += readers - 1;
    } else if (n->op->in_place && x->readers == 1 && !x->pinned) {
        np->y = x;
        x->readers = readers;
    } else {
        np->y = elbo_cpu_activation(p, n->name, n->shape, blocked, false);
        if (!np->y) return elbo_no_memory(err);
        np->y->readers = readers;
    }
    if (n->op->reads_output) np->y->pinned = true;
    return ELBO_OK;
}
