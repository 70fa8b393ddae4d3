/* The public explorer: runs, their data, results (include/elbo/explore.h). */
#include "explore/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/options.h"

/* ---- runs and their data ---- */

static void tell(void *context, const char *what, double done) {
    elbo_explorer *e = context;
    if (e->progress(e->context, what, done)) e->stopped = true;
}

static bool is_stopped(void *context) { return ((const elbo_explorer *)context)->stopped; }

/* A split of the caller's arrays, copied.  images: (count, C, H, W) */
static elbo_status take_split(elbo_images *split, const float *images, size_t count, const unsigned char *labels,
                              int classes, elbo_error *err) {
    if (!images && count)
        return elbo_fail(err, ELBO_BAD_INPUT, "elbo_explorer_options: %zu images, but none given", count);
    if (count > UINT32_MAX) return elbo_fail(err, ELBO_BAD_INPUT, "%zu images; at most 2^32 - 1", count);
    size_t values = elbo_image_size(split->shape);
    split->count = (uint32_t)count;
    split->floats = elbo_alloc(count * values, sizeof *split->floats);
    if (classes) split->labels = elbo_alloc(count, 1);
    if (!split->floats || (classes && !split->labels)) return elbo_no_memory(err);
    if (count) memcpy(split->floats, images, count * values * sizeof *images);
    for (size_t i = 0; i < count && classes; i++) {
        if (!labels || labels[i] >= classes)
            return elbo_fail(err, ELBO_BAD_INPUT, "label %zu: expected one below classes, which is %d", i, classes);
        split->labels[i] = labels[i];
    }
    return ELBO_OK;
}

static elbo_status take_arrays(elbo_explorer *e, const elbo_explorer_options *o, elbo_error *err) {
    elbo_dataset *d = &e->data;
    e->opened = e->given = true;
    d->name = strdup("images");
    d->source = strdup("arrays");
    if (!d->name || !d->source) return elbo_no_memory(err);
    if (o->classes < 0 || o->classes > ELBO_MAX_CLASSES)
        return elbo_fail(err, ELBO_BAD_INPUT, "classes %d; expected 0 to %d", o->classes, ELBO_MAX_CLASSES);
    d->classes = o->classes;
    if (o->classes && !(d->class_names = elbo_alloc((size_t)o->classes, sizeof *d->class_names)))
        return elbo_no_memory(err);
    for (int i = 0; i < o->classes; i++)
        if (!(d->class_names[i] = elbo_format("%d", i))) return elbo_no_memory(err);
    d->train.shape = d->test.shape = e->run[0].model->network.graph.image;
    ELBO_TRY(take_split(&d->train, o->train_images, o->train_count, o->train_labels, o->classes, err));
    ELBO_TRY(take_split(&d->test, o->test_images, o->test_count, o->test_labels, o->classes, err));
    return elbo_runs_take_data(e->run, e->count, d, err);
}

static elbo_status open_explorer(elbo_explorer *e, const char *const *runs, int count, const elbo_explorer_options *o,
                                 elbo_error *err) {
    if (count < 1) return elbo_fail(err, ELBO_BAD_INPUT, "%d runs; expected one or more", count);
    if (o->threads < 0) return elbo_fail(err, ELBO_BAD_INPUT, "threads %d; expected 0 (all cores) or more", o->threads);
    bool arrays = o->train_images || o->test_images;
    if (arrays && o->data)
        return elbo_fail(err, ELBO_BAD_INPUT, "elbo_explorer_options: both data and images are given; one is needed");
    if (!(e->run = elbo_alloc((size_t)count, sizeof *e->run))) return elbo_no_memory(err);
    if (o->data && !(e->path = strdup(o->data))) return elbo_no_memory(err);
    e->progress = o->progress;
    e->context = o->context;
    e->job = (elbo_job){.threads = o->threads, .context = e};
    if (o->progress) {
        e->job.progress = tell;
        e->job.interrupted = is_stopped;
    }
    ELBO_TRY(elbo_runs_open(e->run, runs, count, o->device, o->threads, err));
    e->count = count;
    return arrays ? take_arrays(e, o, err) : ELBO_OK;
}

elbo_status elbo_explorer_open(elbo_explorer **explorer, const char *const *runs, int count,
                               const elbo_explorer_options *options, elbo_error *err) {
    *explorer = NULL;
    elbo_explorer_options o = {0};
    if (options) ELBO_TRY(elbo_options_read(&o, sizeof o, options, options->size, "elbo_explorer_options", err));
    elbo_explorer *e = calloc(1, sizeof *e);
    if (!e) return elbo_no_memory(err);
    elbo_status status = open_explorer(e, runs, count, &o, err);
    if (status == ELBO_OK)
        *explorer = e;
    else
        elbo_explorer_close(e);
    return status;
}

void elbo_explorer_close(elbo_explorer *e) {
    if (!e) return;
    elbo_runs_close(e->run, e->count);
    elbo_dataset_close(&e->data);
    free(e->path);
    free(e->run);
    free(e);
}

elbo_model *elbo_explorer_model(elbo_explorer *e, int i) { return i >= 0 && i < e->count ? e->run[i].model : NULL; }

elbo_status elbo_explorer_data(elbo_explorer *e, elbo_error *err) {
    e->stopped = false;
    if (e->opened) return ELBO_OK;
    const elbo_model *m = e->run[0].model;
    elbo_data_options o = {.splits = ELBO_BOTH_SPLITS,
                           .threads = e->job.threads,
                           .channels = m->recipe.image.channels,
                           .height = m->recipe.image.height,
                           .width = m->recipe.image.width,
                           .classes = &m->recipe.classes,
                           .exclude = &m->recipe.exclude};
    ELBO_TRY(elbo_dataset_open_with(&e->data, m->recipe.data, e->path ? e->path : m->facts.data, &o, err));
    elbo_status status = elbo_runs_take_data(e->run, e->count, &e->data, err);
    if (status != ELBO_OK) elbo_dataset_close(&e->data);
    e->opened = status == ELBO_OK;
    return status;
}

/* ---- results ---- */

elbo_status elbo_result_new(elbo_result **result, json_t *json, elbo_error *err) {
    elbo_result *r = calloc(1, sizeof *r);
    if (r && json) r->json = elbo_json_text(json, JSON_COMPACT);
    json_decref(json);
    if (r && r->json) {
        *result = r;
        return ELBO_OK;
    }
    elbo_result_free(r);
    return elbo_no_memory(err);
}

void elbo_result_take(elbo_result *r, const char *name, float **data, int rank, const size_t *shape) {
    if (!*data) return;
    elbo_array a = {.data = *data, .rank = rank};
    memcpy(a.shape, shape, (size_t)rank * sizeof *shape);
    r->item[r->count].name = name;
    r->item[r->count++].array = a;
    *data = NULL;
}

elbo_array elbo_result_array(const elbo_result *r, const char *name) {
    for (int i = 0; r && i < r->count; i++)
        if (!strcmp(r->item[i].name, name)) return r->item[i].array;
    return (elbo_array){0};
}

const char *elbo_result_json(const elbo_result *r) { return r->json; }

void elbo_result_free(elbo_result *r) {
    if (!r) return;
    for (int i = 0; i < r->count; i++) free((float *)(uintptr_t)r->item[i].array.data);
    free(r->json);
    free(r);
}
