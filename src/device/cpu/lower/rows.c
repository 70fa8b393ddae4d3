/* What the caller gives: the batch's rows, gathered from where the data set keeps them and made floats in the recipe's
 * range, in training augmented, binary where the recipe says so; the same corrupted; codes; labels; what an encoder saved for its decoder. */
#include <math.h>
#include <string.h>

#include "data/augment/augment.h"
#include "data/binarise.h"
#include "data/contrast.h"
#include "data/corrupt/corrupt.h"
#include "data/sprites.h"
#include "device/cpu/lower/lower.h"

/* An image of the batch: gathered, augmented, made binary. */
static void give_image(const elbo_cpu_step *s, const elbo_batch_args *args, const elbo_images *images, uint32_t index,
                       float *row, float *scratch) {
    const elbo_kernels *k = s->program->kernels;
    size_t n = s->out[0]->per_image;
    bool target = s->number, binary = args->binary && !target;
    const elbo_augment *augment = target ? NULL : args->augment;
    if (images->sprites && !augment) binary = false; // they are
    if (binary) k->loss->uniform(scratch, n, elbo_binarise_stream(args->binary_seed, args->binary_draw, index));
    if (binary && images->bytes && !augment) {
        elbo_binarise_bytes(row, images->bytes + index * n, scratch, n, args->low, args->high);
        return;
    }
    if (images->floats)
        memcpy(row, images->floats + index * n, n * sizeof *row);
    else if (images->sprites)
        elbo_sprites_draw(images, index, row, args->low, args->high);
    else
        k->pointwise->from_bytes(row, images->bytes + index * n, n, args->low, args->high);
    if (elbo_contrast_is_on(&images->contrast)) elbo_contrast_apply(&images->contrast, row, n, args->low, args->high);
    if (augment) {
        elbo_stream stream = args->noise;
        stream.purpose = ELBO_FOR_AUGMENTATION;
        stream.sample = index;
        elbo_augment_run(augment, stream, images->shape, args->low, args->high, row, scratch);
        if (binary) k->loss->uniform(scratch, n, elbo_binarise_stream(args->binary_seed, args->binary_draw, index));
    }
    if (binary) elbo_binarise_floats(row, scratch, n, args->low, args->high);
}

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
        else
            give_image(s, args, images, index[r], row, elbo_cpu_scratch(s->program, thread));
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

/* A row for each image: the caller's weights, or 1 at its class. Where nobody gave any, NaN shows it. */
static void run_label(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const elbo_cpu_tensor *y = s->out[0];
    size_t n = y->per_image;
    float *row = elbo_cpu_rows(y, shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    bool given = args->label_weights || args->label_class;
    const elbo_images *owner = args->target ? args->target : args->images;
    const uint8_t *classes = given ? args->label_class : owner->labels;
    const uint32_t *from = given ? args->label_row : args->target ? args->target_index : args->index;
    from += shard * s->program->shard_rows;
    for (int r = 0; r < s->program->shard_rows; r++, row += n) {
        memset(row, 0, n * sizeof *row);
        if (r >= valid) continue;
        if (args->label_weights)
            memcpy(row, args->label_weights + from[r] * n, n * sizeof *row);
        else if (classes && classes[from[r]] < n)
            row[classes[from[r]]] = 1;
        else
            row[0] = NAN;
    }
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
    const elbo_loss_kernels *k = s->program->kernels->loss;
    elbo_corruption_job job = {.stream = args->noise,
                               .shape = args->images->shape,
                               .low = args->low,
                               .high = args->high,
                               .room = elbo_cpu_scratch(s->program, thread),
                               .uniform = k->uniform,
                               .normal = k->normal};
    job.stream.purpose = elbo_cpu_learns(s->program) ? ELBO_FOR_CORRUPTION : ELBO_FOR_TEST_CORRUPTION;
    for (int r = 0; r < s->program->shard_rows; r++, x += n, y += n) {
        bool given = r < valid && args->given_input;
        memcpy(y, given ? args->given_input + index[r] * n : x, n * sizeof *y);
        if (r >= valid || given || !args->corrupt) continue;
        job.stream.sample = index[r];
        elbo_corrupt_run(args->corrupt, job, y);
    }
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
