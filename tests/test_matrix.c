/* Matrices from files: every kind of number and separator, and one clear line for what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <math.h>

#include "close.h"
#include "formats/matrix.h"
#include "formats/matrix_csv.h"
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

static void expect_matrix(const char *path, size_t rows, int columns, const float *value) {
    elbo_matrix m;
    elbo_error err;
    if (elbo_matrix_read(&m, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_int_equal(m.rows, rows);
    assert_int_equal(m.columns, columns);
    for (size_t i = 0; i < rows * (size_t)columns; i++) assert_near(path, i, m.value[i], value[i], 0);
    elbo_matrix_free(&m);
}

static const char *csv(const char *text) { return scratch_write(&s, "x.csv", text, strlen(text)); }

static void test_csv_of_every_shape(void **state) {
    (void)state;
    const float six[] = {1, 2.5f, -3, 4e5f, 0.125f, -6e-3f};
    static const char *const texts[] = {
        "1,2.5,-3\n4e5,.125,-6E-3\n",
        "1, 2.5, -3\r\n4e+5, 0.125 ,-.006\r\n\r\n\n",
        "1;2.5;-3\n400000;125e-3;-6.e-3",
        "1\t2.5\t-3\n+4e5\t0.125\t-6e-3\n",
        "  1 2.5   -3\n4e5 0.125\t-6e-3  \n",
        "a,b,c\n1,2.5,-3\n4e5,.125,-6E-3\n",
        "\xef\xbb\xbf\"first, of all\";\"a \"\"b\"\"\";c\n1;2.5;-3\n4e5;.125;-6E-3\n",
        "# by someone, on 3 days\n\nx y 3\n1 2.5 -3\n4e5 .125 -6E-3\n",
        "\"1\",\"2.5\",\"-3\"\n4e5,0.125,-6e-3\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) expect_matrix(csv(texts[i]), 2, 3, six);
    expect_matrix(csv("z\n1\n2.5\n-3\n4e5\n0.125\n-6e-3"), 6, 1, six);
    expect_matrix(csv("7"), 1, 1, (const float[]){7});
}

/* More than the reader holds at once; what is written comes back to the bit. */
static void test_large_files_come_back(void **state) {
    (void)state;
    enum { ROWS = 60000, COLUMNS = 7 };
    float *value = malloc(ROWS * COLUMNS * sizeof *value);
    assert_non_null(value);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) value[i] = sinf((float)i) * powf(10, (float)(i % 41) - 20);
    static const char *const names[] = {"big.csv", "big.npy"};
    for (int i = 0; i < 2; i++) {
        elbo_error err;
        const char *path = scratch_path(&s, names[i]);
        if (elbo_matrix_write(path, value, ROWS, COLUMNS, &err) != ELBO_OK) fail_msg("%s", err.message);
        expect_matrix(path, ROWS, COLUMNS, value);
    }
    free(value);
}

static void test_numbers_are_those_of_strtod(void **state) {
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "0.1",
                                        "123456789.123456789",
                                        "9007199254740993",
                                        "1e22",
                                        "1e23",
                                        "-1.7976931348623157e308",
                                        "4.9e-324",
                                        "2.2250738585072011e-308",
                                        "0.000000000000000000000001234567890123456789",
                                        "1e-400",
                                        "6.02214076e23",
                                        "3.4028235e38",
                                        "18446744073709551616",
                                        "1.",
                                        ".5",
                                        "+3",
                                        "1e5x",
                                        "1e",
                                        "12-3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *end;
        char *want_end;
        double got = elbo_parse_number(texts[i], &end), want = strtod(texts[i], &want_end);
        assert_memory_equal(&got, &want, sizeof got);
        assert_ptr_equal(end, want_end);
    }
    static const char *const none[] = {"", "-", ".", "e5", "nan", "inf", "0x", "abc", " 1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const char *end;
        elbo_parse_number(none[i], &end);
        if (strcmp(none[i], "0x")) assert_ptr_equal(end, none[i]);
    }
}

/* A decimal comma in the user's language changes nothing. */
static void test_locale_is_not_asked(void **state) {
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) skip();
    expect_matrix(csv("1.5,123456789012345678901234567890.5\n"), 1, 2, (const float[]){1.5f, 1.23456789e29f});
    elbo_error err;
    const char *path = scratch_path(&s, "l.csv");
    assert_int_equal(elbo_matrix_write(path, (const float[]){0.5f}, 1, 1, &err), ELBO_OK);
    expect_matrix(path, 1, 1, (const float[]){0.5f});
    setlocale(LC_NUMERIC, "C");
}

