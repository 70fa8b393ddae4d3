#include "explore/projection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/model.h"
#include "stats/pca.h"

elbo_projection_options elbo_projection_defaults(void) {
    return (elbo_projection_options){
        .method = ELBO_PROJECT_PCA, .splits = ELBO_TEST_SPLIT, .tsne = elbo_tsne_defaults()};
}

/* ---- codes and labels ---- */

static elbo_status copy_class_names(elbo_projection *p, const elbo_dataset *d, elbo_error *err) {
    p->class_names = calloc((size_t)d->classes + 1, sizeof *p->class_names);
    if (!p->class_names) return elbo_no_memory(err);
    p->classes = d->classes;
    for (int i = 0; i < d->classes; i++)
        if (!(p->class_names[i] = strdup(d->class_names[i]))) return elbo_no_memory(err);
    return ELBO_OK;
}

static elbo_status encode(elbo_projection *p, elbo_model *m, const elbo_dataset *d, size_t most, elbo_error *err) {
    const elbo_images *part[2] = {&d->train, &d->test};
    size_t count[2] = {p->splits & ELBO_TRAIN_SPLIT ? part[0]->count : 0,
                       p->splits & ELBO_TEST_SPLIT ? part[1]->count : 0};
    size_t left = most ? most : SIZE_MAX;
    for (int i = 0; i < 2; left -= count[i++])
        if (count[i] > left) count[i] = left;
    bool labelled = (!count[0] || part[0]->labels) && (!count[1] || part[1]->labels);
    p->latent = m->network.graph.latent;
    p->n = count[0] + count[1];
    if (!p->n) return elbo_fail(err, ELBO_BAD_INPUT, "%s: there are no images in the split to project", d->source);
    p->codes = elbo_alloc(p->n * (size_t)p->latent, sizeof *p->codes);
    p->xy = elbo_alloc(2 * p->n, sizeof *p->xy);
    if (labelled) p->labels = elbo_alloc(p->n, 1);
    if (!p->codes || !p->xy || (labelled && !p->labels)) return elbo_no_memory(err);
    for (size_t i = 0, at = 0; i < 2; at += count[i++]) {
        if (!count[i]) continue;
        ELBO_TRY(elbo_model_encode_images(m, part[i], NULL, count[i], p->codes + at * (size_t)p->latent, NULL, err));
        if (labelled) memcpy(p->labels + at, part[i]->labels, count[i]);
    }
    return labelled ? copy_class_names(p, d, err) : ELBO_OK;
}

/* ---- the plane ---- */

static elbo_status project_pca(elbo_projection *p, int threads, elbo_error *err) {
    p->raw = p->latent == 2;
    if (p->raw) {
        memcpy(p->xy, p->codes, p->n * 2 * sizeof *p->xy);
        return ELBO_OK;
    }
    elbo_pca pca = {0};
    ELBO_TRY(elbo_pca_fit(&pca, p->codes, p->n, p->latent, 2, threads, err));
    size_t components = (size_t)pca.components;
    float *y = elbo_alloc(p->n * components, sizeof *y); // (n, components): a code of one dimension has one
    if (y) {
        elbo_pca_project(&pca, p->codes, p->n, y);
        for (size_t i = 0; i < p->n; i++)
            for (size_t c = 0; c < 2; c++) p->xy[2 * i + c] = c < components ? y[i * components + c] : 0;
        for (size_t c = 0; c < components; c++) p->explained[c] = pca.total > 0 ? pca.variance[c] / pca.total : 0;
    }
    free(y);
    elbo_pca_free(&pca);
    return y ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status project_tsne(elbo_projection *p, const elbo_tsne_options *o, const elbo_job *job, elbo_error *err) {
    elbo_status status = elbo_tsne(p->xy, &p->tsne, p->codes, p->n, p->latent, o, job, err);
    p->stopped = status == ELBO_STOPPED && p->tsne.iterations > 0;
    return p->stopped ? ELBO_OK : status;
}

elbo_status elbo_project(elbo_projection *p, elbo_model *model, const elbo_dataset *data,
                         const elbo_projection_options *o, const elbo_job *job, elbo_error *err) {
    *p = (elbo_projection){.method = o->method, .splits = o->splits};
    elbo_status status = encode(p, model, data, o->most, err);
    if (status == ELBO_OK)
        status =
            p->method == ELBO_PROJECT_TSNE ? project_tsne(p, &o->tsne, job, err) : project_pca(p, job->threads, err);
    if (status != ELBO_OK) elbo_projection_free(p);
    return status;
}

elbo_status elbo_projection_score(elbo_projection *p, const elbo_job *job, elbo_error *err) {
    if (p->n < 3) return ELBO_OK;
    return elbo_embedding_score(&p->scores, p->xy, p->codes, p->n, p->latent, p->labels, job, err);
}

void elbo_projection_free(elbo_projection *p) {
    for (int i = 0; i < p->classes; i++) free(p->class_names[i]);
    free(p->class_names);
    free(p->labels);
    free(p->codes);
    free(p->xy);
    *p = (elbo_projection){0};
}

/* ---- JSON ---- */

const char *elbo_projection_method_name(elbo_projection_method m) { return m == ELBO_PROJECT_TSNE ? "tsne" : "pca"; }

const char *elbo_splits_name(elbo_splits s) {
    return s == ELBO_TRAIN_SPLIT ? "train" : s == ELBO_TEST_SPLIT ? "test" : "all";
}

static json_t *number(double v) { return isnan(v) ? json_null() : json_real(v); }

void elbo_tsne_result_to_json(json_t *o, const elbo_tsne_result *r) {
    json_object_set_new(o, "kl", json_real(r->kl));
    json_object_set_new(o, "perplexity", json_real(r->perplexity));
    json_object_set_new(o, "iterations", json_integer(r->iterations));
    json_object_set_new(o, "neighbour_recall", json_real(r->recall));
}

json_t *elbo_embedding_scores_json(const elbo_embedding_scores *s) {
    return json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o}", "neighbours", s->k, "asked", (json_int_t)s->asked,
                     "trustworthiness", number(s->trustworthiness), "continuity", number(s->continuity), "recall",
                     number(s->recall), "knn_accuracy_latent", number(s->knn_points), "knn_accuracy_map",
                     number(s->knn_embedding));
}

json_t *elbo_projection_json(const elbo_projection *p) {
    json_t *o =
        json_pack("{s:s, s:s, s:I, s:i, s:b}", "method", elbo_projection_method_name(p->method), "split",
                  elbo_splits_name(p->splits), "points", (json_int_t)p->n, "latent", p->latent, "raw_plane", p->raw);
    if (!o) return NULL;
    if (p->method == ELBO_PROJECT_TSNE)
        elbo_tsne_result_to_json(o, &p->tsne);
    else if (!p->raw)
        json_object_set_new(o, "explained_variance_ratio", json_pack("[f, f]", p->explained[0], p->explained[1]));
    if (p->scores.k) json_object_set_new(o, "scores", elbo_embedding_scores_json(&p->scores));
    return o;
}
