/* .npy files: what is written is read back, what NumPy writes is read, what is wrong is refused in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "formats/npy.h"
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

/* A version 1.0 file with this dict and these values. */
static const char *npy(const char *dict, const void *values, size_t n) {
    static unsigned char file[4096];
    size_t length = strlen(dict);
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (unsigned char)(length & 255);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + 10, dict, length);
    memcpy(file + 10 + length, values, n);
    return scratch_write(&s, "x.npy", file, 10 + length + n);
}

static void assert_refused(const char *path, const char *why) {
    elbo_array a;
    elbo_error err = {0};
    assert_int_equal(elbo_npy_read(&a, path, &err), ELBO_BAD_INPUT);
    assert_message(err, path, why);
    assert_null(a.data);
}

static void floats_and_bytes_come_back(void **state) {
    (void)state;
    elbo_array a;
    elbo_error err = {0};
    float x[24];
    for (int i = 0; i < 24; i++) x[i] = (float)i / 7 - 1;
    const size_t shape[3] = {2, 3, 4};
    assert_int_equal(elbo_npy_write_f32(scratch_path(&s, "f.npy"), x, 3, shape, &err), ELBO_OK);
    assert_int_equal(elbo_npy_read(&a, s.path, &err), ELBO_OK);
    assert_int_equal(a.dtype, ELBO_F32);
    assert_int_equal(a.dims, 3);
    assert_memory_equal(a.shape, shape, sizeof shape);
    assert_int_equal(a.count, 24);
    assert_memory_equal(a.data, x, sizeof x);
    elbo_array_free(&a);

    const uint8_t bytes[5] = {0, 1, 127, 128, 255};
    assert_int_equal(elbo_npy_write_u8(scratch_path(&s, "b.npy"), bytes, 1, (size_t[]){5}, &err), ELBO_OK);
    assert_int_equal(elbo_npy_read(&a, s.path, &err), ELBO_OK);
    assert_int_equal(a.dtype, ELBO_U8);
    assert_int_equal(a.dims, 1);
    assert_memory_equal(a.data, bytes, 5);
    elbo_array_free(&a);
}

/* The very bytes that NumPy 1.24's np.save writes for np.array([[1, 2, 3]], np.float32). */
static void what_is_written_is_what_numpy_writes(void **state) {
    (void)state;
    static const char dict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
    unsigned char wanted[128 + 12];
    memset(wanted, ' ', sizeof wanted);
    memcpy(wanted, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(wanted + 10, dict, sizeof dict - 1);
    wanted[127] = '\n';
    const float x[3] = {1, 2, 3};
    memcpy(wanted + 128, x, sizeof x);
    elbo_error err = {0};
    assert_int_equal(elbo_npy_write_f32(scratch_path(&s, "w.npy"), x, 2, (size_t[]){1, 3}, &err), ELBO_OK);
    FILE *f = fopen(s.path, "rb");
    unsigned char got[256];
    size_t n = fread(got, 1, sizeof got, f);
    fclose(f);
    assert_int_equal(n, sizeof wanted);
    assert_memory_equal(got, wanted, sizeof wanted);
}

static void other_spellings_of_the_header_are_read(void **state) {
    (void)state;
    elbo_array a;
    elbo_error err = {0};
    const int64_t x[2] = {-5, 6};
    assert_int_equal(elbo_npy_read(&a, npy("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"<i8\"}", x, 16), &err),
                     ELBO_OK);
    assert_int_equal(a.dtype, ELBO_I64);
    assert_int_equal(((int64_t *)a.data)[0], -5);
    elbo_array_free(&a);
    const double one = 2.5;
    assert_int_equal(elbo_npy_read(&a, npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", &one, 8), &err),
                     ELBO_OK);
    assert_int_equal(a.dims, 0);
    assert_int_equal(a.count, 1);
    assert_true(*(double *)a.data == 2.5);
    elbo_array_free(&a);
    assert_int_equal(
        elbo_npy_read(&a, npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9), }\n", &one, 0), &err),
        ELBO_OK);
    assert_int_equal(a.count, 0);
    elbo_array_free(&a);
    // version 2.0: four bytes of length
    const char dict[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\nabc";
    unsigned char file[12 + sizeof dict] = "\x93NUMPY\2\0";
    file[8] = sizeof dict - 1 - 3;
    memcpy(file + 12, dict, sizeof dict - 1);
    assert_int_equal(elbo_npy_read(&a, scratch_write(&s, "v2.npy", file, 12 + sizeof dict - 1), &err), ELBO_OK);
    assert_memory_equal(a.data, "abc", 3);
    elbo_array_free(&a);
}

static void files_that_are_no_npy_are_refused(void **state) {
    (void)state;
    elbo_array a;
    elbo_error err = {0};
    assert_int_equal(elbo_npy_read(&a, scratch_path(&s, "none.npy"), &err), ELBO_NOT_FOUND);
    assert_refused(s.folder, "a folder");
    assert_refused(scratch_write(&s, "x.npy", "", 0), "NUMPY");
    assert_refused(scratch_write(&s, "x.npy", "PK\3\4 a zip", 11), "NUMPY");
    assert_refused(scratch_write(&s, "x.npy", "\x93NUMPY", 6), "truncated");
    assert_refused(scratch_write(&s, "x.npy", "\x93NUMPY\3\0\0\0\0\0", 12), "version 3.0");
    assert_refused(scratch_write(&s, "x.npy", "\x93NUMPY\1\0\x76", 9), "truncated");
    assert_refused(scratch_write(&s, "x.npy", "\x93NUMPY\1\0\x76\0{'descr'", 18), "truncated");
    assert_refused(scratch_write(&s, "x.npy", "\x93NUMPY\2\0\xff\xff\xff\xff", 12), "4294967295");
}

static void damaged_headers_are_refused(void **state) {
    (void)state;
    static const char *const damaged[] = {
        "",
        "{",
        "{}",
        "{'descr': '<f4', 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} 5",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f4 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<fffffffffffffffffffffffffffffffffffffffffffff', 'fortran_order': False, 'shape': (1,)}",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        assert_refused(npy(damaged[i], "\0\0\0\0", 4), "damaged");
    assert_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': 1}", "\0\0\0\0", 4), "tuple");
    assert_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", "\0\0\0\0", 4), "tuple");
    assert_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "\0\0\0\0", 4), "size 0");
    assert_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "\0\0\0\0", 4),
                   "at most 8");
    assert_refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "\0\0\0\0", 4),
                   "structured");
}

