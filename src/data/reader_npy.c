/* Images in one .npy file. It has no splits, so the last tenth is held out: always the same images, whatever is read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/npy.h"
#include "data/readers.h"
#include "data/table.h"

enum { LONGEST_SIDE = 4096 };

static bool recognises(const char *path) {
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".npy") == 0 && elbo_file_exists(path);
}

/* The shape as Python writes it, for messages. */
static const char *shape_text(const elbo_array *a, char *text, size_t room) {
    size_t used = (size_t)snprintf(text, room, "(");
    for (int i = 0; i < a->dims; i++)
        used += (size_t)snprintf(text + used, room - used, i ? ", %zu" : "%zu", a->shape[i]);
    snprintf(text + used, room - used, a->dims == 1 ? ",)" : ")");
    return text;
}

/* The axis that is 1 or 3 holds the channels; where both could be, they come first, as PyTorch has them. */
static bool has_channels_last(const elbo_array *a) {
    return a->shape[1] != 1 && a->shape[1] != 3 && (a->shape[3] == 1 || a->shape[3] == 3);
}

static elbo_status shape_of(elbo_image_shape *shape, bool *last, const elbo_array *a, const char *path,
                            elbo_error *err) {
    enum { ROOM = ELBO_NPY_MAX_DIMS * 24 };
    char text[ROOM];
    size_t channels = 1, height = 1, width = 1, longest = LONGEST_SIDE;
    if (a->dims == 2) {
        height = width = a->shape[1] == 784 ? 28 : 1; // MNIST as so many store it
        if (a->shape[1] != 784) width = a->shape[1];
        longest = (size_t)LONGEST_SIDE * LONGEST_SIDE;
    } else if (a->dims == 3 || a->dims == 4) {
        *last = a->dims == 4 && has_channels_last(a);
        channels = a->dims == 4 ? a->shape[*last ? 3 : 1] : 1;
        height = a->shape[a->dims - 2 - *last];
        width = a->shape[a->dims - 1 - *last];
    }
    if (a->dims < 2 || a->dims > 4 || (channels != 1 && channels != 3))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: shape %s; expected (N, H, W), (N, C, H, W), (N, H, W, C) or (N, D), with C 1 or 3", path,
                         shape_text(a, text, ROOM));
    if (height < 1 || width < 1 || height > longest || width > longest)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: shape %s; expected images of 1 x 1 to %d x %d pixels", path,
                         shape_text(a, text, ROOM), LONGEST_SIDE, LONGEST_SIDE);
    if (a->shape[0] < 2 || a->shape[0] > INT32_MAX)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: shape %s holds %zu images; 2 or more are needed, one of them to test with", path,
                         shape_text(a, text, ROOM), a->shape[0]);
    *shape = (elbo_image_shape){(int)channels, (int)height, (int)width};
    return ELBO_OK;
}

/* Hands `count` images from `first` on to `images`, as a copy. */
static elbo_status copy_images(elbo_images *images, const elbo_array *a, elbo_image_shape shape, size_t first,
                               size_t count, elbo_error *err) {
    size_t value = a->dtype == ELBO_U8 ? 1 : sizeof(float), image = elbo_image_size(shape) * value;
    void *copy = malloc(count * image); // (part of a block that is there already: no overflow)
    if (!copy) return elbo_no_memory(err);
    memcpy(copy, (char *)a->data + first * image, count * image);
    *images = (elbo_images){.shape = shape, .count = (uint32_t)count};
    if (a->dtype == ELBO_U8)
        images->bytes = copy;
    else
        images->floats = copy;
    return ELBO_OK;
}

static elbo_status read_file(elbo_dataset *d, const char *path, const elbo_data_options *o, elbo_error *err) {
    elbo_array a;
    ELBO_TRY(elbo_npy_read(&a, path, err));
    elbo_status status;
    elbo_image_shape shape;
    bool last = false;
    if (a.dtype != ELBO_U8 && a.dtype != ELBO_F32 && a.dtype != ELBO_F64) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: integers of 32 or 64 bits; expected uint8 or float32", path);
        goto done;
    }
    ELBO_TRY_GOTO(status, shape_of(&shape, &last, &a, path, err), done);
    ELBO_TRY_GOTO(status, elbo_array_narrow(&a, path, err), done);
    if (last) ELBO_TRY_GOTO(status, elbo_array_put_channels_first(&a, err), done);
    size_t test = elbo_rows_held_out(a.shape[0]), train = a.shape[0] - test;
    if (o->splits & ELBO_TEST_SPLIT) ELBO_TRY_GOTO(status, copy_images(&d->test, &a, shape, train, test, err), done);
    if (o->splits & ELBO_TRAIN_SPLIT) { // the larger part keeps the block
        size_t bytes = train * elbo_image_size(shape) * (a.dtype == ELBO_U8 ? 1 : sizeof(float));
        void *smaller = realloc(a.data, bytes), *data = smaller ? smaller : a.data;
        d->train = (elbo_images){.shape = shape, .count = (uint32_t)train};
        if (a.dtype == ELBO_U8)
            d->train.bytes = data;
        else
            d->train.floats = data;
        a.data = NULL;
    }
done:
    elbo_array_free(&a);
    return status;
}

const elbo_reader elbo_reader_npy = {
    .name = "a .npy file",
    .looks_for = "a .npy file of images",
    .recognises = recognises,
    .read = read_file,
};
