/* What a caller gives besides the rows of a batch, and what it reads besides the result: the activations that a decoder
 * takes from the encoder, the images that codes are compared with, and the outputs that it watches. */
#include <string.h>

#include "device/cpu/plan_make.h"
#include "nn/ops/op.h"

static void run_give_skip(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    const elbo_tensor *y = s->out[0];
    float *row = elbo_rows(y, shard);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    const uint32_t *from = pass->skip_row + shard * s->plan->shard_rows;
    for (int r = 0; r < s->plan->shard_rows; r++, row += y->per_image)
        if (r < valid)
            memcpy(row, pass->skips + from[r] * s->plan->graph->skip_floats + s->skip_offset,
                   y->per_image * sizeof *row);
        else
            memset(row, 0, y->per_image * sizeof *row);
}

elbo_status elbo_plan_give_skips(elbo_plan *p, elbo_error *err) {
    size_t offset = 0;
    for (int i = 0; i < p->graph->skips; i++) {
        const elbo_node *n = &p->graph->node[p->graph->skip[i]];
        elbo_node_plan *spot = &p->spot[p->graph->skip[i]];
        spot->node = n;
        spot->y = elbo_plan_activation(p, n->name, n->shape, false, false);
        elbo_step *s = elbo_plan_step(p, n, "gather", "copy", run_give_skip);
        if (!spot->y || !s) return elbo_no_memory(err);
        spot->y->readers = n->consumers;
        s->out[0] = spot->y;
        s->skip_offset = offset;
        offset += spot->y->per_image;
    }
    return ELBO_OK;
}

elbo_status elbo_plan_keep_skips(elbo_plan *p, elbo_error *err) {
    for (int i = 0; i < p->graph->skips; i++) {
        ELBO_TRY(elbo_plan_plain(p, p->graph->skip[i], &p->skip[i], err));
        p->skip[i]->kept = true;
    }
    return ELBO_OK;
}

elbo_status elbo_plan_target(elbo_plan *p, elbo_error *err) {
    int image = p->graph->at.input;
    elbo_node_plan *s = &p->spot[image];
    s->node = &p->graph->node[image];
    s->y = elbo_plan_activation(p, s->node->name, s->node->shape, false, false);
    if (!s->y) return elbo_no_memory(err);
    s->y->readers = 1;
    ELBO_TRY(elbo_op_input.forward(p, s, err));
    p->step[p->steps - 1].number = ELBO_INPUT_TARGET;
    return ELBO_OK;
}

/* Counted as one more reader, so that nobody works in place on it. */
elbo_status elbo_plan_watch(elbo_plan *p, int node, elbo_error *err) {
    p->spot[node].y->readers++;
    ELBO_TRY(elbo_plan_plain(p, node, &p->watched[node], err));
    p->watched[node]->kept = true;
    return ELBO_OK;
}
