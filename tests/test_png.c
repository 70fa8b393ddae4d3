/* PNG files: what is written comes back; what is damaged is told in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "render/render.h"

/* Files made by hand from the specification (Python's struct and zlib), not by the library under test. */

// red; green at alpha 128; clear
static const uint8_t rgba_3x1[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x03, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1b, 0xe0, 0x14, 0xb4, 0x00, 0x00, 0x00, 0x13, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0x08, 0x1b, 0x38, 0x39, 0x39, 0x19, 0x00, 0x1e,
    0xc2, 0x03, 0x99, 0x86, 0x04, 0x17, 0x4a, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};
// 2 bits a pixel: colours 0 1 2 3 / 3 2 1 0; colour 3 is clear
static const uint8_t palette_4x2[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x04, 0x00, 0x00, 0x00, 0x02, 0x02, 0x03, 0x00, 0x00, 0x00, 0x02, 0xc6, 0x95, 0xf0, 0x00, 0x00, 0x00, 0x0c, 0x50,
    0x4c, 0x54, 0x45, 0x00, 0x00, 0x00, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0x0a, 0x14, 0x1e, 0x7b, 0x95, 0x52, 0xcc,
    0x00, 0x00, 0x00, 0x04, 0x74, 0x52, 0x4e, 0x53, 0xff, 0xff, 0xff, 0x00, 0x40, 0x2a, 0xa9, 0xf4, 0x00, 0x00, 0x00,
    0x0c, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x90, 0x66, 0x78, 0x02, 0x00, 0x01, 0x39, 0x01, 0x00, 0x7b, 0x99,
    0x42, 0x37, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};
// 0x8000, 0xffff
static const uint8_t grey16_2x1[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00,
    0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x81, 0xd9, 0xfc, 0x15, 0x00, 0x00, 0x00,
    0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x68, 0x60, 0xf8, 0xff, 0x1f, 0x00, 0x05, 0x02, 0x02, 0x7f,
    0xc9, 0x00, 0xd6, 0x75, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};
// 100000 x 100000 in 69 bytes
static const uint8_t huge[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x01,
    0x86, 0xa0, 0x00, 0x01, 0x86, 0xa0, 0x08, 0x00, 0x00, 0x00, 0x00, 0x8d, 0x39, 0x54, 0x14, 0x00, 0x00, 0x00,
    0x0c, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0xa0, 0x3d, 0x00, 0x00, 0x00, 0x64, 0x00, 0x01, 0xb8,
    0x99, 0xef, 0x99, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};
// 8000 x 4000, within the limits, but more than 69 bytes can hold
static const uint8_t promises[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00,
    0x1f, 0x40, 0x00, 0x00, 0x0f, 0xa0, 0x08, 0x02, 0x00, 0x00, 0x00, 0xf8, 0x09, 0xbd, 0xef, 0x00, 0x00, 0x00,
    0x0c, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0xa0, 0x3d, 0x00, 0x00, 0x00, 0x64, 0x00, 0x01, 0xb8,
    0x99, 0xef, 0x99, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

static char folder[] = "/tmp/elbo-test-XXXXXX";
static char path[64];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/x.png", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder); // fails where a temporary file was left
}

static void put(const void *bytes, size_t n) { assert_int_equal(elbo_file_write(path, bytes, n, NULL), ELBO_OK); }

/* Refused with one line that names the file, and nothing to free. */
static void is_refused(const char *why) {
    uint8_t *pixels = (uint8_t *)1;
    int width, height;
    elbo_error err = {0};
    assert_int_equal(elbo_png_read(path, 3, &pixels, &width, &height, &err), ELBO_BAD_INPUT);
    assert_null(pixels);
    assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
    assert_null(strchr(err.message, '\n'));
    if (why && !strstr(err.message, why)) fail_msg("\"%s\" does not say \"%s\"", err.message, why);
}

static void pixels_come_back(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {7, 5}, {64, 33}, {1, 300}, {301, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (int channels = 1; channels <= 3; channels += 2) {
            int w = sizes[k][0], h = sizes[k][1], width, height;
            size_t n = (size_t)(w * h * channels);
            uint8_t *in = malloc(n), *out;
            for (size_t i = 0; i < n; i++) in[i] = (uint8_t)(i * 2654435761u >> 11);
            elbo_error err;
            assert_int_equal(elbo_png_write(path, in, w, h, channels, &err), ELBO_OK);
            assert_int_equal(elbo_png_read(path, channels, &out, &width, &height, &err), ELBO_OK);
            assert_int_equal(width, w);
            assert_int_equal(height, h);
            assert_memory_equal(in, out, n);
            free(in);
            free(out);
        }
    }
}

