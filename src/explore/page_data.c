#include "explore/page_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"
#include "explore/projection.h"
#include "run/model.h"
#include "stats/pca.h"
#include "stats/plane.h"

/* ---- thumbnails ---- */

static uint8_t byte_of(float v, const elbo_recipe *r) {
    float unit = (v - r->image.low) / (r->image.high - r->image.low);
    return (uint8_t)lrintf(255 * fminf(fmaxf(unit, 0), 1));
}

/* One image, each square of `by` x `by` pixels as one.  in: (C, H, W); out: (C, h, w) */
static void shrink(const float *in, elbo_image_shape from, int by, elbo_image_shape to, const elbo_recipe *r,
                   uint8_t *out) {
    for (int c = 0; c < to.channels; c++)
        for (int i = 0; i < to.height; i++)
            for (int j = 0; j < to.width; j++, out++) {
                float sum = 0;
                for (int u = 0; u < by; u++)
                    for (int v = 0; v < by; v++) sum += in[(c * from.height + i * by + u) * from.width + j * by + v];
                *out = byte_of(sum / (float)(by * by), r);
            }
}

static elbo_status make_thumbs(elbo_page_data *p, const elbo_model *m, const elbo_images *images, elbo_error *err) {
    elbo_image_shape s = images->shape;
    int longest = s.height > s.width ? s.height : s.width, by = (longest + ELBO_PAGE_THUMB - 1) / ELBO_PAGE_THUMB;
    p->thumb = (elbo_image_shape){s.channels, s.height / by, s.width / by};
    if (!p->thumb.height || !p->thumb.width) p->thumb = s, by = 1; // a strip
    size_t each = elbo_image_size(p->thumb);
    p->thumbs = elbo_alloc(p->n, each);
    float *one = elbo_alloc(elbo_image_size(s), sizeof *one);
    for (uint32_t i = 0; p->thumbs && one && i < p->n; i++) {
        elbo_images_to_floats(images, &i, 1, m->recipe.image.low, m->recipe.image.high, one);
        shrink(one, s, by, p->thumb, &m->recipe, p->thumbs + i * each);
    }
    free(one);
    return p->thumbs && one ? ELBO_OK : elbo_no_memory(err);
}

/* ---- facts ---- */

static json_t *numbers(const double *v, size_t n) {
    json_t *o = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(o, json_real(isfinite(v[i]) ? v[i] : 0));
    return o;
}

/* Dimensions, the most informative first.  mu: (n, latent) */
static elbo_status add_dimensions(elbo_page_data *p, const float *mu, const float *logvar, int latent,
                                  elbo_error *err) {
    elbo_latent_scores s = {0};
    ELBO_TRY(elbo_latent_score(&s, mu, logvar, p->n, latent, err));
    double *by = elbo_alloc((size_t)latent, sizeof *by);
    int *order = elbo_alloc((size_t)latent, sizeof *order);
    json_t *rows = json_array();
    if (by && order) {
        for (int d = 0; d < latent; d++) by[d] = s.kl ? s.kl[d] : s.variance[d];
        elbo_order_by(by, latent, order);
        for (int i = 0; i < latent; i++)
            json_array_append_new(rows, json_pack("{s:i, s:o, s:f, s:f}", "index", order[i], "kl",
                                                  s.kl ? json_real(s.kl[order[i]]) : json_null(), "mean",
                                                  s.mean[order[i]], "std", sqrt(fmax(s.variance[order[i]], 0))));
    }
    bool memory = by && order && !json_object_set_new(p->facts, "dimensions", rows);
    free(by);
    free(order);
    elbo_latent_scores_free(&s);
    return memory ? ELBO_OK : elbo_no_memory(err);
}

/* The plane of PCA as the page computes it: places are (z - mean) axes^T. */
static elbo_status add_axes(elbo_page_data *p, const float *mu, int latent, int threads, elbo_error *err) {
    if (latent < 2 || p->n < 2) return ELBO_OK;
    elbo_pca pca = {0};
    ELBO_TRY(elbo_pca_fit(&pca, mu, p->n, latent, 2, threads, err));
    json_t *axes = json_pack("[o, o]", numbers(pca.axes, (size_t)latent), numbers(pca.axes + latent, (size_t)latent));
    double total = pca.total > 0 ? pca.total : 1;
    json_t *o = json_pack("{s:o, s:o, s:[f, f]}", "mean", numbers(pca.mean, (size_t)latent), "axes", axes, "explained",
                          pca.variance[0] / total, pca.variance[1] / total);
    elbo_pca_free(&pca);
    return json_object_set_new(p->facts, "pca", o) ? elbo_no_memory(err) : ELBO_OK;
}

static json_t *class_names(const elbo_model *m, const elbo_dataset *d) {
    json_t *o = json_array();
    int classes = d->classes ? d->classes : m->network.graph.classes;
    char text[12];
    for (int i = 0; i < classes; i++)
        json_array_append_new(o, json_string(d->classes ? d->class_names[i] : elbo_model_class_text(m, i, text)));
    return o;
}

