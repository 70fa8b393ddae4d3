/* PNG files through libspng. */
#include "formats/png.h"

#include <errno.h>
#include <spng.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum {
    MAX_SIDE = 1 << 14,        // pixels
    MAX_PIXELS = 1 << 25,      // 128 MiB decoded
    MAX_FILE = 1 << 28,        // bytes
    MAX_CHUNK = 1 << 26,       // bytes of one chunk, and of all that are kept
    DEFLATE_BEST_RATIO = 1032, // no deflate stream grows by more when it is decoded
};

elbo_status elbo_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels,
                           elbo_error *err) {
    if (width < 1 || height < 1 || (channels != 1 && channels != 3))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: %d x %d pixels of %d channels; expected at least one pixel, of 1 or 3 "
                         "channels",
                         path, width, height, channels);
    size_t size;
    if (__builtin_mul_overflow((size_t)width * (size_t)height, (size_t)channels, &size))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %d x %d pixels are too many for a PNG", path, width, height);

    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_status status = ELBO_OK;
    int code = 0;
    spng_ctx *spng = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!spng) {
        status = elbo_no_memory(err);
        goto done;
    }
    struct spng_ihdr header = {.width = (uint32_t)width,
                               .height = (uint32_t)height,
                               .bit_depth = 8,
                               .color_type = channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR};
    if (!code) code = spng_set_png_file(spng, w.stream);
    if (!code) code = spng_set_ihdr(spng, &header);
    errno = 0;
    if (!code) code = spng_encode_image(spng, pixels, size, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (code && errno && ferror(w.stream)) // libspng's own words for a full disk are "stream error"
        status = elbo_fail_errno(err, "%s: cannot be written", path);
    else if (code == SPNG_EMEM || (code && errno == ENOMEM))
        status = elbo_no_memory(err);
    else if (code)
        status = elbo_fail(err, ELBO_IO, "%s: cannot be written: %s", path, spng_strerror(code));
done:
    spng_ctx_free(spng);
    if (status == ELBO_OK) return elbo_writer_commit(&w, err);
    elbo_writer_abandon(&w);
    return status;
}

/* RGBA to `channels` bytes a pixel: laid over white, grey by the weights of Rec. 601 (as Pillow does). */
static void over_white(const uint8_t *rgba, uint8_t *out, size_t pixels, int channels) {
    for (size_t i = 0; i < pixels; i++, rgba += 4, out += channels) {
        unsigned alpha = rgba[3], c[3];
        for (int k = 0; k < 3; k++) c[k] = (rgba[k] * alpha + 255 * (255 - alpha) + 127) / 255;
        if (channels == 1) {
            out[0] = (uint8_t)((299 * c[0] + 587 * c[1] + 114 * c[2] + 500) / 1000);
        } else {
            for (int k = 0; k < 3; k++) out[k] = (uint8_t)c[k];
        }
    }
}

/* What the header promises is held against our limits and against the file's length, before memory is taken for it. */
static elbo_status check_header(const char *path, const struct spng_ihdr *h, size_t file_size, elbo_error *err) {
    if (h->width > MAX_SIDE || h->height > MAX_SIDE || (uint64_t)h->width * h->height > MAX_PIXELS)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %u x %u pixels; at most %d a side and %d in all are allowed", path,
                         h->width, h->height, MAX_SIDE, MAX_PIXELS);
    static const int samples[7] = {[SPNG_COLOR_TYPE_GRAYSCALE] = 1,
                                   [SPNG_COLOR_TYPE_TRUECOLOR] = 3,
                                   [SPNG_COLOR_TYPE_INDEXED] = 1,
                                   [SPNG_COLOR_TYPE_GRAYSCALE_ALPHA] = 2,
                                   [SPNG_COLOR_TYPE_TRUECOLOR_ALPHA] = 4};
    uint64_t bits = (uint64_t)h->width * h->height * h->bit_depth * (uint64_t)samples[h->color_type % 7];
    if (bits / 8 > (uint64_t)file_size * DEFLATE_BEST_RATIO)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: a file of %zu bytes cannot hold its %u x %u pixels; it is damaged or truncated", path,
                         file_size, h->width, h->height);
    return ELBO_OK;
}

/* True where the chunks lead, length by length, to the one that ends every PNG. libspng is content without it. */
static bool has_its_end(const uint8_t *file, size_t size) {
    for (size_t at = 8; at + 12 <= size;) {
        const uint8_t *c = file + at;
        size_t length = (size_t)c[0] << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
        if (length > size - at - 12) return false;
        if (memcmp(c + 4, "IEND", 4) == 0) return true;
        at += length + 12;
    }
    return false;
}

static elbo_status damaged(const char *path, int code, elbo_error *err) {
    if (code == SPNG_EMEM || (code && errno == ENOMEM)) return elbo_no_memory(err); // (zlib's is called another name)
    if (code == SPNG_ESIGNATURE) return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a PNG file", path);
    if (code == SPNG_EOF || code == SPNG_EIO || code == SPNG_IO_EOF)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: the PNG file is truncated", path);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: the PNG file is damaged: %s", path, spng_strerror(code));
}

static elbo_status decode(const char *path, spng_ctx *spng, const uint8_t *file, size_t file_size, int channels,
                          uint8_t **pixels, int *width, int *height, elbo_error *err) {
    struct spng_ihdr h;
    errno = 0;
    int code = spng_get_ihdr(spng, &h);
    if (code) return damaged(path, code, err);
    ELBO_TRY(check_header(path, &h, file_size, err));
    if (!has_its_end(file, file_size)) return damaged(path, SPNG_IO_EOF, err);

    size_t count = (size_t)h.width * h.height;
    uint8_t *rgba = malloc(count * 4), *out = malloc(count * (size_t)channels);
    elbo_status status = ELBO_OK;
    if (!rgba || !out) {
        status = elbo_no_memory(err);
    } else {
        code = spng_decode_image(spng, rgba, count * 4, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
        if (!code) code = spng_decode_chunks(spng); // those behind the pixels too
        if (code)
            status = damaged(path, code, err);
        else
            over_white(rgba, out, count, channels);
    }
    free(rgba);
    if (status != ELBO_OK) {
        free(out);
        return status;
    }
    *pixels = out;
    *width = (int)h.width;
    *height = (int)h.height;
    return ELBO_OK;
}

elbo_status elbo_png_read(const char *path, int channels, uint8_t **pixels, int *width, int *height, elbo_error *err) {
    *pixels = NULL;
    *width = *height = 0;
    if (channels != 1 && channels != 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %d channels; expected 1 or 3", path, channels);
    uint8_t *file;
    size_t size;
    ELBO_TRY(elbo_file_read(path, MAX_FILE, &file, &size, err));
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (memcmp(file, signature,
               size < sizeof signature ? size : sizeof signature)) { // to libspng a short text is cut short
        free(file);
        errno = 0;
        return damaged(path, SPNG_ESIGNATURE, err);
    }
    elbo_status status;
    spng_ctx *spng = spng_ctx_new(0);
    if (!spng || spng_set_chunk_limits(spng, MAX_CHUNK, MAX_CHUNK) || spng_set_png_buffer(spng, file, size))
        status = elbo_no_memory(err);
    else
        status = decode(path, spng, file, size, channels, pixels, width, height, err);
    spng_ctx_free(spng);
    free(file);
    return status;
}
