/* Members of a .zip that is made here: stored and deflated, in folders, and every way of being broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine.h"
#include "formats/unzip.h"
#include "scratch.h"

typedef struct zip {
    uint8_t bytes[8192], directory[2048];
    size_t size, listed;
    int members;
} zip;

static void put(uint8_t *to, size_t *at, uint32_t v, int bytes) {
    for (int i = 0; i < bytes; i++) to[(*at)++] = (uint8_t)(v >> 8 * i);
}

static void put_bytes(uint8_t *to, size_t *at, const void *from, size_t n) {
    memcpy(to + *at, from, n);
    *at += n;
}

static void add(zip *z, const char *name, const uint8_t *data, size_t n, bool deflate) {
    uint8_t packed[4096];
    size_t size = n, local = z->size;
    uint32_t crc = libdeflate_crc32(0, data, n);
    memcpy(packed, data, n);
    if (deflate) {
        struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
        size = libdeflate_deflate_compress(c, data, n, packed, sizeof packed);
        assert_true(size > 0);
        libdeflate_free_compressor(c);
    }
    put(z->bytes, &z->size, 0x04034b50, 4);
    put(z->bytes, &z->size, 20, 2), put(z->bytes, &z->size, 0, 2), put(z->bytes, &z->size, deflate ? 8 : 0, 2);
    put(z->bytes, &z->size, 0, 4), put(z->bytes, &z->size, crc, 4);
    put(z->bytes, &z->size, (uint32_t)size, 4), put(z->bytes, &z->size, (uint32_t)n, 4);
    put(z->bytes, &z->size, (uint32_t)strlen(name), 2), put(z->bytes, &z->size, 3, 2);
    put_bytes(z->bytes, &z->size, name, strlen(name));
    put_bytes(z->bytes, &z->size, "abc", 3); // an extra field
    put_bytes(z->bytes, &z->size, packed, size);
    put(z->directory, &z->listed, 0x02014b50, 4);
    put(z->directory, &z->listed, 20, 2), put(z->directory, &z->listed, 20, 2), put(z->directory, &z->listed, 0, 2);
    put(z->directory, &z->listed, deflate ? 8 : 0, 2), put(z->directory, &z->listed, 0, 4);
    put(z->directory, &z->listed, crc, 4), put(z->directory, &z->listed, (uint32_t)size, 4);
    put(z->directory, &z->listed, (uint32_t)n, 4), put(z->directory, &z->listed, (uint32_t)strlen(name), 2);
    put(z->directory, &z->listed, 0, 2), put(z->directory, &z->listed, 0, 2), put(z->directory, &z->listed, 0, 2);
    put(z->directory, &z->listed, 0, 2), put(z->directory, &z->listed, 0, 4);
    put(z->directory, &z->listed, (uint32_t)local, 4);
    put_bytes(z->directory, &z->listed, name, strlen(name));
    z->members++;
}

static void end(zip *z) {
    size_t start = z->size;
    put_bytes(z->bytes, &z->size, z->directory, z->listed);
    put(z->bytes, &z->size, 0x06054b50, 4), put(z->bytes, &z->size, 0, 4);
    put(z->bytes, &z->size, (uint32_t)z->members, 2), put(z->bytes, &z->size, (uint32_t)z->members, 2);
    put(z->bytes, &z->size, (uint32_t)z->listed, 4), put(z->bytes, &z->size, (uint32_t)start, 4);
    put(z->bytes, &z->size, 6, 2);
    put_bytes(z->bytes, &z->size, "remark", 6);
}

static const uint8_t small[] = "a few letters";
static uint8_t large[3000];

static void make(zip *z) {
    *z = (zip){.size = 0};
    for (size_t i = 0; i < sizeof large; i++) large[i] = (uint8_t)(i * i >> 6);
    add(z, "gzip/other.gz", small, 3, false);
    add(z, "gzip/first.gz", small, sizeof small, false);
    add(z, "second.gz", large, sizeof large, true);
    add(z, "gzip/not-second.gz", small, 4, false);
    end(z);
}

static elbo_status unzip(scratch *s, const zip *z, size_t size, const char *const *names, elbo_error *err) {
    char *file = strdup(scratch_write(s, "a.zip", (const char *)z->bytes, size)),
         *folder = strdup(scratch_path(s, "out"));
    assert_ok(elbo_make_folder(folder, &failure));
    elbo_status status = elbo_unzip(file, names, folder, err);
    free(file);
    free(folder);
    return status;
}

static void check_file(scratch *s, const char *name, const uint8_t *want, size_t n) {
    uint8_t *bytes;
    size_t size;
    assert_ok(elbo_file_read(scratch_path(s, name), 1 << 20, &bytes, &size, &failure));
    assert_int_equal(size, n);
    assert_memory_equal(bytes, want, n);
    free(bytes);
}

static void members(void **state) {
    (void)state;
    scratch s;
    zip z;
    elbo_error err;
    scratch_make(&s);
    make(&z);
    assert_ok(unzip(&s, &z, z.size, (const char *[]){"first.gz", "second.gz", NULL}, &failure));
    check_file(&s, "out/first.gz", small, sizeof small);
    check_file(&s, "out/second.gz", large, sizeof large);
    assert_false(elbo_file_exists(scratch_path(&s, "out/other.gz")));
    assert_int_equal(unzip(&s, &z, z.size, (const char *[]){"third.gz", NULL}, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "lacks third.gz"));
    scratch_remove(&s);
}

/* Every byte changed, and every length: never a file that is not what was packed. */
static void broken(void **state) {
    (void)state;
    static const char *const names[] = {"first.gz", "second.gz", NULL};
    scratch s;
    zip z;
    elbo_error err;
    scratch_make(&s);
    make(&z);
    for (size_t i = 0; i < z.size; i += i > z.size - 400 ? 2 : 61) {
        z.bytes[i] ^= 0x41;
        if (unzip(&s, &z, z.size, names, &err) == ELBO_OK) { // a field that does not matter
            check_file(&s, "out/first.gz", small, sizeof small);
            check_file(&s, "out/second.gz", large, sizeof large);
        }
        z.bytes[i] ^= 0x41;
    }
    for (size_t size = 0; size < z.size; size += size + 100 < z.size ? 97 : 1)
        assert_int_equal(unzip(&s, &z, size, names, &err), ELBO_BAD_INPUT);
    scratch_remove(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(members), cmocka_unit_test(broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
