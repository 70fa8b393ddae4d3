#include "explore/map_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/safetensors.h"
#include "stats/embedding_scores.h"

enum { ASKED = 10000 };

elbo_status elbo_map_trust(double *trust, const float *xy, const elbo_points *p, const elbo_job *work,
                           elbo_error *err) {
    size_t n = p->n < ASKED ? p->n : ASKED, Z = (size_t)p->latent;
    float *places = elbo_alloc(2 * n, sizeof *places), *codes = elbo_alloc(n * Z, sizeof *codes);
    elbo_status status = places && codes ? ELBO_OK : elbo_no_memory(err);
    *trust = NAN;
    for (size_t i = 0; status == ELBO_OK && i < n; i++) {
        size_t point = i * p->n / n;
        memcpy(places + 2 * i, xy + 2 * point, 2 * sizeof *xy);
        memcpy(codes + i * Z, p->mu + point * Z, Z * sizeof *codes);
    }
    elbo_embedding_scores scores = {.trustworthiness = NAN};
    if (status == ELBO_OK && n > 2)
        status = elbo_embedding_score(&scores, places, codes, n, p->latent, NULL, work, err);
    if (status == ELBO_OK) *trust = scores.trustworthiness;
    free(places);
    free(codes);
    return status;
}

static char *path_of(const char *run, elbo_map_method method) {
    return elbo_format("%s/maps/%s.safetensors", run, elbo_map_method_name(method));
}

elbo_status elbo_map_save(const char *run, elbo_map_method method, const float *xy, double trust, const elbo_points *p,
                          elbo_error *err) {
    char *folder = elbo_path_join(run, "maps"), *path = path_of(run, method), text[32];
    snprintf(text, sizeof text, "%.6f", trust);
    elbo_st_tensor tensor = {.name = "xy", .dtype = ELBO_ST_F32, .dims = 2, .shape = {p->n, 2}, .data = xy};
    elbo_st_pair pairs[] = {{"format", "elbo-map-1"}, {"model", p->model}, {"data", p->data}, {"trust", text}};
    elbo_status status = folder && path ? elbo_make_folder(folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_safetensors_write(path, &tensor, 1, pairs, 4, err);
    free(folder);
    free(path);
    return status;
}

bool elbo_map_load(const char *run, elbo_map_method method, float **xy, double *trust, const elbo_points *p) {
    char *path = path_of(run, method);
    elbo_safetensors s;
    elbo_error ignored; // what is damaged is computed again
    *xy = NULL;
    bool opened = path && elbo_file_exists(path) && elbo_safetensors_open(&s, path, &ignored) == ELBO_OK;
    free(path);
    if (!opened) return false;
    const char *model = elbo_safetensors_metadata(&s, "model"), *data = elbo_safetensors_metadata(&s, "data"),
               *text = elbo_safetensors_metadata(&s, "trust");
    const elbo_st_tensor *t = elbo_safetensors_find(&s, "xy");
    bool ours = model && data && !strcmp(model, p->model) && !strcmp(data, p->data) && t && t->dtype == ELBO_ST_F32 &&
                t->dims == 2 && t->shape[0] == p->n && t->shape[1] == 2;
    if (ours && (*xy = elbo_alloc(2 * p->n, sizeof **xy))) memcpy(*xy, t->data, 2 * p->n * sizeof **xy);
    if (ours) *trust = text && strcmp(text, "nan") ? strtod(text, NULL) : NAN;
    elbo_safetensors_close(&s);
    return *xy != NULL;
}
