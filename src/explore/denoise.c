#include "explore/denoise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/corrupt/corrupt.h"
#include "device/cpu/kernels.h"
#include "explore/metrics/eval_context.h"
#include "explore/metrics/scores.h"
#include "explore/pick.h"
#include "run/model.h"

/* ---- images as they come ---- */

elbo_status elbo_denoise_images(elbo_model *m, const elbo_images *images, float *out, elbo_error *err) {
    uint32_t index[ELBO_EVAL_AT_ONCE], at_once = elbo_eval_at_once(m, images);
    size_t size = elbo_image_size(images->shape);
    float *codes = elbo_alloc((size_t)at_once * (size_t)m->network.graph.latent, sizeof *codes);
    elbo_status status = codes ? ELBO_OK : elbo_no_memory(err);
    for (uint32_t start = 0; status == ELBO_OK && start < images->count; start += at_once) {
        uint32_t count = images->count - start < at_once ? images->count - start : at_once;
        for (uint32_t i = 0; i < count; i++) index[i] = start + i;
        status = elbo_model_encode_images(m, images, index, count, codes, NULL, err);
        if (status == ELBO_OK) status = elbo_model_set_skips(m, images, index, count, err);
        if (status == ELBO_OK && images->labels) status = elbo_model_set_labels_of(m, images, index, count, err);
        if (status == ELBO_OK) status = elbo_model_decode_codes(m, count, codes, out + start * size, err);
    }
    free(codes);
    return status;
}

/* ---- test images, corrupted ---- */

/* Some of them at a time. */
typedef struct part {
    const elbo_model *model;
    const elbo_images *images;
    uint32_t first, count;
    float *original, *noisy, *denoised, *room; // (at once, C, H, W)
    double before[ELBO_EVAL_AT_ONCE], after[ELBO_EVAL_AT_ONCE];
} part;

/* As an evaluation's plan does it. */
static void corrupt(void *context, size_t i) {
    part *p = context;
    const elbo_recipe *r = &p->model->recipe;
    size_t n = elbo_image_size(p->images->shape);
    const elbo_loss_kernels *k = elbo_kernels_here()->loss;
    elbo_corruption_job job = {
        .stream = {.seed = r->train.seed, .purpose = ELBO_FOR_TEST_CORRUPTION, .sample = p->first + (uint32_t)i},
        .shape = p->images->shape,
        .low = r->image.low,
        .high = r->image.high,
        .room = p->room + i * n,
        .uniform = k->uniform,
        .normal = k->normal};
    memcpy(p->noisy + i * n, p->original + i * n, n * sizeof *p->noisy);
    elbo_corrupt_run(r->corrupts, job, p->noisy + i * n);
}

static void compare(void *context, size_t i) {
    part *p = context;
    size_t n = elbo_image_size(p->images->shape);
    float low = p->model->recipe.image.low, high = p->model->recipe.image.high;
    p->before[i] = elbo_psnr(p->noisy + i * n, p->original + i * n, n, low, high);
    p->after[i] = elbo_psnr(p->denoised + i * n, p->original + i * n, n, low, high);
}

static elbo_status run_part(part *p, elbo_model *m, elbo_error *err) {
    uint32_t index[ELBO_EVAL_AT_ONCE];
    for (uint32_t i = 0; i < p->count; i++) index[i] = p->first + i;
    elbo_images_to_floats(p->images, index, p->count, m->recipe.image.low, m->recipe.image.high, p->original);
    elbo_eval_context_parallel(m, p->count, corrupt, p);
    elbo_images noisy = {.shape = p->images->shape,
                         .count = p->count,
                         .floats = p->noisy,
                         .labels = p->images->labels ? p->images->labels + p->first : NULL};
    ELBO_TRY(elbo_denoise_images(m, &noisy, p->denoised, err));
    elbo_eval_context_parallel(m, p->count, compare, p);
    return ELBO_OK;
}

/* What the result shows of a part. */
static void keep(elbo_denoise_result *r, const part *p) {
    size_t n = elbo_image_size(r->format.shape), row = (size_t)r->count * n;
    for (int s = 0; s < r->count; s++) {
        if (r->index[s] < p->first || r->index[s] >= p->first + p->count) continue;
        size_t i = r->index[s] - p->first;
        float *to = r->images + (size_t)s * n;
        memcpy(to, p->noisy + i * n, n * sizeof *to);
        memcpy(to + row, p->denoised + i * n, n * sizeof *to);
        memcpy(to + 2 * row, p->original + i * n, n * sizeof *to);
        r->before[s] = (float)p->before[i];
        r->after[s] = (float)p->after[i];
    }
}

