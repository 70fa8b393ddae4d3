/* What the caller gives: the batch's rows, gathered from where the data set keeps them and made floats in the recipe's
 * range, in training augmented; codes; what an encoder saved for its decoder. */
#include <string.h>

#include "data/augment/augment.h"
#include "device/cpu/lower/lower.h"

static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_tensor *y = s->out[0];
    float *row = elbo_cpu_rows(y, shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    bool target = s->number;
    const elbo_images *images = target ? args->target : args->images;
    const uint32_t *index = (target ? args->target_index : args->index) + shard * s->program->shard_rows;
    size_t n = y->per_image;
    for (int r = 0; r < s->program->shard_rows; r++, row += n) {
        if (r >= valid)
            memset(row, 0, n * sizeof *row); // past the end of the batch: computed with, never read
        else if (images->floats)
            memcpy(row, images->floats + index[r] * n, n * sizeof *row);
        else
            s->program->kernels->pointwise->from_bytes(row, images->bytes + index[r] * n, n, args->low, args->high);
        if (r < valid && args->augment && !s->number) {
            elbo_stream stream = args->noise;
            stream.purpose = ELBO_FOR_AUGMENTATION;
            stream.sample = index[r];
            elbo_augment_run(args->augment, stream, images->shape, args->low, args->high, row,
                             elbo_cpu_scratch(s->program, thread));
        }
    }
}

elbo_status elbo_cpu_lower_rows(elbo_cpu_program *p, elbo_cpu_node *np, bool target, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "gather", p->kernels->pointwise->name, run);
    if (!s) return elbo_no_memory(err);
    s->out[0] = np->y;
    s->number = target;
    if (elbo_cpu_learns(p)) elbo_cpu_need_scratch(p, np->y->per_image);
    return ELBO_OK;
}

static void run_skip(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const elbo_cpu_tensor *y = s->out[0];
    float *row = elbo_cpu_rows(y, shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    const uint32_t *from = args->skip_row + shard * s->program->shard_rows;
    for (int r = 0; r < s->program->shard_rows; r++, row += y->per_image)
        if (r < valid)
            memcpy(row, args->skips + from[r] * s->program->graph->skip_floats + s->skip_offset,
                   y->per_image * sizeof *row);
        else
            memset(row, 0, y->per_image * sizeof *row);
}

elbo_status elbo_cpu_lower_skip(elbo_cpu_program *p, elbo_cpu_node *np, size_t offset, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "gather", "copy", run_skip);
    if (!s) return elbo_no_memory(err);
    s->out[0] = np->y;
    s->skip_offset = offset;
    return ELBO_OK;
}
