/* The batch's rows, gathered from where the data set keeps them and made floats in the recipe's range, in
 * training augmented. Also how a decoder
 * gets its codes. */
#include <string.h>

#include "data/augment/augment.h"
#include "nn/ops/op.h"

static void run(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    const elbo_tensor *y = s->out[0];
    float *row = elbo_rows(y, shard);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    bool target = s->number == ELBO_INPUT_TARGET;
    const elbo_images *images = target ? pass->target : pass->images;
    const uint32_t *index = (target ? pass->target_index : pass->index) + shard * s->plan->shard_rows;
    size_t n = y->per_image;
    for (int r = 0; r < s->plan->shard_rows; r++, row += n) {
        if (r >= valid)
            memset(row, 0, n * sizeof *row); // past the end of the batch: computed with, never read
        else if (images->floats)
            memcpy(row, images->floats + index[r] * n, n * sizeof *row);
        else
            s->plan->device->pointwise->from_bytes(row, images->bytes + index[r] * n, n, pass->low, pass->high);
        if (r < valid && pass->augment && s->number != ELBO_INPUT_TARGET) {
            elbo_stream stream = pass->noise;
            stream.purpose = ELBO_FOR_AUGMENTATION;
            stream.sample = index[r];
            elbo_augment_run(pass->augment, stream, images->shape, pass->low, pass->high, row,
                             elbo_scratch(s->plan, thread));
        }
    }
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_step *s = elbo_plan_step(p, spot->node, "gather", p->device->pointwise->name, run);
    if (!s) return elbo_no_memory(err);
    s->out[0] = spot->y;
    if (p->options.mode == ELBO_TRAIN) elbo_plan_need_scratch(p, spot->y->per_image);
    return ELBO_OK;
}

const elbo_op elbo_op_input = {.name = "input", .internal = true, .forward = forward};
