#include "formats/safetensors.h"

#include <math.h>
#include <string.h>

#include "base/shown.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [ELBO_ST_F32] = {"F32", 4}, [ELBO_ST_F64] = {"F64", 8}, [ELBO_ST_I64] = {"I64", 8}, [ELBO_ST_U8] = {"U8", 1}};

size_t elbo_st_size(elbo_st_dtype dtype) { return dtypes[dtype].size; }
const char *elbo_st_dtype_name(elbo_st_dtype dtype) { return dtypes[dtype].name; }

bool elbo_st_bytes(const elbo_st_tensor *t, size_t *bytes) {
    *bytes = elbo_st_size(t->dtype);
    bool empty = false, fits = t->dims >= 0 && t->dims <= ELBO_ST_MAX_DIMS;
    if (!fits) return false;
    for (int i = 0; i < t->dims; i++) {
        empty |= t->shape[i] == 0; // before or behind a product that overflows
        if (!empty) fits &= !__builtin_mul_overflow(*bytes, t->shape[i], bytes);
    }
    if (empty) *bytes = 0;
    return fits;
}

elbo_status elbo_st_check_finite(const char *path, const elbo_st_tensor *t, elbo_error *err) {
    size_t bytes;
    if (t->dtype != ELBO_ST_F32 && t->dtype != ELBO_ST_F64) return ELBO_OK;
    if (!elbo_st_bytes(t, &bytes)) return ELBO_OK; // a tensor that cannot be; its shape is refused elsewhere
    size_t n = bytes / elbo_st_size(t->dtype);
    const float *f = t->data;
    const double *d = t->data;
    for (size_t i = 0; i < n; i++) {
        double x = t->dtype == ELBO_ST_F32 ? (double)f[i] : d[i];
        if (isfinite(x)) continue;
        char name[ELBO_SHOWN];
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: tensor %s: element %zu is %s; expected finite numbers", path,
                         elbo_text_shown(t->name, name), i, isnan(x) ? "NaN" : "infinite");
    }
    return ELBO_OK;
}

const elbo_st_tensor *elbo_safetensors_find(const elbo_safetensors *s, const char *name) {
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->tensors[i].name, name) == 0) return &s->tensors[i];
    return NULL;
}

const char *elbo_safetensors_metadata(const elbo_safetensors *s, const char *key) {
    for (int i = 0; i < s->pairs; i++)
        if (strcmp(s->metadata[i].key, key) == 0) return s->metadata[i].value;
    return NULL;
}
