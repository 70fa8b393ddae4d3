/* Augmentation against plain words: what each kind does to a few pixels, and that chance is a function of (seed, epoch,
 * image). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/augment/augment.h"
#include "recipe/recipe.h"
#include "scratch.h"

#define RECIPE "kind: ae\nlatent: 2\nencoder: [flatten, linear 3]\ndecoder: [linear 784, sigmoid]\naugment: "

static elbo_status read_steps(elbo_recipe *r, const char *steps, elbo_error *err) {
    scratch s;
    char text[600];
    scratch_make(&s);
    snprintf(text, sizeof text, RECIPE "%s\n", steps);
    elbo_status status = elbo_recipe_open(r, scratch_write(&s, "x.yaml", text, strlen(text)), NULL, 0, err);
    scratch_remove(&s);
    return status;
}

enum { H = 5, W = 6, N = 3 * H * W };
static const elbo_image_shape shape = {3, H, W};

/* A picture without symmetry, from `low` to `high`. */
static void fill(float x[N], float low, float high) {
    for (int i = 0; i < N; i++) x[i] = low + (high - low) * (float)(i * 37 % 101) / 100;
}

static void run_steps(const char *steps, uint64_t seed, uint32_t epoch, uint32_t sample, float x[N]) {
    elbo_recipe r;
    elbo_error err;
    float room[N];
    if (read_steps(&r, steps, &err) != ELBO_OK) fail_msg("%s", err.message);
    elbo_augment_run(r.augments, (elbo_stream){seed, ELBO_FOR_AUGMENTATION, epoch, sample}, shape, 0, 1, x, room);
    elbo_recipe_close(&r);
}

static void test_flip(void **state) {
    (void)state;
    float x[N], y[N];
    fill(x, 0, 1);
    fill(y, 0, 1);
    run_steps("[flip p=0]", 1, 2, 3, y);
    assert_memory_equal(x, y, sizeof x);
    run_steps("[flip p=1]", 1, 2, 3, y);
    for (int i = 0; i < N; i++) assert_true(y[i] == x[i / W * W + W - 1 - i % W]);
    int flipped = 0;
    for (uint32_t i = 0; i < 400; i++) {
        fill(y, 0, 1);
        run_steps("[flip]", 1, 0, i, y);
        flipped += memcmp(x, y, sizeof x) != 0;
    }
    assert_true(flipped > 160 && flipped < 240);
}

/* What torch.nn.functional.pad sees two pixels beyond 5 and 6 pixels; -1: nothing. */
static void check_crop(const char *steps, const int rows[H + 4], const int columns[W + 4]) {
    int seen[5][5] = {{0}};
    for (uint32_t n = 0; n < 200; n++) {
        float x[N], y[N];
        fill(x, 0, 1);
        fill(y, 0, 1);
        run_steps(steps, 7, 0, n, y);
        int found = 0;
        for (int dy = 0; dy <= 4; dy++)
            for (int dx = 0; dx <= 4; dx++) {
                bool same = true;
                for (int i = 0; i < N; i++) {
                    int r = rows[i / W % H + dy], c = columns[i % W + dx];
                    same = same && y[i] == (r < 0 || c < 0 ? 0 : x[i / (H * W) * H * W + r * W + c]);
                }
                found += same;
                seen[dy][dx] += same;
            }
        assert_int_equal(found, 1);
    }
    for (int i = 0; i < 25; i++) assert_true(seen[i / 5][i % 5] > 0);
}

static void test_crop_moves(void **state) {
    (void)state;
    check_crop("[crop padding=2 fill=black]", (int[]){-1, -1, 0, 1, 2, 3, 4, -1, -1},
               (int[]){-1, -1, 0, 1, 2, 3, 4, 5, -1, -1});
    check_crop("[crop padding=2]", (int[]){0, 0, 0, 1, 2, 3, 4, 4, 4}, (int[]){0, 0, 0, 1, 2, 3, 4, 5, 5, 5});
    check_crop("[crop padding=2 fill=reflect]", (int[]){2, 1, 0, 1, 2, 3, 4, 3, 2},
               (int[]){2, 1, 0, 1, 2, 3, 4, 5, 4, 3});
}

/* Far beyond, the image is mirrored again and again. */
static void test_reflect_goes_on(void **state) {
    (void)state;
    static const int there_and_back[] = {0, 1, 2, 3, 2, 1};
    for (int i = -30; i <= 30; i++)
        assert_int_equal(elbo_fill_from(i, 4, ELBO_FILL_REFLECT), there_and_back[(i + 60) % 6]);
    assert_int_equal(elbo_fill_from(-3, 1, ELBO_FILL_REFLECT), 0);
}

