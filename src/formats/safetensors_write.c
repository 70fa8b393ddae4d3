#include "formats/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/shown.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the format is little-endian; so is every machine elbo runs on");

static const char metadata_key[] = "__metadata__";

static elbo_status refuse(elbo_error *err, const char *path, const char *name, const char *why) {
    char shown[ELBO_SHOWN];
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: cannot be written: %s %s", path, elbo_text_shown(name, shown), why);
}

/* `text` as JSON, or NULL with a failure: JSON has no form for what is not UTF-8. */
static json_t *text_of(const char *path, const char *text, elbo_status *status, elbo_error *err) {
    json_t *json = json_string(text);
    if (!json) *status = elbo_text_is_utf8(text) ? elbo_no_memory(err) : refuse(err, path, text, "is not UTF-8");
    return json;
}

static elbo_status add_metadata(json_t *header, const char *path, const elbo_st_pair *metadata, int pairs,
                                elbo_error *err) {
    if (!pairs) return ELBO_OK;
    json_t *object = json_object();
    if (json_object_set_new(header, metadata_key, object) != 0) return elbo_no_memory(err);
    for (int i = 0; i < pairs; i++) {
        elbo_status status = ELBO_OK;
        if (json_object_get(object, metadata[i].key)) return refuse(err, path, metadata[i].key, "occurs twice");
        json_t *key = text_of(path, metadata[i].key, &status, err); // jansson's own failure would not say which
        json_decref(key);
        json_t *value = key ? text_of(path, metadata[i].value, &status, err) : NULL;
        if (status != ELBO_OK) return status;
        if (json_object_set_new(object, metadata[i].key, value) != 0) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

static elbo_status check_tensor(const json_t *header, const char *path, const elbo_st_tensor *t, elbo_error *err) {
    elbo_status status = ELBO_OK;
    json_t *name = text_of(path, t->name, &status, err);
    json_decref(name);
    if (status != ELBO_OK) return status;
    if (strcmp(t->name, metadata_key) == 0) return refuse(err, path, t->name, "is not a valid tensor name");
    if (json_object_get(header, t->name)) return refuse(err, path, t->name, "occurs twice");
    return elbo_st_check_finite(path, t, err);
}

static elbo_status add_tensor(json_t *header, const char *path, const elbo_st_tensor *t, size_t begin,
                              elbo_error *err) {
    ELBO_TRY(check_tensor(header, path, t, err));
    size_t bytes;
    elbo_st_bytes(t, &bytes);
    json_t *shape = json_array();
    for (int i = 0; i < t->dims; i++) json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", elbo_st_dtype_name(t->dtype), "shape", shape,
                              "data_offsets", (json_int_t)begin, (json_int_t)(begin + bytes));
    if (!entry || json_object_set_new(header, t->name, entry) != 0 || json_array_size(shape) != (size_t)t->dims)
        return elbo_no_memory(err);
    return ELBO_OK;
}

/* The header's JSON, padded with blanks so that the data behind it are aligned. */
static elbo_status make_header(char **text, const char *path, const elbo_st_tensor *tensors, const size_t *begins,
                               int count, const elbo_st_pair *metadata, int pairs, elbo_error *err) {
    json_t *header = json_object();
    char *json = NULL;
    elbo_status status = header ? add_metadata(header, path, metadata, pairs, err) : elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i < count; i++) status = add_tensor(header, path, &tensors[i], begins[i], err);
    if (status == ELBO_OK && !(json = elbo_json_text(header, JSON_COMPACT))) status = elbo_no_memory(err);
    if (json) {
        int blanks = (int)(-strlen(json) % 8);
        *text = elbo_format("%s%*s", json, blanks, "");
        if (!*text) status = elbo_no_memory(err);
    }
    free(json);
    json_decref(header);
    return status;
}

static bool write_tensors(FILE *stream, const elbo_st_tensor *tensors, int count, size_t width) {
    for (int i = 0; i < count; i++) {
        size_t bytes;
        if (elbo_st_size(tensors[i].dtype) != width || !elbo_st_bytes(&tensors[i], &bytes) || !bytes) continue;
        if (fwrite(tensors[i].data, 1, bytes, stream) != bytes) return false;
    }
    return true;
}

static const size_t widths[] = {8, 4, 1}; // the order of the data: each tensor is aligned for its type

/* Where each tensor's data begin. */
static elbo_status lay_out(size_t *begins, const char *path, const elbo_st_tensor *tensors, int count,
                           elbo_error *err) {
    size_t end = 0;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int i = 0; i < count; i++) {
            size_t bytes;
            if (elbo_st_size(tensors[i].dtype) != widths[w]) continue;
            begins[i] = end;
            if (!elbo_st_bytes(&tensors[i], &bytes) || __builtin_add_overflow(end, bytes, &end) || end > INT64_MAX)
                return refuse(err, path, tensors[i].name, "has too many dimensions (at most 8) or elements");
        }
    return ELBO_OK;
}

elbo_status elbo_safetensors_write(const char *path, const elbo_st_tensor *tensors, int count,
                                   const elbo_st_pair *metadata, int pairs, elbo_error *err) {
    size_t *begins = elbo_alloc((size_t)count, sizeof *begins);
    if (!begins) return elbo_no_memory(err);
    char *header = NULL;
    elbo_writer w = {0};
    elbo_status status = lay_out(begins, path, tensors, count, err);
    if (status == ELBO_OK) status = make_header(&header, path, tensors, begins, count, metadata, pairs, err);
    if (status == ELBO_OK) status = elbo_writer_open(&w, path, err);
    if (status == ELBO_OK) {
        uint64_t length = strlen(header);
        bool written = fwrite(&length, 1, sizeof length, w.stream) == sizeof length && fputs(header, w.stream) >= 0;
        for (size_t i = 0; written && i < sizeof widths / sizeof *widths; i++)
            written = write_tensors(w.stream, tensors, count, widths[i]);
        if (!written) {
            status = elbo_fail_errno(err, "%s: cannot be written", path);
            elbo_writer_abandon(&w);
        } else
            status = elbo_writer_commit(&w, err);
    }
    free(header);
    free(begins);
    return status;
}
