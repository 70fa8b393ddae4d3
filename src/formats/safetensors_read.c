#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/shown.h"
#include "formats/safetensors.h"

enum { MAX_HEADER = 16 << 20 }; // a hundred thousand tensors
static const size_t max_file = (size_t)1 << 34;

typedef struct storage {
    uint8_t *bytes;   // the file
    json_t *header;   // owns the names
    uint8_t *aligned; // the data once more, where the file's were not aligned
} storage;

/* What the reader knows while it reads. */
typedef struct reader {
    const char *path;
    size_t size;    // of the data
    size_t *begins; // of each tensor, in the data
    elbo_error *err;
} reader;

static elbo_status bad_file(const reader *r, const char *what) {
    return elbo_fail(r->err, ELBO_BAD_INPUT, "%s: is not a safetensors file: %s", r->path, what);
}

static elbo_status bad_tensor(const reader *r, const char *name, const char *what) {
    char shown[ELBO_SHOWN];
    return elbo_fail(r->err, ELBO_BAD_INPUT, "%s: tensor %s: %s", r->path, elbo_text_shown(name, shown), what);
}

static elbo_status parse_header(const reader *r, const char *text, size_t length, json_t **header) {
    json_error_t problem;
    *header = elbo_json_read(text, length, JSON_REJECT_DUPLICATES, &problem);
    char shown[ELBO_SHOWN];
    if (!*header && errno == ENOMEM) return elbo_no_memory(r->err); // (which jansson may call bad syntax)
    if (!*header)
        return elbo_fail(r->err, ELBO_BAD_INPUT, "%s: its header is not JSON: %s (byte %d)", r->path,
                         elbo_text_shown(problem.text, shown), problem.position + (int)sizeof(uint64_t));
    if (!json_is_object(*header)) return bad_file(r, "its header is not a JSON object");
    return ELBO_OK;
}

/* The JSON behind the first eight bytes, which are its length. `size` is the file's. */
static elbo_status read_header(reader *r, int file, size_t size, size_t *data_at, json_t **header) {
    uint64_t length;
    if (size < sizeof length) return bad_file(r, "shorter than the 8 bytes that begin it");
    ELBO_TRY(elbo_file_next(file, r->path, &length, sizeof length, r->err));
    if (length > size - sizeof length)
        return elbo_fail(r->err, ELBO_BAD_INPUT,
                         "%s: is not a safetensors file, or is truncated: a header of %llu bytes in a file of %zu",
                         r->path, (unsigned long long)length, size);
    if (length > MAX_HEADER) return bad_file(r, "its header has more than 16 MiB");
    *data_at = sizeof length + length;
    r->size = size - *data_at;
    char *text = malloc(length + 1);
    if (!text) return elbo_no_memory(r->err);
    elbo_status status = elbo_file_next(file, r->path, text, length, r->err);
    if (status == ELBO_OK) status = parse_header(r, text, length, header);
    free(text);
    return status;
}

static elbo_status read_metadata(elbo_safetensors *s, const reader *r, json_t *object) {
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return bad_file(r, "its __metadata__ is not a JSON object");
    s->metadata = elbo_alloc(json_object_size(object), sizeof *s->metadata);
    if (!s->metadata) return elbo_no_memory(r->err);
    json_object_foreach(object, key, value) {
        if (!json_is_string(value)) return bad_file(r, "its __metadata__ holds values that are not strings");
        s->metadata[s->pairs++] = (elbo_st_pair){key, json_string_value(value)};
    }
    return ELBO_OK;
}

static bool whole(const json_t *json, size_t *value) {
    if (!json_is_integer(json) || json_integer_value(json) < 0) return false;
    *value = (size_t)json_integer_value(json);
    return true;
}

