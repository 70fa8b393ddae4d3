#include "formats/npy.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are read and written as they lie in memory");

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
enum { LONGEST_HEADER = 1 << 16, LONGEST_DESCR = 32 };

static const struct {
    const char *descr, *name; // as the file spells it, as messages do
    elbo_dtype dtype;
    size_t size;
} dtypes[] = {
    {"|u1", "uint8", ELBO_U8, 1},    {"<u1", "uint8", ELBO_U8, 1},  {"<f4", "float32", ELBO_F32, 4},
    {"<f8", "float64", ELBO_F64, 8}, {"<i4", "int32", ELBO_I32, 4}, {"<i8", "int64", ELBO_I64, 8},
};

/* What the header says: a Python dict literal, {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }. */
typedef struct header {
    char descr[LONGEST_DESCR];
    bool fortran;
    int dims;
    size_t shape[ELBO_NPY_MAX_DIMS];
    bool has_descr, has_order, has_shape;
} header;

static void skip_spaces(const char **p) {
    while (isspace((unsigned char)**p)) ++*p;
}

static bool take(const char **p, char wanted) {
    skip_spaces(p);
    if (**p != wanted) return false;
    ++*p;
    return true;
}

/* A quoted text without escapes, which is all that NumPy writes for plain dtypes. */
static bool take_text(const char **p, char *out, size_t room) {
    skip_spaces(p);
    char quote = **p;
    if (quote != '\'' && quote != '"') return false;
    const char *end = strchr(*p + 1, quote);
    if (!end || (size_t)(end - *p - 1) >= room) return false;
    size_t n = (size_t)(end - *p - 1);
    memcpy(out, *p + 1, n);
    out[n] = 0;
    *p = end + 1;
    return true;
}

static bool take_size(const char **p, size_t *out) {
    skip_spaces(p);
    if (!isdigit((unsigned char)**p)) return false;
    size_t value = 0;
    for (; isdigit((unsigned char)**p); ++*p)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (size_t)(**p - '0'), &value))
            return false;
    if (**p == 'L') ++*p; // Python 2 wrote its long integers so
    *out = value;
    return true;
}

/* The shape's tuple: (), (3,), (3, 4). */
static elbo_status take_shape(const char **p, header *h, const char *path, elbo_error *err) {
    elbo_status bad = ELBO_BAD_INPUT;
    if (!take(p, '('))
        return elbo_fail(err, bad, "%s: the .npy header's shape is not a tuple such as (60000, 784)", path);
    while (!take(p, ')')) {
        if (h->dims == ELBO_NPY_MAX_DIMS)
            return elbo_fail(err, bad, "%s: more than %d dimensions; at most %d are read", path, ELBO_NPY_MAX_DIMS,
                             ELBO_NPY_MAX_DIMS);
        if (!take_size(p, &h->shape[h->dims]))
            return elbo_fail(err, bad, "%s: size %d of the .npy header's shape is not a number of 64 bits", path,
                             h->dims);
        h->dims++;
        if (!take(p, ',') && (skip_spaces(p), **p != ')'))
            return elbo_fail(err, bad, "%s: the .npy header's shape is not a tuple such as (60000, 784)", path);
    }
    return ELBO_OK;
}

static elbo_status parse_header(const char *text, header *h, const char *path, elbo_error *err) {
    const char *p = text;
    char key[LONGEST_DESCR];
    bool good = take(&p, '{');
    while (good && !take(&p, '}')) {
        good = take_text(&p, key, sizeof key) && take(&p, ':');
        if (!good) break;
        if (strcmp(key, "descr") == 0 && !h->has_descr) {
            skip_spaces(&p);
            if (*p == '[')
                return elbo_fail(err, ELBO_BAD_INPUT,
                                 "%s: a structured array; uint8, float32, float64, int32 or int64 are read", path);
            good = h->has_descr = take_text(&p, h->descr, sizeof h->descr);
        } else if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
            skip_spaces(&p);
            h->has_order = true;
            if (strncmp(p, "True", 4) == 0) {
                h->fortran = true;
                p += 4;
            } else if (strncmp(p, "False", 5) == 0) {
                p += 5;
            } else {
                good = false;
            }
        } else if (strcmp(key, "shape") == 0 && !h->has_shape) {
            h->has_shape = true;
            ELBO_TRY(take_shape(&p, h, path, err));
        } else {
            good = false;
        }
        if (good && !take(&p, ',') && (skip_spaces(&p), *p != '}')) good = false;
    }
    if (good) skip_spaces(&p);
    if (!good || *p || !h->has_descr || !h->has_order || !h->has_shape)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: the .npy header is damaged; it is a dict of descr, fortran_order and shape", path);
    return ELBO_OK;
}

