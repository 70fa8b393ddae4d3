/* rotate: about the centre, by an angle from -degrees to degrees (RandomRotation). Bilinear, where torchvision takes
 * the nearest pixel unless told: small images would show it. What turns in from outside is the edge's colour, the image
 * mirrored, or black as there. */
#include <math.h>

#include "data/augment/augment.h"

enum { DEGREES, P, FILL };

/* How a plane is read at (row, column) with `fill` beyond its edge. */
typedef struct plane {
    const float *x; // (height, width)
    int height, width, fill;
} plane;

static float at(const plane *p, int row, int column) {
    row = elbo_fill_from(row, p->height, p->fill);
    column = elbo_fill_from(column, p->width, p->fill);
    return row < 0 || column < 0 ? 0 : p->x[(size_t)row * (size_t)p->width + (size_t)column];
}

static bool apply(const double *value, const float *draw, elbo_image_shape s, float *x, float *y) {
    float angle = (2 * draw[0] - 1) * (float)(value[DEGREES] * 3.14159265358979 / 180), c = cosf(angle),
          d = sinf(angle);
    float middle_row = (float)(s.height - 1) / 2, middle_column = (float)(s.width - 1) / 2;
    size_t size = (size_t)s.height * (size_t)s.width;
    for (int row = 0; row < s.height; row++)
        for (int column = 0; column < s.width; column++) {
            float v = (float)row - middle_row, u = (float)column - middle_column;
            float from_row = v * c + u * d + middle_row,
                  from_column = u * c - v * d + middle_column; // counter-clockwise
            float top = floorf(from_row), left = floorf(from_column), a = from_row - top, b = from_column - left;
            int r = (int)top, k = (int)left;
            float *to = y + (size_t)row * (size_t)s.width + (size_t)column;
            bool inside = r >= 0 && r + 1 < s.height && k >= 0 && k + 1 < s.width;
            const float *from = x + (inside ? (size_t)r * (size_t)s.width + (size_t)k : 0);
            for (int ch = 0; ch < s.channels; ch++, to += size, from += size) {
                plane p = {x + (size_t)ch * size, s.height, s.width, (int)value[FILL]};
                float p00 = inside ? from[0] : at(&p, r, k), p01 = inside ? from[1] : at(&p, r, k + 1);
                float p10 = inside ? from[s.width] : at(&p, r + 1, k),
                      p11 = inside ? from[s.width + 1] : at(&p, r + 1, k + 1);
                *to = (1 - a) * ((1 - b) * p00 + b * p01) + a * ((1 - b) * p10 + b * p11);
            }
        }
    return true;
}

const elbo_augmentation elbo_augment_rotate = {
    .name = "rotate",
    .usage = "rotate DEGREES [p=1] [fill=edge|reflect|black]",
    .values = {{"degrees", ELBO_FLOAT, true, 0, 0, 180},
               {"p", ELBO_FLOAT, false, 1, 0, 1},
               {"fill", ELBO_WORD, false, 0, 0, 0}},
    .words = elbo_fills,
    .p = P,
    .apply = apply,
};
