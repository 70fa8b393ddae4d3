/* IDX files of images, and of labels behind the line LABELS. */
#include "fuzz.h"

#include "data/data.h"

static const char mark[] = "\nLABELS\n";

static void run(const uint8_t *data, size_t size) {
    const uint8_t *at = memmem(data, size, mark, strlen(mark)), *labels = at ? at + strlen(mark) : NULL;
    const char *path = fuzz_file(0, data, at ? (size_t)(at - data) : size);
    const char *labels_path = labels ? fuzz_file(1, labels, size - (size_t)(labels - data)) : NULL;
    elbo_error err;
    elbo_images images;
    if (fuzz_succeeded(elbo_idx_read(&images, path, labels_path, &err), &err)) {
        fuzz_touch(images.bytes, images.count * elbo_image_size(images.shape));
        if (labels) fuzz_touch(images.labels, images.count);
        elbo_images_free(&images);
    }
    uint8_t *values;
    uint32_t count;
    if (fuzz_succeeded(elbo_idx_read_labels(&values, &count, path, &err), &err)) {
        fuzz_touch(values, count);
        free(values);
    }
}

const fuzz_target fuzz_idx = {"idx", 4096, run};
