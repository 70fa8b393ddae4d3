/* elbo pca as its users run it: any matrix in, scores, axes and variances out, and one line for what cannot be done. */
#include "program.h"

#include "base/random.h"
#include "close.h"
#include "formats/npy.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static void put(const char *name, const char *content) { scratch_write(&here, name, content, strlen(content)); }

static void expect_array(const char *name, size_t rows, size_t columns, const float *value, double tolerance) {
    char *path = in_scratch(name);
    elbo_array a;
    elbo_error err;
    if (elbo_npy_read(&a, path, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_true(a.dims == 2 && a.shape[0] == rows && a.shape[1] == columns);
    for (size_t i = 0; i < rows * columns; i++) assert_near(name, i, ((float *)a.data)[i], value[i], tolerance);
    elbo_array_free(&a);
    free(path);
}

/* Four points on a cross along (3, 4) / 5 and (4, -3) / 5, around (10, 20): the answer is known on paper. */
static const char *const cross = "x;y\n13;24\n7;16\n8;21.5\n12;18.5\n";

static void test_a_cross(void **state) {
    (void)state;
    put("cross.csv", cross);
    program p = elbo("pca", "cross.csv", "-o", "y.npy", "--axes", "a.npy", "--mean", "m.npy", "--json");
    json_t *o = expect_json(&p);
    assert_near("total", 0, number(o, "total_variance"), (50 + 12.5) / 3, 1e-6);
    const json_t *ratio = json_object_get(o, "explained_variance_ratio");
    assert_near("ratio", 0, json_number_value(json_array_get(ratio, 0)), 0.8, 1e-8);
    assert_near("ratio", 1, json_number_value(json_array_get(ratio, 1)), 0.2, 1e-8);
    json_decref(o);
    expect_array("y.npy", 4, 2, (const float[]){5, 0, -5, 0, 0, -2.5f, 0, 2.5f}, 1e-5);
    expect_array("a.npy", 2, 2, (const float[]){0.6f, 0.8f, 0.8f, -0.6f}, 1e-6);
    expect_array("m.npy", 1, 2, (const float[]){10, 20}, 1e-6);
}

static void test_a_cross_whitened(void **state) {
    (void)state;
    put("cross.csv", cross);
    run_well("pca", "cross.csv", "-o", "w.npy", "--whiten");
    const float one = sqrtf(1.5f); // two points at +-s have the variance 2 s^2 / 3
    expect_array("w.npy", 4, 2, (const float[]){one, 0, -one, 0, 0, -one, 0, one}, 1e-5);
}

static void test_columns_without_a_difference(void **state) {
    (void)state;
    put("flat.csv", "1,7\n2,7\n4,7\n");
    program p = elbo("pca", "flat.csv", "-o", "flat.npy", "-w");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "100.0%"));
    assert_non_null(strstr(p.err, "rank 1: 1 component, not 2"));
    program_free(&p);
    const float s = sqrtf(7.0f / 3);
    expect_array("flat.npy", 3, 1, (const float[]){(float)(-4.0 / 3) / s, (float)(-1.0 / 3) / s, (float)(5.0 / 3) / s},
                 1e-5);
    put("same.csv", "1 2 3\n1 2 3\n");
    refused(1, WORDS("same.csv", "all 2 rows are equal"), "pca", "same.csv", "-o", "same.npy");
    put("one.csv", "1\n2\n3\n");
    run_well("pca", "one.csv", "-o", "one.npy");
    expect_array("one.npy", 3, 1, (const float[]){-1, 0, 1}, 1e-6);
}

static void test_the_same_for_any_number_of_threads(void **state) {
    (void)state;
    size_t rows = 100000, columns = 5;
    float *x = elbo_alloc(rows * columns, sizeof *x);
    assert_non_null(x);
    elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PICKING}, x, rows * columns);
    char *path = in_scratch("x.npy");
    elbo_error err;
    assert_int_equal(elbo_npy_write_f32(path, x, 2, (size_t[]){rows, columns}, &err), ELBO_OK);
    run_well("pca", "x.npy", "-o", "1.npy", "-k", "5", "-t", "1");
    run_well("pca", "x.npy", "-o", "3.npy", "-k", "5", "-t", "3");
    assert_same_bytes("1.npy", "3.npy");
    // wide: rows in pieces
    assert_int_equal(elbo_npy_write_f32(path, x, 2, (size_t[]){rows * columns / 400, 400}, &err), ELBO_OK);
    run_well("pca", "x.npy", "-o", "1.npy", "-k", "2", "-t", "1");
    run_well("pca", "x.npy", "-o", "3.npy", "-k", "2", "-t", "3");
    assert_same_bytes("1.npy", "3.npy");
    free(path);
    free(x);
}

static void put_array(const char *name, const float *x, size_t rows, size_t columns) {
    char *path = in_scratch(name);
    elbo_error err;
    assert_int_equal(elbo_npy_write_f32(path, x, 2, (size_t[]){rows, columns}, &err), ELBO_OK);
    free(path);
}

/* Wide data of rank 2 around an offset, of numbers that floats hold exactly, so that the answer is known on paper: axes
 * of entries +-1 / sqrt(600). Scaled by 1e-30, the squares are below all floats. */
