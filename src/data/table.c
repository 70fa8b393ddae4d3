#include "data/table.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Images of bytes as floats of 0 to 1. */
static elbo_status make_floats(elbo_images *images, elbo_error *err) {
    size_t n = (size_t)images->count * elbo_image_size(images->shape);
    if (images->floats || !images->count) return ELBO_OK;
    float *floats = elbo_alloc(n, sizeof *floats);
    if (!floats) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++) floats[i] = images->bytes[i] / 255.0f;
    uint8_t *labels = images->labels;
    images->labels = NULL;
    elbo_image_shape shape = images->shape;
    uint32_t count = images->count;
    elbo_images_free(images);
    *images = (elbo_images){.shape = shape, .count = count, .floats = floats, .labels = labels};
    return ELBO_OK;
}

/* mean, inverse: (columns) */
static void measure(const elbo_images *by, size_t columns, double *mean, double *inverse) {
    double n = by->count;
    for (size_t i = 0; i < by->count * columns; i++) {
        double v = by->floats ? (double)by->floats[i] : by->bytes[i] / 255.0;
        mean[i % columns] += v / n;
    }
    for (size_t i = 0; i < by->count * columns; i++) {
        double v = (by->floats ? (double)by->floats[i] : by->bytes[i] / 255.0) - mean[i % columns];
        inverse[i % columns] += v * v / n;
    }
    for (size_t k = 0; k < columns; k++) {
        double deviation = sqrt(inverse[k]);
        inverse[k] = deviation > 1e-12 * fabs(mean[k]) && deviation > 0 ? 1 / deviation : 1;
    }
}

elbo_status elbo_table_standardise(elbo_dataset *d, const elbo_images *by, elbo_error *err) {
    size_t columns = elbo_image_size(by->shape);
    if (!by->count)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no training rows to standardise its columns by", d->name);
    double *mean = elbo_alloc(columns, sizeof *mean), *inverse = elbo_alloc(columns, sizeof *inverse);
    elbo_status status = mean && inverse ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) measure(by, columns, mean, inverse);
    elbo_images *splits[] = {&d->train, &d->test};
    for (int s = 0; s < 2 && status == ELBO_OK; s++) {
        elbo_images *images = splits[s];
        if (images->count && elbo_image_size(images->shape) != columns)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: has %zu columns, the table that the model learned from %zu",
                               d->name, elbo_image_size(images->shape), columns);
        if (status == ELBO_OK) status = make_floats(images, err);
        for (size_t i = 0; status == ELBO_OK && i < images->count * columns; i++)
            images->floats[i] = (float)((images->floats[i] - mean[i % columns]) * inverse[i % columns]);
    }
    free(mean);
    free(inverse);
    return status;
}
