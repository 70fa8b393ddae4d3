/* PNG files: as they are, and with the checksums of their chunks set right, which mutations seldom leave so. */
#include "fuzz.h"

#include <libdeflate.h>

#include "formats/png.h"

static void read_one(const uint8_t *data, size_t size, int channels) {
    elbo_error err;
    uint8_t *pixels, *again;
    int width, height, w, h;
    if (!fuzz_succeeded(elbo_png_read(fuzz_file(0, data, size), channels, &pixels, &width, &height, &err), &err))
        return;
    size_t n = (size_t)width * (size_t)height * (size_t)channels;
    FUZZ_ASSERT(width > 0 && height > 0, "%d x %d pixels", width, height);
    fuzz_touch(pixels, n);
    if (n <= 1024) {
        const char *out = fuzz_path("png/out.png");
        FUZZ_OK(elbo_png_write(out, pixels, width, height, channels, &fuzz_err_));
        FUZZ_OK(elbo_png_read(out, channels, &again, &w, &h, &fuzz_err_));
        FUZZ_ASSERT(w == width && h == height && !memcmp(pixels, again, n), "other pixels than were written");
        free(again);
    }
    free(pixels);
}

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void run(const uint8_t *data, size_t size) {
    read_one(data, size, 3);
    uint8_t *fixed = malloc(size + 1);
    FUZZ_ASSERT(fixed, "out of memory");
    memcpy(fixed, data, size);
    for (size_t at = 8; at + 12 <= size;) {
        size_t length = big_endian(fixed + at);
        if (length > size - at - 12) break;
        uint32_t sum = libdeflate_crc32(0, fixed + at + 4, length + 4);
        for (int i = 0; i < 4; i++) fixed[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
    read_one(fixed, size, 1);
    read_one(fixed, size, 3);
    free(fixed);
}

const fuzz_target fuzz_png = {"png", 2048, run};