static void expect_refused(const char *path, const char *const *words) {
    elbo_matrix m;
    elbo_error err;
    if (elbo_matrix_read(&m, path, &err) == ELBO_OK) fail_msg("%s was read", path);
    assert_null(m.value);
    assert_says(err.message, words);
}
#define refused(path, ...) expect_refused(path, (const char *const[]){__VA_ARGS__, NULL})

static void test_what_is_wrong_is_told_with_its_place(void **state) {
    (void)state;
    refused(csv("1,2\n3,x\n"), "x.csv:2", "column 2", "\"x\"", "not a number");
    refused(csv("a,b\n1,2\n3,nan\n"), "x.csv:3", "column 2", "finite");
    refused(csv("nan,2\n"), "x.csv:1", "column 1", "finite");
    refused(csv("1,-inf\n"), "x.csv:1", "column 2", "finite");
    refused(csv("1,2\n3,1e39\n"), "x.csv:2", "column 2", "too large");
    refused(csv("1,2\n3,\n"), "x.csv:2", "column 2", "empty");
    refused(csv("1,2\n,4\n"), "x.csv:2", "column 1", "empty");
    refused(csv("1,2\n3\n"), "x.csv:2", "1 value;", "have 2");
    refused(csv("1,2\n3,4,5\n"), "x.csv:2", "more than 2");
    refused(csv("1,2\n\n3,4\n"), "x.csv:2", "empty");
    refused(csv("1,5;2,5\n3;4\n"), "x.csv:1", "column 1", "1.5, not 1,5");
    refused(csv(",a,b\n0,1,2\n"), "x.csv:1", "no name", "index");
    refused(csv("\"a,b\n1,2\n"), "x.csv:1", "quote");
    refused(csv("1 2\n3 4 x\n"), "x.csv:2", "more than 2");
    refused(csv("1 2\n3 4x\n"), "x.csv:2", "column 2", "4x");
    refused(csv("1,2\n3 3,4\n"), "x.csv:2", "column 1", "3 3");
    refused(csv(""), "x.csv", "no rows");
    refused(csv("a,b\n"), "x.csv", "no rows");
    refused(csv("# nothing\n\n"), "x.csv", "no rows");
    refused(scratch_path(&s, "not-there.csv"), "not-there.csv", "opened");
    refused(s.folder, "folder");
}

static const char *npy(const char *dict, const void *values, size_t n) {
    static unsigned char file[1024];
    size_t length = strlen(dict);
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (unsigned char)length;
    file[9] = 0;
    memcpy(file + 10, dict, length);
    memcpy(file + 10 + length, values, n);
    return scratch_write(&s, "x.npy", file, 10 + length + n);
}
#define DICT(descr, shape) "{'descr': '" descr "', 'fortran_order': False, 'shape': " shape ", }"

static void test_npy_of_every_type(void **state) {
    (void)state;
    const float six[] = {1, 2, 3, 4, 5, 250};
    expect_matrix(npy(DICT("<f4", "(2, 3)"), six, sizeof six), 2, 3, six);
    expect_matrix(npy(DICT("<f8", "(2, 3)"), (const double[]){1, 2, 3, 4, 5, 250}, 48), 2, 3, six);
    expect_matrix(npy(DICT("<i8", "(3, 2)"), (const int64_t[]){1, 2, 3, 4, 5, 250}, 48), 3, 2, six);
    expect_matrix(npy(DICT("<i4", "(1, 2, 3)"), (const int32_t[]){1, 2, 3, 4, 5, 250}, 24), 1, 6, six);
    expect_matrix(npy(DICT("|u1", "(6,)"), (const uint8_t[]){1, 2, 3, 4, 5, 250}, 6), 6, 1, six);
    refused(npy(DICT("<f8", "(1, 2)"), (const double[]){1, 1e300}, 16), "x.npy", "column 1", "too large");
    refused(npy(DICT("<f4", "(1, 2)"), (const float[]){1, NAN}, 8), "x.npy", "[0, 1]", "NaN");
    refused(npy(DICT("<f4", "(0, 2)"), six, 0), "x.npy", "no values");
    refused(npy(DICT("<f4", "()"), six, 4), "x.npy", "single number");
    elbo_error err;
    assert_int_equal(elbo_matrix_write("x.png", six, 2, 3, &err), ELBO_BAD_INPUT);
    assert_message(err, "x.png", ".npy", ".csv");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_of_every_shape),
        cmocka_unit_test(test_large_files_come_back),
        cmocka_unit_test(test_numbers_are_those_of_strtod),
        cmocka_unit_test(test_locale_is_not_asked),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(test_npy_of_every_type),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
