/* color_jitter: brightness, contrast and saturation times a factor each, from 1 - v to 1 + v and not below 0, one after
 * the other in an order by chance (ColorJitter). Saturation means nothing to a grey image. */
#include "data/augment/augment.h"

enum { BRIGHTNESS, CONTRAST, SATURATION, P, PARTS = 3 };

static float clamp(float v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

/* Luma, ITU-R 601-2, with torchvision's digits. */
static float grey_at(const float *x, elbo_image_shape s, size_t size, size_t i) {
    return s.channels == 3 ? 0.2989f * x[i] + 0.587f * x[size + i] + 0.114f * x[2 * size + i] : x[i];
}

static void change(int part, float factor, elbo_image_shape s, float *x) {
    size_t size = (size_t)s.height * (size_t)s.width, n = elbo_image_size(s);
    if (part == BRIGHTNESS) {
        for (size_t i = 0; i < n; i++) x[i] = clamp(factor * x[i]);
    } else if (part == CONTRAST) {
        double sum = 0;
        for (size_t i = 0; i < size; i++) sum += (double)grey_at(x, s, size, i);
        float rest = (1 - factor) * (float)(sum / (double)size);
        for (size_t i = 0; i < n; i++) x[i] = clamp(factor * x[i] + rest);
    } else if (s.channels == 3) {
        for (size_t i = 0; i < size; i++) {
            float rest = (1 - factor) * grey_at(x, s, size, i);
            for (size_t c = 0; c < 3; c++) x[c * size + i] = clamp(factor * x[c * size + i] + rest);
        }
    }
}

static bool apply(const double *value, const float *draw, elbo_image_shape s, float *x, float *y) {
    (void)y;
    int order[PARTS] = {BRIGHTNESS, CONTRAST, SATURATION};
    for (int i = 0; i < PARTS - 1; i++) {
        int j = i + (int)(draw[PARTS + i] * (float)(PARTS - i)), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < PARTS; i++) {
        int part = order[i];
        float most = (float)value[part], least = most > 1 ? -1 : -most;
        if (most > 0) change(part, 1 + least + draw[part] * (most - least), s, x);
    }
    return false;
}

const elbo_augmentation elbo_augment_color_jitter = {
    .name = "color_jitter",
    .usage = "color_jitter [brightness=0] [contrast=0] [saturation=0] [p=1]",
    .values = {{"brightness", ELBO_FLOAT, false, 0, 0, 10},
               {"contrast", ELBO_FLOAT, false, 0, 0, 10},
               {"saturation", ELBO_FLOAT, false, 0, 0, 10},
               {"p", ELBO_FLOAT, false, 1, 0, 1}},
    .p = P,
    .apply = apply,
};
