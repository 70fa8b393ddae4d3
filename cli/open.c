/* Finding the data set that a command means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli.h"

elbo_status cli_open_data(elbo_dataset *d, const elbo_recipe *r, const char *option, const char *remembered,
                          elbo_splits splits, int threads, elbo_error *err) {
    elbo_status status = elbo_dataset_open(d, r->data, option ? option : remembered, splits, threads, err);
    if (status != ELBO_NOT_FOUND || option || !remembered || access(remembered, F_OK) == 0) return status;
    return elbo_fail(err, status, "%s: the run was trained on it, but it is not there; --data PATH says where it is now",
                     remembered);
}

static const elbo_dataset_info *known_data(const char *name) {
    const elbo_dataset_info *known = elbo_known_datasets;
    while (known->name && strcmp(known->name, name)) known++;
    return known->name ? known : NULL;
}

char *cli_data_to_remember(const elbo_dataset *d, const elbo_recipe *r, const char *option) {
    const elbo_dataset_info *known = known_data(option ? option : r->data);
    if (known && option && access(option, F_OK) != 0) return strdup(option); // --data digits
    if (known && !option) return NULL;
    char *path = realpath(d->source, NULL);
    return path ? path : option ? strdup(option) : NULL;
}

elbo_status cli_open_model_data(elbo_dataset *d, const elbo_model *m, const char *option, elbo_splits splits, int threads,
                                elbo_error *err) {
    ELBO_TRY(cli_open_data(d, &m->recipe, option, m->facts.data, splits, threads, err));
    elbo_image_shape have = d->test.count ? d->test.shape : d->train.shape, want = m->network.graph.image;
    if (have.channels == want.channels && have.height == want.height && have.width == want.width) return ELBO_OK;
    elbo_status status = elbo_fail(err, ELBO_BAD_INPUT, "%s: its images are %dx%dx%d, %s was trained on %dx%dx%d", d->source,
                                   have.channels, have.height, have.width, m->run, want.channels, want.height, want.width);
    elbo_dataset_close(d);
    return status;
}

elbo_status cli_image_shape(elbo_image_shape *shape, const elbo_recipe *r, const char *option, elbo_error *err) {
    const elbo_dataset_info *known = known_data(option ? option : r->data);
    if (known) {
        *shape = known->shape;
        return ELBO_OK;
    }
    if (!option && r->image.size && r->image.channels) {
        *shape = (elbo_image_shape){r->image.channels, r->image.size, r->image.size};
        return ELBO_OK;
    }
    elbo_dataset d;
    ELBO_TRY(cli_open_data(&d, r, option, NULL, ELBO_TEST_SPLIT, 0, err));
    *shape = d.test.shape;
    elbo_dataset_close(&d);
    return ELBO_OK;
}

char *cli_default_run(const elbo_recipe *r) { return elbo_format("runs/%s", r->name); }