/* Reads magic, version, length and header text; leaves the stream at the first value. */
static elbo_status read_header(FILE *f, header *h, size_t *header_bytes, const char *path, elbo_error *err) {
    unsigned char head[12];
    size_t got = fread(head, 1, 8, f);
    if (got < 6 || memcmp(head, magic, sizeof magic) != 0)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: is not a .npy file (it does not begin with \\x93NUMPY); np.save writes one", path);
    if (got < 8) return elbo_fail(err, ELBO_BAD_INPUT, "%s: ends inside the .npy header; the file is truncated", path);
    if ((head[6] != 1 && head[6] != 2) || head[7] != 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: .npy version %d.%d; 1.0 and 2.0 are read", path, head[6], head[7]);
    size_t length_bytes = head[6] == 1 ? 2 : 4, length = 0;
    if (fread(head + 8, 1, length_bytes, f) != length_bytes)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: ends inside the .npy header; the file is truncated", path);
    for (size_t i = length_bytes; i-- > 0;) length = length << 8 | head[8 + i];
    if (length > LONGEST_HEADER)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: the .npy header claims %zu bytes; at most %d are read", path, length,
                         LONGEST_HEADER);
    char *text = malloc(length + 1);
    if (!text) return elbo_no_memory(err);
    elbo_status status;
    if (fread(text, 1, length, f) != length) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: ends inside the .npy header; the file is truncated", path);
    } else {
        text[length] = 0;
        status = parse_header(text, h, path, err);
    }
    free(text);
    *header_bytes = 8 + length_bytes + length;
    return status;
}

static elbo_status check_finite(const elbo_array *a, const char *path, elbo_error *err) {
    size_t bad = a->count;
    if (a->dtype == ELBO_F32) {
        const float *x = a->data; // (count)
        for (size_t i = 0; i < a->count && bad == a->count; i++)
            if (!isfinite(x[i])) bad = i;
    } else if (a->dtype == ELBO_F64) {
        const double *x = a->data; // (count)
        for (size_t i = 0; i < a->count && bad == a->count; i++)
            if (!isfinite(x[i])) bad = i;
    }
    if (bad == a->count) return ELBO_OK;
    char where[ELBO_NPY_MAX_DIMS * 22] = "";
    size_t index[ELBO_NPY_MAX_DIMS], rest = bad, used = 0;
    for (int i = a->dims; i-- > 0; rest /= a->shape[i]) index[i] = rest % a->shape[i];
    for (int i = 0; i < a->dims; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, i ? ", %zu" : "%zu", index[i]);
    double value = a->dtype == ELBO_F32 ? (double)((float *)a->data)[bad] : ((double *)a->data)[bad];
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: the value at [%s] is %s; every value must be finite", path, where,
                     isnan(value) ? "NaN" : "infinite");
}

/* Turns what the header says into the array's sizes, checked against the bytes that the file has left. */
static elbo_status check_sizes(elbo_array *a, const header *h, size_t left, size_t *bytes, const char *path,
                               elbo_error *err) {
    size_t size = 0;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(h->descr, dtypes[i].descr) != 0) continue;
        a->dtype = dtypes[i].dtype;
        size = dtypes[i].size;
    }
    if (!size)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: dtype '%s'; uint8, float32, float64, int32 or int64 (little-endian) are read", path,
                         h->descr);
    if (h->fortran)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: in Fortran order; C order is read: np.save(f, np.ascontiguousarray(a)) writes it", path);
    bool fits = true, empty = false;
    a->dims = h->dims;
    a->count = 1;
    for (int i = 0; i < h->dims; i++) {
        a->shape[i] = h->shape[i];
        if (h->shape[i] == 0) empty = true;
    }
    if (empty) a->count = 0; // (a size of 0 makes the whole empty, however large the others are)
    for (int i = 0; i < h->dims && fits && !empty; i++)
        fits = !__builtin_mul_overflow(a->count, a->shape[i], &a->count);
    fits = fits && !__builtin_mul_overflow(a->count, size, bytes);
    if (!fits)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: the shape's product overflows; the file has %zu bytes of values",
                         path, left);
    if (*bytes != left)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: the shape needs %zu bytes of values, but the file has %zu", path,
                         *bytes, left);
    return ELBO_OK;
}

