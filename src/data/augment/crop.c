/* crop: the image moved by up to `padding` pixels each way (RandomCrop of the image's own size with padding). What
 * comes in from outside is the edge's colour, or black as there. */
#include "data/augment/augment.h"

enum { PADDING, P, FILL };

static bool apply(const double *value, const float *draw, elbo_image_shape s, float *x, float *y) {
    int padding = (int)value[PADDING], places = 2 * padding + 1, fill = (int)value[FILL];
    int down = (int)(draw[0] * (float)places) - padding, right = (int)(draw[1] * (float)places) - padding;
    size_t size = (size_t)s.height * (size_t)s.width;
    for (int ch = 0; ch < s.channels; ch++, x += size)
        for (int row = 0; row < s.height; row++)
            for (int column = 0; column < s.width; column++) {
                int r = elbo_fill_from(row + down, s.height, fill), k = elbo_fill_from(column + right, s.width, fill);
                *y++ = r < 0 || k < 0 ? 0 : x[(size_t)r * (size_t)s.width + (size_t)k];
            }
    return true;
}

const elbo_augmentation elbo_augment_crop = {
    .name = "crop",
    .usage = "crop padding=N [p=1] [fill=edge|reflect|black]",
    .values = {{"padding", ELBO_INT, true, 0, 1, 4096},
               {"p", ELBO_FLOAT, false, 1, 0, 1},
               {"fill", ELBO_WORD, false, 0, 0, 0}},
    .words = elbo_fills,
    .p = P,
    .apply = apply,
};
