#include "data/binarise.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/memory.h"

/* u is a multiple of 2^-24, so u < byte / 255 can be asked in whole numbers. */
static bool is_white(float u, uint8_t byte) { return (uint32_t)(u * 0x1p24f) * 255u < (uint32_t)byte << 24; }

void elbo_binarise_bytes(float *out, const uint8_t *bytes, const float *u, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++) out[i] = is_white(u[i], bytes[i]) ? high : low;
}

void elbo_binarise_floats(float *x, const float *u, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++) x[i] = u[i] < (x[i] - low) / (high - low) ? high : low;
}

elbo_status elbo_images_binarise(elbo_images *images, uint64_t seed, float low, float high, elbo_error *err) {
    size_t n = elbo_image_size(images->shape);
    if (images->sprites) return ELBO_OK; // (they are binary)
    float *u = elbo_alloc(n, sizeof *u);
    uint8_t *bytes = images->bytes ? elbo_alloc(images->count * n, sizeof *bytes) : NULL;
    if (!u || (images->bytes && !bytes)) {
        free(u);
        return elbo_no_memory(err);
    }
    for (uint32_t i = 0; i < images->count; i++) {
        elbo_random_uniform(elbo_binarise_stream(seed, 0, i), u, n);
        if (images->floats) elbo_binarise_floats(images->floats + i * n, u, n, low, high);
        for (size_t k = 0; bytes && k < n; k++) bytes[i * n + k] = is_white(u[k], images->bytes[i * n + k]) ? 255 : 0;
    }
    free(u);
    if (!bytes) return ELBO_OK;
    if (images->map)
        munmap(images->map, images->map_size);
    else
        free(images->bytes);
    images->map = NULL;
    images->bytes = bytes;
    return ELBO_OK;
}
