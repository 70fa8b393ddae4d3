#include "data/augment/augment.h"

#include <stdio.h>
#include <string.h>

extern const elbo_augmentation elbo_augment_flip, elbo_augment_rotate, elbo_augment_crop, elbo_augment_color_jitter;

const char *const elbo_fills[] = {"edge", "reflect", "black", NULL};

const elbo_augmentation *const elbo_augmentations[] = {
    &elbo_augment_flip, &elbo_augment_rotate, &elbo_augment_crop, &elbo_augment_color_jitter, NULL,
};

static elbo_status fail_unknown(const elbo_layer *layer, elbo_error *err) {
    const char *names[16] = {0};
    char list[200] = "";
    for (int i = 0; elbo_augmentations[i] && i < 15; i++) {
        names[i] = elbo_augmentations[i]->name;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = elbo_nearest_word(layer->name, names);
    if (near)
        return elbo_fail_at(err, layer->place, "augment: unknown augmentation `%s`; did you mean `%s`?", layer->name,
                            near);
    return elbo_fail_at(err, layer->place, "augment: unknown augmentation `%s`; there are %s", layer->name, list);
}

elbo_status elbo_augment_read(elbo_augment *a, const elbo_layers *layers, elbo_error *err) {
    *a = (elbo_augment){0};
    for (int i = 0; i < layers->count; i++) {
        const elbo_layer *layer = &layers->layer[i];
        if (a->count == ELBO_MAX_AUGMENTATIONS)
            return elbo_fail_at(err, layer->place, "augment: more than %d augmentations", ELBO_MAX_AUGMENTATIONS);
        const elbo_augmentation *kind = NULL;
        for (int k = 0; elbo_augmentations[k]; k++)
            if (!strcmp(elbo_augmentations[k]->name, layer->name)) kind = elbo_augmentations[k];
        if (!kind) return fail_unknown(layer, err);
        elbo_signature s = {kind->name, kind->usage, kind->values, ELBO_AUGMENT_VALUES, kind->words};
        ELBO_TRY(elbo_arguments_read(&s, layer, layer->place, a->step[a->count].value, NULL, NULL, err));
        a->step[a->count++].kind = kind;
    }
    return ELBO_OK;
}

void elbo_augment_run(const elbo_augment *a, elbo_stream stream, elbo_image_shape shape, float low, float high,
                      float *image, float *scratch) {
    size_t n = elbo_image_size(shape);
    float *x = image, *y = scratch, range = high - low;
    bool plain = low == 0 && high == 1;
    for (size_t i = 0; !plain && i < n; i++) x[i] = (x[i] - low) / range;
    for (int k = 0; k < a->count; k++) {
        const elbo_augmentation *kind = a->step[k].kind;
        float draw[ELBO_AUGMENT_DRAWS]; // each step has numbers of its own: one more at the end changes no other
        for (uint32_t b = 0; b < ELBO_AUGMENT_DRAWS / 4; b++) {
            uint32_t words[4];
            elbo_random_words(stream, (uint32_t)k * (ELBO_AUGMENT_DRAWS / 4) + b, words);
            for (int i = 0; i < 4; i++) draw[4 * b + (uint32_t)i] = (float)(words[i] >> 8) * 0x1p-24f;
        }
        if (draw[0] >= (float)a->step[k].value[kind->p]) continue;
        if (kind->apply(a->step[k].value, draw + 1, shape, x, y)) {
            float *keep = x;
            x = y;
            y = keep;
        }
    }
    if (plain && x != image) memcpy(image, x, n * sizeof *image);
    for (size_t i = 0; !plain && i < n; i++) image[i] = low + x[i] * range;
}
