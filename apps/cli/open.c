/* Finding the data set that a command means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli.h"
#include "run/model.h"
#include "progress.h"

/* `other`: the run's own data, where `path` takes their place; labels and scales are those of the run's own. */
static elbo_status open_for(elbo_dataset *d, const char *name, const char *path, const elbo_recipe *r,
                            const char *other, elbo_splits splits, int threads, elbo_error *err) {
    cli_reading reading = {.terminal = isatty(STDERR_FILENO)};
    elbo_data_options o = {.splits = splits, .threads = threads, .progress = cli_reading_update, .context = &reading};
    if (r) {
        o.channels = r->image.channels;
        o.height = r->image.height;
        o.width = r->image.width;
        o.classes = &r->classes;
        o.exclude = &r->exclude;
        o.labels = other ? NULL : r->label_file;
        o.standardise = r->standardise == ELBO_STANDARDISE_COLUMNS;
        o.standard = other;
    }
    elbo_status status = elbo_dataset_open_with(d, name, path, &o, err);
    cli_reading_end(&reading, status == ELBO_OK ? d : NULL);
    return status;
}

elbo_status cli_open_dataset(elbo_dataset *d, const char *name, const char *path, const elbo_recipe *r,
                             elbo_splits splits, int threads, elbo_error *err) {
    return open_for(d, name, path, r, NULL, splits, threads, err);
}

static const elbo_dataset_info *known_data(const char *name) {
    const elbo_dataset_info *known = elbo_known_datasets;
    while (known->name && strcmp(known->name, name)) known++;
    return known->name ? known : NULL;
}

elbo_status cli_open_data(elbo_dataset *d, const elbo_recipe *r, const char *option, const char *remembered,
                          elbo_splits splits, int threads, elbo_error *err) {
    elbo_status status = cli_open_dataset(d, r->data, option ? option : remembered, r, splits, threads, err);
    if (status == ELBO_NOT_FOUND && !option && !remembered && !known_data(r->data))
        return elbo_fail(
            err, status,
            "%s: its data `%s` are not here; --data FOLDER names yours, a folder of images (`elbo data list`: "
            "what can be downloaded)",
            r->name, r->data);
    if (status != ELBO_NOT_FOUND || option || !remembered || access(remembered, F_OK) == 0) return status;
    return elbo_fail(err, status, "%s: the training data of the run are missing; --data PATH names them", remembered);
}

char *cli_data_to_remember(const elbo_dataset *d, const elbo_recipe *r, const char *option) {
    const elbo_dataset_info *known = known_data(option ? option : r->data);
    if (known && option && access(option, F_OK) != 0) return strdup(option); // --data digits
    if (known && !option) return NULL;
    char *path = realpath(d->source, NULL);
    return path ? path : option ? strdup(option) : NULL;
}

elbo_status cli_open_model_data(elbo_dataset *d, const elbo_model *m, const char *option, elbo_splits splits,
                                int threads, elbo_error *err) {
    const elbo_recipe *r = &m->recipe;
    const char *own = m->facts.data ? m->facts.data : r->data;
    elbo_status status = option && (*r->label_file || r->standardise)
                             ? open_for(d, r->data, option, r, own, splits, threads, err)
                             : cli_open_data(d, r, option, m->facts.data, splits, threads, err);
    if (status != ELBO_OK) return status;
    status = elbo_model_take_data(m, d, err);
    if (status != ELBO_OK) elbo_dataset_close(d);
    return status;
}

elbo_status cli_read_table(elbo_images *rows, const elbo_model *m, const char *path, int threads, elbo_error *err) {
    const elbo_recipe *r = &m->recipe;
    elbo_dataset d;
    ELBO_TRY(cli_open_model_data(&d, m, path, ELBO_BOTH_SPLITS, threads, err));
    size_t columns = elbo_image_size(d.train.shape), n = (size_t)d.train.count + d.test.count;
    *rows =
        (elbo_images){.shape = d.train.shape, .count = (uint32_t)n, .floats = elbo_alloc(n * columns, sizeof(float))};
    if (rows->floats) { // what is held out is the file's end
        elbo_images_to_floats(&d.train, NULL, d.train.count, r->image.low, r->image.high, rows->floats);
        elbo_images_to_floats(&d.test, NULL, d.test.count, r->image.low, r->image.high,
                              rows->floats + d.train.count * columns);
    }
    elbo_dataset_close(&d);
    return rows->floats ? ELBO_OK : elbo_no_memory(err);
}

elbo_status cli_image_shape(elbo_image_shape *shape, const elbo_recipe *r, const char *option, elbo_error *err) {
    const elbo_dataset_info *known = known_data(option ? option : r->data);
    if (known) {
        *shape = known->shape;
        return ELBO_OK;
    }
    if (r->image.height && r->image.channels) { // other data would be refused
        *shape = (elbo_image_shape){r->image.channels, r->image.height, r->image.width};
        return ELBO_OK;
    }
    elbo_dataset d;
    ELBO_TRY(cli_open_data(&d, r, option, NULL, ELBO_TEST_SPLIT, 0, err));
    *shape = d.test.shape;
    elbo_dataset_close(&d);
    return ELBO_OK;
}

char *cli_default_run(const elbo_recipe *r) { return elbo_format("runs/%s", r->name); }
