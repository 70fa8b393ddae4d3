/* IDX files: plain and gzipped ones are read, everything that lies about its size or kind is refused in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libdeflate.h>

#include "data/data.h"
#include "scratch.h"

static scratch s;

static int make(void **state) {
    (void)state;
    scratch_make(&s);
    return 0;
}

static int clean(void **state) {
    (void)state;
    scratch_remove(&s);
    return 0;
}

static uint8_t file[1 << 16];
static size_t file_size;

static void put(uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) file[file_size++] = (uint8_t)(number >> shift);
}

/* An IDX file of images in `file`, whose header says count x rows x columns and behind whose header are n bytes. */
static void idx_images(uint32_t magic, uint32_t count, uint32_t rows, uint32_t columns, size_t n) {
    file_size = 0;
    put(magic), put(count), put(rows), put(columns);
    for (size_t i = 0; i < n; i++) file[file_size++] = (uint8_t)(i * 3 % 256);
}

static void idx_labels(uint32_t magic, uint32_t count, size_t n) {
    file_size = 0;
    put(magic), put(count);
    for (size_t i = 0; i < n; i++) file[file_size++] = (uint8_t)(i % 10);
}

static const char *save(const char *name) { return scratch_write(&s, name, file, file_size); }

/* Replaces `file` by its gzip. */
static void pack(void) {
    static uint8_t packed[sizeof file];
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    file_size = libdeflate_gzip_compress(c, file, file_size, packed, sizeof packed);
    libdeflate_free_compressor(c);
    assert_true(file_size > 0);
    memcpy(file, packed, file_size);
}

static void assert_refused(const char *images_path, const char *labels_path, const char *why) {
    elbo_images images;
    elbo_error err = {0};
    assert_int_equal(elbo_idx_read(&images, images_path, labels_path, &err), ELBO_BAD_INPUT);
    assert_message(err, labels_path ? labels_path : images_path, why);
    assert_null(images.bytes);
    assert_null(images.labels);
}

static void assert_good(const char *images_path, const char *labels_path) {
    elbo_images images;
    elbo_error err = {0};
    if (elbo_idx_read(&images, images_path, labels_path, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_int_equal(images.count, 20);
    assert_int_equal(images.shape.channels, 1);
    assert_int_equal(images.shape.height, 5);
    assert_int_equal(images.shape.width, 3);
    assert_null(images.floats);
    for (int i = 0; i < 300; i++) assert_int_equal(images.bytes[i], i * 3 % 256);
    for (int i = 0; labels_path && i < 20; i++) assert_int_equal(images.labels[i], i % 10);
    if (!labels_path) assert_null(images.labels);
    elbo_images_free(&images);
}

static void plain_and_packed_files_are_read_whatever_their_names(void **state) {
    (void)state;
    char labels[160];
    idx_labels(0x801, 20, 20);
    strcpy(labels, save("labels"));
    idx_images(0x803, 20, 5, 3, 300);
    assert_good(save("images"), NULL);
    assert_good(save("plain.gz"), labels);
    pack();
    assert_good(save("images.gz"), NULL);
    assert_good(save("packed"), labels);
}

static void sizes_that_lie_are_refused(void **state) {
    (void)state;
    idx_images(0x803, 20, 5, 3, 299);
    assert_refused(save("x"), NULL, "20 x 5 x 3 images, but 299 bytes follow it; the file is truncated");
    pack();
    assert_refused(save("x"), NULL, "20 x 5 x 3 images, but 299 bytes follow it");
    idx_images(0x803, 20, 5, 3, 301);
    assert_refused(save("x"), NULL, "301 bytes");
    idx_images(0x803, 0xffffffff, 4096, 4096, 10);
    assert_refused(save("x"), NULL, "4294967295 x 4096 x 4096");
    idx_images(0x803, 1, 0x80000000, 0x80000000, 10); // 2^62, and 4 of them 0
    assert_refused(save("x"), NULL, "expected 1 x 1 to 4096 x 4096");
    idx_images(0x803, 1, 4097, 1, 4097);
    assert_refused(save("x"), NULL, "4097 x 1 pixels");
    idx_images(0x803, 1, 0, 28, 0);
    assert_refused(save("x"), NULL, "0 x 28 pixels");
    idx_images(0x803, 0, 28, 28, 0);
    assert_refused(save("x"), NULL, "no images");
    file_size = 12;
    assert_refused(save("x"), NULL, "12 bytes");
    file_size = 3;
    assert_refused(save("x"), NULL, "3 bytes");
    file_size = 0;
    assert_refused(save("x"), NULL, "0 bytes");
}

static void files_of_another_kind_are_refused_by_their_magic(void **state) {
    (void)state;
    char images[160];
    idx_labels(0x801, 20, 20);
    assert_refused(save("labels"), NULL, "0x00000801, which is an IDX file of labels");
    idx_images(0x803, 20, 5, 3, 300);
    strcpy(images, save("images"));
    assert_refused(images, images, "0x00000803, which is an IDX file of images");
    idx_images(0xd03, 20, 5, 3, 1200);
    assert_refused(save("x"), NULL, "0x00000d03, an IDX file of another type");
    assert_refused(scratch_write(&s, "x", "\x89PNG\r\n", 6), NULL, "0x89504e47, which is not an IDX file");
}

static void labels_must_be_as_many_as_images(void **state) {
    (void)state;
    char labels[160];
    idx_labels(0x801, 19, 19);
    strcpy(labels, save("labels"));
    idx_images(0x803, 20, 5, 3, 300);
    assert_refused(save("images"), labels, "19 labels");
    idx_labels(0x801, 20, 19);
    save("labels");
    assert_refused(scratch_path(&s, "images"), labels, "20 labels, but 19 bytes");
}

static void damaged_gzip_is_refused(void **state) {
    (void)state;
    idx_images(0x803, 20, 5, 3, 300);
    pack();
    size_t whole = file_size;
    for (size_t cut = 2; cut < whole; cut++) { // every length but the right one
        file_size = cut;
        assert_refused(save("x"), NULL, "gzip");
    }
    for (size_t i = 10; i < whole; i++) { // every byte behind the header, which has no sum of its own
        file[i] ^= 0x10;
        file_size = whole;
        assert_refused(save("x"), NULL, "gzip");
        file[i] ^= 0x10;
    }
    file_size = whole;
    assert_good(save("x"), NULL);
}

/* The trailer's word is not taken: neither for 4 GiB of memory nor for less than is there. */
static void a_gzip_trailer_that_lies_is_refused(void **state) {
    (void)state;
    idx_images(0x803, 20, 5, 3, 300);
    pack();
    memset(file + file_size - 4, 0xff, 4);
    assert_refused(save("x"), NULL, "claims 4294967295 bytes");
    idx_images(0x803, 20, 5, 3, 300);
    pack();
    memset(file + file_size - 4, 0, 4);
    assert_refused(save("x"), NULL, "damaged");
}

static void a_missing_file_is_not_found(void **state) {
    (void)state;
    elbo_images images;
    elbo_error err = {0};
    assert_int_equal(elbo_idx_read(&images, scratch_path(&s, "none"), NULL, &err), ELBO_NOT_FOUND);
    assert_message(err, s.path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_packed_files_are_read_whatever_their_names),
        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(files_of_another_kind_are_refused_by_their_magic),
        cmocka_unit_test(labels_must_be_as_many_as_images),
        cmocka_unit_test(damaged_gzip_is_refused),
        cmocka_unit_test(a_gzip_trailer_that_lies_is_refused),
        cmocka_unit_test(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
