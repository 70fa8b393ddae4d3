#include "data/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/sprites.h"

static double mean_of(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

/* 1 over the mean absolute deviation; 0 of a flat image. */
static double inverse_deviation(const float *x, size_t n, double mean) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += fabs(x[i] - mean);
    return sum / (double)n > 1e-8 ? (double)n / sum : 0;
}

void elbo_contrast_apply(const elbo_contrast *c, float *x, size_t n, float low, float high) {
    double mean = mean_of(x, n), inverse = inverse_deviation(x, n, mean);
    double scale = ((double)high - low) / ((double)c->most - c->least);
    for (size_t i = 0; i < n; i++) x[i] = (float)(low + ((x[i] - mean) * inverse - c->least) * scale);
}

elbo_status elbo_contrast_measure(elbo_contrast *c, const elbo_images *images, elbo_error *err) {
    size_t n = elbo_image_size(images->shape);
    float *x = elbo_alloc(n, sizeof *x), least = INFINITY, most = -INFINITY;
    if (!x) return elbo_no_memory(err);
    for (uint32_t i = 0; i < images->count; i++) {
        if (images->sprites)
            elbo_sprites_draw(images, i, x, 0, 1);
        else if (images->floats)
            memcpy(x, images->floats + i * n, n * sizeof *x);
        else
            for (size_t k = 0; k < n; k++) x[k] = images->bytes[i * n + k] / 255.0f;
        double mean = mean_of(x, n), inverse = inverse_deviation(x, n, mean);
        for (size_t k = 0; k < n; k++) {
            float v = (float)((x[k] - mean) * inverse);
            if (v < least) least = v;
            if (v > most) most = v;
        }
    }
    free(x);
    *c = (elbo_contrast){least, most};
    if (elbo_contrast_is_on(c)) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "image.normalize: gcn needs images with contrast; all of them are flat");
}