static void test_wide_data_far_from_zero(void **state) {
    (void)state;
    enum { ROWS = 200, COLUMNS = 600 };
    static float x[ROWS * COLUMNS];
    static const double offsets[] = {0, 1e6, -3e6, 0}, scales[] = {1, 1, 1, 0x1p-100};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            int row = i / COLUMNS, c = i % COLUMNS;
            double a = row % 20 - 9.5, b = 0.5 * (row / 20 % 10 - 4.5);
            x[i] = (float)(scales[k] * (offsets[k] + (c % 2 ? a : -a) + (c / 2 % 2 ? b : -b)));
        }
        put_array("wide.npy", x, ROWS, COLUMNS);
        program p = elbo("pca", "wide.npy", "-o", "y.npy", "-k", "5", "-w", "--axes", "a.npy", "--json");
        json_t *o = expect_json(&p);
        assert_int_equal(number(o, "rank"), 2);
        const json_t *variance = json_object_get(o, "explained_variance");
        assert_int_equal(json_array_size(variance), 2);
        const double want[] = {600 * 33.25 * 200 / 199, 600 * 8.25 / 4 * 200 / 199};
        for (size_t c = 0; c < 2; c++)
            assert_near("variance", c, json_number_value(json_array_get(variance, c)) / pow(scales[k], 2), want[c],
                        1e-6 * want[c]);
        json_decref(o);
        char *path = in_scratch("a.npy");
        elbo_array a;
        elbo_error err;
        if (elbo_npy_read(&a, path, &err) != ELBO_OK) fail_msg("%s", err.message);
        assert_true(a.shape[0] == 2 && a.shape[1] == COLUMNS);
        const float *v = a.data;
        for (size_t i = 0; i < COLUMNS; i++) { // but for the sign of the whole
            assert_near("axis 1", i, v[i] * (i % 2 ? v[1] : -v[1]), 1 / 600.0, 1e-8);
            assert_near("axis 2", i, v[COLUMNS + i] * (i / 2 % 2 ? -v[COLUMNS] : v[COLUMNS]), 1 / 600.0, 1e-8);
        }
        elbo_array_free(&a);
        free(path);
    }
}

/* Fewer rows than axes asked for, and columns that depend on others (computed in floats), narrow and wide: as many
 * scores as there is rank, each with variance 1. */
static void test_whitened_scores_of_deficient_data(void **state) {
    (void)state;
    static const struct {
        size_t rows, columns, rank;
        const char *k;
        float offset;
    } cases[] = {{10, 600, 9, "20", 0},  {10, 600, 9, "20", 100}, {10, 60, 9, "20", 7},  {500, 600, 5, "12", 0},
                 {500, 600, 5, "12", 9}, {500, 60, 5, "60", 0},   {500, 60, 5, "12", 9}, {2, 600, 1, "2", 0}};
    static float x[500 * 600], a[500 * 5], b[5 * 600];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        size_t rows = cases[k].rows, columns = cases[k].columns, rank = cases[k].rank;
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PICKING, .sample = 1}, x, rows * columns);
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PICKING, .sample = 2}, a, 500 * 5);
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PICKING, .sample = 3}, b, 5 * 600);
        for (size_t i = 0; rank == 5 && i < rows * columns; i++) {
            x[i] = 0;
            for (size_t r = 0; r < 5; r++) x[i] += a[i / columns * 5 + r] * b[r * 600 + i % columns];
        }
        for (size_t i = 0; i < rows * columns; i++) x[i] += cases[k].offset;
        put_array("x.npy", x, rows, columns);
        program p = elbo("pca", "x.npy", "-o", "y.npy", "-k", cases[k].k, "--whiten");
        expect_code(&p, 0);
        program_free(&p);
        char *path = in_scratch("y.npy");
        elbo_array y;
        elbo_error err;
        if (elbo_npy_read(&y, path, &err) != ELBO_OK) fail_msg("%s", err.message);
        assert_int_equal(y.shape[0], rows);
        assert_int_equal(y.shape[1], rank);
        const float *v = y.data;
        for (size_t c = 0; c < rank; c++)
            for (size_t d = 0; d <= c; d++) {
                double product = 0;
                for (size_t r = 0; r < rows; r++) product += (double)v[r * rank + c] * v[r * rank + d];
                assert_near("covariance of the scores", c * rank + d, product / (double)(rows - 1), c == d, 1e-4);
            }
        elbo_array_free(&y);
        free(path);
    }
}

static void test_what_is_refused(void **state) {
    (void)state;
    put("cross.csv", cross);
    put("row.csv", "1,2,3\n");
    put("bad.csv", "1,2\n3,nan\n");
    refused(2, WORDS("-o Y.npy"), "pca", "cross.csv");
    refused(1, WORDS("-k 3", "2 columns"), "pca", "cross.csv", "-o", "z.npy", "-k", "3");
    refused(1, WORDS("row.csv", "one row"), "pca", "row.csv", "-o", "z.npy");
    refused(1, WORDS("bad.csv:2", "column 2"), "pca", "bad.csv", "-o", "z.npy");
    refused(2, WORDS("z.txt", ".npy"), "pca", "cross.csv", "-o", "z.txt");
    refused(1, WORDS("none.npy", "opened"), "pca", "none.npy", "-o", "z.npy");
    assert_false(there("z.npy"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cross),
        cmocka_unit_test(test_a_cross_whitened),
        cmocka_unit_test(test_columns_without_a_difference),
        cmocka_unit_test(test_the_same_for_any_number_of_threads),
        cmocka_unit_test(test_wide_data_far_from_zero),
        cmocka_unit_test(test_whitened_scores_of_deficient_data),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
