/* Named tensors to a file and back, and files that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "formats/safetensors.h"

static char folder[] = "/tmp/elbo-test-safetensors-XXXXXX";

static int enter_folder(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state) {
    (void)state;
    unlink("x");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; // no temporary file was left either
}

static elbo_safetensors opened(const char *path) {
    elbo_safetensors s;
    elbo_error err;
    if (elbo_safetensors_open(&s, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    return s;
}

static void assert_refused(const char *message) {
    elbo_safetensors s, empty = {0};
    elbo_error err = {0};
    if (elbo_safetensors_open(&s, "x", &err) == ELBO_OK) fail_msg("was taken; expected: %s", message);
    const char *star = strchr(message, '*'); // what follows are jansson's words, another version's may differ
    if (star)
        assert_memory_equal(err.message, message, (size_t)(star - message));
    else
        assert_string_equal(err.message, message);
    assert_int_equal(err.status, ELBO_BAD_INPUT);
    assert_null(strchr(err.message, '\n'));
    assert_memory_equal(&s, &empty, sizeof s); // nothing is left to free
}

/* A file of this header, `length` in front of it (0: its own), and `n` bytes of data. */
static void write_file(const char *header, uint64_t length, const void *data, size_t n) {
    uint8_t bytes[4096];
    size_t h = strlen(header);
    if (!length) length = h;
    assert_true(8 + h + n <= sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, h);
    if (n) memcpy(bytes + 8 + h, data, n);
    elbo_error err;
    assert_int_equal(elbo_file_write("x", bytes, 8 + h + n, &err), ELBO_OK);
}

/* ------------------------------------------------------------------------------------------------ there and back */

static const float weight[6] = {1, -2.5f, 3e-45f, 0, -0.0f, 3.4028235e38f}; // (2, 3)
static const double loss[1] = {0.1};
static const int64_t step[1] = {INT64_MIN};
static const uint8_t mask[5] = {0, 1, 2, 254, 255};

static void tensors_come_back(void **state) {
    (void)state;
    const elbo_st_tensor tensors[] = {
        {"mask", ELBO_ST_U8, 1, {5}, mask},         {"fc.weight \"ü\"\n", ELBO_ST_F32, 2, {2, 3}, weight},
        {"loss", ELBO_ST_F64, 0, {0}, loss},        {"none", ELBO_ST_F32, 3, {4, 0, 9}, NULL},
        {"step", ELBO_ST_I64, 2, {1, 1}, step},     {"bias", ELBO_ST_F32, 8, {1, 1, 1, 1, 1, 1, 1, 3}, weight},
        {"mask.tail", ELBO_ST_U8, 1, {1}, mask + 4}};
    enum { COUNT = sizeof tensors / sizeof *tensors };
    const elbo_st_pair metadata[] = {{"format", "elbo"}, {"recipe", "kind: vae\nlatent: 2\n"}};
    elbo_error err;
    assert_int_equal(elbo_safetensors_write("x", tensors, COUNT, metadata, 2, &err), ELBO_OK);

    elbo_safetensors s = opened("x");
    assert_int_equal(s.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const elbo_st_tensor *want = &tensors[i], *got = &s.tensors[i];
        size_t bytes;
        assert_true(elbo_st_bytes(want, &bytes));
        assert_string_equal(got->name, want->name); // in the order given
        assert_int_equal(got->dtype, want->dtype);
        assert_int_equal(got->dims, want->dims);
        for (int d = 0; d < want->dims; d++) assert_int_equal(got->shape[d], want->shape[d]);
        assert_int_equal((uintptr_t)got->data % elbo_st_size(got->dtype), 0);
        if (bytes) assert_memory_equal(got->data, want->data, bytes);
        assert_ptr_equal(elbo_safetensors_find(&s, want->name), got);
    }
    assert_null(elbo_safetensors_find(&s, "fc"));
    assert_int_equal(s.pairs, 2);
    assert_string_equal(elbo_safetensors_metadata(&s, "recipe"), "kind: vae\nlatent: 2\n");
    assert_null(elbo_safetensors_metadata(&s, "x"));
    elbo_safetensors_close(&s);
}

static void nothing_comes_back_as_nothing(void **state) {
    (void)state;
    elbo_error err;
    assert_int_equal(elbo_safetensors_write("x", NULL, 0, NULL, 0, &err), ELBO_OK);
    elbo_safetensors s = opened("x");
    assert_int_equal(s.count + s.pairs, 0);
    elbo_safetensors_close(&s);
}

