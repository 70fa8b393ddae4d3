/* dsprites: every combination of factors once, the shapes where their factors say, nothing kept but the sprites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/sprites.h"

enum { SIDE = ELBO_SPRITE_SIDE, F = ELBO_SPRITE_FACTORS };

static void make(elbo_images *images, bool test, bool small) {
    elbo_error err;
    assert_int_equal(elbo_sprites_make(images, test, small, &err), ELBO_OK);
}

/* One image made of its factors alone. */
static void draw(elbo_images *images, const uint8_t *factors, float *out) {
    uint8_t f[F];
    memcpy(f, factors, F);
    elbo_images one = *images;
    one.factors = f;
    elbo_sprites_draw(&one, 0, out, 0, 1);
}

static void every_combination_is_in_one_split_once(void **state) {
    (void)state;
    for (int small = 0; small < 2; small++) {
        size_t all = small ? 92160 : 737280, count = 0;
        uint8_t *seen = calloc(737280, 1);
        for (int test = 0; test < 2; test++) {
            elbo_images images;
            make(&images, test, small);
            assert_null(images.bytes);
            assert_null(images.floats);
            assert_int_equal(images.count, test ? all / 10 : all - all / 10);
            count += images.count;
            for (size_t i = 0; i < images.count; i++) {
                const uint8_t *f = images.factors + i * F;
                size_t place = 0;
                for (int k = 0; k < F; k++) {
                    assert_true(f[k] < elbo_sprite_factors[k].values);
                    assert_true(!small || k < 2 || f[k] % 2 == 0);
                    place = place * (size_t)elbo_sprite_factors[k].values + f[k];
                }
                assert_int_equal(images.labels[i], f[0]);
                assert_int_equal(seen[place]++, 0);
            }
            elbo_images_free(&images);
        }
        assert_int_equal(count, all);
        free(seen);
    }
}

/* The same shapes by other formulas, in polar coordinates and with libm; pixels within half a pixel's width of the outline are not
 * asked. A shape turned by k is the shape at 0 asked at an angle that is k * 9 degrees smaller. */
static double reach(int shape, double angle) { // of the outline, at the largest scale
    double c = cos(angle), s = sin(angle);
    if (shape == 0) return 10 / fmax(fabs(c), fabs(s));
    if (shape == 1) return 1 / sqrt(c * c / 225 + s * s / 56.25);
    double low = 0, high = 20; // the heart is star-shaped about a point above its middle
    for (int i = 0; i < 60; i++) {
        double r = (low + high) / 2, x = r * c / 11, y = r * s / 11 + 0.1;
        if (pow(x * x + y * y - 1, 3) <= x * x * y * y * y)
            low = r;
        else
            high = r;
    }
    return low;
}

static void the_shape_is_where_its_factors_say(void **state) {
    (void)state;
    elbo_images images;
    make(&images, true, true);
    float x[SIDE * SIDE];
    for (uint32_t i = 0; i < images.count; i += 61) {
        const uint8_t *f = images.factors + (size_t)i * F;
        elbo_sprites_draw(&images, i, x, -1, 1);
        double size = 0.5 + 0.1 * f[1];
        for (int r = 0; r < SIDE; r++)
            for (int c = 0; c < SIDE; c++) {
                double right = c + 0.5 - (16 + f[3]), up = 16 + f[4] - (r + 0.5);
                double distance = hypot(right, up), edge = size * reach(f[0], atan2(up, right) - f[2] * 9 * M_PI / 180);
                float want = distance < edge ? 1 : -1;
                if (fabs(distance - edge) > 0.5) assert_float_equal(x[r * SIDE + c], want, 0);
            }
    }
    elbo_images_free(&images);
}

static void whole_shapes_that_differ(void **state) {
    (void)state;
    elbo_images images;
    make(&images, true, true);
    float x[SIDE * SIDE], y[SIDE * SIDE];
    for (int shape = 0; shape < 3; shape++)
        for (int scale = 0; scale < 6; scale++)
            for (int o = 0; o < 40; o++) {
                int ink[2] = {0}, period = shape == 0 ? 10 : shape == 1 ? 20 : 40;
                uint8_t corner[2][F] = {{(uint8_t)shape, (uint8_t)scale, (uint8_t)o, 0, 31},
                                        {(uint8_t)shape, (uint8_t)scale, (uint8_t)o, 31, 0}};
                for (int k = 0; k < 2; k++) {
                    draw(&images, corner[k], x);
                    for (int i = 0; i < SIDE * SIDE; i++) ink[k] += x[i] > 0.5f;
                }
                assert_int_equal(ink[0], ink[1]); // nothing is cut off
                assert_in_range(ink[0], 80, 460);
                uint8_t turned[F] = {(uint8_t)shape, (uint8_t)scale, (uint8_t)((o + 1) % 40), 31, 0};
                draw(&images, turned, y);
                assert_true(memcmp(x, y, sizeof x) != 0);
                turned[2] = (uint8_t)((o + period) % 40);
                draw(&images, turned, y);
                int apart = 0;
                for (int i = 0; i < SIDE * SIDE; i++) apart += x[i] != y[i];
                assert_true(apart <= 24); // rounding on the outline
            }
    elbo_images_free(&images);
}

/* Users were promised these bits. */
static void the_promised_bits(void **state) {
    (void)state;
    elbo_images images;
    make(&images, true, false);
    uint64_t sum = 0xcbf29ce484222325u;
    float x[SIDE * SIDE];
    for (uint32_t i = 0; i < images.count; i += 97) {
        elbo_sprites_draw(&images, i, x, 0, 1);
        for (int k = 0; k < SIDE * SIDE; k++) sum = (sum ^ (uint64_t)x[k]) * 0x100000001b3u;
    }
    assert_int_equal(sum, 0x7bcefdb92b8f0f83);
    elbo_images_free(&images);
}

static void classes_can_be_chosen(void **state) {
    (void)state;
    elbo_dataset d;
    elbo_error err;
    char heart[] = "heart", *words[] = {heart};
    elbo_words exclude = {.word = words, .count = 1};
    elbo_data_options o = {.splits = ELBO_BOTH_SPLITS, .threads = 1, .exclude = &exclude};
    assert_int_equal(elbo_dataset_open_with(&d, "dsprites-small", NULL, &o, &err), ELBO_OK);
    assert_string_equal(d.factor[2].name, "orientation");
    size_t hearts = 0;
    for (uint32_t i = 0; i < d.train.count; i++) {
        assert_true(d.train.labels[i] < 2);
        assert_int_equal(d.train.labels[i], d.train.factors[(size_t)i * F]);
    }
    for (uint32_t i = 0; i < d.test.count; i++) hearts += d.test.labels[i] == 2;
    assert_true(hearts > 2500);
    assert_in_range(d.train.count, 54000, 56500);
    float x[SIDE * SIDE];
    elbo_sprites_draw(&d.train, d.train.count - 1, x, 0, 1);
    elbo_dataset_close(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_is_in_one_split_once),
        cmocka_unit_test(the_shape_is_where_its_factors_say),
        cmocka_unit_test(whole_shapes_that_differ),
        cmocka_unit_test(the_promised_bits),
        cmocka_unit_test(classes_can_be_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
