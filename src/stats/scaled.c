#include "stats/scaled.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

double elbo_scale_of(const float *x, size_t n, int dims) {
    const float enough = 0x1p-30f; // squares of a two-thousandth of it are still whole floats
    float width = 0;               // of the dimension that is widest, within a factor of 2: seen from the first point
    for (size_t i = 0; i < n * (size_t)dims; i++) {
        float apart = fabsf(x[i] - x[i % (size_t)dims]);
        if (apart > width) width = apart;
    }
    if (!(width > 0) || width >= enough) return 1;
    return ldexp(1, -ilogb((double)width));
}

elbo_status elbo_scaled_make(elbo_scaled *s, const float *x, size_t n, int dims, double scale, elbo_error *err) {
    *s = (elbo_scaled){.x = x};
    if (scale == 1) return ELBO_OK;
    size_t count = n * (size_t)dims;
    s->x = s->own = elbo_alloc(count, sizeof *s->own);
    if (!s->own) return elbo_no_memory(err);
    for (size_t i = 0; i < count; i++) s->own[i] = (float)(scale * (double)x[i]);
    return ELBO_OK;
}

void elbo_scaled_free(elbo_scaled *s) {
    free(s->own);
    *s = (elbo_scaled){0};
}
