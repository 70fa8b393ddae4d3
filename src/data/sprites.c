/* Every machine makes the same bits: only + - * / are used, and sines and cosines of multiples of 9 degrees are written
 * down.
 *
 * A sprite, a shape at one scale and orientation, is a square of 32 x 32 bits; a position moves it by whole pixels, so
 * that an image is its rows shifted. */
#include "data/sprites.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

enum { SHAPES = 3, SCALES = 6, ORIENTATIONS = 40, POSITIONS = 32, BOX = 32 };
enum { SHAPE, SCALE, ORIENTATION, POSITION_X, POSITION_Y };
enum { SQUARE, ELLIPSE, HEART };
/* The streams of ELBO_FOR_SPLIT: photographs' is 0, validation's 1. */
enum { SPRITES_STREAM = 2 };

const elbo_factor elbo_sprite_factors[ELBO_SPRITE_FACTORS] = {
    [SHAPE] = {"shape", SHAPES, false},        [SCALE] = {"scale", SCALES, true},
    [ORIENTATION] = {"orientation", 40, true}, [POSITION_X] = {"x", POSITIONS, true},
    [POSITION_Y] = {"y", POSITIONS, true},
};

/* sin(9 k degrees), k = 0 .. 10 */
static const double sines[] = {0,
                               0.15643446504023087,
                               0.30901699437494742,
                               0.45399049973954675,
                               0.58778525229247313,
                               0.70710678118654752,
                               0.80901699437494742,
                               0.89100652418836787,
                               0.95105651629515357,
                               0.98768834059513773,
                               1};

static double sine(int k) {
    k %= ORIENTATIONS;
    if (k > 20) return -sine(k - 20);
    return k > 10 ? sines[20 - k] : sines[k];
}

/* u to the right, v upwards, in pixels of the largest scale; none reaches further than 15.5. */
static bool is_inside(int shape, double u, double v) {
    switch (shape) {
    case SQUARE: return u >= -10 && u < 10 && v >= -10 && v < 10;
    case ELLIPSE: return u * u / (15.0 * 15.0) + v * v / (7.5 * 7.5) <= 1;
    default: { // the heart (x^2 + y^2 - 1)^3 = x^2 y^3
        double x = u / 11, y = v / 11 + 0.1, ring = x * x + y * y - 1;
        return ring * ring * ring - x * x * y * y * y <= 0;
    }
    }
}

/* rows: (BOX), the lowest bit is the leftmost pixel */
static void draw_sprite(uint32_t *rows, int shape, int scale, int orientation) {
    double size = 0.5 + 0.1 * scale, sin = sine(orientation), cos = sine(orientation + 10);
    for (int r = 0; r < BOX; r++) {
        rows[r] = 0;
        for (int c = 0; c < BOX; c++) {
            double x = (c - 15.5) / size, y = (15.5 - r) / size; // of the pixel's centre, turned back
            if (is_inside(shape, x * cos + y * sin, y * cos - x * sin)) rows[r] |= (uint32_t)1 << c;
        }
    }
}

static uint32_t *draw_sprites(void) {
    uint32_t *all = elbo_alloc((size_t)SHAPES * SCALES * ORIENTATIONS * BOX, sizeof *all), *rows = all;
    for (int shape = 0; all && shape < SHAPES; shape++)
        for (int scale = 0; scale < SCALES; scale++)
            for (int orientation = 0; orientation < ORIENTATIONS; orientation++, rows += BOX)
                draw_sprite(rows, shape, scale, orientation);
    return all;
}

void elbo_sprites_draw(const elbo_images *images, uint32_t index, float *out, float low, float high) {
    const uint8_t *f = images->factors + (size_t)index * ELBO_SPRITE_FACTORS;
    const uint32_t *rows =
        images->sprites + (((size_t)f[SHAPE] * SCALES + f[SCALE]) * ORIENTATIONS + f[ORIENTATION]) * BOX;
    for (int r = 0; r < ELBO_SPRITE_SIDE; r++, out += ELBO_SPRITE_SIDE) {
        int own = r - f[POSITION_Y];
        uint64_t row = own >= 0 && own < BOX ? (uint64_t)rows[own] << f[POSITION_X] : 0;
        for (int c = 0; c < ELBO_SPRITE_SIDE; c++) out[c] = row >> c & 1 ? high : low;
    }
}

/* The factors of image `number`, the last varying fastest. */
static void factors_of(uint32_t number, int step, uint8_t *f) {
    for (int k = ELBO_SPRITE_FACTORS - 1; k >= 0; k--) {
        uint32_t by = k >= ORIENTATION ? (uint32_t)step : 1, values = (uint32_t)elbo_sprite_factors[k].values / by;
        f[k] = (uint8_t)(number % values * by);
        number /= values;
    }
}

/* Which images are the split's, in their order: taken[number]. */
static bool *choose(uint32_t all, uint32_t held, bool test) {
    uint32_t *order = elbo_alloc(all, sizeof *order);
    bool *taken = elbo_alloc(all, sizeof *taken);
    if (order && taken) {
        elbo_random_permutation((elbo_stream){.purpose = ELBO_FOR_SPLIT, .epoch = SPRITES_STREAM}, order, all);
        for (uint32_t i = 0; i < all; i++) taken[order[i]] = (i < held) == test;
    } else {
        free(taken);
        taken = NULL;
    }
    free(order);
    return taken;
}

elbo_status elbo_sprites_make(elbo_images *images, bool test, bool small, elbo_error *err) {
    int step = small ? 2 : 1;
    uint32_t all = SHAPES * SCALES * ORIENTATIONS * POSITIONS * POSITIONS / (uint32_t)(step * step * step);
    uint32_t held = all / 10, count = test ? held : all - held, k = 0;
    *images = (elbo_images){.shape = {1, ELBO_SPRITE_SIDE, ELBO_SPRITE_SIDE}, .count = count};
    bool *taken = choose(all, held, test);
    images->factor_count = ELBO_SPRITE_FACTORS;
    images->factors = elbo_alloc(count, ELBO_SPRITE_FACTORS);
    images->labels = elbo_alloc(count, 1);
    images->sprites = draw_sprites();
    elbo_status status = taken && images->factors && images->labels && images->sprites ? ELBO_OK : elbo_no_memory(err);
    for (uint32_t i = 0; status == ELBO_OK && i < all; i++) {
        if (!taken[i]) continue;
        uint8_t *f = images->factors + (size_t)k * ELBO_SPRITE_FACTORS;
        factors_of(i, step, f);
        images->labels[k++] = f[SHAPE];
    }
    free(taken);
    if (status != ELBO_OK) elbo_images_free(images);
    return status;
}
