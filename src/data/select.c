/* Training on some classes only: the other training images are left out. The test split keeps all of them, so that a
 * model can be asked about what it has never seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/shown.h"
#include "data/readers.h"

/* A class by its name, whatever the case, or by its number; -1: there is none. */
static int find_class(const elbo_dataset *d, const char *word) {
    for (int k = 0; k < d->classes; k++)
        if (!strcmp(d->class_names[k], word)) return k;
    for (int k = 0; k < d->classes; k++)
        if (!strcasecmp(d->class_names[k], word)) return k;
    char *end;
    long k = *word >= '0' && *word <= '9' ? strtol(word, &end, 10) : -1;
    return k >= 0 && k < d->classes && !*end ? (int)k : -1;
}

static elbo_status unknown_class(const elbo_dataset *d, const char *key, const char *word, elbo_error *err) {
    const char *names[ELBO_MAX_CLASSES + 1] = {0};
    char list[300] = "", shown[ELBO_SHOWN];
    for (int k = 0; k < d->classes && k < ELBO_MAX_CLASSES; k++) {
        size_t used = strlen(list);
        names[k] = d->class_names[k];
        if (used < 200) snprintf(list + used, sizeof list - used, "%s%.60s", k ? ", " : "", names[k]);
        if (used >= 200 && k + 1 == d->classes) snprintf(list + used, sizeof list - used, ", ... %.60s", names[k]);
    }
    const char *near = elbo_nearest_word(word, names);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: %s has no class `%s`; %s%s%sits classes are %s, or the numbers 0 to %d",
                     key, d->name, elbo_text_shown(word, shown), near ? "did you mean " : "", near ? near : "",
                     near ? "? " : "", list, d->classes - 1);
}

/* chosen: (ELBO_MAX_CLASSES) gets `value` for each of the words. */
static elbo_status choose(const elbo_dataset *d, const elbo_words *words, const char *key, bool value, bool *chosen,
                          elbo_error *err) {
    for (int i = 0; i < words->count; i++) {
        int k = find_class(d, words->word[i]);
        if (k < 0) return unknown_class(d, key, words->word[i], err);
        chosen[k] = value;
    }
    return ELBO_OK;
}

/* The images whose class is chosen, in their order, in memory of their own. */
static elbo_status keep(elbo_images *images, const bool *chosen, uint32_t count, elbo_error *err) {
    size_t size = elbo_image_size(images->shape), k = 0;
    elbo_images kept = {.shape = images->shape, .count = count};
    size_t factors = (size_t)images->factor_count;
    kept.labels = elbo_alloc(count, 1);
    if (images->factors) kept.factors = elbo_alloc(count, factors);
    if (images->bytes) kept.bytes = elbo_alloc(count, size);
    if (images->floats) kept.floats = elbo_alloc(count, size * sizeof(float));
    if (!kept.labels || (images->factors && !kept.factors) || (images->bytes && !kept.bytes) ||
        (images->floats && !kept.floats)) {
        elbo_images_free(&kept);
        return elbo_no_memory(err);
    }
    for (uint32_t i = 0; i < images->count; i++) {
        if (!chosen[images->labels[i]]) continue;
        kept.labels[k] = images->labels[i];
        if (kept.bytes) memcpy(kept.bytes + k * size, images->bytes + i * size, size);
        if (kept.floats) memcpy(kept.floats + k * size, images->floats + i * size, size * sizeof(float));
        if (kept.factors) memcpy(kept.factors + k * factors, images->factors + i * factors, factors);
        k++;
    }
    kept.contrast = images->contrast;
    kept.factor_count = images->factor_count;
    kept.sprites = images->sprites; // handed on
    images->sprites = NULL;
    elbo_images_free(images);
    *images = kept;
    return ELBO_OK;
}

elbo_status elbo_dataset_select(elbo_dataset *d, const elbo_data_options *o, elbo_error *err) {
    bool some = o->classes && o->classes->count, fewer = o->exclude && o->exclude->count;
    const char *key = some ? "classes" : "exclude";
    if (!d->train.count || (!some && !fewer)) return ELBO_OK;
    if (!d->train.labels || !d->classes)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: %s (%s) has no classes; a labelled data set has, or a folder with a folder of images for "
                         "each class",
                         key, d->name, d->source);
    bool chosen[ELBO_MAX_CLASSES];
    memset(chosen, !some, sizeof chosen);
    if (some) ELBO_TRY(choose(d, o->classes, "classes", true, chosen, err));
    if (fewer) ELBO_TRY(choose(d, o->exclude, "exclude", false, chosen, err));
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->train.count; i++) count += chosen[d->train.labels[i]];
    if (!count)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: leaves none of the %u training images of %s", key, d->train.count,
                         d->name);
    return count == d->train.count ? ELBO_OK : keep(&d->train, chosen, count, err);
}
