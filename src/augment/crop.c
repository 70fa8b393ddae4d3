/* crop: the image moved by up to `padding` pixels each way (RandomCrop of the image's own size with padding). What
 * comes in from outside is the edge's colour, or black as there. */
#include "augment/augment.h"

enum { PADDING, P, FILL };

static bool apply(const double *value, const float *draw, elbo_image_shape s, float *x, float *y) {
    int padding = (int)value[PADDING], places = 2 * padding + 1;
    int down = (int)(draw[0] * (float)places) - padding, right = (int)(draw[1] * (float)places) - padding;
    size_t size = (size_t)s.height * (size_t)s.width;
    for (int ch = 0; ch < s.channels; ch++, x += size)
        for (int row = 0; row < s.height; row++)
            for (int column = 0; column < s.width; column++) {
                int r = row + down, k = column + right;
                bool inside = r >= 0 && r < s.height && k >= 0 && k < s.width;
                r = r < 0 ? 0 : r >= s.height ? s.height - 1 : r;
                k = k < 0 ? 0 : k >= s.width ? s.width - 1 : k;
                float v = x[(size_t)r * (size_t)s.width + (size_t)k];
                *y++ = inside || value[FILL] == ELBO_FILL_EDGE ? v : 0;
            }
    return true;
}

static const char *const fills[] = {"edge", "black", NULL}; // in the order of ELBO_FILL_*

const elbo_augmentation elbo_augment_crop = {
    .name = "crop",
    .usage = "crop padding=N [p=1] [fill=edge|black]",
    .values = {{"padding", ELBO_INT, true, 0, 1, 4096},
               {"p", ELBO_FLOAT, false, 1, 0, 1},
               {"fill", ELBO_WORD, false, 0, 0, 0}},
    .words = fills,
    .p = P,
    .apply = apply,
};
