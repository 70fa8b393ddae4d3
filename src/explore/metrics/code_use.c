#include "explore/metrics/code_use.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"

enum { LOOKED_AT = 512 };

/* Image ring[i] gets the code of ring[i + 1]: a random ring, since neighbours in the file may be of one class. */
static void exchange(uint32_t *other, uint32_t *ring, uint32_t n) {
    elbo_random_permutation((elbo_stream){.purpose = ELBO_FOR_PROBE, .epoch = 1}, ring, n);
    for (uint32_t i = 0; i < n; i++) other[ring[i]] = ring[(i + 1) % n];
}

static elbo_status mean_loss(double *mean, elbo_model *m, const elbo_images *images, const float *mu,
                             const uint32_t *code_of, float *loss, elbo_error *err) {
    ELBO_TRY(elbo_score_codes(m, images, mu, code_of, loss, err));
    *mean = 0;
    for (uint32_t i = 0; i < images->count; i++) *mean += loss[i] / (double)images->count;
    return ELBO_OK;
}

elbo_status elbo_code_use_measure(elbo_code_use *u, elbo_model *m, const elbo_images *images, const float *mu,
                                  elbo_error *err) {
    *u = (elbo_code_use){0};
    if (images->count < 2) return ELBO_OK;
    elbo_images some = *images;
    if (some.count > LOOKED_AT) some.count = LOOKED_AT;
    size_t n = some.count;
    uint32_t own[LOOKED_AT], other[LOOKED_AT];
    float loss[LOOKED_AT], *encoded = mu ? NULL : elbo_alloc(n * (size_t)m->network.graph.latent, sizeof *encoded);
    if (!mu && !encoded) return elbo_no_memory(err);
    elbo_status status = encoded ? elbo_model_encode_images(m, &some, NULL, n, encoded, NULL, err) : ELBO_OK;
    if (!mu) mu = encoded;
    exchange(other, own, some.count);
    for (uint32_t i = 0; i < n; i++) own[i] = i;
    if (status == ELBO_OK) status = mean_loss(&u->own, m, &some, mu, own, loss, err);
    if (status == ELBO_OK) status = mean_loss(&u->other, m, &some, mu, other, loss, err);
    if (status == ELBO_OK) u->images = n;
    free(encoded);
    return status;
}

bool elbo_code_is_ignored(const elbo_code_use *u) {
    return u->images > 0 && !(u->other - u->own > 0.02 * fabs(u->own));
}
