/* What the caller gives: the batch's rows, gathered from where the data set keeps them and made floats in the recipe's
 * range, in training augmented, binary where the recipe says so; the same corrupted; codes; labels; what an encoder saved for its decoder. */
#include <string.h>

#include "device/cpu/give.h"
#include "device/cpu/lower/lower.h"

static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_tensor *y = s->out[0];
    float *row = elbo_cpu_rows(y, shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    bool target = s->number;
    const uint32_t *index = (target ? args->target_index : args->index) + shard * s->program->shard_rows;
    size_t n = y->per_image;
    for (int r = 0; r < s->program->shard_rows; r++, row += n) {
        if (r >= valid)
            memset(row, 0, n * sizeof *row); // past the end of the batch: computed with, never read
        else
            elbo_give_image(s->program->kernels, args, target, index[r], row, n, elbo_cpu_scratch(s->program, thread));
    }
}

elbo_status elbo_cpu_lower_rows(elbo_cpu_program *p, elbo_cpu_node *np, bool target, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "gather", p->kernels->pointwise->name, run);
    if (!s) return elbo_no_memory(err);
    s->out[0] = np->y;
    s->number = target;
    elbo_mode mode = p->plan->options.mode;
    if (mode == ELBO_TRAIN || mode == ELBO_EVAL) elbo_cpu_need_scratch(p, np->y->per_image);
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

/* ---- labels ---- */

static void run_label(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const elbo_cpu_tensor *y = s->out[0];
    size_t n = y->per_image;
    float *row = elbo_cpu_rows(y, shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < s->program->shard_rows; r++, row += n)
        if (r < valid)
            elbo_give_label(args, shard * s->program->shard_rows + r, row, n);
        else
            memset(row, 0, n * sizeof *row);
}

elbo_status elbo_cpu_lower_label(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "gather", "copy", run_label);
    if (!s) return elbo_no_memory(err);
    s->out[0] = np->y;
    return ELBO_OK;
}

/* ---- corruption ---- */

static void run_corrupt(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    size_t n = s->out[0]->per_image;
    const float *x = elbo_cpu_rows(s->in[0], shard);
    float *y = elbo_cpu_rows(s->out[0], shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    const uint32_t *index = args->index + shard * s->program->shard_rows;
    for (int r = 0; r < s->program->shard_rows; r++, x += n, y += n)
        if (r < valid)
            elbo_give_corrupted(s->program->kernels, args, elbo_cpu_learns(s->program), index[r], y, x, n,
                                elbo_cpu_scratch(s->program, thread));
        else
            memcpy(y, x, n * sizeof *y);
}

static elbo_status corrupt_forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->loss->name, run_corrupt);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    elbo_cpu_need_scratch(p, np->y->per_image);
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_corrupt = {.forward = corrupt_forward, .layout = ELBO_LAYOUT_PLAIN};
