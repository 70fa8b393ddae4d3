#include "explore/operands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/pick.h"
#include "explore/vectors.h"
#include "run/model.h"

int elbo_operands_splits(const elbo_expression *e) {
    int splits = 0;
    if (elbo_expression_has(e, ELBO_OPERAND_TEST) || elbo_expression_has(e, ELBO_OPERAND_CLASS))
        splits |= ELBO_TEST_SPLIT;
    if (elbo_expression_has(e, ELBO_OPERAND_TRAIN) || elbo_expression_has(e, ELBO_OPERAND_CLASS_MEAN))
        splits |= ELBO_TRAIN_SPLIT;
    return splits;
}

elbo_status elbo_operands_take_class(elbo_expression *e, const elbo_dataset *d, bool *taken, elbo_error *err) {
    *taken = e->bare && elbo_pick_is_class_name(d, e->operand[0].word);
    if (!*taken) return ELBO_OK;
    elbo_operand *o = &e->operand[0];
    char *label = elbo_format("class:%s", o->word), *text = label ? strdup(label) : NULL;
    if (!text) {
        free(label);
        return elbo_no_memory(err);
    }
    free(o->label);
    free(e->text);
    o->label = label;
    e->text = text; // figures and JSON show it
    o->kind = ELBO_OPERAND_CLASS;
    return ELBO_OK;
}

/* The mean over a class's training images of their codes (`pixels` false) or of themselves. Summed in order of the
 * images. */
static elbo_status class_mean(const elbo_operands *w, const char *word, bool pixels, float *mean, elbo_error *err) {
    enum { AT_ONCE = 512, FLOATS_AT_ONCE = 1 << 27 };
    elbo_model *m = w->model;
    const elbo_images *images = &w->data->train;
    int class_number;
    ELBO_TRY(elbo_pick_class(&class_number, w->data, word, err));
    if (!images->labels) return elbo_fail(err, ELBO_BAD_INPUT, "class:%s: %s has no labels", word, w->data->name);
    size_t dims = pixels ? elbo_image_size(images->shape) : (size_t)m->network.graph.latent, n = 0;
    size_t at_once = FLOATS_AT_ONCE / dims < 1 ? 1 : FLOATS_AT_ONCE / dims < AT_ONCE ? FLOATS_AT_ONCE / dims : AT_ONCE;
    float *rows = elbo_alloc(at_once * dims, sizeof *rows);
    double *sum = elbo_alloc(dims, sizeof *sum);
    elbo_status status = rows && sum ? ELBO_OK : elbo_no_memory(err);
    for (uint32_t i = 0; status == ELBO_OK && i < images->count;) {
        uint32_t index[AT_ONCE];
        size_t count = 0;
        for (; i < images->count && count < at_once; i++)
            if (images->labels[i] == class_number) index[count++] = i;
        if (pixels)
            elbo_images_to_floats(images, index, count, m->recipe.image.low, m->recipe.image.high, rows);
        else
            status = elbo_model_encode_images(m, images, index, count, rows, NULL, err);
        for (size_t r = 0; status == ELBO_OK && r < count; r++)
            for (size_t k = 0; k < dims; k++) sum[k] += rows[r * dims + k];
        n += count;
    }
    if (status == ELBO_OK && n == 0)
        status = elbo_fail(err, ELBO_BAD_INPUT, "mean(class:%s): no training image is of it", word);
    for (size_t k = 0; status == ELBO_OK && k < dims; k++) mean[k] = (float)(sum[k] / (double)n);
    free(rows);
    free(sum);
    return status;
}

static elbo_status pick(const elbo_operands *w, const elbo_operand *o, elbo_choice *c, elbo_error *err) {
    return elbo_pick(c, w->chooser, w->data, o->label, err);
}

elbo_status elbo_operand_pixels(void *operands, const elbo_operand *o, float *image, elbo_error *err) {
    const elbo_operands *w = operands;
    const elbo_recipe *r = &w->model->recipe;
    if (o->kind == ELBO_OPERAND_SAVED)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is a saved code, which has no pixels", o->word);
    if (o->kind == ELBO_OPERAND_CLASS_MEAN) return class_mean(w, o->word, true, image, err);
    if (o->kind == ELBO_OPERAND_FILE)
        return w->read_image ? w->read_image(w->model, o->word, image, err)
                             : elbo_fail(err, ELBO_BAD_INPUT, "%s: image files are not read here", o->word);
    elbo_choice c;
    ELBO_TRY(pick(w, o, &c, err));
    elbo_images_to_floats(c.images, &c.index, 1, r->image.low, r->image.high, image);
    return ELBO_OK;
}