static elbo_status read_dtype(const reader *r, elbo_st_tensor *t, const json_t *json) {
    const char *text = json_string_value(json);
    if (!text) return bad_tensor(r, t->name, "has no dtype");
    static const elbo_st_dtype all[] = {ELBO_ST_F32, ELBO_ST_F64, ELBO_ST_I64, ELBO_ST_U8};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(text, elbo_st_dtype_name(all[i])) == 0) {
            t->dtype = all[i];
            return ELBO_OK;
        }
    char name[ELBO_SHOWN], shown[ELBO_SHOWN];
    return elbo_fail(r->err, ELBO_BAD_INPUT, "%s: tensor %s: dtype %s; F32, F64, I64 and U8 can be read", r->path,
                     elbo_text_shown(t->name, name), elbo_text_shown(text, shown));
}

static elbo_status read_tensor(elbo_st_tensor *t, size_t *begin, const reader *r, const json_t *json) {
    const json_t *shape = json_object_get(json, "shape"), *offsets = json_object_get(json, "data_offsets");
    size_t end, bytes;
    if (!json_is_object(json)) return bad_tensor(r, t->name, "is not a JSON object");
    ELBO_TRY(read_dtype(r, t, json_object_get(json, "dtype")));
    if (!json_is_array(shape)) return bad_tensor(r, t->name, "has no shape");
    if (json_array_size(shape) > ELBO_ST_MAX_DIMS) return bad_tensor(r, t->name, "has more than 8 dimensions");
    for (; t->dims < (int)json_array_size(shape); t->dims++)
        if (!whole(json_array_get(shape, (size_t)t->dims), &t->shape[t->dims]))
            return bad_tensor(r, t->name, "its shape has an entry that is not an integer >= 0");
    if (json_array_size(offsets) != 2 || !whole(json_array_get(offsets, 0), begin) ||
        !whole(json_array_get(offsets, 1), &end))
        return bad_tensor(r, t->name, "its data_offsets are not two integers >= 0");
    if (json_object_size(json) != 3) return bad_tensor(r, t->name, "has keys besides dtype, shape and data_offsets");
    if (*begin > end || end > r->size) {
        char what[128];
        snprintf(what, sizeof what, "data_offsets [%zu, %zu] are not inside the %zu bytes of data", *begin, end,
                 r->size);
        return bad_tensor(r, t->name, what);
    }
    if (!elbo_st_bytes(t, &bytes)) return bad_tensor(r, t->name, "the product of its shape overflows");
    if (bytes != end - *begin) {
        char what[128];
        snprintf(what, sizeof what, "its shape needs %zu bytes, its data_offsets span %zu", bytes, end - *begin);
        return bad_tensor(r, t->name, what);
    }
    return ELBO_OK;
}

static elbo_status read_tensors(elbo_safetensors *s, reader *r, json_t *header) {
    const char *name;
    json_t *value;
    size_t count = json_object_size(header);
    s->tensors = elbo_alloc(count, sizeof *s->tensors);
    r->begins = elbo_alloc(count, sizeof *r->begins);
    if (!s->tensors || !r->begins) return elbo_no_memory(r->err);
    json_object_foreach(header, name, value) {
        if (strcmp(name, "__metadata__") == 0) {
            ELBO_TRY(read_metadata(s, r, value));
            continue;
        }
        elbo_st_tensor *t = &s->tensors[s->count];
        t->name = name;
        ELBO_TRY(read_tensor(t, &r->begins[s->count], r, value));
        s->count++;
    }
    return ELBO_OK;
}

typedef struct span {
    size_t begin, end;
    const elbo_st_tensor *tensor;
} span;

static int by_place(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end; // an empty tensor stands before the one that begins where it does
}

