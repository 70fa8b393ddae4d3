/* A step's numbers and rows, as they go to the device: images as bytes, unless the host augments, corrupts or draws
 * them; then by the functions that the CPU's own steps call, to the same bits. */
#include <math.h>
#include <string.h>

#include "data/contrast.h"
#include "device/cpu/give.h"
#include "device/cpu/kernels.h"
#include "device/cuda/program.h"

static bool gives(const elbo_gpu_program *p, elbo_work_kind kind) {
    for (int i = 0; i < p->givens; i++)
        if (p->given[i].kind == kind) return true;
    return false;
}

static bool as_bytes(const elbo_gpu_program *p, const elbo_batch_args *args) {
    return args->images->bytes && !elbo_contrast_is_on(&args->images->contrast) && !args->augment && !args->binary &&
           !gives(p, ELBO_WORK_CORRUPT);
}

static elbo_gpu_update update_of(const elbo_batch_args *a) {
    const elbo_update *u = &a->update;
    return (elbo_gpu_update){.lr = u->lr,
                             .momentum = u->momentum,
                             .weight_decay = u->weight_decay,
                             .beta1 = u->beta1,
                             .beta2 = u->beta2,
                             .eps = u->eps,
                             .correction1 = u->correction1,
                             .correction2 = u->correction2,
                             .first = u->first,
                             .off = a->no_update};
}

static void stage_numbers(const elbo_gpu_program *p, const elbo_batch_args *a, elbo_gpu_step *s) {
    *s = (elbo_gpu_step){.images = a->count,
                         .rows = a->count * p->samples,
                         .samples = p->samples,
                         .bytes = as_bytes(p, a),
                         .no_noise = a->no_noise,
                         .given_noise = a->given_noise != NULL,
                         .low = a->low,
                         .high = a->high,
                         .loss_scale = a->loss_scale / (float)p->samples,
                         .seed = {(unsigned)a->noise.seed, (unsigned)(a->noise.seed >> 32)},
                         .purpose = a->noise.purpose,
                         .epoch = a->noise.epoch,
                         .update = update_of(a)};
    for (int k = 0; k < p->graph->metrics.count; k++) {
        s->loss_weight[k] = a->loss_weight[k];
        s->loss_bound[k] = a->loss_bound[k];
    }
}

static void stage_images(elbo_gpu_program *p, const elbo_batch_args *a, const elbo_gpu_given *g, char *at) {
    const elbo_kernels *k = elbo_kernels_here();
    bool target = g->kind == ELBO_WORK_TARGET, bytes = !target && as_bytes(p, a);
    const elbo_images *images = target ? a->target : a->images;
    const uint32_t *index = target ? a->target_index : a->index;
    for (int i = 0; i < a->count; i++) {
        if (bytes)
            memcpy(at + (size_t)i * g->per_row, images->bytes + index[i] * g->per_row, g->per_row);
        else
            elbo_give_image(k, a, target, index[i], (float *)(void *)at + (size_t)i * g->per_row, g->per_row,
                            p->scratch);
    }
}

/* What the encoder reads of the images that have been staged before. */
static void stage_corrupt(elbo_gpu_program *p, const elbo_batch_args *a, const elbo_gpu_given *g, float *at) {
    const elbo_gpu_given *rows = p->given;
    while (rows->kind != ELBO_WORK_ROWS) rows++;
    const float *x = (const float *)(const void *)(p->staged + rows->offset);
    for (int i = 0; i < a->count; i++)
        elbo_give_corrupted(elbo_kernels_here(), a, elbo_gpu_learns(p), a->index[i], at + (size_t)i * g->per_row,
                            x + (size_t)i * g->per_row, g->per_row, p->scratch);
}

static void stage_noise(elbo_gpu_program *p, const elbo_batch_args *a, const float *from, const elbo_gpu_given *g,
                        float *at, size_t samples) {
    if (!from) return;
    size_t size = g->per_row * samples;
    (void)p;
    for (int i = 0; i < a->count; i++) memcpy(at + (size_t)i * size, from + a->index[i] * size, size * sizeof *at);
}

static void stage_given(elbo_gpu_program *p, const elbo_batch_args *a, const elbo_gpu_given *g, char *at) {
    float *floats = (float *)(void *)at;
    switch (g->kind) {
    case ELBO_WORK_ROWS:
    case ELBO_WORK_TARGET: stage_images(p, a, g, at); break;
    case ELBO_WORK_CORRUPT: stage_corrupt(p, a, g, floats); break;
    case ELBO_WORK_LABEL:
        for (int i = 0; i < a->count; i++) elbo_give_label(a, i, floats + (size_t)i * g->per_row, g->per_row);
        break;
    case ELBO_WORK_SKIP:
        for (int i = 0; i < a->count; i++)
            memcpy(floats + (size_t)i * g->per_row, a->skips + a->skip_row[i] * p->graph->skip_floats + g->skip_offset,
                   g->per_row * sizeof *floats);
        break;
    case ELBO_WORK_SAMPLE: stage_noise(p, a, a->given_noise, g, floats, (size_t)p->samples); break;
    case ELBO_WORK_LATENT: stage_noise(p, a, a->given_draws, g, floats, 1); break;
    default: memcpy(at, a->index, (size_t)a->count * sizeof *a->index); break; // the images' numbers
    }
}

void elbo_gpu_stage(elbo_gpu_program *p, const elbo_batch_args *args) {
    stage_numbers(p, args, (elbo_gpu_step *)(void *)p->staged);
    for (int i = 0; i < p->givens; i++) stage_given(p, args, &p->given[i], p->staged + p->given[i].offset);
}