static void shapes_that_lie_are_refused_before_memory_is_taken(void **state) {
    (void)state;
#define F4 "{'descr': '<f4', 'fortran_order': False, 'shape': "
    assert_refused(npy(F4 "(2,)}", "\0\0\0\0", 4), "needs 8 bytes of values, but the file has 4");
    assert_refused(npy(F4 "(1,)}", "\0\0\0\0\0\0\0\0", 8), "needs 4 bytes of values, but the file has 8");
    assert_refused(npy(F4 "(100000, 100000, 100)}", "\0\0\0\0", 4), "the file has 4");
    assert_refused(npy(F4 "(4611686018427387905,)}", "\0\0\0\0", 4), "overflows"); // 4 times it is 4
    assert_refused(npy(F4 "(4294967296, 4294967296)}", "", 0), "overflows");       // their product is 0
    assert_refused(npy(F4 "(18446744073709551616,)}", "", 0), "64 bits");
}

static void other_kinds_of_arrays_are_refused(void **state) {
    (void)state;
    assert_refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", "\0\0\0\0", 4), "Fortran");
    static const char *const dicts[] = {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}",
                                        "{'descr': '<f2', 'fortran_order': False, 'shape': (2,)}",
                                        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
                                        "{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}"};
    for (size_t i = 0; i < 4; i++) assert_refused(npy(dicts[i], "\0\0\0\0", 4), "dtype '");
}

static void values_that_are_not_finite_are_refused_with_their_place(void **state) {
    (void)state;
    float x[6] = {0, 1, 2, 3, NAN, 5};
    assert_refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", x, sizeof x), "[1, 1] is NaN");
    double y[2] = {0, -INFINITY};
    assert_refused(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", y, sizeof y), "[1] is infinite");
}

static void float64_becomes_float32_where_that_is_asked(void **state) {
    (void)state;
    elbo_array a;
    elbo_error err;
    double x[3] = {0.1, -2, 1e-50}, large[2] = {0, 1e39};
    const char *path = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", x, sizeof x);
    assert_int_equal(elbo_npy_read(&a, path, &err), ELBO_OK);
    assert_int_equal(elbo_array_narrow(&a, path, &err), ELBO_OK);
    assert_int_equal(a.dtype, ELBO_F32);
    for (int i = 0; i < 3; i++) assert_true(((float *)a.data)[i] == (float)x[i]);
    elbo_array_free(&a);
    path = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", large, sizeof large);
    assert_int_equal(elbo_npy_read(&a, path, &err), ELBO_OK);
    assert_int_equal(elbo_array_narrow(&a, path, &err), ELBO_BAD_INPUT);
    assert_message(err, "value 1", "too large for float32");
    elbo_array_free(&a);
}

static void a_write_that_fails_says_so(void **state) {
    (void)state;
    elbo_error err = {0};
    float x = 1;
    assert_int_not_equal(elbo_npy_write_f32(scratch_path(&s, "none/x.npy"), &x, 1, (size_t[]){1}, &err), ELBO_OK);
    assert_message(err, s.path, "cannot be written");
    size_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_int_equal(elbo_npy_write_f32(scratch_path(&s, "x.npy"), &x, 9, many, &err), ELBO_BAD_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_and_bytes_come_back),
        cmocka_unit_test(what_is_written_is_what_numpy_writes),
        cmocka_unit_test(other_spellings_of_the_header_are_read),
        cmocka_unit_test(files_that_are_no_npy_are_refused),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(shapes_that_lie_are_refused_before_memory_is_taken),
        cmocka_unit_test(other_kinds_of_arrays_are_refused),
        cmocka_unit_test(values_that_are_not_finite_are_refused_with_their_place),
        cmocka_unit_test(float64_becomes_float32_where_that_is_asked),
        cmocka_unit_test(a_write_that_fails_says_so),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