/* The bytes themselves, as the format's specification has them. */
static void the_file_is_what_the_format_says(void **state) {
    (void)state;
    const elbo_st_tensor tensors[] = {{"b", ELBO_ST_U8, 1, {1}, mask + 4}, {"a", ELBO_ST_F32, 1, {1}, weight}};
    elbo_error err;
    assert_int_equal(elbo_safetensors_write("x", tensors, 2, &(elbo_st_pair){"k", "v"}, 1, &err), ELBO_OK);
    uint8_t *bytes;
    size_t n;
    assert_int_equal(elbo_file_read("x", 1000, &bytes, &n, &err), ELBO_OK);
    const char header[] =
        "{\"__metadata__\":{\"k\":\"v\"},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}     ";
    size_t h = sizeof header - 1;
    assert_int_equal(h % 8, 0);
    assert_int_equal(n, 8 + h + 5);
    assert_memory_equal(bytes, (&(uint64_t){h}), 8);
    assert_memory_equal(bytes + 8, header, h);
    assert_memory_equal(bytes + 8 + h, "\0\0\x80\x3f\xff", 5); // 1.0f, little-endian; 255
    free(bytes);
}

/* Another program's file: an unpadded header, a byte before a float, offsets in another order than names. */
static void data_that_are_not_aligned_are_moved(void **state) {
    (void)state;
    const char *header = "{\"f\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},"
                         "\"u\":{\"shape\":[1],\"data_offsets\":[0,1],\"dtype\":\"U8\"} ,"
                         "\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[5,13]}}";
    uint8_t data[13] = {7};
    memcpy(data + 1, &weight[1], 4);
    memcpy(data + 5, loss, 8);
    for (int blanks = 0; blanks < 8; blanks++) {
        char padded[512];
        snprintf(padded, sizeof padded, "%s%*s", header, blanks, "");
        write_file(padded, 0, data, sizeof data);
        elbo_safetensors s = opened("x");
        const elbo_st_tensor *f = elbo_safetensors_find(&s, "f"), *u = elbo_safetensors_find(&s, "u"),
                             *d = elbo_safetensors_find(&s, "d");
        assert_true((uintptr_t)f->data % 4 == 0 && (uintptr_t)d->data % 8 == 0);
        assert_true(*(const float *)f->data == -2.5f && *(const uint8_t *)u->data == 7);
        assert_true(*(const double *)d->data == 0.1);
        elbo_safetensors_close(&s);
    }
}

/* ------------------------------------------------------------------------------------------------ files that lie */

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* Eight bytes of zeros are the data of each. */
static const struct {
    const char *header, *message;
} bad[] = {
    {"", "x: its header is not JSON: *"},
    {"PK\3\4 some zip", "x: its header is not JSON: *"},
    {"{\"a\":", "x: its header is not JSON: *"},
    {"{\"\xff\":1}", "x: its header is not JSON: *"},
    {"[]", "x: is not a safetensors file: its header is not a JSON object"},
    {"{}", "x: 8 bytes at its end belong to no tensor"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[4,8]") "}", "x: its header is not JSON: *"},
    {"{\"__metadata__\":3}", "x: is not a safetensors file: its __metadata__ is not a JSON object"},
    {"{\"__metadata__\":{\"a\":3}}",
     "x: is not a safetensors file: its __metadata__ holds values that are not strings"},
    {"{\"a\":3}", "x: tensor a: is not a JSON object"},
    {"{\"a\":{}}", "x: tensor a: has no dtype"},
    {"{\"a\":{\"dtype\":3}}", "x: tensor a: has no dtype"},
    {"{\"a\\n\":{\"dtype\":\"BF16\"}}", "x: tensor a\\n: dtype BF16; F32, F64, I64 and U8 can be read"},
    {"{\"a\":{\"dtype\":\"F32\"}}", "x: tensor a: has no shape"},
    {"{\"a\":" T("F32", "{}", "[0,8]") "}", "x: tensor a: has no shape"},
    {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", "x: tensor a: has more than 8 dimensions"},
    {"{\"a\":" T("F32", "[-2]", "[0,8]") "}", "x: tensor a: its shape has an entry that is not an integer >= 0"},
    {"{\"a\":" T("F32", "[2.0]", "[0,8]") "}", "x: tensor a: its shape has an entry that is not an integer >= 0"},
    {"{\"a\":" T("F32", "[99999999999999999999]", "[0,8]") "}", "x: its header is not JSON: *"},
    {"{\"a\":" T("F32", "[2]", "[0]") "}", "x: tensor a: its data_offsets are not two integers >= 0"},
    {"{\"a\":" T("F32", "[2]", "[0,8,8]") "}", "x: tensor a: its data_offsets are not two integers >= 0"},
    {"{\"a\":" T("F32", "[2]", "[-8,0]") "}", "x: tensor a: its data_offsets are not two integers >= 0"},
    {"{\"a\":" T("F32", "[2]", "7") "}", "x: tensor a: its data_offsets are not two integers >= 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"scale\":2}}",
     "x: tensor a: has keys besides dtype, shape and data_offsets"},
    {"{\"a\":" T("F32", "[3]", "[0,12]") "}", "x: tensor a: data_offsets [0, 12] are not inside the 8 bytes of data"},
    {"{\"a\":" T("F32", "[2]", "[8,0]") "}", "x: tensor a: data_offsets [8, 0] are not inside the 8 bytes of data"},
    {"{\"a\":" T("F32", "[2]", "[9223372036854775800,9223372036854775807]") "}",
     "x: tensor a: data_offsets [9223372036854775800, 9223372036854775807] are not inside the 8 bytes of data"},
    {"{\"a\":" T("F32", "[3]", "[0,8]") "}", "x: tensor a: its shape needs 12 bytes, its data_offsets span 8"},
    {"{\"a\":" T("F32", "[1]", "[0,8]") "}", "x: tensor a: its shape needs 4 bytes, its data_offsets span 8"},
    {"{\"a\":" T("F32", "[0,4611686018427387904,4]", "[0,8]") "}",
     "x: tensor a: its shape needs 0 bytes, its data_offsets span 8"},
    {"{\"a\":" T("F32", "[4611686018427387905,4]", "[0,8]") "}", "x: tensor a: the product of its shape overflows"},
    {"{\"a\":" T("F32", "[2147483648,2147483648,2]", "[0,0]") "}", "x: tensor a: the product of its shape overflows"},
    {"{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("U8", "[1]", "[7,8]") "}",
     "x: tensor b: its data overlap another tensor's"},
    {"{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("F32", "[2]", "[0,8]") "}",
     "x: tensor b: its data overlap another tensor's"},
    {"{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("F32", "[0]", "[4,4]") "}",
     "x: tensor b: its data overlap another tensor's"},
    {"{\"b\":" T("F32", "[1]", "[4,8]") ",\"a\":" T("U8", "[3]", "[0,3]") "}",
     "x: tensor b: there is a gap before its data"},
    {"{\"a\":" T("U8", "[5]", "[0,5]") "}", "x: 3 bytes at its end belong to no tensor"},
    {"{\"a\":" T("U8", "[8]", "[0,8]") "} x", "x: its header is not JSON: *"},
};