static void grey_and_colour_become_each_other(void **state) {
    (void)state;
    const uint8_t grey[3] = {0, 77, 255}, colour[9] = {255, 0, 0, 0, 255, 0, 0, 0, 255};
    uint8_t *out;
    int width, height;
    assert_int_equal(elbo_png_write(path, grey, 3, 1, 1, NULL), ELBO_OK);
    assert_int_equal(elbo_png_read(path, 3, &out, &width, &height, NULL), ELBO_OK);
    assert_memory_equal(out, ((uint8_t[9]){0, 0, 0, 77, 77, 77, 255, 255, 255}), 9);
    free(out);
    assert_int_equal(elbo_png_write(path, colour, 3, 1, 3, NULL), ELBO_OK);
    assert_int_equal(elbo_png_read(path, 1, &out, &width, &height, NULL), ELBO_OK);
    assert_memory_equal(out, ((uint8_t[3]){76, 150, 29}), 3); // Rec. 601
    free(out);
}

static void every_kind_of_png_is_read(void **state) {
    (void)state;
    uint8_t *out;
    int width, height;
    put(rgba_3x1, sizeof rgba_3x1);
    assert_int_equal(elbo_png_read(path, 3, &out, &width, &height, NULL), ELBO_OK);
    assert_memory_equal(out, ((uint8_t[9]){255, 0, 0, 127, 255, 127, 255, 255, 255}), 9);
    free(out);
    put(palette_4x2, sizeof palette_4x2);
    assert_int_equal(elbo_png_read(path, 3, &out, &width, &height, NULL), ELBO_OK);
    assert_true(width == 4 && height == 2);
    assert_memory_equal(out, ((uint8_t[24]){0,   0,   0,   255, 0, 0,   0,   0, 255, 255, 255, 255,
                                            255, 255, 255, 0,   0, 255, 255, 0, 0,   0,   0,   0}),
                        24);
    free(out);
    put(grey16_2x1, sizeof grey16_2x1);
    assert_int_equal(elbo_png_read(path, 1, &out, &width, &height, NULL), ELBO_OK);
    assert_memory_equal(out, ((uint8_t[2]){128, 255}), 2);
    free(out);
}

static void a_cut_file_is_refused_wherever_it_is_cut(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof palette_4x2; n++) {
        put(palette_4x2, n);
        is_refused(NULL);
    }
    uint8_t pixels[64 * 64];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 13);
    assert_int_equal(elbo_png_write(path, pixels, 64, 64, 1, NULL), ELBO_OK);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(elbo_file_read(path, 1 << 20, &bytes, &size, NULL), ELBO_OK);
    put(bytes, size / 2);
    is_refused("truncated");
    put(bytes, size - 1);
    is_refused("truncated");
    free(bytes);
}

/* Each chunk has a checksum, so a wrong bit anywhere but in the name of an ancillary chunk is seen. */
static void a_wrong_bit_is_refused(void **state) {
    (void)state;
    uint8_t bytes[sizeof rgba_3x1];
    for (size_t i = 0; i < 8 * sizeof bytes; i++) {
        memcpy(bytes, rgba_3x1, sizeof bytes);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        put(bytes, sizeof bytes);
        is_refused(NULL);
    }
}

static void what_is_no_png_is_refused(void **state) {
    (void)state;
    put("GIF89a but not a picture at all", 31);
    is_refused("not a PNG");
    put("", 0);
    is_refused(NULL);
    put(huge, sizeof huge);
    is_refused("100000 x 100000");
    put(promises, sizeof promises);
    is_refused("cannot hold its 8000 x 4000 pixels");

    uint8_t *pixels;
    int width, height;
    elbo_error err;
    assert_int_equal(elbo_png_read("/nowhere/x.png", 3, &pixels, &width, &height, &err), ELBO_NOT_FOUND);
    assert_int_equal(elbo_png_write(path, NULL, 0, 5, 1, &err), ELBO_BAD_INPUT);
    assert_int_equal(elbo_png_write("/nowhere/x.png", (const uint8_t *)"\x7f", 1, 1, 1, &err), ELBO_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_come_back),          cmocka_unit_test(grey_and_colour_become_each_other),
        cmocka_unit_test(every_kind_of_png_is_read), cmocka_unit_test(a_cut_file_is_refused_wherever_it_is_cut),
        cmocka_unit_test(a_wrong_bit_is_refused),    cmocka_unit_test(what_is_no_png_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