/* A turn by the angle that was drawn, found by trying angles: and what does not turn stays. */
static void test_rotate(void **state) {
    (void)state;
    float x[N], y[N];
    fill(x, 0, 1);
    fill(y, 0, 1);
    run_steps("[rotate 0]", 1, 0, 0, y);
    for (int i = 0; i < N; i++) assert_true(fabsf(x[i] - y[i]) < 1e-6f);
    run_steps("[rotate 180]", 1, 0, 5, y);
    double best = 1e9;
    for (int a = -1800; a <= 1800; a++) { // plain: where each pixel comes from
        double angle = a * 3.14159265358979 / 1800, worst = 0;
        for (int i = 0; i < H * W; i++) {
            double v = i / W - (H - 1) / 2.0, u = i % W - (W - 1) / 2.0;
            double r = v * cos(angle) + u * sin(angle) + (H - 1) / 2.0,
                   c = u * cos(angle) - v * sin(angle) + (W - 1) / 2.0, sum = 0;
            for (int k = 0; k < 4; k++) {
                int rr = (int)floor(r) + k / 2, cc = (int)floor(c) + k % 2;
                double weight = (1 - fabs(r - rr)) * (1 - fabs(c - cc));
                int r1 = rr < 0 ? 0 : rr >= H ? H - 1 : rr, c1 = cc < 0 ? 0 : cc >= W ? W - 1 : cc;
                sum += weight * (double)x[r1 * W + c1];
            }
            worst = fmax(worst, fabs(sum - (double)y[i]));
        }
        best = fmin(best, worst);
    }
    assert_true(best < 0.01);
}

static void test_color_jitter(void **state) {
    (void)state;
    float x[N], y[N];
    fill(x, 0.2f, 0.5f);
    fill(y, 0.2f, 0.5f);
    run_steps("[color_jitter brightness=0.5]", 3, 1, 4, y);
    float factor = y[0] / x[0];
    assert_true(factor >= 0.5f && factor <= 1.5f && fabsf(factor - 1) > 1e-3f);
    for (int i = 0; i < N; i++) assert_true(fabsf(y[i] - x[i] * factor) < 1e-6f);
    fill(y, 0.2f, 0.5f);
    run_steps("[color_jitter contrast=0.5]", 3, 1, 4, y); // differences scale, the mean luma stays
    factor = (y[1] - y[0]) / (x[1] - x[0]);
    double before = 0, after = 0;
    for (int i = 0; i < H * W; i++) {
        before += 0.2989 * (double)x[i] + 0.587 * (double)x[H * W + i] + 0.114 * (double)x[2 * H * W + i];
        after += 0.2989 * (double)y[i] + 0.587 * (double)y[H * W + i] + 0.114 * (double)y[2 * H * W + i];
    }
    assert_true(factor >= 0.5f && factor <= 1.5f && fabsf(factor - 1) > 1e-3f && fabs(before - after) < 0.01 * H * W);
    for (int i = 1; i < N; i++) assert_true(fabsf(y[i] - y[0] - factor * (x[i] - x[0])) < 1e-5f);
    fill(y, 0.2f, 0.5f);
    run_steps("[color_jitter saturation=1]", 3, 1, 4, y); // each pixel's luma stays
    for (int i = 0; i < H * W; i++)
        assert_true(fabsf(0.2989f * (x[i] - y[i]) + 0.587f * (x[H * W + i] - y[H * W + i]) +
                          0.114f * (x[2 * H * W + i] - y[2 * H * W + i])) < 1e-4f);
    assert_true(memcmp(x, y, sizeof x) != 0);
}

static void test_chance_is_of_seed_epoch_and_image(void **state) {
    (void)state;
    const char *all = "[flip, rotate 20, crop padding=2, color_jitter brightness=0.3 contrast=0.3 saturation=0.3]";
    float a[N], b[N];
    fill(a, 0, 1);
    run_steps(all, 5, 6, 7, a);
    for (int k = 0; k < 4; k++) {
        fill(b, 0, 1);
        run_steps(all, 5 + (k == 1), 6 + (uint32_t)(k == 2), 7 + (uint32_t)(k == 3), b);
        assert_int_equal(memcmp(a, b, sizeof a) != 0, k > 0);
    }
}

static void test_mistakes(void **state) {
    (void)state;
    static const struct {
        const char *steps, *why;
    } bad[] = {
        {"flip", "a list of augmentations"},
        {"[flop]", "did you mean `flip`?"},
        {"[rotate]", "degrees is missing"},
        {"[rotate 181]", "expected a number from 0 to 180"},
        {"[flip p=2]", "expected a number from 0 to 1"},
        {"[crop padding=1.5]", "expected an integer"},
        {"[crop padding=1 fill=red]", "expected edge or reflect or black"},
        {"[color_jitter hue=0.1]", "no argument `hue`"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elbo_recipe r;
        elbo_error err;
        assert_int_equal(read_steps(&r, bad[i].steps, &err), ELBO_BAD_INPUT);
        assert_message(err, "x.yaml:5: ", bad[i].why);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_crop_moves),
        cmocka_unit_test(test_reflect_goes_on),
        cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_color_jitter),
        cmocka_unit_test(test_chance_is_of_seed_epoch_and_image),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