static void files_that_lie_are_refused_in_these_words(void **state) {
    (void)state;
    static const uint8_t zeros[8];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(bad[i].header, 0, zeros, sizeof zeros);
        assert_refused(bad[i].message);
    }
}

static void header_lengths_that_lie(void **state) {
    (void)state;
    elbo_error err;
    assert_int_equal(elbo_file_write("x", "1234567", 7, &err), ELBO_OK);
    assert_refused("x: is not a safetensors file: shorter than the 8 bytes that begin it");
    write_file("{}", 3, NULL, 0);
    assert_refused("x: is not a safetensors file, or is truncated: a header of 3 bytes in a file of 10");
    write_file("{}", UINT64_MAX, NULL, 0); // with 8 added it would be small again
    assert_refused(
        "x: is not a safetensors file, or is truncated: a header of 18446744073709551615 bytes in a file of 10");
    write_file("{}", UINT64_MAX - 7, NULL, 0);
    assert_refused(
        "x: is not a safetensors file, or is truncated: a header of 18446744073709551608 bytes in a file of 10");
    size_t n = (16 << 20) + 9; // a header that is there, and absurd
    uint8_t *bytes = calloc(n, 1);
    assert_non_null(bytes);
    memcpy(bytes, &(uint64_t){n - 8}, 8);
    assert_int_equal(elbo_file_write("x", bytes, n, &err), ELBO_OK);
    free(bytes);
    assert_refused("x: is not a safetensors file: its header has more than 16 MiB");
}

/* The header is looked at before memory is taken for what it speaks of. */
static void a_large_file_with_a_bad_header_is_not_read(void **state) {
    (void)state;
    const size_t size = (size_t)3 << 30; // a hole but for its header
    static const char *const headers[] = {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "{\"t\":",
                                          "{\"t\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_file(headers[i], strlen(headers[i]), NULL, 0);
        if (truncate("x", (off_t)size) != 0) skip(); // a file system without holes, and without room
        struct rusage before, after;
        getrusage(RUSAGE_SELF, &before);
        elbo_safetensors s;
        elbo_error err;
        assert_int_equal(elbo_safetensors_open(&s, "x", &err), ELBO_BAD_INPUT);
        getrusage(RUSAGE_SELF, &after);
        assert_true(after.ru_maxrss - before.ru_maxrss < 200 << 10); // KiB
    }
}

