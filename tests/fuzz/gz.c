/* gzipped IDX files and archives: as they are, and with a trailer that fits, which mutations seldom have. */
#include "fuzz.h"

#include <libdeflate.h>

#include "data/data.h"
#include "formats/untar.h"

enum { HEADER = 10, TRAILER = 8, MOST = 1 << 16 };

static void read_all(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(0, data, size);
    elbo_error err;
    elbo_images images;
    if (fuzz_succeeded(elbo_idx_read(&images, path, NULL, &err), &err)) {
        fuzz_touch(images.bytes, images.count * elbo_image_size(images.shape));
        elbo_images_free(&images);
    }
    static const elbo_tar_member members[] = {{"a.txt", 5}, {0}};
    const char *out = fuzz_path("gz/a.txt");
    char folder[200];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(out, '/') - out), out);
    fuzz_succeeded(elbo_untar_gz(path, members, folder, &err), &err);
}

static void run(const uint8_t *data, size_t size) {
    read_all(data, size);
    if (size < HEADER + TRAILER || data[0] != 0x1f || data[1] != 0x8b || data[3]) return;
    static uint8_t unpacked[MOST];
    size_t used, made;
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    FUZZ_ASSERT(inflater, "out of memory");
    enum libdeflate_result result = libdeflate_deflate_decompress_ex(inflater, data + HEADER, size - HEADER - TRAILER,
                                                                     unpacked, sizeof unpacked, &used, &made);
    libdeflate_free_decompressor(inflater);
    if (result != LIBDEFLATE_SUCCESS) return;
    uint8_t *fixed = malloc(size);
    FUZZ_ASSERT(fixed, "out of memory");
    memcpy(fixed, data, size);
    uint32_t trailer[2] = {libdeflate_crc32(0, unpacked, made), (uint32_t)made};
    memcpy(fixed + HEADER + used, trailer, sizeof trailer);
    read_all(fixed, size);
    free(fixed);
}

const fuzz_target fuzz_gz = {"gz", 4096, run};
