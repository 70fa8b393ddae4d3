#include "explore/interpolate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "explore/opened_runs.h"
#include "explore/operands.h"

/* ---- names ---- */

/* How a title names an end: a bare number as the test image that it means (3 may look like a digit), a file without
 * its folders, which would leave no room for the other end. */
static char *name_of(const char *text) {
    const char *slash = strrchr(text, '/');
    if (*text && !text[strspn(text, "0123456789")]) return elbo_format("test:%.115s", text);
    return elbo_format("%.120s", slash && elbo_file_exists(text) ? slash + 1 : text);
}

static elbo_status name_ends(elbo_interpolate_result *r, const elbo_expression *end, elbo_error *err) {
    size_t n = 2 * (size_t)r->pairs;
    r->end = elbo_alloc(n, sizeof *r->end);
    r->name = elbo_alloc(n, sizeof *r->name);
    if (!r->end || !r->name) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        r->end[i] = strdup(end[i].text);
        r->name[i] = name_of(end[i].text);
        if (!r->end[i] || !r->name[i]) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

/* ---- images ---- */

/* A conditional model's label goes from one end's to the other's in a straight line. */
static elbo_status set_labels(elbo_operands *words, const elbo_expression *end, int steps, elbo_error *err) {
    elbo_model *m = words->model;
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    size_t C = (size_t)m->network.graph.classes;
    float *ends = elbo_alloc(2 * C, sizeof *ends), *label = elbo_alloc((size_t)steps * C, sizeof *label);
    elbo_status status = ends && label ? ELBO_OK : elbo_no_memory(err);
    for (size_t k = 0; status == ELBO_OK && k < 2; k++) status = elbo_operands_label(words, &end[k], ends + k * C, err);
    if (status == ELBO_OK) status = elbo_path_between(ELBO_LINEAR, ends, ends + C, C, steps, label, err);
    if (status == ELBO_OK) status = elbo_model_set_labels(m, label, (size_t)steps, err);
    free(ends);
    free(label);
    return status;
}

/* One pair by one model.  end: (2); images: (steps, C, H, W) */
static elbo_status decode_path(const elbo_interpolate_result *r, elbo_operands *words, const elbo_expression *end,
                               float *images, elbo_error *err) {
    elbo_model *m = words->model;
    size_t Z = (size_t)m->network.graph.latent, n = (size_t)r->steps;
    float *ends = elbo_alloc(2 * Z, sizeof *ends), *z = elbo_alloc(n * Z, sizeof *z);
    elbo_status status = ends && z ? ELBO_OK : elbo_no_memory(err);
    for (size_t k = 0; status == ELBO_OK && k < 2; k++)
        status = elbo_expression_compute(&end[k], Z, elbo_operand_code, words, ends + k * Z, err);
    if (status == ELBO_OK) status = elbo_path_between(r->path, ends, ends + Z, Z, r->steps, z, err);
    if (status == ELBO_OK) status = elbo_operands_set_skips(words, end, err);
    if (status == ELBO_OK) status = set_labels(words, end, r->steps, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(m, n, z, images, err);
    if (status == ELBO_OK)
        elbo_images_into_range(images, n * elbo_image_size(r->format.shape), elbo_model_image_format(m), r->format);
    free(ends);
    free(z);
    return status;
}

/* The same ends in the space of pixels.  end: (2); images: (steps, C, H, W) */
static elbo_status fade(const elbo_interpolate_result *r, elbo_operands *words, const elbo_expression *end,
                        float *images, elbo_error *err) {
    size_t size = elbo_image_size(r->format.shape);
    if (elbo_expression_has(&end[0], ELBO_OPERAND_SAVED) || elbo_expression_has(&end[1], ELBO_OPERAND_SAVED)) {
        images[0] = NAN;
        return ELBO_OK;
    }
    float *ends = elbo_alloc(2 * size, sizeof *ends);
    elbo_status status = ends ? ELBO_OK : elbo_no_memory(err);
    for (size_t k = 0; status == ELBO_OK && k < 2; k++)
        status = elbo_expression_compute(&end[k], size, elbo_operand_pixels, words, ends + k * size, err);
    if (status == ELBO_OK) status = elbo_path_between(ELBO_LINEAR, ends, ends + size, size, r->steps, images, err);
    free(ends);
    return status;
}

static elbo_status fill(elbo_interpolate_result *r, elbo_run *runs, elbo_operands words, const elbo_expression *end,
                        elbo_error *err) {
    size_t row = (size_t)r->steps * elbo_image_size(r->format.shape);
    for (int p = 0; p < r->pairs; p++) {
        words.model = runs[0].model;
        if (r->pixels) ELBO_TRY(fade(r, &words, end + 2 * p, r->pixels + (size_t)p * row, err));
        for (int i = 0; i < r->runs; i++) {
            words.model = runs[i].model;
            ELBO_TRY(decode_path(r, &words, end + 2 * p, r->images + (size_t)(p * r->runs + i) * row, err));
        }
    }
    return ELBO_OK;
}

elbo_status elbo_interpolate(elbo_interpolate_result *r, elbo_run *runs, int count, const elbo_dataset *d,
                             const elbo_interpolate_options *options, elbo_error *err) {
    *r = (elbo_interpolate_result){.format = elbo_model_image_format(runs[0].model),
                                   .pairs = options->pairs,
                                   .runs = count,
                                   .steps = options->steps ? options->steps : ELBO_INTERPOLATE_STEPS,
                                   .path = options->path};
    elbo_operands words = {
        .chooser = elbo_runs_chooser(runs, count)->model, .data = d, .read_image = options->read_image};
    words.class_word = options->class_word;
    size_t row = (size_t)r->steps * elbo_image_size(r->format.shape), pairs = (size_t)r->pairs;
    elbo_status status = name_ends(r, options->end, err);
    if (status == ELBO_OK) status = elbo_runs_labels(&r->label, runs, count, err);
    if (status == ELBO_OK) {
        r->images = elbo_alloc(pairs * (size_t)count * row, sizeof *r->images);
        r->pixels = options->pixels ? elbo_alloc(pairs * row, sizeof *r->pixels) : NULL;
        if (!r->images || (options->pixels && !r->pixels)) status = elbo_no_memory(err);
    }
    if (status == ELBO_OK) status = fill(r, runs, words, options->end, err);
    if (status != ELBO_OK) elbo_interpolate_free(r);
    return status;
}

/* ---- the result ---- */

json_t *elbo_interpolate_json(const elbo_interpolate_result *r) {
    json_t *pairs = json_array();
    for (int p = 0; p < r->pairs; p++)
        json_array_append_new(pairs, json_pack("[s, s]", r->end[2 * p], r->end[2 * p + 1]));
    return json_pack("{s:s, s:s, s:i, s:s, s:o}", "from", r->end[0], "to", r->end[1], "steps", r->steps, "path",
                     r->path == ELBO_SLERP ? "slerp" : "linear", "pairs", pairs);
}

void elbo_interpolate_free(elbo_interpolate_result *r) {
    elbo_texts_free(r->end, 2 * r->pairs);
    elbo_texts_free(r->name, 2 * r->pairs);
    elbo_texts_free(r->label, r->runs);
    free(r->images);
    free(r->pixels);
    *r = (elbo_interpolate_result){0};
}
