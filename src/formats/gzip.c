#include "formats/gzip.h"

#include <libdeflate.h>
#include <stdlib.h>

enum {
    SMALLEST = 18,         // header and trailer
    MOST_EXPANSION = 1032, // deflate makes at most 258 bytes of 2 bits
};

static uint32_t little_endian(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

elbo_status elbo_gunzip(const uint8_t *in, size_t in_size, size_t most, uint8_t **out, size_t *out_size,
                        const char *path, elbo_error *err) {
    *out = NULL;
    if (in_size < SMALLEST)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: the gzip file is truncated after %zu bytes", path, in_size);
    // What the trailer claims is only a wish until it is seen that the compressed bytes could make as much.
    size_t claimed = little_endian(in + in_size - 4);
    if (claimed > in_size * MOST_EXPANSION)
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: the gzip file is damaged or truncated: its trailer claims %zu bytes, which %zu compressed ones cannot hold",
            path, claimed, in_size);
    if (claimed > most)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: unpacks to %zu bytes; at most %zu are read", path, claimed, most);
    uint8_t *bytes = malloc(claimed ? claimed : 1);
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    if (!bytes || !inflater) {
        free(bytes);
        libdeflate_free_decompressor(inflater);
        return elbo_no_memory(err);
    }
    size_t used = 0, made = 0;
    enum libdeflate_result result = libdeflate_gzip_decompress_ex(inflater, in, in_size, bytes, claimed, &used, &made);
    libdeflate_free_decompressor(inflater);
    if (result == LIBDEFLATE_SUCCESS && used == in_size && made == claimed) {
        *out = bytes;
        *out_size = made;
        return ELBO_OK;
    }
    free(bytes);
    if (result == LIBDEFLATE_SUCCESS)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %zu bytes follow the end of the gzip stream; one stream is read",
                         path, in_size - used);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: the gzip file is damaged or truncated; gzip -t checks it", path);
}
