/* flip: left and right change places (RandomHorizontalFlip). */
#include "data/augment/augment.h"

static bool apply(const double *value, const float *draw, elbo_image_shape s, float *x, float *y) {
    (void)value, (void)draw, (void)y;
    for (int row = 0; row < s.channels * s.height; row++, x += s.width)
        for (int a = 0, b = s.width - 1; a < b; a++, b--) {
            float keep = x[a];
            x[a] = x[b];
            x[b] = keep;
        }
    return false;
}

const elbo_augmentation elbo_augment_flip = {
    .name = "flip",
    .usage = "flip [p=0.5]",
    .values = {{"p", ELBO_FLOAT, false, 0.5, 0, 1}},
    .p = 0,
    .apply = apply,
};
