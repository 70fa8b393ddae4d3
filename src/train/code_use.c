#include "train/code_use.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MOST = 256 };

static double squared_error(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

typedef struct room {
    float *x, *y;     // (n, C, H, W)
    float *mu, *half; // (n, latent)
} room;

/* n images, each with its own code, then with that of the image n/2 further: far, should the set be sorted. */
static elbo_status measure(elbo_code_use *u, elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                           room *r, elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent, size = n * elbo_image_size(images->shape), near = n / 2;
    elbo_images_to_floats(images, index, n, m->recipe.image.low, m->recipe.image.high, r->x);
    elbo_model_encode_images(m, images, index, n, r->mu, NULL);
    ELBO_TRY(elbo_model_hold_skips(m, images, index, n, err));
    elbo_model_decode_codes(m, n, r->mu, r->y);
    u->own += squared_error(r->x, r->y, size);
    memcpy(r->half, r->mu + near * Z, (n - near) * Z * sizeof *r->mu);
    memcpy(r->half + (n - near) * Z, r->mu, near * Z * sizeof *r->mu);
    elbo_model_decode_codes(m, n, r->half, r->y);
    u->other += squared_error(r->x, r->y, size);
    u->images += n;
    return ELBO_OK;
}

elbo_status elbo_code_use_measure(elbo_code_use *u, elbo_model *m, const elbo_images *images, elbo_error *err) {
    *u = (elbo_code_use){0};
    size_t most = images->count < MOST ? images->count : MOST, at_once = m->batch > 2 ? (size_t)m->batch : 2;
    size_t Z = (size_t)m->network.graph.latent, size = elbo_image_size(images->shape);
    room r = {elbo_alloc(at_once * size, sizeof(float)), elbo_alloc(at_once * size, sizeof(float)),
              elbo_alloc(at_once * Z, sizeof(float)), elbo_alloc(at_once * Z, sizeof(float))};
    elbo_status status = r.x && r.y && r.mu && r.half ? ELBO_OK : elbo_no_memory(err);
    uint32_t index[MOST];
    for (size_t start = 0; status == ELBO_OK && start + 2 <= most; start += at_once) { // a last one alone has no other
        size_t n = most - start < at_once ? most - start : at_once;
        for (size_t i = 0; i < n; i++) index[i] = (uint32_t)(start + i);
        status = measure(u, m, images, index, n, &r, err);
    }
    if (u->images) {
        u->own /= (double)(u->images * size);
        u->other /= (double)(u->images * size);
    }
    free(r.x);
    free(r.y);
    free(r.mu);
    free(r.half);
    return status;
}

bool elbo_code_is_ignored(const elbo_code_use *u) { return u->images > 0 && u->other < 1.05 * u->own; }
