/* A fitted density in a file of a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "explore/density.h"
#include "formats/safetensors.h"

static const char format[] = "elbo-density-1";

elbo_status elbo_density_save(const elbo_density *d, elbo_density_origin origin, const char *path, elbo_error *err) {
    const elbo_mixture *m = &d->mixture;
    size_t K = (size_t)m->components, D = (size_t)m->dims, Z = (size_t)d->latent;
    elbo_st_tensor tensors[] = {
        {.name = "weight", .dtype = ELBO_ST_F64, .dims = 1, .shape = {K}, .data = m->weight},
        {.name = "mean", .dtype = ELBO_ST_F64, .dims = 2, .shape = {K, D}, .data = m->mean},
        {.name = "cholesky", .dtype = ELBO_ST_F64, .dims = 3, .shape = {K, D, D}, .data = m->factor},
        {.name = "log_likelihood", .dtype = ELBO_ST_F64, .dims = 0, .data = &m->log_likelihood},
        {.name = "variance_held", .dtype = ELBO_ST_F64, .dims = 0, .data = &d->held},
        {.name = "centre", .dtype = ELBO_ST_F64, .dims = 1, .shape = {Z}, .data = d->centre},
        {.name = "axes", .dtype = ELBO_ST_F64, .dims = 2, .shape = {D, Z}, .data = d->axis},
    };
    elbo_st_pair pairs[] = {{"format", format}, {"model", origin.model}, {"data", origin.data}};
    return elbo_safetensors_write(path, tensors, d->axis ? 7 : 5, pairs, 3, err);
}

static bool says(const elbo_safetensors *s, const char *key, const char *value) {
    const char *have = elbo_safetensors_metadata(s, key);
    return have && !strcmp(have, value);
}

/* A tensor of this shape (ended by 0) into new memory; NULL where there is none. */
static double *take(const elbo_safetensors *s, const char *name, const size_t *shape) {
    const elbo_st_tensor *t = elbo_safetensors_find(s, name);
    size_t bytes;
    if (!t || t->dtype != ELBO_ST_F64 || !elbo_st_bytes(t, &bytes)) return NULL;
    for (int i = 0; i < t->dims; i++, shape++)
        if (t->shape[i] != *shape) return NULL; // (a dimension too many meets the 0 at the end)
    if (*shape) return NULL;
    double *v = elbo_alloc(bytes, 1);
    if (v) memcpy(v, t->data, bytes);
    return v;
}

static bool take_number(const elbo_safetensors *s, const char *name, double *to) {
    double *v = take(s, name, (size_t[]){0});
    if (v) *to = *v;
    free(v);
    return v != NULL;
}

bool elbo_density_load(elbo_density *d, elbo_density_origin origin, int components, int latent, const char *path) {
    *d = (elbo_density){0};
    bool found = false;
    elbo_safetensors s;
    elbo_error damaged; // no reason to stop: it is only fitted again
    if (!elbo_file_exists(path) || elbo_safetensors_open(&s, path, &damaged) != ELBO_OK) return false;
    size_t K = (size_t)components, Z = (size_t)latent;
    const elbo_st_tensor *mean = elbo_safetensors_find(&s, "mean");
    bool ours = says(&s, "format", format) && says(&s, "model", origin.model) && says(&s, "data", origin.data);
    if (ours && mean && mean->dims == 2 && mean->shape[1] >= 1 && mean->shape[1] <= Z) {
        size_t D = mean->shape[1];
        bool wide = latent > ELBO_DENSITY_WIDE;
        *d = (elbo_density){.latent = latent, .mixture = {.components = components, .dims = (int)D}};
        d->mixture.weight = take(&s, "weight", (size_t[]){K, 0});
        d->mixture.mean = take(&s, "mean", (size_t[]){K, D, 0});
        d->mixture.factor = take(&s, "cholesky", (size_t[]){K, D, D, 0});
        d->centre = wide ? take(&s, "centre", (size_t[]){Z, 0}) : NULL;
        d->axis = wide ? take(&s, "axes", (size_t[]){D, Z, 0}) : NULL;
        found = d->mixture.weight && d->mixture.mean && d->mixture.factor && (wide ? d->centre && d->axis : D == Z) &&
                take_number(&s, "log_likelihood", &d->mixture.log_likelihood) &&
                take_number(&s, "variance_held", &d->held);
    }
    elbo_safetensors_close(&s);
    if (!found) elbo_density_free(d);
    return found;
}