static elbo_status add_model(elbo_page_data *p, const elbo_model *m, const elbo_dataset *d, bool test,
                             elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    p->facts = json_pack("{s:s, s:s, s:s, s:s, s:i, s:[i, i, i], s:[f, f], s:o, s:b, s:i, s:s, s:s, s:s}", "name",
                         m->recipe.name, "folder", m->run, "model", g->kind == ELBO_VAE ? "vae" : "ae", "data", d->name,
                         "latent", g->latent, "image", g->image.channels, g->image.height, g->image.width, "range",
                         (double)m->recipe.image.low, (double)m->recipe.image.high, "classes", class_names(m, d),
                         "conditional", g->at.label >= 0, "epoch", elbo_model_epoch(m), "fingerprint",
                         elbo_model_fingerprint(m), "split", test ? "test" : "train", "version", elbo_version());
    return p->facts ? ELBO_OK : elbo_no_memory(err);
}

/* ---- codes and maps ---- */

static elbo_status encode(elbo_page_data *p, elbo_model *m, const elbo_images *images, float *mu, float *logvar,
                          elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent, wide = logvar ? 2 * Z : Z;
    ELBO_TRY(elbo_model_encode_images(m, images, NULL, p->n, mu, logvar, err));
    p->code = (int)wide;
    p->codes = elbo_alloc(p->n * wide, sizeof *p->codes);
    if (!p->codes) return elbo_no_memory(err);
    for (size_t i = 0; i < p->n; i++) {
        memcpy(p->codes + i * wide, mu + i * Z, Z * sizeof *mu);
        if (logvar) memcpy(p->codes + i * wide + Z, logvar + i * Z, Z * sizeof *logvar);
    }
    return ELBO_OK;
}

/* Both maps' trustworthiness, and the points of t-SNE. */
static elbo_status add_maps(elbo_page_data *p, elbo_model *m, const elbo_dataset *d, bool test, const elbo_job *job,
                            elbo_error *err) {
    json_t *trust = json_object();
    if (json_object_set_new(p->facts, "trust", trust)) return elbo_no_memory(err);
    if (p->n < 4) return ELBO_OK;
    for (int tsne = 0; tsne < (m->network.graph.latent > 2 ? 2 : 1); tsne++) {
        elbo_projection_options o = elbo_projection_defaults();
        o.method = tsne ? ELBO_PROJECT_TSNE : ELBO_PROJECT_PCA;
        o.splits = test ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT;
        o.most = p->n;
        elbo_projection x;
        ELBO_TRY(elbo_project(&x, m, d, &o, job, err));
        elbo_status status = x.stopped ? elbo_fail(err, ELBO_STOPPED, "stopped") : elbo_projection_score(&x, job, err);
        if (status == ELBO_OK) {
            json_object_set_new(trust, tsne ? "tsne" : "pca", json_real(x.scores.trustworthiness));
            if (tsne) {
                p->tsne = x.xy;
                x.xy = NULL;
            }
        }
        elbo_projection_free(&x);
        ELBO_TRY(status);
    }
    return ELBO_OK;
}

static elbo_status gather(elbo_page_data *p, elbo_model *m, const elbo_dataset *d, bool test, const elbo_job *job,
                          elbo_error *err) {
    const elbo_images *images = test ? &d->test : &d->train;
    int latent = m->network.graph.latent;
    bool vae = m->network.graph.kind == ELBO_VAE;
    float *mu = elbo_alloc(p->n * (size_t)latent, sizeof *mu),
          *logvar = vae ? elbo_alloc(p->n * (size_t)latent, sizeof *logvar) : NULL;
    elbo_status status = mu && (logvar || !vae) ? add_model(p, m, d, test, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = encode(p, m, images, mu, logvar, err);
    if (status == ELBO_OK) status = add_dimensions(p, mu, logvar, latent, err);
    if (status == ELBO_OK) status = add_axes(p, mu, latent, job->threads, err);
    if (status == ELBO_OK) status = make_thumbs(p, m, images, err);
    if (status == ELBO_OK) status = add_maps(p, m, d, test, job, err);
    if (status == ELBO_OK && images->labels) {
        p->labels = elbo_alloc(p->n, 1);
        if (p->labels)
            memcpy(p->labels, images->labels, p->n);
        else
            status = elbo_no_memory(err);
    }
    free(mu);
    free(logvar);
    return status;
}

elbo_status elbo_page_gather(elbo_page_data *p, elbo_model *m, const elbo_dataset *d, size_t most, const elbo_job *job,
                             elbo_error *err) {
    bool test = d->test.count > 0;
    size_t there = test ? d->test.count : d->train.count;
    *p = (elbo_page_data){.n = there < most ? there : most};
    if (!p->n) return elbo_fail(err, ELBO_BAD_INPUT, "%s: there are no images to explore", d->source);
    elbo_status status = gather(p, m, d, test, job, err);
    if (status != ELBO_OK) elbo_page_data_free(p);
    return status;
}

void elbo_page_data_free(elbo_page_data *p) {
    json_decref(p->facts);
    free(p->codes);
    free(p->tsne);
    free(p->labels);
    free(p->thumbs);
    *p = (elbo_page_data){0};
}
