/* CIFAR-10's binary version (https://www.cs.toronto.edu/~kriz/cifar.html): records of a label and 32 x 32 red, green
 * and blue bytes; data_batch_1.bin to data_batch_5.bin to train with, test_batch.bin to test with. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/readers.h"

enum { CLASSES = 10, PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS, BATCHES = 5 };
#define LARGEST ((size_t)1 << 30) // bytes of a file; the real ones have 30 million

#define INNER "cifar-10-batches-bin" // the folder that the archive makes

/* The folder with the files: `path` or the one inside of it; a new string, or NULL. */
static char *files_folder(const char *path) {
    for (int inner = 0; inner < 2; inner++) {
        char *folder = inner ? elbo_path_join(path, INNER) : strdup(path);
        char *train = folder ? elbo_path_join(folder, "data_batch_1.bin") : NULL;
        char *test = folder ? elbo_path_join(folder, "test_batch.bin") : NULL;
        bool found = (train && elbo_file_exists(train)) || (test && elbo_file_exists(test));
        free(train);
        free(test);
        if (found) return folder;
        free(folder);
    }
    return NULL;
}

static bool recognises(const char *path) {
    char *folder = elbo_folder_exists(path) ? files_folder(path) : NULL;
    free(folder);
    return folder != NULL;
}

/* Appends a file's records. */
static elbo_status add_batch(elbo_images *images, const char *path, elbo_error *err) {
    uint8_t *bytes;
    size_t size;
    ELBO_TRY(elbo_file_read(path, LARGEST, &bytes, &size, err));
    size_t count = size / RECORD, all = images->count + count;
    elbo_status status = ELBO_OK;
    if (!count || size % RECORD)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: %zu bytes; expected a multiple of %d, the size of a record", path,
                           size, RECORD);
    for (size_t i = 0; i < count && status == ELBO_OK; i++)
        if (bytes[i * RECORD] >= CLASSES)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: image %zu has label %d; expected 0 to 9", path, i,
                               bytes[i * RECORD]);
    uint8_t *pixels = status == ELBO_OK ? realloc(images->bytes, all * PIXELS) : NULL;
    if (pixels) images->bytes = pixels;
    uint8_t *labels = pixels ? realloc(images->labels, all) : NULL;
    if (labels) images->labels = labels;
    if (status == ELBO_OK && !labels) status = elbo_no_memory(err);
    for (size_t i = 0; i < count && status == ELBO_OK; i++) {
        labels[images->count + i] = bytes[i * RECORD];
        memcpy(pixels + (images->count + i) * PIXELS, bytes + i * RECORD + 1, PIXELS);
    }
    free(bytes);
    if (status == ELBO_OK) images->count = (uint32_t)all;
    return status;
}

static elbo_status read_folder(elbo_dataset *d, const char *path, const elbo_data_options *o, elbo_error *err) {
    char *folder = files_folder(path);
    elbo_status status = folder ? ELBO_OK : elbo_no_memory(err);
    for (int i = 1; i <= BATCHES + 1 && status == ELBO_OK; i++) {
        bool test = i > BATCHES;
        elbo_images *images = test ? &d->test : &d->train;
        if (!(o->splits & (test ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT))) continue;
        char *file = test ? elbo_path_join(folder, "test_batch.bin") : elbo_format("%s/data_batch_%d.bin", folder, i);
        images->shape = (elbo_image_shape){3, 32, 32};
        if (!file)
            status = elbo_no_memory(err);
        else if (!elbo_file_exists(file))
            status = elbo_fail(err, ELBO_NOT_FOUND,
                               "%s: not found; expected CIFAR-10's data_batch_1.bin to data_batch_5.bin and "
                               "test_batch.bin",
                               file);
        else
            status = add_batch(images, file, err);
        free(file);
    }
    free(folder);
    d->classes = CLASSES;
    return status;
}

const elbo_reader elbo_reader_cifar = {
    .name = "CIFAR-10's binary files",
    .looks_for = "a folder with CIFAR-10's data_batch_1.bin to data_batch_5.bin and test_batch.bin",
    .recognises = recognises,
    .read = read_folder,
};
