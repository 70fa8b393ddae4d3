/* The built-in digits: the same bits everywhere, balanced, and ink where and as much as there should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "data/data.h"

/* FNV-1a */
static uint64_t checksum(uint64_t sum, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

static uint64_t sum_of_first(bool test, uint32_t count, int threads) {
    elbo_images images;
    elbo_error err;
    assert_int_equal(elbo_digits_make(&images, test, count, threads, &err), ELBO_OK);
    uint64_t sum = checksum(0xcbf29ce484222325u, images.labels, 100);
    sum = checksum(sum, images.bytes, (size_t)100 * 28 * 28);
    elbo_images_free(&images);
    return sum;
}

/* Users were promised these bits. A new way of drawing needs a new name, not new numbers here. */
static void the_first_hundred_are_the_promised_bits(void **state) {
    (void)state;
    assert_int_equal(sum_of_first(false, 100, 1), 0x7d4e41b000681249);
    assert_int_equal(sum_of_first(true, 100, 1), 0xa1bbba5ad5285a99);
}

static void neither_threads_nor_the_count_change_an_image(void **state) {
    (void)state;
    elbo_images a, b;
    elbo_error err;
    assert_int_equal(elbo_digits_make(&a, false, 1203, 1, &err), ELBO_OK);
    assert_int_equal(elbo_digits_make(&b, false, 2750, 3, &err), ELBO_OK);
    assert_memory_equal(a.bytes, b.bytes, (size_t)1203 * 28 * 28);
    assert_memory_equal(a.labels, b.labels, 1203);
    elbo_images_free(&a);
    elbo_images_free(&b);
}

static void classes_are_balanced_and_in_no_fixed_order(void **state) {
    (void)state;
    elbo_images images;
    elbo_error err;
    assert_int_equal(elbo_digits_make(&images, false, 5000, 0, &err), ELBO_OK);
    int counts[10] = {0}, at_start[10] = {0};
    for (int i = 0; i < 5000; i++) {
        assert_in_range(images.labels[i], 0, 9);
        counts[images.labels[i]]++;
        if (i % 10 == 0) at_start[images.labels[i]]++;
    }
    for (int c = 0; c < 10; c++) {
        assert_int_equal(counts[c], 500);
        assert_in_range(at_start[c], 20, 90); // 50 are expected
    }
    elbo_images_free(&images);
}

static void ink_is_of_sensible_amount_and_in_the_middle(void **state) {
    (void)state;
    enum { N = 5000 };
    elbo_images images;
    elbo_error err;
    assert_int_equal(elbo_digits_make(&images, true, N, 0, &err), ELBO_OK);
    assert_int_equal(images.shape.channels, 1);
    assert_int_equal(images.shape.height, 28);
    assert_int_equal(images.shape.width, 28);
    assert_null(images.floats);
    double all = 0;
    int cut = 0;
    for (int i = 0; i < N; i++) {
        const uint8_t *p = images.bytes + (size_t)i * 784;
        int ink = 0, darkest = 0;
        double middle_x = 0, middle_y = 0;
        bool touches = false;
        for (int y = 0; y < 28; y++)
            for (int x = 0; x < 28; x++) {
                int v = p[y * 28 + x];
                ink += v;
                darkest = v > darkest ? v : darkest;
                middle_x += v * (x + 0.5);
                middle_y += v * (y + 0.5);
                touches |= v > 128 && (x == 0 || y == 0 || x == 27 || y == 27);
            }
        assert_in_range(ink / 255, 15, 320); // of 784; MNIST's mean is 102
        assert_in_range(darkest, 200, 255);
        assert_in_range((int)(10 * middle_x / ink), 110, 170); // tenths of a pixel around 14
        assert_in_range((int)(10 * middle_y / ink), 110, 170);
        cut += touches;
        all += ink / 255.0;
    }
    assert_in_range((int)(all / N), 80, 130);
    assert_in_range(cut, 0, N / 100);
    elbo_images_free(&images);
}

/* Two images of a class differ, and so do the splits. */
static void no_image_comes_twice(void **state) {
    (void)state;
    enum { N = 2000 };
    elbo_images a, b;
    elbo_error err;
    assert_int_equal(elbo_digits_make(&a, false, N, 0, &err), ELBO_OK);
    assert_int_equal(elbo_digits_make(&b, true, N, 0, &err), ELBO_OK);
    uint64_t sums[2 * N];
    for (int i = 0; i < N; i++) {
        sums[i] = checksum(0, a.bytes + (size_t)i * 784, 784);
        sums[N + i] = checksum(0, b.bytes + (size_t)i * 784, 784);
    }
    for (int i = 0; i < 2 * N; i++)
        for (int j = 0; j < i; j++) assert_true(sums[i] != sums[j]);
    elbo_images_free(&a);
    elbo_images_free(&b);
}

static void no_images_are_an_error(void **state) {
    (void)state;
    elbo_images images;
    elbo_error err;
    assert_int_equal(elbo_digits_make(&images, false, 0, 1, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "0 images"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_hundred_are_the_promised_bits),
        cmocka_unit_test(neither_threads_nor_the_count_change_an_image),
        cmocka_unit_test(classes_are_balanced_and_in_no_fixed_order),
        cmocka_unit_test(ink_is_of_sensible_amount_and_in_the_middle),
        cmocka_unit_test(no_image_comes_twice),
        cmocka_unit_test(no_images_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
