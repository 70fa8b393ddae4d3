/* CIFAR-10's binary files, and getting files out of the archive they come in. */
#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/data.h"
#include "formats/untar.h"
#include "scratch.h"

static scratch s;
enum { RECORD = 3073, IMAGES = 4 };

static uint8_t value(int file, int image, int k) { return (uint8_t)(file * 50 + image * 7 + k * 3); }

static void write_batch(const char *name, int file, int images) {
    static uint8_t bytes[IMAGES * RECORD];
    for (int i = 0; i < images; i++) {
        bytes[i * RECORD] = (uint8_t)((i + file) % 10);
        for (int k = 0; k < 3072; k++) bytes[i * RECORD + 1 + k] = value(file, i, k);
    }
    scratch_write(&s, name, bytes, (size_t)images * RECORD);
}

static void test_reads(void **state) {
    (void)state;
    for (int f = 1; f <= 5; f++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", f);
        write_batch(name, f, f == 3 ? 1 : IMAGES);
    }
    write_batch("test_batch.bin", 6, 2);
    elbo_dataset d;
    elbo_error err;
    if (elbo_dataset_open(&d, "cifar10", s.folder, ELBO_BOTH_SPLITS, 1, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_int_equal(d.train.count, 4 * IMAGES + 1);
    assert_int_equal(d.test.count, 2);
    assert_string_equal(d.class_names[9], "truck");
    assert_int_equal(d.train.shape.channels * 10000 + d.train.shape.height * 100 + d.train.shape.width, 33232);
    assert_int_equal(d.train.labels[2 * IMAGES], 3); // the one of the third file
    for (int k = 0; k < 3072; k++) {
        assert_int_equal(d.train.bytes[2 * IMAGES * 3072 + k], value(3, 0, k));
        assert_int_equal(d.test.bytes[3072 + k], value(6, 1, k));
    }
    elbo_dataset_close(&d);
    uint8_t label = 10;
    FILE *f = fopen(scratch_path(&s, "data_batch_2.bin"), "r+b");
    assert_int_equal(fwrite(&label, 1, 1, f), 1);
    fclose(f);
    assert_int_equal(elbo_dataset_open(&d, "cifar10", s.folder, ELBO_BOTH_SPLITS, 1, &err), ELBO_BAD_INPUT);
    assert_message(err, "data_batch_2.bin", "label 10");
    assert_int_equal(truncate(scratch_path(&s, "test_batch.bin"), 3000), 0);
    assert_int_equal(elbo_dataset_open(&d, "cifar10", s.folder, ELBO_TEST_SPLIT, 1, &err), ELBO_BAD_INPUT);
    assert_message(err, "test_batch.bin", "a multiple of");
    unlink(scratch_path(&s, "data_batch_4.bin"));
    write_batch("data_batch_2.bin", 2, 1);
    assert_int_equal(elbo_dataset_open(&d, "cifar10", s.folder, ELBO_TRAIN_SPLIT, 1, &err), ELBO_NOT_FOUND);
    assert_message(err, "data_batch_4.bin");
}

/* A member of a tar archive at `at`; returns where the next one goes. */
static size_t add_member(uint8_t *tar, size_t at, const char *name, const char *bytes) {
    size_t n = strlen(bytes);
    unsigned sum = 0;
    memset(tar + at, 0, 512);
    strcpy((char *)tar + at, name);
    sprintf((char *)tar + at + 124, "%011zo", n);
    memcpy(tar + at + 148, "        ", 8);
    tar[at + 156] = '0';
    memcpy(tar + at + 257, "ustar", 6);
    for (int i = 0; i < 512; i++) sum += tar[at + (size_t)i];
    sprintf((char *)tar + at + 148, "%06o", sum);
    memcpy(tar + at + 512, bytes, n);
    return at + 512 + (n + 511) / 512 * 512;
}

static void pack(const char *name, const uint8_t *bytes, size_t n) {
    static uint8_t packed[8192];
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    scratch_write(&s, name, packed, libdeflate_gzip_compress(c, bytes, n, packed, sizeof packed));
    libdeflate_free_compressor(c);
}

static void test_untar(void **state) {
    (void)state;
    static uint8_t tar[8192];
    size_t end = add_member(tar, 0, "cifar/readme.html", "hello");
    end = add_member(tar, end, "../../cifar/a.bin", "0123456789"); // where its path leads is of no account
    size_t second = end;
    end = add_member(tar, end, "b.bin", "xyz");
    pack("x.tar.gz", tar, end + 1024);
    const elbo_tar_member good[] = {{"a.bin", 10}, {"b.bin", 3}, {0}}, larger[] = {{"a.bin", 11}, {0}},
                          missing[] = {{"a.bin", 10}, {"c.bin", 3}, {0}};
    char path[320];
    elbo_error err;
    strcpy(path, scratch_path(&s, "x.tar.gz"));
    if (elbo_untar_gz(path, good, s.folder, &err) != ELBO_OK) fail_msg("%s", err.message);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(elbo_file_read(scratch_path(&s, "a.bin"), 100, &bytes, &size, NULL), ELBO_OK);
    assert_int_equal(size, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    free(bytes);
    assert_int_equal(elbo_untar_gz(path, larger, s.folder, &err), ELBO_BAD_INPUT);
    assert_message(err, "a.bin has 10 bytes; expected 11");
    assert_int_equal(elbo_untar_gz(path, missing, s.folder, &err), ELBO_BAD_INPUT);
    assert_message(err, "holds 1 of the 2");
    uint8_t twice[4096] = {0}; // one member twice is not two members
    size_t twice_end = add_member(twice, add_member(twice, 0, "a.bin", "0123456789"), "x/a.bin", "9876543210");
    pack("x.tar.gz", twice, twice_end + 1024);
    assert_int_equal(elbo_untar_gz(path, good, s.folder, &err), ELBO_BAD_INPUT);
    assert_message(err, "holds 1 of the 2");
    tar[second + 3] ^= 1; // the header's sum no longer fits
    pack("x.tar.gz", tar, end + 1024);
    assert_int_equal(elbo_untar_gz(path, good, s.folder, &err), ELBO_BAD_INPUT);
    assert_message(err, "not a tar archive");
    tar[second + 3] ^= 1;
    pack("x.tar.gz", tar, second + 512 + 2); // ends inside of a member
    assert_int_equal(elbo_untar_gz(path, good, s.folder, &err), ELBO_BAD_INPUT);
    scratch_write(&s, "x.tar.gz", "not a gzip", 7);
    assert_int_equal(elbo_untar_gz(path, good, s.folder, &err), ELBO_BAD_INPUT);
    assert_message(err, "gzip");
}

int main(void) {
    scratch_make(&s);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads), cmocka_unit_test(test_untar)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    return failed;
}
