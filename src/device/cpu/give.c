#include "device/cpu/give.h"

#include <math.h>
#include <string.h>

#include "data/augment/augment.h"
#include "data/binarise.h"
#include "data/contrast.h"
#include "data/corrupt/corrupt.h"
#include "data/sprites.h"

void elbo_give_image(const elbo_kernels *k, const elbo_batch_args *args, bool target, uint32_t index, float *row,
                     size_t n, float *scratch) {
    const elbo_images *images = target ? args->target : args->images;
    bool binary = args->binary && !target;
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

void elbo_give_label(const elbo_batch_args *args, int i, float *row, size_t n) {
    bool given = args->label_weights || args->label_class;
    const elbo_images *owner = args->target ? args->target : args->images;
    const uint8_t *classes = given ? args->label_class : owner->labels;
    const uint32_t *from = given ? args->label_row : args->target ? args->target_index : args->index;
    memset(row, 0, n * sizeof *row);
    if (args->label_weights)
        memcpy(row, args->label_weights + from[i] * n, n * sizeof *row);
    else if (classes && classes[from[i]] < n)
        row[classes[from[i]]] = 1;
    else
        row[0] = NAN;
}

void elbo_give_corrupted(const elbo_kernels *k, const elbo_batch_args *args, bool training, uint32_t index, float *y,
                         const float *x, size_t n, float *scratch) {
    bool given = args->given_input;
    memcpy(y, given ? args->given_input + index * n : x, n * sizeof *y);
    if (given || !args->corrupt) return;
    elbo_corruption_job job = {.stream = args->noise,
                               .shape = args->images->shape,
                               .low = args->low,
                               .high = args->high,
                               .room = scratch,
                               .uniform = k->loss->uniform,
                               .normal = k->loss->normal};
    job.stream.purpose = training ? ELBO_FOR_CORRUPTION : ELBO_FOR_TEST_CORRUPTION;
    job.stream.sample = index;
    elbo_corrupt_run(args->corrupt, job, y);
}
