#include "render/interpolation_figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/result.h"

static size_t image_size(const elbo_run *runs) { return elbo_image_size(runs[0].model->network.graph.image); }

/* ---- making ---- */

/* One walk of one run, decoded.  images: (steps, C, H, W) in the first run's range */
static elbo_status make_walk(const elbo_interpolations *w, int pair, elbo_model *m, const elbo_model *first,
                             float *images, elbo_error *err) {
    elbo_operands words = w->words;
    words.model = m;
    size_t Z = (size_t)m->network.graph.latent;
    float *ends = elbo_alloc(2 * Z, sizeof *ends), *z = elbo_alloc((size_t)w->steps * Z, sizeof *z);
    elbo_status status = ends && z ? ELBO_OK : elbo_no_memory(err);
    for (int k = 0; status == ELBO_OK && k < 2; k++)
        status =
            elbo_expression_compute(&w->end[2 * pair + k], Z, elbo_operand_code, &words, ends + (size_t)k * Z, err);
    if (status == ELBO_OK) status = elbo_path_between(w->path, ends, ends + Z, Z, w->steps, z, err);
    if (status == ELBO_OK) status = elbo_operands_set_skips(&words, &w->end[2 * pair], err);
    if (status == ELBO_OK) {
        elbo_model_decode_codes(m, (size_t)w->steps, z, images);
        elbo_images_into_range(images, (size_t)w->steps * elbo_image_size(m->network.graph.image),
                               elbo_model_image_format(m), elbo_model_image_format(first));
    }
    free(ends);
    free(z);
    return status;
}

static bool has_pixels(const elbo_expression *end) {
    return !elbo_expression_has(&end[0], ELBO_OPERAND_SAVED) && !elbo_expression_has(&end[1], ELBO_OPERAND_SAVED);
}

/* The same ends in the space of pixels.  images: (steps, C, H, W) */
static elbo_status fade(const elbo_interpolations *w, int pair, elbo_run *runs, float *images, elbo_error *err) {
    elbo_operands words = w->words;
    words.model = runs[0].model;
    size_t size = image_size(runs);
    if (!has_pixels(&w->end[2 * pair])) {
        images[0] = NAN;
        return ELBO_OK;
    }
    float *ends = elbo_alloc(2 * size, sizeof *ends);
    elbo_status status = ends ? ELBO_OK : elbo_no_memory(err);
    for (int k = 0; status == ELBO_OK && k < 2; k++)
        status = elbo_expression_compute(&w->end[2 * pair + k], size, elbo_operand_pixels, &words,
                                         ends + (size_t)k * size, err);
    if (status == ELBO_OK) status = elbo_path_between(ELBO_LINEAR, ends, ends + size, size, w->steps, images, err);
    free(ends);
    return status;
}

elbo_status elbo_interpolations_make(elbo_interpolations *w, elbo_run *runs, int count, elbo_error *err) {
    size_t row = (size_t)w->steps * image_size(runs);
    w->images = elbo_alloc((size_t)w->pairs * (size_t)count * row, sizeof *w->images);
    w->faded = w->pixels ? elbo_alloc((size_t)w->pairs * row, sizeof *w->faded) : NULL;
    elbo_status status = w->images && (w->faded || !w->pixels) ? ELBO_OK : elbo_no_memory(err);
    w->words.chooser = elbo_runs_chooser(runs, count)->model;
    for (int p = 0; p < w->pairs && status == ELBO_OK; p++) {
        if (w->pixels) status = fade(w, p, runs, w->faded + (size_t)p * row, err);
        for (int i = 0; i < count && status == ELBO_OK; i++)
            status = make_walk(w, p, runs[i].model, runs[0].model, w->images + (size_t)(p * count + i) * row, err);
    }
    return status;
}

void elbo_interpolations_free(elbo_interpolations *w) {
    free(w->images);
    free(w->faded);
    w->images = w->faded = NULL;
}

/* ---- drawing ---- */

/* Row `r` of a pair's block: the cross-fade where there is one, then the runs; NULL behind the last.  (steps, C, H, W)
 */
