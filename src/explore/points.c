#include "explore/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "explore/metrics/scores.h"
#include "formats/safetensors.h"
#include "run/model.h"
#include "stats/plane.h"

elbo_point_image elbo_point_find(const elbo_dataset *d, size_t point) {
    bool train = point < d->train.count;
    return (elbo_point_image){train ? &d->train : &d->test, (uint32_t)(train ? point : point - d->train.count)};
}

static elbo_status allocate(elbo_points *p, const elbo_model *m, const elbo_dataset *d, elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent;
    bool vae = m->recipe.kind == ELBO_VAE;
    bool labelled = d->classes > 0 && (!d->train.count || d->train.labels) && (!d->test.count || d->test.labels);
    *p = (elbo_points){.n = (size_t)d->train.count + d->test.count, .train = d->train.count, .latent = (int)Z};
    p->mu = elbo_alloc(p->n * Z, sizeof *p->mu);
    p->logvar = vae ? elbo_alloc(p->n * Z, sizeof *p->logvar) : NULL;
    p->labels = labelled ? elbo_alloc(p->n, 1) : NULL;
    p->order = elbo_alloc(Z, sizeof *p->order);
    p->kl = vae ? elbo_alloc(Z, sizeof *p->kl) : NULL;
    p->mean = elbo_alloc(Z, sizeof *p->mean);
    p->deviation = elbo_alloc(Z, sizeof *p->deviation);
    bool whole = p->mu && p->order && p->mean && p->deviation && (!vae || (p->logvar && p->kl));
    if (!whole || (labelled && !p->labels)) return elbo_no_memory(err);
    if (labelled && d->train.count) memcpy(p->labels, d->train.labels, d->train.count);
    if (labelled && d->test.count) memcpy(p->labels + d->train.count, d->test.labels, d->test.count);
    return ELBO_OK;
}

/* ---- kept ---- */

static void identify(elbo_points *p, const elbo_model *m, const elbo_dataset *d) {
    snprintf(p->model, sizeof p->model, "%s", elbo_model_fingerprint(m));
    snprintf(p->data, sizeof p->data, "%016llx%016llx", (unsigned long long)elbo_images_fingerprint(&d->train),
             (unsigned long long)elbo_images_fingerprint(&d->test));
}

static char *path_of(const elbo_model *m) { return elbo_format("%s/codes/points.safetensors", m->run); }

static bool take(const elbo_safetensors *s, const char *name, float *to, const elbo_points *p) {
    const elbo_st_tensor *t = elbo_safetensors_find(s, name);
    if (!t || t->dtype != ELBO_ST_F32 || t->dims != 2 || t->shape[0] != p->n || t->shape[1] != (size_t)p->latent)
        return false;
    memcpy(to, t->data, p->n * (size_t)p->latent * sizeof *to);
    return true;
}

static bool load(elbo_points *p, const char *path) {
    elbo_safetensors s;
    elbo_error ignored;
    if (elbo_safetensors_open(&s, path, &ignored) != ELBO_OK) return false;
    const char *model = elbo_safetensors_metadata(&s, "model"), *data = elbo_safetensors_metadata(&s, "data");
    bool good = model && data && !strcmp(model, p->model) && !strcmp(data, p->data) && take(&s, "mu", p->mu, p) &&
                (!p->logvar || take(&s, "logvar", p->logvar, p));
    elbo_safetensors_close(&s);
    return good;
}

static void save(const elbo_points *p, const elbo_model *m, const char *path) {
    elbo_error ignored;
    char *folder = elbo_path_join(m->run, "codes");
    elbo_st_tensor tensors[] = {
        {.name = "mu", .dtype = ELBO_ST_F32, .dims = 2, .shape = {p->n, (size_t)p->latent}, .data = p->mu},
        {.name = "logvar", .dtype = ELBO_ST_F32, .dims = 2, .shape = {p->n, (size_t)p->latent}, .data = p->logvar}};
    elbo_st_pair pairs[] = {{"format", "elbo-points-1"}, {"model", p->model}, {"data", p->data}};
    if (folder &&
        elbo_make_folder(folder, &ignored) == ELBO_OK) // what is kept for later must not stop what is asked now
        elbo_safetensors_write(path, tensors, p->logvar ? 2 : 1, pairs, 3, &ignored);
    free(folder);
}

/* ---- computed ---- */

static elbo_status encode(elbo_points *p, elbo_model *m, const elbo_dataset *d, elbo_error *err) {
    const elbo_images *part[2] = {&d->train, &d->test};
    size_t Z = (size_t)p->latent;
    for (size_t i = 0, at = 0; i < 2; at += part[i++]->count)
        if (part[i]->count)
            ELBO_TRY(elbo_model_encode_images(m, part[i], NULL, part[i]->count, p->mu + at * Z,
                                              p->logvar ? p->logvar + at * Z : NULL, err));
    return ELBO_OK;
}

static elbo_status summarise(elbo_points *p, elbo_error *err) {
    elbo_latent_scores s = {0};
    size_t Z = (size_t)p->latent, from = p->n > p->train ? p->train : 0; // on the test images, as `elbo traverse` does
    double *by = elbo_alloc(Z, sizeof *by);
    elbo_status status = by ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK)
        status =
            elbo_latent_score(&s, p->mu + from * Z, p->logvar ? p->logvar + from * Z : NULL, p->n - from, (int)Z, err);
    for (size_t k = 0; status == ELBO_OK && k < Z; k++) {
        p->mean[k] = s.mean[k];
        p->deviation[k] = sqrt(s.variance[k]);
        if (p->kl) p->kl[k] = s.kl[k];
        by[k] = p->kl ? p->kl[k] : p->deviation[k];
    }
    if (status == ELBO_OK) elbo_order_by(by, (int)Z, p->order);
    elbo_latent_scores_free(&s);
    free(by);
    return status;
}

static elbo_status begin(elbo_points *p, const elbo_model *m, const elbo_dataset *d, elbo_error *err) {
    ELBO_TRY(allocate(p, m, d, err));
    if (p->n == 0) return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no images", d->source);
    identify(p, m, d);
    return ELBO_OK;
}

bool elbo_points_load(elbo_points *p, const elbo_model *m, const elbo_dataset *d) {
    elbo_error ignored; // they are encoded, then
    char *path = path_of(m);
    *p = (elbo_points){0};
    bool there = path && elbo_file_exists(path) && begin(p, m, d, &ignored) == ELBO_OK && load(p, path) &&
                 summarise(p, &ignored) == ELBO_OK;
    free(path);
    if (!there) elbo_points_free(p);
    return there;
}

elbo_status elbo_points_open(elbo_points *p, elbo_model *m, const elbo_dataset *d, bool keep, elbo_error *err) {
    *p = (elbo_points){0};
    if (elbo_points_load(p, m, d)) return ELBO_OK;
    char *path = path_of(m);
    elbo_status status = path ? begin(p, m, d, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = encode(p, m, d, err);
    if (status == ELBO_OK && keep) save(p, m, path);
    if (status == ELBO_OK) status = summarise(p, err);
    free(path);
    if (status != ELBO_OK) elbo_points_free(p);
    return status;
}

void elbo_points_free(elbo_points *p) {
    free(p->mu);
    free(p->logvar);
    free(p->labels);
    free(p->order);
    free(p->kl);
    free(p->mean);
    free(p->deviation);
    *p = (elbo_points){0};
}
