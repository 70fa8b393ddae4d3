/* MNIST's IDX files: a big-endian header (magic, sizes), then one byte per value; as they are or gzipped. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/data.h"
#include "formats/gzip.h"

enum {
    IMAGES_MAGIC = 0x00000803, // unsigned bytes, 3 dimensions
    LABELS_MAGIC = 0x00000801, // unsigned bytes, 1 dimension
    LONGEST_SIDE = 4096,
};
static const size_t largest_file = (size_t)1 << 32;

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The whole file, unpacked where it begins as gzip does (its name says nothing: `.gz` may have been left or lost). */
static elbo_status read_unpacked(const char *path, uint8_t **bytes, size_t *size, elbo_error *err) {
    ELBO_TRY(elbo_file_read(path, largest_file, bytes, size, err));
    if (*size < 2 || (*bytes)[0] != 0x1f || (*bytes)[1] != 0x8b) return ELBO_OK;
    uint8_t *packed = *bytes;
    elbo_status status = elbo_gunzip(packed, *size, largest_file, bytes, size, path, err);
    free(packed);
    return status;
}

static const char *what_has_magic(uint32_t magic) {
    if (magic == IMAGES_MAGIC) return ", which is an IDX file of images";
    if (magic == LABELS_MAGIC) return ", which is an IDX file of labels";
    if (magic >> 16 == 0 && (magic >> 8 & 0xff) >= 0x08 && (magic >> 8 & 0xff) <= 0x0e)
        return ", an IDX file of another type or number of dimensions";
    return ", which is not an IDX file";
}

/* Reads and checks everything but the meaning of the sizes; `sizes` are the header's `dims` numbers, and the values
 * begin at byte 4 + 4 * dims. */
static elbo_status read_idx(const char *path, uint32_t magic, int dims, uint8_t **bytes, uint32_t *sizes,
                            elbo_error *err) {
    const char *wanted = magic == IMAGES_MAGIC ? "images" : "labels";
    size_t size, header = 4 + 4 * (size_t)dims;
    ELBO_TRY(read_unpacked(path, bytes, &size, err));
    elbo_status status = ELBO_OK;
    if (size < 4) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: holds %zu bytes, less than an IDX header", path, size);
    } else if (big_endian(*bytes) != magic) {
        uint32_t found = big_endian(*bytes);
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: begins with 0x%08x%s; an IDX file of %s begins with 0x%08x", path,
                           found, what_has_magic(found), wanted, magic);
    } else if (size < header) {
        status =
            elbo_fail(err, ELBO_BAD_INPUT, "%s: holds %zu bytes, less than the IDX header's %zu", path, size, header);
    }
    size_t claimed = 1;
    char product[64] = "";
    if (status == ELBO_OK) {
        bool fits = true;
        for (int i = 0; i < dims; i++) {
            sizes[i] = big_endian(*bytes + 4 + 4 * i);
            fits = fits && !__builtin_mul_overflow(claimed, (size_t)sizes[i], &claimed);
        }
        if (dims == 3)
            snprintf(product, sizeof product, "%u x %u x %u", sizes[0], sizes[1], sizes[2]);
        else
            snprintf(product, sizeof product, "%u", sizes[0]);
        if (sizes[0] == 0)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: holds no %s (its header says 0)", path, wanted);
        else if (dims == 3 && (sizes[1] < 1 || sizes[1] > LONGEST_SIDE || sizes[2] < 1 || sizes[2] > LONGEST_SIDE))
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: images of %u x %u pixels; expected 1 x 1 to %d x %d", path,
                               sizes[1], sizes[2], LONGEST_SIDE, LONGEST_SIDE);
        else if (!fits || claimed != size - header)
            status =
                elbo_fail(err, ELBO_BAD_INPUT, "%s: its header says %s %s, but %zu bytes follow it%s", path, product,
                          wanted, size - header, fits && claimed < size - header ? "" : "; the file is truncated");
    }
    if (status != ELBO_OK) {
        free(*bytes);
        *bytes = NULL;
        return status;
    }
    // The values become a block of their own, freed by free(): moving 47 MB costs a hundredth of a second, and
    // spares every user of the images an offset.
    memmove(*bytes, *bytes + header, claimed);
    return ELBO_OK;
}

elbo_status elbo_idx_read_labels(uint8_t **labels, uint32_t *count, const char *path, elbo_error *err) {
    *labels = NULL;
    *count = 0;
    return read_idx(path, LABELS_MAGIC, 1, labels, count, err);
}

elbo_status elbo_idx_read(elbo_images *images, const char *images_path, const char *labels_path, elbo_error *err) {
    *images = (elbo_images){0};
    uint32_t sizes[3], label_count = 0;
    if (labels_path) // the small file first: what is wrong with it is found before the large one is read
        ELBO_TRY(elbo_idx_read_labels(&images->labels, &label_count, labels_path, err));
    elbo_status status = read_idx(images_path, IMAGES_MAGIC, 3, &images->bytes, sizes, err);
    if (status == ELBO_OK && labels_path && label_count != sizes[0])
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: %u labels, but %s has %u images; expected one for each",
                           labels_path, label_count, images_path, sizes[0]);
    if (status != ELBO_OK) {
        elbo_images_free(images);
        return status;
    }
    images->count = sizes[0];
    images->shape = (elbo_image_shape){.channels = 1, .height = (int)sizes[1], .width = (int)sizes[2]};
    return ELBO_OK;
}