static const float *row_of(const elbo_interpolations *w, const elbo_run *runs, int count, int pair, int r,
                           const char **label) {
    size_t row = (size_t)w->steps * image_size(runs);
    const float *faded = w->faded ? w->faded + (size_t)pair * row : NULL;
    bool shown = faded && !isnan(faded[0]);
    if (shown && r == 0) {
        *label = "pixels";
        return faded;
    }
    int i = r - shown;
    if (i >= count) return NULL;
    *label = runs[i].label;
    return w->images + (size_t)(pair * count + i) * row;
}

elbo_status elbo_figure_walks(elbo_figure f, const elbo_interpolations *w, const elbo_run *runs, int count,
                              elbo_error *err) {
    size_t row = (size_t)w->steps * image_size(runs), most = (size_t)w->pairs * (size_t)(count + 1);
    float *images = elbo_alloc(most * row, sizeof *images);
    const char **labels = calloc(most, sizeof *labels), **headings = calloc(most, sizeof *headings);
    elbo_status status = images && labels && headings ? ELBO_OK : elbo_no_memory(err);
    int rows = 0;
    for (int p = 0; status == ELBO_OK && p < w->pairs; p++) {
        if (w->pairs > 1) headings[rows] = w->heading[p];
        const float *from;
        for (int r = 0; (from = row_of(w, runs, count, p, r, &labels[rows])); r++, rows++)
            memcpy(images + (size_t)rows * row, from, row * sizeof *from);
    }
    elbo_grid grid = elbo_model_grid(runs[0].model, rows, w->steps, images);
    grid.row_labels = labels;
    grid.headings = headings;
    if (status == ELBO_OK) status = elbo_draw_grid(f, &grid, err);
    free(images);
    free(labels);
    free(headings);
    return status;
}

/* ---- frames ---- */

enum { TILE = 112, GAP = 4, MOST_FRAME_BYTES = 1 << 30 };

elbo_status elbo_interpolations_frames(const elbo_interpolations *w, const elbo_run *runs, int count, uint8_t **frames,
                                       int *width, int *height, elbo_error *err) {
    const elbo_recipe *recipe = &runs[0].model->recipe;
    elbo_image_shape s = runs[0].model->network.graph.image;
    if (s.channels != 1 && s.channels != 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "images of %d channels; frames are made of 1 or 3", s.channels);
    size_t C = (size_t)s.channels, H = (size_t)s.height, W = (size_t)s.width, most = 1;
    const char *label;
    for (int p = 0; p < w->pairs; p++) {
        int rows = 0;
        while (row_of(w, runs, count, p, rows, &label)) rows++;
        if ((size_t)rows > most) most = (size_t)rows;
    }
    size_t side = H > W ? H : W, scale = side < TILE ? (TILE + side / 2) / side : 1;
    size_t frame_width = (size_t)w->pairs * (W * scale + GAP) - GAP, frame_height = most * (H * scale + GAP) - GAP,
           frame, bytes;
    if (__builtin_mul_overflow(frame_width * frame_height, C, &frame) ||
        __builtin_mul_overflow(frame, (size_t)w->steps, &bytes) || bytes > MOST_FRAME_BYTES)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%d frames of %zu x %zu pixels are more than a gigabyte; ask for fewer --steps", w->steps,
                         frame_width, frame_height);
    uint8_t *out = malloc(bytes);
    if (!out) return elbo_no_memory(err);
    memset(out, 255, bytes);
    double span = (double)recipe->image.high - recipe->image.low;
    for (size_t t = 0; t < (size_t)w->steps; t++)
        for (int p = 0; p < w->pairs; p++) {
            const float *row;
            for (int r = 0; (row = row_of(w, runs, count, p, r, &label)); r++) {
                const float *image = row + t * C * H * W;
                uint8_t *corner =
                    out + t * frame + ((size_t)r * (H * scale + GAP) * frame_width + (size_t)p * (W * scale + GAP)) * C;
                for (size_t y = 0; y < H * scale; y++)
                    for (size_t x = 0; x < W * scale; x++)
                        for (size_t c = 0; c < C; c++) {
                            double v = 255 * (image[(c * H + y / scale) * W + x / scale] - recipe->image.low) / span;
                            corner[(y * frame_width + x) * C + c] = !(v > 0) ? 0 : v >= 255 ? 255 : (uint8_t)lrint(v);
                        }
            }
        }
    *frames = out;
    *width = (int)frame_width;
    *height = (int)frame_height;
    return ELBO_OK;
}