static elbo_status measure(elbo_denoise_result *r, part *p, elbo_model *m, const elbo_job *work, elbo_error *err) {
    uint32_t at_once = elbo_eval_at_once(m, p->images);
    for (p->first = 0; p->first < p->images->count; p->first += at_once) {
        uint32_t left = p->images->count - p->first;
        p->count = left < at_once ? left : at_once;
        ELBO_TRY(run_part(p, m, err));
        keep(r, p);
        for (uint32_t i = 0; i < p->count; i++) {
            r->psnr_before += p->before[i] / r->measured;
            r->psnr_after += p->after[i] / r->measured;
        }
        ELBO_TRY(elbo_eval_context_step(work, "denoising", (double)p->first / r->measured, err));
    }
    return ELBO_OK;
}

static char *corruption_text(const elbo_recipe *r) {
    char *text = strdup("");
    for (int i = 0; i < r->corrupt.count && text; i++) {
        char *more = elbo_format("%s%s%s", text, i ? ", " : "", r->corrupt.layer[i].text);
        free(text);
        text = more;
    }
    return text;
}

static elbo_status prepare(elbo_denoise_result *r, const elbo_model *m, const elbo_dataset *d,
                           const elbo_denoise_options *o, elbo_error *err) {
    r->count = o->count ? o->count : ELBO_DENOISE_COUNT;
    r->measured = d->test.count;
    size_t n = (size_t)r->count;
    r->corruption = corruption_text(&m->recipe);
    r->index = elbo_alloc(n, sizeof *r->index);
    r->before = elbo_alloc(n, sizeof *r->before);
    r->after = elbo_alloc(n, sizeof *r->after);
    r->images = elbo_alloc(3 * n * elbo_image_size(r->format.shape), sizeof *r->images);
    if (!r->corruption || !r->index || !r->before || !r->after || !r->images) return elbo_no_memory(err);
    if (o->index)
        memcpy(r->index, o->index, n * sizeof *r->index);
    else
        r->count = elbo_pick_variety(&d->test, d->classes, r->count, r->index);
    return ELBO_OK;
}

static elbo_status run(elbo_denoise_result *r, elbo_model *m, const elbo_dataset *d, const elbo_job *work,
                       elbo_error *err) {
    size_t values = elbo_eval_at_once(m, &d->test) * elbo_image_size(r->format.shape);
    part *p = calloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    p->model = m;
    p->images = &d->test;
    p->original = elbo_alloc(values, sizeof *p->original);
    p->noisy = elbo_alloc(values, sizeof *p->noisy);
    p->denoised = elbo_alloc(values, sizeof *p->denoised);
    p->room = elbo_alloc(values, sizeof *p->room);
    bool memory = p->original && p->noisy && p->denoised && p->room;
    elbo_status status = memory ? measure(r, p, m, work, err) : elbo_no_memory(err);
    free(p->original);
    free(p->noisy);
    free(p->denoised);
    free(p->room);
    free(p);
    return status;
}

elbo_status elbo_denoise(elbo_denoise_result *r, elbo_model *m, const elbo_dataset *d,
                         const elbo_denoise_options *options, const elbo_job *work, elbo_error *err) {
    *r = (elbo_denoise_result){.format = elbo_model_image_format(m)};
    if (!m->recipe.corrupts)
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: was trained without `corrupt`, so it does not say how test images are to be corrupted; name "
            "noisy images, or train a recipe with it (`elbo recipes mnist-denoising-ae`)",
            m->run);
    if (d->test.count == 0) return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no test images", d->name);
    elbo_status status = prepare(r, m, d, options, err);
    if (status == ELBO_OK) status = run(r, m, d, work, err);
    if (status != ELBO_OK) elbo_denoise_free(r);
    return status;
}

/* ---- the result ---- */

json_t *elbo_denoise_json(const elbo_denoise_result *r) {
    json_t *shown = json_array();
    for (int i = 0; i < r->count; i++)
        json_array_append_new(shown, json_pack("{s:I, s:f, s:f}", "test", (json_int_t)r->index[i], "psnr_before",
                                               (double)r->before[i], "psnr_after", (double)r->after[i]));
    return json_pack("{s:s, s:I, s:f, s:f, s:o}", "corrupt", r->corruption, "images", (json_int_t)r->measured,
                     "psnr_before", r->psnr_before, "psnr_after", r->psnr_after, "shown", shown);
}

void elbo_denoise_free(elbo_denoise_result *r) {
    free(r->corruption);
    free(r->index);
    free(r->before);
    free(r->after);
    free(r->images);
    *r = (elbo_denoise_result){0};
}
