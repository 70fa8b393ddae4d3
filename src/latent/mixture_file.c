/* A fitted mixture in a file of a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "latent/mixture.h"
#include "train/safetensors.h"

static const char format[] = "elbo-mixture-1";

elbo_status elbo_mixture_save(const elbo_mixture *m, elbo_mixture_origin origin, const char *path, elbo_error *err) {
    size_t K = (size_t)m->components, D = (size_t)m->dims;
    elbo_st_tensor tensors[] = {
        {.name = "weight", .dtype = ELBO_ST_F64, .dims = 1, .shape = {K}, .data = m->weight},
        {.name = "mean", .dtype = ELBO_ST_F64, .dims = 2, .shape = {K, D}, .data = m->mean},
        {.name = "cholesky", .dtype = ELBO_ST_F64, .dims = 3, .shape = {K, D, D}, .data = m->factor},
        {.name = "log_likelihood", .dtype = ELBO_ST_F64, .dims = 0, .data = &m->log_likelihood},
    };
    char steps[20];
    snprintf(steps, sizeof steps, "%d", m->steps);
    elbo_st_pair pairs[] = {{"format", format}, {"model", origin.model}, {"data", origin.data}, {"steps", steps}};
    return elbo_safetensors_write(path, tensors, 4, pairs, 4, err);
}

static bool says(const elbo_safetensors *s, const char *key, const char *value) {
    const char *have = elbo_safetensors_metadata(s, key);
    return have && !strcmp(have, value);
}

static bool take(const elbo_safetensors *s, const char *name, int dims, const size_t *shape, double *to, size_t count) {
    const elbo_st_tensor *t = elbo_safetensors_find(s, name);
    if (!t || t->dtype != ELBO_ST_F64 || t->dims != dims) return false;
    for (int i = 0; i < dims; i++)
        if (t->shape[i] != shape[i]) return false;
    memcpy(to, t->data, count * sizeof *to);
    return true;
}

elbo_status elbo_mixture_load(elbo_mixture *m, elbo_mixture_origin origin, int components, int dims, const char *path,
                              bool *found, elbo_error *err) {
    *m = (elbo_mixture){0};
    *found = false;
    elbo_safetensors s;
    elbo_error damaged; // no reason to stop: it is only fitted again
    if (!elbo_file_exists(path) || elbo_safetensors_open(&s, path, &damaged) != ELBO_OK) return ELBO_OK;
    size_t K = (size_t)components, D = (size_t)dims;
    const elbo_st_tensor *cholesky = elbo_safetensors_find(&s, "cholesky");
    bool ours = says(&s, "format", format) && says(&s, "model", origin.model) && says(&s, "data", origin.data) &&
                cholesky && cholesky->dims == 3 && cholesky->shape[0] == K && cholesky->shape[1] == D;
    elbo_status status = ELBO_OK;
    if (ours) {
        *m = (elbo_mixture){.components = components,
                            .dims = dims,
                            .weight = elbo_alloc(K, sizeof(double)),
                            .mean = elbo_alloc(K * D, sizeof(double)),
                            .factor = elbo_alloc(K * D * D, sizeof(double))};
        if (!m->weight || !m->mean || !m->factor) status = elbo_no_memory(err);
    }
    if (ours && status == ELBO_OK) {
        *found = take(&s, "weight", 1, (size_t[]){K}, m->weight, K) &&
                 take(&s, "mean", 2, (size_t[]){K, D}, m->mean, K * D) &&
                 take(&s, "cholesky", 3, (size_t[]){K, D, D}, m->factor, K * D * D) &&
                 take(&s, "log_likelihood", 0, NULL, &m->log_likelihood, 1);
        const char *steps = elbo_safetensors_metadata(&s, "steps");
        m->steps = steps ? atoi(steps) : 0;
    }
    elbo_safetensors_close(&s);
    if (!*found) elbo_mixture_free(m);
    return status;
}
