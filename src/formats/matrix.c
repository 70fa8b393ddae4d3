/* A matrix from a file of either kind; .npy of every dtype is turned into float32 in place, so that a large one is in
 * memory once. */
#include "formats/matrix.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "formats/matrix_csv.h"
#include "formats/npy.h"

static bool ends_in(const char *path, const char *ending) {
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && !strcasecmp(path + n - m, ending);
}

/* Each value is read before a narrower one is written over it or what lies before it: a walk forward is safe. */
static void narrow(void *data, size_t count, elbo_dtype dtype) {
    const char *from = data;
    char *to = data;
    for (size_t i = 0; i < count; i++) {
        float value = 0;
        if (dtype == ELBO_F64) {
            double wide;
            memcpy(&wide, from + i * sizeof wide, sizeof wide);
            value = (float)wide;
        } else if (dtype == ELBO_I64) {
            int64_t wide;
            memcpy(&wide, from + i * sizeof wide, sizeof wide);
            value = (float)wide;
        } else if (dtype == ELBO_I32) {
            int32_t whole;
            memcpy(&whole, from + i * sizeof whole, sizeof whole);
            value = (float)whole;
        }
        memcpy(to + i * sizeof value, &value, sizeof value);
    }
}

static elbo_status take_array(elbo_matrix *m, elbo_array *a, const char *path, elbo_error *err) {
    if (a->dims == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: expected a matrix (rows, columns), got a single number", path);
    size_t columns = 1;
    for (int i = 1; i < a->dims; i++)
        if (__builtin_mul_overflow(columns, a->shape[i], &columns)) columns = 0;
    if (a->count == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: expected a matrix (rows, columns), got no values", path);
    if (columns > INT_MAX)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: rows of %zu values; at most %d are read", path, columns, INT_MAX);
    m->rows = a->shape[0];
    m->columns = (int)columns;
    if (a->dtype == ELBO_U8) {
        const uint8_t *bytes = a->data; // (count)
        m->value = malloc(a->count * sizeof(float));
        if (!m->value) return elbo_no_memory(err);
        for (size_t i = 0; i < a->count; i++) m->value[i] = bytes[i];
        return ELBO_OK;
    }
    if (a->dtype != ELBO_F32) narrow(a->data, a->count, a->dtype);
    void *smaller = realloc(a->data, a->count * sizeof(float));
    m->value = smaller ? smaller : a->data;
    a->data = NULL;
    for (size_t i = 0; i < a->count; i++) // (what was finite as float64 may not be now)
        if (!isfinite(m->value[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: the value in row %zu, column %zu is too large for float32", path,
                             i / columns, i % columns);
    return ELBO_OK;
}

static bool begins_as_npy(const char *path) {
    char head[6] = "";
    FILE *f = fopen(path, "rb");
    bool yes = f && fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, "\x93NUMPY", sizeof head);
    if (f) fclose(f);
    return yes;
}

elbo_status elbo_matrix_read(elbo_matrix *m, const char *path, elbo_error *err) {
    *m = (elbo_matrix){0};
    elbo_status status;
    if (ends_in(path, ".npy") || begins_as_npy(path)) {
        elbo_array a;
        ELBO_TRY(elbo_npy_read(&a, path, err));
        status = take_array(m, &a, path, err);
        elbo_array_free(&a);
    } else {
        status = elbo_csv_read(m, path, err);
    }
    if (status != ELBO_OK) elbo_matrix_free(m);
    return status;
}

void elbo_matrix_free(elbo_matrix *m) {
    free(m->value);
    *m = (elbo_matrix){0};
}

static elbo_status unknown_ending(const char *path, elbo_error *err) {
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: ends in neither .npy nor .csv; one of them says how to write it", path);
}

elbo_status elbo_matrix_writable(const char *path, elbo_error *err) {
    if (!ends_in(path, ".npy") && !ends_in(path, ".csv")) return unknown_ending(path, err);
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_writer_abandon(&w);
    return ELBO_OK;
}

elbo_status elbo_matrix_write(const char *path, const float *value, size_t rows, int columns, elbo_error *err) {
    if (ends_in(path, ".npy")) return elbo_npy_write_f32(path, value, 2, (size_t[]){rows, (size_t)columns}, err);
    if (ends_in(path, ".csv")) return elbo_csv_write(path, value, rows, columns, err);
    return unknown_ending(path, err);
}
