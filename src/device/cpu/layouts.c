/* Which activations lie plain and which in blocks of 16 channels, and the steps that copy from one to the other. */
#include "device/cpu/plan_make.h"
#include "nn/ops/op.h"

static void run_convert(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_tensor *blocked = s->in[0]->blocked ? s->in[0] : s->out[0];
    int channels = blocked->shape.dim[0];
    size_t pixels = elbo_shape_size(blocked->shape) / (size_t)channels;
    float *to = elbo_rows(s->out[0], shard);
    const float *from = elbo_rows(s->in[0], shard);
    for (int r = 0; r < s->plan->shard_rows; r++, to += s->out[0]->per_image, from += s->in[0]->per_image) {
        if (s->out[0]->blocked)
            s->plan->device->pointwise->to_blocked(to, from, channels, pixels);
        else
            s->plan->device->pointwise->to_plain(to, from, channels, pixels);
    }
}

elbo_status elbo_plan_convert(elbo_plan *p, const elbo_node *node, elbo_tensor *to, elbo_tensor *from,
                              elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, node, to->blocked ? "block" : "unblock", "copy", run_convert);
    if (!s) return elbo_no_memory(err);
    s->in[0] = from;
    s->out[0] = to;
    return ELBO_OK;
}

elbo_status elbo_plan_plain(elbo_plan *p, int node, elbo_tensor **t, elbo_error *err) {
    *t = p->spot[node].y;
    if (!(*t)->blocked) return ELBO_OK;
    elbo_tensor *plain = elbo_plan_activation(p, (*t)->name, (*t)->shape, false, false);
    if (!plain) return elbo_no_memory(err);
    ELBO_TRY(elbo_plan_convert(p, p->spot[node].node, plain, *t, err));
    *t = plain;
    return ELBO_OK;
}

static bool output_blocked(const elbo_plan *p, const elbo_node *n, const elbo_tensor *x) {
    enum { FEW = 8 }; // channels that would waste half a block, or more: images, mostly
    switch (n->op->layout) {
    case ELBO_LAYOUT_SAME: return x && x->blocked;
    case ELBO_LAYOUT_PLAIN: return false;
    case ELBO_LAYOUT_BLOCKED:
        if (n->op->view && x && x->blocked) return false; // other channels, other blocks: by way of plain
        return p->device->conv->blocked && n->shape.rank == 3 && n->shape.dim[0] >= FEW;
    }
    return false;
}

elbo_status elbo_plan_give_output(elbo_plan *p, int node, elbo_error *err) {
    const elbo_node *n = &p->graph->node[node];
    elbo_node_plan *s = &p->spot[node];
    elbo_tensor *x = s->x[0];
    bool blocked = output_blocked(p, n, x);
    if (x && n->op->view && blocked == x->blocked) {
        s->y = x;
        x->readers += n->consumers - 1;
    } else if (x && n->op->in_place && x->readers == 1 && !x->pinned) {
        s->y = x;
        x->readers = n->consumers;
    } else {
        s->y = elbo_plan_activation(p, n->name, n->shape, blocked, false);
        if (!s->y) return elbo_no_memory(err);
        s->y->readers = n->consumers;
    }
    if (n->op->reads_output) s->y->pinned = true;
    return ELBO_OK;
}