static void every_prefix_of_a_file_is_refused(void **state) {
    (void)state;
    elbo_error err;
    const elbo_st_tensor tensors[] = {{"a", ELBO_ST_F32, 2, {2, 3}, weight}, {"b", ELBO_ST_U8, 1, {5}, mask}};
    assert_int_equal(elbo_safetensors_write("x", tensors, 2, NULL, 0, &err), ELBO_OK);
    uint8_t *bytes;
    size_t n;
    assert_int_equal(elbo_file_read("x", 1000, &bytes, &n, &err), ELBO_OK);
    for (size_t cut = 0; cut < n; cut++) {
        FILE *f = fopen("x", "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, cut, f), cut);
        fclose(f);
        elbo_safetensors s;
        assert_int_equal(elbo_safetensors_open(&s, "x", &err), ELBO_BAD_INPUT);
    }
    free(bytes);
    unlink("x");
    elbo_safetensors s;
    assert_int_equal(elbo_safetensors_open(&s, "x", &err), ELBO_NOT_FOUND);
}

static void numbers_that_are_none_are_refused(void **state) {
    (void)state;
    float f[2] = {1, NAN};
    double d[1] = {-INFINITY};
    write_file("{\"w\":" T("F32", "[2]", "[0,8]") "}", 0, f, 8);
    assert_refused("x: tensor w: element 1 is NaN; expected finite numbers");
    write_file("{\"w\":" T("F64", "[1]", "[0,8]") "}", 0, d, 8);
    assert_refused("x: tensor w: element 0 is infinite; expected finite numbers");
    write_file("{\"w\":" T("I64", "[1]", "[0,8]") "}", 0, d, 8); // the same bits, a fine integer
    elbo_safetensors s = opened("x");
    elbo_safetensors_close(&s);
}

/* ------------------------------------------------------------------------------------------------ writing */

static void assert_not_written(const elbo_st_tensor *t, int count, const elbo_st_pair *pairs, int n,
                               const char *message) {
    elbo_error err = {0};
    if (elbo_safetensors_write("x", t, count, pairs, n, &err) == ELBO_OK)
        fail_msg("was written; expected: %s", message);
    assert_string_equal(err.message, message);
    elbo_safetensors s = opened("x"); // the old file stands
    assert_int_equal(s.count, 0);
    elbo_safetensors_close(&s);
}

static void what_could_not_be_read_is_not_written(void **state) {
    (void)state;
    elbo_error err;
    const float nan_[1] = {NAN};
    assert_int_equal(elbo_safetensors_write("x", NULL, 0, NULL, 0, &err), ELBO_OK);
    assert_not_written(&(elbo_st_tensor){"w", ELBO_ST_F32, 1, {1}, nan_}, 1, NULL, 0,
                       "x: tensor w: element 0 is NaN; expected finite numbers");
    assert_not_written(&(elbo_st_tensor){"\xff", ELBO_ST_F32, 1, {1}, weight}, 1, NULL, 0,
                       "x: cannot be written: \xff is not UTF-8");
    assert_not_written(&(elbo_st_tensor){"__metadata__", ELBO_ST_F32, 1, {1}, weight}, 1, NULL, 0,
                       "x: cannot be written: __metadata__ is not a valid tensor name");
    assert_not_written(&(elbo_st_tensor){"w", ELBO_ST_F32, 9, {1}, weight}, 1, NULL, 0,
                       "x: cannot be written: w has too many dimensions (at most 8) or elements");
    assert_not_written(&(elbo_st_tensor){"w", ELBO_ST_F32, 2, {SIZE_MAX / 2, 2}, weight}, 1, NULL, 0,
                       "x: cannot be written: w has too many dimensions (at most 8) or elements");
    const elbo_st_tensor twins[] = {{"w", ELBO_ST_F32, 1, {1}, weight}, {"w", ELBO_ST_U8, 1, {1}, mask}};
    assert_not_written(twins, 2, NULL, 0, "x: cannot be written: w occurs twice");
    assert_not_written(NULL, 0, (elbo_st_pair[]){{"k", "v"}, {"k", "v"}}, 2, "x: cannot be written: k occurs twice");
    assert_not_written(NULL, 0, (elbo_st_pair[]){{"k", "\xc3"}}, 1, "x: cannot be written: \xc3 is not UTF-8");
    assert_int_equal(elbo_safetensors_write("no/such/folder", NULL, 0, NULL, 0, &err), ELBO_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_come_back),
        cmocka_unit_test(nothing_comes_back_as_nothing),
        cmocka_unit_test(the_file_is_what_the_format_says),
        cmocka_unit_test(data_that_are_not_aligned_are_moved),
        cmocka_unit_test(files_that_lie_are_refused_in_these_words),
        cmocka_unit_test(header_lengths_that_lie),
        cmocka_unit_test(a_large_file_with_a_bad_header_is_not_read),
        cmocka_unit_test(every_prefix_of_a_file_is_refused),
        cmocka_unit_test(numbers_that_are_none_are_refused),
        cmocka_unit_test(what_could_not_be_read_is_not_written),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