elbo_status elbo_npy_read(elbo_array *a, const char *path, elbo_error *err) {
    *a = (elbo_array){0};
    FILE *f = fopen(path, "rb");
    if (!f) return elbo_fail_errno(err, "%s: cannot be opened", path);
    elbo_status status = ELBO_OK;
    struct stat st;
    header h = {0};
    size_t header_bytes = 0, bytes = 0;
    if (fstat(fileno(f), &st) != 0) {
        status = elbo_fail_errno(err, "%s: cannot be read", path);
        goto done;
    }
    if (!S_ISREG(st.st_mode)) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: is %s", path,
                           S_ISDIR(st.st_mode) ? "a folder, not a file" : "not a regular file");
        goto done;
    }
    ELBO_TRY_GOTO(status, read_header(f, &h, &header_bytes, path, err), done);
    ELBO_TRY_GOTO(status, check_sizes(a, &h, (size_t)st.st_size - header_bytes, &bytes, path, err), done);
    a->data = malloc(bytes ? bytes : 1);
    if (!a->data)
        status = elbo_no_memory(err);
    else if (fread(a->data, 1, bytes, f) != bytes)
        status = ferror(f) ? elbo_fail_errno(err, "%s: cannot be read", path)
                           : elbo_fail(err, ELBO_IO, "%s: became shorter while it was read", path);
    else
        status = check_finite(a, path, err);
done:
    fclose(f);
    if (status != ELBO_OK) elbo_array_free(a);
    return status;
}

elbo_status elbo_array_narrow(elbo_array *a, const char *path, elbo_error *err) {
    if (a->dtype != ELBO_F64) return ELBO_OK;
    for (size_t i = 0; i < a->count; i++) {
        double wide;
        memcpy(&wide, (char *)a->data + i * sizeof wide, sizeof wide);
        float value = (float)wide;
        if (!isfinite(value))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: value %zu is %g, too large for float32", path, i, wide);
        memcpy((char *)a->data + i * sizeof value, &value, sizeof value);
    }
    a->dtype = ELBO_F32;
    return ELBO_OK;
}

elbo_status elbo_array_put_channels_first(elbo_array *a, elbo_error *err) {
    size_t value = a->dtype == ELBO_U8 ? 1 : sizeof(float), plane = a->shape[1] * a->shape[2], C = a->shape[3],
           size = plane * C * value;
    char *copy = malloc(size ? size : 1), *image = a->data;
    if (!copy) return elbo_no_memory(err);
    for (size_t n = 0; n < a->shape[0]; n++, image += size) {
        for (size_t i = 0; i < plane; i++)
            for (size_t c = 0; c < C; c++) memcpy(copy + (c * plane + i) * value, image + (i * C + c) * value, value);
        memcpy(image, copy, size);
    }
    free(copy);
    a->shape[3] = a->shape[2];
    a->shape[2] = a->shape[1];
    a->shape[1] = C;
    return ELBO_OK;
}

void elbo_array_free(elbo_array *a) {
    free(a->data);
    *a = (elbo_array){0};
}

static elbo_status write_array(const char *path, const char *descr, size_t size, const void *data, int dims,
                               const size_t *shape, elbo_error *err) {
    if (dims < 0 || dims > ELBO_NPY_MAX_DIMS)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %d dimensions; at most %d are written", path, dims,
                         ELBO_NPY_MAX_DIMS);
    char text[64 + ELBO_NPY_MAX_DIMS * 22];
    size_t used = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    size_t bytes = size;
    for (int i = 0; i < dims; i++) {
        if (__builtin_mul_overflow(bytes, shape[i], &bytes))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: the shape's product overflows", path);
        used += (size_t)snprintf(text + used, sizeof text - used, dims == 1 ? "%zu," : i ? ", %zu" : "%zu", shape[i]);
    }
    used += (size_t)snprintf(text + used, sizeof text - used, "), }");
    // The values start at a multiple of 64 bytes, so that the file can be mapped; the header ends in a newline.
    size_t head = sizeof magic + 4, length = (head + used + 1 + 63) / 64 * 64 - head;
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    fwrite(magic, 1, sizeof magic, w.stream);
    const unsigned char version[4] = {1, 0, (unsigned char)(length & 255), (unsigned char)(length >> 8)};
    fwrite(version, 1, sizeof version, w.stream);
    fprintf(w.stream, "%s%*s\n", text, (int)(length - used - 1), "");
    if (bytes && fwrite(data, 1, bytes, w.stream) != bytes) { // short headers are seen by the commit: ferror stays set
        elbo_status status = elbo_fail_errno(err, "%s: cannot be written", path);
        elbo_writer_abandon(&w);
        return status;
    }
    return elbo_writer_commit(&w, err);
}

elbo_status elbo_npy_write_f32(const char *path, const float *data, int dims, const size_t *shape, elbo_error *err) {
    return write_array(path, "<f4", sizeof *data, data, dims, shape, err);
}

elbo_status elbo_npy_write_u8(const char *path, const uint8_t *data, int dims, const size_t *shape, elbo_error *err) {
    return write_array(path, "|u1", sizeof *data, data, dims, shape, err);
}
