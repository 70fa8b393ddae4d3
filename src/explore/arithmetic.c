#include "explore/arithmetic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/operands.h"
#include "run/model.h"
#include "stats/neighbours.h"

/* nearest_code: (latent) */
static elbo_status find_nearest(elbo_arithmetic_result *r, float *nearest_code, const elbo_operands *w,
                                const elbo_job *work, elbo_error *err) {
    const elbo_images *train = &w->data->train;
    size_t Z = (size_t)r->latent;
    if (train->count == 0) return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no training images", w->data->name);
    float *codes = elbo_alloc((size_t)train->count * Z, sizeof *codes);
    if (!codes) return elbo_no_memory(err);
    elbo_status status = elbo_model_encode_images(w->model, train, NULL, train->count, codes, NULL, err);
    elbo_neighbours nb = {0};
    elbo_neighbours_question question = {
        .query = r->code, .m = 1, .x = codes, .n = train->count, .dims = r->latent, .k = 1};
    if (status == ELBO_OK) status = elbo_neighbours_of(&nb, &question, work, err);
    if (status == ELBO_OK) {
        r->nearest = nb.index[0];
        r->distance = sqrt((double)nb.distance2[0]);
        memcpy(nearest_code, codes + (size_t)r->nearest * Z, Z * sizeof *codes);
        elbo_neighbours_free(&nb);
        if (train->labels && !(r->class_name = strdup(w->data->class_names[train->labels[r->nearest]])))
            status = elbo_no_memory(err);
    }
    free(codes);
    return status;
}

/* images: (operands + 2, C, H, W) */
static elbo_status fill_pixels(const elbo_arithmetic_result *r, float *images, const elbo_expression *e,
                               elbo_operands *w, elbo_error *err) {
    size_t size = elbo_image_size(r->format.shape);
    for (int i = 0; i < e->operands; i++) {
        if (e->operand[i].kind == ELBO_OPERAND_SAVED)
            images[(size_t)i * size] = NAN;
        else
            ELBO_TRY(elbo_operand_pixels(w, &e->operand[i], images + (size_t)i * size, err));
    }
    float *result = images + (size_t)e->operands * size;
    if (elbo_expression_has(e, ELBO_OPERAND_SAVED))
        *result = NAN;
    else
        ELBO_TRY(elbo_expression_compute(e, size, elbo_operand_pixels, w, result, err));
    elbo_images_to_floats(&w->data->train, &r->nearest, 1, r->format.low, r->format.high, result + size);
    return ELBO_OK;
}

/* Of a conditional model: each operand with its own class (a saved code with the result's), the result with the
 * expression's, the nearest training image with its own. */
static elbo_status set_labels(const elbo_arithmetic_result *r, const elbo_expression *e, elbo_operands *w,
                              elbo_error *err) {
    elbo_model *m = w->model;
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    size_t C = (size_t)m->network.graph.classes, n = (size_t)e->operands;
    float *label = elbo_alloc((n + 2) * C, sizeof *label), *result = label + n * C;
    elbo_status status = label ? elbo_operands_label(w, e, result, err) : elbo_no_memory(err);
    for (size_t i = 0; i < n && status == ELBO_OK; i++) {
        if (e->operand[i].kind == ELBO_OPERAND_SAVED)
            memcpy(label + i * C, result, C * sizeof *label);
        else
            status = elbo_operand_label(w, &e->operand[i], label + i * C, err);
    }
    if (status == ELBO_OK) result[C + w->data->train.labels[r->nearest]] = 1;
    if (status == ELBO_OK) status = elbo_model_set_labels(m, label, n + 2, err);
    free(label);
    return status;
}

/* images: (operands + 2, C, H, W) */
static elbo_status fill_decoded(elbo_arithmetic_result *r, float *images, const elbo_expression *e, elbo_operands *w,
                                const elbo_job *work, elbo_error *err) {
    size_t Z = (size_t)r->latent, n = (size_t)e->operands;
    float *z = elbo_alloc((n + 2) * Z, sizeof *z);
    elbo_status status = z ? elbo_expression_compute(e, Z, elbo_operand_code, w, r->code, err) : elbo_no_memory(err);
    for (size_t i = 0; i < n && status == ELBO_OK; i++) status = elbo_operand_code(w, &e->operand[i], z + i * Z, err);
    if (status == ELBO_OK) {
        memcpy(z + n * Z, r->code, Z * sizeof *z);
        status = find_nearest(r, z + (n + 1) * Z, w, work, err);
    }
    if (status == ELBO_OK) status = elbo_operands_set_skips(w, e, err);
    if (status == ELBO_OK) status = set_labels(r, e, w, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(w->model, n + 2, z, images, err);
    free(z);
    return status;
}

static elbo_status fill(elbo_arithmetic_result *r, const elbo_expression *e, elbo_operands *w, const elbo_job *work,
                        elbo_error *err) {
    size_t row = (size_t)(r->operands + 2) * elbo_image_size(r->format.shape);
    r->expression = strdup(e->text);
    r->label = elbo_alloc((size_t)r->operands, sizeof *r->label);
    r->code = elbo_alloc((size_t)r->latent, sizeof *r->code);
    r->images = elbo_alloc(2 * row, sizeof *r->images);
    if (!r->expression || !r->label || !r->code || !r->images) return elbo_no_memory(err);
    for (int i = 0; i < r->operands; i++)
        if (!(r->label[i] = strdup(e->operand[i].label))) return elbo_no_memory(err);
    ELBO_TRY(fill_decoded(r, r->images + row, e, w, work, err));
    return fill_pixels(r, r->images, e, w, err);
}

elbo_status elbo_arithmetic(elbo_arithmetic_result *r, elbo_model *m, const elbo_dataset *d,
                            const elbo_arithmetic_options *options, const elbo_job *work, elbo_error *err) {
    const elbo_expression *e = options->expression;
    *r = (elbo_arithmetic_result){
        .format = elbo_model_image_format(m), .operands = e->operands, .latent = m->network.graph.latent};
    elbo_operands words = {.model = m, .chooser = m, .data = d, .read_image = options->read_image};
    words.class_word = options->class_word;
    elbo_status status = fill(r, e, &words, work, err);
    if (status != ELBO_OK) elbo_arithmetic_free(r);
    return status;
}

json_t *elbo_arithmetic_json(const elbo_arithmetic_result *r) {
    json_t *operands = json_array(), *code = json_array();
    for (int i = 0; i < r->operands; i++) json_array_append_new(operands, json_string(r->label[i]));
    for (int i = 0; i < r->latent; i++) json_array_append_new(code, json_real(r->code[i]));
    json_t *nearest = json_pack("{s:I, s:f}", "train", (json_int_t)r->nearest, "distance", r->distance);
    if (r->class_name) json_object_set_new(nearest, "class", json_string(r->class_name));
    return json_pack("{s:s, s:o, s:o, s:o}", "expression", r->expression, "operands", operands, "nearest", nearest,
                     "code", code);
}

void elbo_arithmetic_free(elbo_arithmetic_result *r) {
    free(r->expression);
    elbo_texts_free(r->label, r->operands);
    free(r->code);
    free(r->class_name);
    free(r->images);
    *r = (elbo_arithmetic_result){0};
}