/* The class that the caller holds, of an image that has none: for the encoder. */
static elbo_status hold_class(const elbo_operands *w, const elbo_operand *o, elbo_error *err) {
    int class_number;
    if (!elbo_model_is_conditional(w->model)) return ELBO_OK;
    if (!w->class_word)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no class, which %s needs; add --class C", o->word,
                         w->model->run);
    ELBO_TRY(elbo_model_find_class(&class_number, w->model, w->class_word, err));
    return elbo_model_set_class(w->model, class_number, err);
}

elbo_status elbo_operand_code(void *operands, const elbo_operand *o, float *code, elbo_error *err) {
    const elbo_operands *w = operands;
    if (o->kind == ELBO_OPERAND_CLASS_MEAN) return class_mean(w, o->word, false, code, err);
    if (o->kind == ELBO_OPERAND_SAVED) return elbo_vector_load(w->model, o->word, code, err);
    elbo_choice c;
    if (o->kind != ELBO_OPERAND_FILE && elbo_model_is_conditional(w->model)) { // with its label
        ELBO_TRY(pick(w, o, &c, err));
        return elbo_model_encode_images(w->model, c.images, &c.index, 1, code, NULL, err);
    }
    elbo_image_shape shape = w->model->network.graph.image;
    elbo_images image = {.shape = shape, .count = 1, .floats = elbo_alloc(elbo_image_size(shape), sizeof(float))};
    elbo_status status = image.floats ? elbo_operand_pixels(operands, o, image.floats, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = hold_class(w, o, err);
    if (status == ELBO_OK) status = elbo_model_encode_images(w->model, &image, NULL, 1, code, NULL, err);
    free(image.floats);
    return status;
}

elbo_status elbo_operand_label(void *operands, const elbo_operand *o, float *label, elbo_error *err) {
    const elbo_operands *w = operands;
    size_t classes = (size_t)w->model->network.graph.classes;
    for (size_t k = 0; k < classes; k++) label[k] = 0;
    if (o->kind == ELBO_OPERAND_SAVED) return ELBO_OK;
    int class_number;
    elbo_choice c;
    if (w->class_word)
        ELBO_TRY(elbo_model_find_class(&class_number, w->model, w->class_word, err));
    else if (o->kind == ELBO_OPERAND_CLASS_MEAN)
        ELBO_TRY(elbo_pick_class(&class_number, w->data, o->word, err));
    else if (o->kind == ELBO_OPERAND_FILE)
        return hold_class(w, o, err); // fails
    else {
        ELBO_TRY(pick(w, o, &c, err));
        class_number = c.images->labels[c.index];
    }
    label[class_number] = 1;
    return ELBO_OK;
}

elbo_status elbo_operands_label(const elbo_operands *operands, const elbo_expression *e, float *label,
                                elbo_error *err) {
    elbo_operands words = *operands;
    elbo_model *m = words.model;
    size_t classes = (size_t)m->network.graph.classes;
    if (words.class_word) {
        int class_number;
        ELBO_TRY(elbo_model_find_class(&class_number, m, words.class_word, err));
        for (size_t k = 0; k < classes; k++) label[k] = k == (size_t)class_number;
        return ELBO_OK;
    }
    ELBO_TRY(elbo_expression_compute(e, classes, elbo_operand_label, &words, label, err));
    double size = 0;
    for (size_t k = 0; k < classes; k++) size += fabs(label[k]);
    if (size < 1e-6)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: has no class, and %s decodes a code together with a class; add --class C", e->text,
                         m->run);
    return ELBO_OK;
}

elbo_status elbo_operands_set_label(const elbo_operands *operands, const elbo_expression *e, elbo_error *err) {
    elbo_model *m = operands->model;
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    float *label = elbo_alloc((size_t)m->network.graph.classes, sizeof *label);
    elbo_status status = label ? elbo_operands_label(operands, e, label, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_set_labels(m, label, 1, err);
    free(label);
    return status;
}

elbo_status elbo_operands_set_skips(const elbo_operands *operands, const elbo_expression *e, elbo_error *err) {
    elbo_model *m = operands->model;
    elbo_image_shape shape = m->network.graph.image;
    int first = 0;
    if (!m->network.graph.skips) return ELBO_OK;
    while (first < e->operands && e->operand[first].kind == ELBO_OPERAND_SAVED) first++;
    if (first == e->operands) return elbo_model_decodes_alone(m, err);
    elbo_images image = {.shape = shape, .count = 1, .floats = elbo_alloc(elbo_image_size(shape), sizeof(float))};
    elbo_operands words = *operands;
    elbo_status status =
        image.floats ? elbo_operand_pixels(&words, &e->operand[first], image.floats, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_set_skips(m, &image, NULL, 1, err);
    free(image.floats);
    return status;
}
