/* The public functions that measure and train (include/elbo/elbo.h). */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "run/model.h"
#include "train/trainer.h"

const char *elbo_version(void) { return ELBO_VERSION; }

static elbo_status check_floats(const char *what, const float *v, size_t n, size_t width, elbo_error *err) {
    if (n == 0 || n > UINT32_MAX) return elbo_fail(err, ELBO_BAD_INPUT, "%zu images; expected 1 to 2^32 - 1", n);
    for (size_t i = 0; i < n * width; i++)
        if (!isfinite(v[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s %zu: value %zu is not finite", what, i / width, i % width);
    return ELBO_OK;
}

static elbo_images images_of(const float *v, size_t n, elbo_image_shape shape) {
    return (elbo_images){.shape = shape, .count = (uint32_t)n, .floats = (float *)(uintptr_t)v}; // only read
}

/* ---- measuring ---- */

static elbo_status evaluate(elbo_model *m, size_t n, const float *images, const uint8_t *labels, uint64_t seed,
                            elbo_model_scores *scores, elbo_error *err) {
    elbo_model_scores known;
    ELBO_TRY(elbo_options_read(&known, sizeof known, scores, scores->size, "elbo_model_scores", err));
    elbo_image_shape shape = m->network.graph.image;
    ELBO_TRY(check_floats("image", images, n, elbo_image_size(shape), err));
    elbo_images rows = images_of(images, n, shape);
    rows.labels = (uint8_t *)(uintptr_t)labels; // only read
    ELBO_TRY(elbo_images_check_range(&rows, &m->recipe, "images", err));
    elbo_scores s;
    elbo_eval_options o = {.device = m->state.device, .threads = elbo_team_threads(m->team), .seed = seed};
    ELBO_TRY(elbo_evaluate(&s, &m->network, &m->recipe, &rows, o, err));
    elbo_model_scores all = {.size = scores->size,
                             .loss = s.loss,
                             .reconstruction = s.reconstruction,
                             .kl = s.kl,
                             .mse = s.mse,
                             .objective = s.objective};
    memcpy(scores, &all, scores->size < sizeof all ? scores->size : sizeof all);
    return ELBO_OK;
}

elbo_status elbo_model_evaluate(elbo_model *m, size_t n, const float *images, uint64_t seed, elbo_model_scores *scores,
                                elbo_error *err) {
    if (elbo_model_is_conditional(m))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is conditional; elbo_model_evaluate_labelled takes the classes",
                         m->run);
    return evaluate(m, n, images, NULL, seed, scores, err);
}

static elbo_status check_classes(const uint8_t *labels, size_t n, int classes, elbo_error *err) {
    for (size_t i = 0; i < n; i++)
        if (labels[i] >= classes)
            return elbo_fail(err, ELBO_BAD_INPUT, "label %zu: class %d; expected 0 to %d", i, labels[i], classes - 1);
    return ELBO_OK;
}

elbo_status elbo_model_evaluate_labelled(elbo_model *m, size_t n, const float *images, const uint8_t *labels,
                                         uint64_t seed, elbo_model_scores *scores, elbo_error *err) {
    if (!elbo_model_is_conditional(m))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not conditional (its recipe has no layer `concat class`)",
                         m->run);
    if (!labels) return elbo_fail(err, ELBO_BAD_INPUT, "%s: is conditional; labels are NULL", m->run);
    ELBO_TRY(check_classes(labels, n, m->network.graph.classes, err));
    return evaluate(m, n, images, labels, seed, scores, err);
}

/* ---- training ---- */

typedef struct listener {
    const elbo_training_options *options;
} listener;

static bool tell(void *context, const elbo_progress *p) {
    const elbo_training_options *o = ((const listener *)context)->options;
    const elbo_epoch_log *done = p->finished;
    elbo_training_progress shown = {.size = sizeof shown,
                                    .epoch = p->epoch,
                                    .epochs = p->epochs,
                                    .images_done = p->images_done,
                                    .images = p->images,
                                    .loss = p->loss,
                                    .seconds_left = p->seconds_left,
                                    .epoch_is_done = done != NULL,
                                    .test_loss = done && done->test.images ? done->test.loss : NAN};
    return o->progress(o->context, &shown) != 0;
}

static elbo_status check(const elbo_training_options *o, elbo_error *err) {
    if (!o->run) return elbo_fail(err, ELBO_BAD_INPUT, "elbo_training_options.run is NULL; it names the run folder");
    if (!o->recipe && !o->resume)
        return elbo_fail(err, ELBO_BAD_INPUT, "elbo_training_options.recipe is NULL; it is a name or a YAML file");
    if (o->images && o->data)
        return elbo_fail(err, ELBO_BAD_INPUT, "elbo_training_options: both data and images are given; one is needed");
    if (o->threads < 0) return elbo_fail(err, ELBO_BAD_INPUT, "threads %d: expected 0 (all cores) or more", o->threads);
    if (!o->images) return ELBO_OK;
    if (o->channels < 1 || o->height < 1 || o->width < 1)
        return elbo_fail(err, ELBO_BAD_INPUT, "images of %dx%dx%d; expected 1 or more of each", o->channels, o->height,
                         o->width);
    if (o->test_count >= o->image_count)
        return elbo_fail(err, ELBO_BAD_INPUT, "test_count %zu of %zu images; at least one is needed to train on",
                         o->test_count, o->image_count);
    if (o->labels && (o->classes < 1 || o->classes > ELBO_MAX_CLASSES))
        return elbo_fail(err, ELBO_BAD_INPUT, "classes %d; expected 1 to %d with labels", o->classes, ELBO_MAX_CLASSES);
    if (o->labels) ELBO_TRY(check_classes(o->labels, o->image_count, o->classes, err));
    elbo_image_shape shape = {o->channels, o->height, o->width};
    return check_floats("image", o->images, o->image_count, elbo_image_size(shape), err);
}

/* The caller's images, seen as a data set; nothing of it is freed. */
static elbo_dataset array_data(const elbo_training_options *o, const elbo_recipe *r) {
    static char source[] = "images";
    elbo_image_shape shape = {o->channels, o->height, o->width};
    size_t train = o->image_count - o->test_count;
    elbo_dataset d = {.name = r->data,
                      .source = source,
                      .train = images_of(o->images, train, shape),
                      .test = images_of(o->images + train * elbo_image_size(shape), o->test_count, shape)};
    if (!o->labels) return d;
    d.classes = o->classes;
    d.train.labels = (uint8_t *)(uintptr_t)o->labels; // only read
    d.test.labels = d.train.labels + train;
    return d;
}

static elbo_status train_on(const elbo_training_options *o, const elbo_recipe *r, const elbo_dataset *d,
                            const char *data_path, elbo_error *err) {
    ELBO_TRY(elbo_images_check_range(&d->train, r, d->source, err));
    ELBO_TRY(elbo_images_check_range(&d->test, r, d->source, err));
    listener l = {o};
    elbo_train_result result;
    return elbo_train(&result, r, d,
                      (elbo_train_options){.run = o->run,
                                           .data_path = data_path,
                                           .resume = o->resume,
                                           .replace = o->replace,
                                           .threads = o->threads,
                                           .device = o->device,
                                           .progress = o->progress ? tell : NULL,
                                           .context = &l},
                      err);
}

/* Opens the data set where the images are not an array. */
static elbo_status train_recipe(const elbo_training_options *o, const elbo_recipe *r, const elbo_run_facts *facts,
                                elbo_error *err) {
    elbo_dataset d;
    if (o->images && (r->classes.count || r->exclude.count))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: images given as an array have no classes",
                         r->classes.count ? "classes" : "exclude");
    if (o->images) {
        d = array_data(o, r);
        return train_on(o, r, &d, facts->data, err);
    }
    const char *path = o->data ? o->data : facts->data;
    elbo_data_options wish = {.splits = ELBO_BOTH_SPLITS,
                              .threads = o->threads,
                              .channels = r->image.channels,
                              .height = r->image.height,
                              .width = r->image.width,
                              .classes = &r->classes,
                              .exclude = &r->exclude};
    ELBO_TRY(elbo_dataset_open_with(&d, r->data, path, &wish, err));
    elbo_status status = train_on(o, r, &d, path, err);
    elbo_dataset_close(&d);
    return status;
}

elbo_status elbo_train_model(const elbo_training_options *options, elbo_error *err) {
    elbo_training_options o = {0};
    elbo_run_facts facts = {0}; // of the run to resume
    elbo_recipe r;
    const elbo_device *device;
    ELBO_TRY(elbo_options_read(&o, sizeof o, options, options->size, "elbo_training_options", err));
    ELBO_TRY(check(&o, err));
    ELBO_TRY(elbo_device_find(&device, o.device, err));
    ELBO_TRY(elbo_run_folder_check(o.run, o.resume, o.replace, err)); // before minutes of reading data
    if (o.resume) ELBO_TRY(elbo_run_facts_load(o.run, &facts, err));
    elbo_status status = o.resume ? elbo_run_recipe_open(&r, o.run, &facts, o.sets, o.set_count, err)
                                  : elbo_recipe_open(&r, o.recipe, o.sets, o.set_count, err);
    if (status == ELBO_OK) {
        if (!o.resume) status = elbo_recipe_check_schedules(&r, err);
        if (status == ELBO_OK) status = train_recipe(&o, &r, &facts, err);
        elbo_recipe_close(&r);
    }
    elbo_run_facts_free(&facts);
    return status;
}