/* The tensors cover the data: every byte belongs to exactly one. */
static elbo_status check_cover(const elbo_safetensors *s, const reader *r) {
    span *spans = elbo_alloc((size_t)s->count, sizeof *spans);
    if (!spans) return elbo_no_memory(r->err);
    for (int i = 0; i < s->count; i++) {
        size_t bytes;
        elbo_st_bytes(&s->tensors[i], &bytes);
        spans[i] = (span){r->begins[i], r->begins[i] + bytes, &s->tensors[i]};
    }
    qsort(spans, (size_t)s->count, sizeof *spans, by_place);
    elbo_status status = ELBO_OK;
    size_t end = 0;
    for (int i = 0; status == ELBO_OK && i < s->count; i++) {
        if (spans[i].begin < end)
            status = bad_tensor(r, spans[i].tensor->name, "its data overlap another tensor's");
        else if (spans[i].begin > end)
            status = bad_tensor(r, spans[i].tensor->name, "there is a gap before its data");
        end = spans[i].end;
    }
    if (status == ELBO_OK && end != r->size)
        status =
            elbo_fail(r->err, ELBO_BAD_INPUT, "%s: %zu bytes at its end belong to no tensor", r->path, r->size - end);
    free(spans);
    return status;
}

static size_t rounded_up(size_t n) { return (n + 7) / 8 * 8; }

/* Other programs' files may have a header, or tensors of bytes, of odd length before wider ones. The tensors were
 * checked to cover the data, so their sizes add up to less than the file and 8 bytes each. */
static elbo_status align_data(elbo_safetensors *s, storage *store, elbo_error *err) {
    bool aligned = true;
    size_t need = 0, bytes;
    for (int i = 0; i < s->count; i++) {
        aligned &= (uintptr_t)s->tensors[i].data % elbo_st_size(s->tensors[i].dtype) == 0;
        elbo_st_bytes(&s->tensors[i], &bytes);
        need += rounded_up(bytes);
    }
    if (aligned) return ELBO_OK;
    store->aligned = elbo_alloc(need, 1);
    if (!store->aligned) return elbo_no_memory(err);
    uint8_t *to = store->aligned;
    for (int i = 0; i < s->count; i++) {
        elbo_st_bytes(&s->tensors[i], &bytes);
        memcpy(to, s->tensors[i].data, bytes);
        s->tensors[i].data = to;
        to += rounded_up(bytes);
    }
    free(store->bytes);
    store->bytes = NULL;
    return ELBO_OK;
}

/* The data, now that the header was found to fit them. They lie as in the file, so that what is aligned there is here. */
static elbo_status read_data(elbo_safetensors *s, storage *store, const reader *r, int file, size_t data_at) {
    store->bytes = malloc(data_at + r->size);
    if (!store->bytes) return elbo_no_room(r->err, (double)r->size, "the file's tensors", NULL);
    uint8_t *data = store->bytes + data_at;
    for (int i = 0; i < s->count; i++) s->tensors[i].data = data + r->begins[i];
    return elbo_file_next(file, r->path, data, r->size, r->err);
}

elbo_status elbo_safetensors_open(elbo_safetensors *s, const char *path, elbo_error *err) {
    *s = (elbo_safetensors){0};
    storage *store = calloc(1, sizeof *store);
    if (!store) return elbo_no_memory(err);
    s->storage = store;
    reader r = {.path = path, .err = err};
    size_t size, data_at = 0;
    int file;
    elbo_status status = elbo_file_open(&file, &size, path, max_file, err);
    if (status == ELBO_OK) status = read_header(&r, file, size, &data_at, &store->header);
    if (status == ELBO_OK) status = read_tensors(s, &r, store->header);
    if (status == ELBO_OK) status = check_cover(s, &r);
    if (status == ELBO_OK) status = read_data(s, store, &r, file, data_at);
    if (file >= 0) close(file);
    if (status == ELBO_OK) status = align_data(s, store, err);
    for (int i = 0; status == ELBO_OK && i < s->count; i++) status = elbo_st_check_finite(path, &s->tensors[i], err);
    free(r.begins);
    if (status != ELBO_OK) elbo_safetensors_close(s);
    return status;
}

void elbo_safetensors_close(elbo_safetensors *s) {
    storage *store = s->storage;
    if (store) {
        free(store->bytes);
        free(store->aligned);
        json_decref(store->header);
        free(store);
    }
    free(s->tensors);
    free(s->metadata);
    *s = (elbo_safetensors){0};
}
