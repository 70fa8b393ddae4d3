#include "explore/data_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/result.h"

static void count_classes(size_t *count, const elbo_images *images) {
    for (uint32_t i = 0; images->labels && i < images->count; i++) count[images->labels[i]]++;
}

elbo_status elbo_data_sheet_fill(elbo_data_sheet *s, const elbo_dataset *d, elbo_error *err) {
    const elbo_images *images = d->train.count ? &d->train : &d->test;
    size_t n = (size_t)d->classes;
    *s = (elbo_data_sheet){.name = strdup(d->name),
                           .source = strdup(d->source ? d->source : ""),
                           .shape = images->shape,
                           .train = d->train.count,
                           .test = d->test.count,
                           .bytes = images->bytes != NULL,
                           .classes = d->classes,
                           .class_name = elbo_alloc(n, sizeof *s->class_name),
                           .count = {elbo_alloc(n, sizeof **s->count), elbo_alloc(n, sizeof **s->count)}};
    bool whole = s->name && s->source && (!n || (s->class_name && s->count[0] && s->count[1]));
    for (size_t k = 0; whole && k < n; k++) whole = (s->class_name[k] = strdup(d->class_names[k])) != NULL;
    if (!whole) {
        elbo_data_sheet_free(s);
        return elbo_no_memory(err);
    }
    count_classes(s->count[0], &d->train);
    count_classes(s->count[1], &d->test);
    return ELBO_OK;
}

void elbo_data_sheet_free(elbo_data_sheet *s) {
    elbo_texts_free(s->class_name, s->classes);
    free(s->name);
    free(s->source);
    free(s->count[0]);
    free(s->count[1]);
    *s = (elbo_data_sheet){0};
}
