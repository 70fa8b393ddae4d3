#include "data/corrupt/corrupt.h"

#include <stdio.h>
#include <string.h>

extern const elbo_corruption elbo_corrupt_noise, elbo_corrupt_mask, elbo_corrupt_salt, elbo_corrupt_occlude;

const elbo_corruption *const elbo_corruptions[] = {
    &elbo_corrupt_noise, &elbo_corrupt_mask, &elbo_corrupt_salt, &elbo_corrupt_occlude, NULL,
};

static elbo_status fail_unknown(const elbo_layer *layer, elbo_error *err) {
    const char *names[16] = {0};
    char list[200] = "";
    for (int i = 0; elbo_corruptions[i] && i < 15; i++) {
        names[i] = elbo_corruptions[i]->name;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = elbo_nearest_word(layer->name, names);
    if (near)
        return elbo_fail_at(err, layer->place, "corrupt: unknown corruption `%s`; did you mean `%s`?", layer->name,
                            near);
    return elbo_fail_at(err, layer->place, "corrupt: unknown corruption `%s`; there are %s", layer->name, list);
}

elbo_status elbo_corrupt_read(elbo_corrupt *c, const elbo_layers *layers, elbo_error *err) {
    *c = (elbo_corrupt){0};
    for (int i = 0; i < layers->count; i++) {
        const elbo_layer *layer = &layers->layer[i];
        if (c->count == ELBO_MAX_CORRUPTIONS)
            return elbo_fail_at(err, layer->place, "corrupt: more than %d corruptions", ELBO_MAX_CORRUPTIONS);
        const elbo_corruption *kind = NULL;
        for (int k = 0; elbo_corruptions[k]; k++)
            if (!strcmp(elbo_corruptions[k]->name, layer->name)) kind = elbo_corruptions[k];
        if (!kind) return fail_unknown(layer, err);
        elbo_signature s = {kind->name, kind->usage, kind->values, ELBO_CORRUPTION_VALUES, NULL};
        ELBO_TRY(elbo_arguments_read(&s, layer, layer->place, c->step[c->count].value, NULL, NULL, err));
        c->step[c->count].place = layer->place;
        c->step[c->count++].kind = kind;
    }
    return ELBO_OK;
}

elbo_status elbo_corrupt_check(const elbo_corrupt *c, elbo_image_shape shape, elbo_error *err) {
    for (int k = 0; k < c->count; k++)
        if (c->step[k].kind->check) ELBO_TRY(c->step[k].kind->check(c->step[k].value, shape, c->step[k].place, err));
    return ELBO_OK;
}

void elbo_corrupt_run(const elbo_corrupt *c, elbo_corruption_job job, float *image) {
    uint32_t purpose = job.stream.purpose;
    for (int k = 0; k < c->count; k++) {
        job.stream.purpose = purpose | (uint32_t)k << 8;
        c->step[k].kind->apply(c->step[k].value, &job, image);
    }
}
