#include "explore/outliers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/metrics/scores.h"
#include "nn/distributions.h"
#include "stats/neighbours.h"

const char *const elbo_outlier_score_name[ELBO_OUTLIER_SCORES] = {"reconstruction", "kl", "negative_elbo",
                                                                  "negative_log_likelihood"};

/* ---- scores ---- */

typedef struct codes {
    float *mu, *logvar; // (n, Z); logvar NULL of an AE
    size_t Z;
} codes;

static elbo_status alloc_scores(elbo_outliers *r, bool vae, bool likelihood, elbo_error *err) {
    bool wanted[ELBO_OUTLIER_SCORES] = {true, vae, vae, likelihood};
    for (int s = 0; s < ELBO_OUTLIER_SCORES; s++) {
        r->ranking[s] = (elbo_ranking){.auroc = NAN, .average_precision = NAN};
        if (!wanted[s]) continue;
        r->score[s] = elbo_alloc(r->n, sizeof(double));
        if (!r->score[s]) return elbo_no_memory(err);
        r->by = (elbo_outlier_score)s;
    }
    r->order = elbo_alloc(r->n, sizeof *r->order);
    return r->order ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status score(elbo_outliers *r, elbo_model *m, const elbo_images *images, const codes *c, int importance,
                         const elbo_job *work, elbo_error *err) {
    uint32_t *own = elbo_alloc(r->n, sizeof *own);
    float *loss = elbo_alloc(r->n, sizeof *loss);
    elbo_status status = own && loss ? ELBO_OK : elbo_no_memory(err);
    for (uint32_t i = 0; status == ELBO_OK && i < r->n; i++) own[i] = i;
    if (status == ELBO_OK) status = elbo_score_codes(m, images, c->mu, own, loss, err);
    for (size_t i = 0; status == ELBO_OK && i < r->n; i++) {
        r->score[ELBO_OUTLIER_RECONSTRUCTION][i] = loss[i];
        if (!c->logvar) continue;
        r->score[ELBO_OUTLIER_KL][i] = elbo_prior_kl(&m->prior, c->mu + i * c->Z, c->logvar + i * c->Z, (uint32_t)i);
        r->score[ELBO_OUTLIER_ELBO][i] = r->score[ELBO_OUTLIER_KL][i] + loss[i];
    }
    if (status == ELBO_OK && importance) {
        elbo_likelihood l;
        double *each = r->score[ELBO_OUTLIER_LIKELIHOOD];
        elbo_likelihood_options o = {.samples = importance, .each = each};
        status = elbo_likelihood_estimate(&l, m, images, c->mu, c->logvar, &o, work, err);
        for (size_t i = 0; status == ELBO_OK && i < r->n; i++) each[i] = -each[i];
    }
    free(own);
    free(loss);
    return status;
}

typedef struct ranked {
    double score;
    uint32_t index;
} ranked;

static int most_unusual_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static elbo_status order(elbo_outliers *r, elbo_error *err) {
    ranked *all = elbo_alloc(r->n, sizeof *all);
    if (!all) return elbo_no_memory(err);
    for (size_t i = 0; i < r->n; i++) all[i] = (ranked){r->score[r->by][i], (uint32_t)i};
    qsort(all, r->n, sizeof *all, most_unusual_first);
    for (size_t i = 0; i < r->n; i++) r->order[i] = all[i].index;
    free(all);
    return ELBO_OK;
}

static elbo_status rank_anomaly(elbo_outliers *r, const elbo_images *images, elbo_error *err) {
    bool *anomalous = elbo_alloc(r->n, sizeof *anomalous);
    if (!anomalous) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    for (size_t i = 0; i < r->n; i++) anomalous[i] = images->labels[i] == r->anomaly;
    for (int s = 0; s < ELBO_OUTLIER_SCORES && status == ELBO_OK; s++)
        if (r->score[s]) status = elbo_rank(&r->ranking[s], r->score[s], anomalous, r->n, err);
    free(anomalous);
    return status;
}

/* ---- near-duplicates ---- */

static int nearest_first(const void *a, const void *b) {
    const elbo_code_pair *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    if (x->a != y->a) return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

static elbo_status find_pairs(elbo_outliers *r, const codes *c, double at, const elbo_job *work, elbo_error *err) {
    enum { NEIGHBOURS = 5 };
    int k = r->n > NEIGHBOURS ? NEIGHBOURS : (int)r->n - 1;
    if (k < 1) return ELBO_OK;
    elbo_neighbours nb;
    ELBO_TRY(elbo_neighbours_of_all(&nb, c->mu, r->n, (int)c->Z, k, work, err));
    double *nearest = elbo_alloc(r->n, sizeof *nearest);
    elbo_code_pair *pair = elbo_alloc(r->n * (size_t)k, sizeof *pair);
    elbo_status status = nearest && pair ? ELBO_OK : elbo_no_memory(err);
    size_t count = 0;
    if (status == ELBO_OK) {
        for (size_t i = 0; i < r->n; i++) nearest[i] = sqrt((double)nb.distance2[i * (size_t)k]);
        qsort(nearest, r->n, sizeof *nearest, elbo_ascending);
        r->median_distance = nearest[r->n / 2];
        for (size_t i = 0; i < r->n * (size_t)k; i++) {
            uint32_t a = (uint32_t)(i / (size_t)k), b = nb.index[i];
            double distance = sqrt((double)nb.distance2[i]);
            if (!(distance <= at * r->median_distance)) continue;
            double share = r->median_distance > 0 ? distance / r->median_distance : 0;
            pair[count++] = a < b ? (elbo_code_pair){a, b, share} : (elbo_code_pair){b, a, share};
        }
        qsort(pair, count, sizeof *pair, nearest_first);
        size_t different = 0; // most pairs are found from both sides
        for (size_t i = 0; i < count; i++)
            if (!different || pair[i].a != pair[different - 1].a || pair[i].b != pair[different - 1].b)
                pair[different++] = pair[i];
        r->pairs = different < ELBO_OUTLIERS_MOST_PAIRS ? different : ELBO_OUTLIERS_MOST_PAIRS;
        r->more_pairs = different - r->pairs;
        r->pair = pair;
        pair = NULL;
    }
    free(pair);
    free(nearest);
    elbo_neighbours_free(&nb);
    return status;
}

/* ---- what is shown ---- */

/* Images and their reconstructions.  index: (shown), out: (2, shown, C, H, W) */
static elbo_status show(const elbo_outliers *r, elbo_model *m, const elbo_images *images, const codes *c,
                        const uint32_t *index, float *out, elbo_error *err) {
    size_t n = (size_t)r->shown, size = elbo_image_size(r->format.shape);
    float *mu = elbo_alloc(n * c->Z, sizeof *mu);
    if (!mu) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++) memcpy(mu + i * c->Z, c->mu + index[i] * c->Z, c->Z * sizeof *mu);
    elbo_images_to_floats(images, index, n, r->format.low, r->format.high, out);
    elbo_status status = elbo_model_set_skips(m, images, index, n, err);
    if (status == ELBO_OK) status = elbo_model_set_labels_of(m, images, index, n, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(m, n, mu, out + n * size, err);
    free(mu);
    return status;
}

static elbo_status show_both_ends(elbo_outliers *r, elbo_model *m, const elbo_images *images, const codes *c,
                                  elbo_error *err) {
    size_t n = (size_t)r->shown, size = elbo_image_size(r->format.shape), middle = (r->n - n) / 2;
    r->worst = elbo_alloc(2 * n * size, sizeof *r->worst);
    r->typical = elbo_alloc(2 * n * size, sizeof *r->typical);
    r->typical_index = elbo_alloc(n, sizeof *r->typical_index);
    if (!r->worst || !r->typical || !r->typical_index) return elbo_no_memory(err);
    memcpy(r->typical_index, r->order + middle, n * sizeof *r->order); // about the median score
    ELBO_TRY(show(r, m, images, c, r->order, r->worst, err));
    return show(r, m, images, c, r->typical_index, r->typical, err);
}

elbo_status elbo_outliers_find(elbo_outliers *r, elbo_model *m, const elbo_images *images,
                               const elbo_outlier_options *o, const elbo_job *work, elbo_error *err) {
    bool vae = m->recipe.kind == ELBO_VAE;
    *r = (elbo_outliers){
        .n = images->count, .anomaly = o->anomaly, .median_distance = NAN, .format = elbo_model_image_format(m)};
    if (r->n == 0) return elbo_fail(err, ELBO_BAD_INPUT, "there are no images to score");
    if (o->anomaly >= 0 && !images->labels)
        return elbo_fail(err, ELBO_BAD_INPUT, "the images have no labels that say which are anomalous");
    r->shown = o->shown > 0 ? o->shown : ELBO_OUTLIERS_SHOWN;
    if ((size_t)r->shown > r->n) r->shown = (int)r->n;
    codes c = {.Z = (size_t)m->network.graph.latent};
    c.mu = elbo_alloc(r->n * c.Z, sizeof *c.mu);
    c.logvar = vae ? elbo_alloc(r->n * c.Z, sizeof *c.logvar) : NULL;
    elbo_status status =
        c.mu && (c.logvar || !vae) ? alloc_scores(r, vae, o->importance > 0, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        status = elbo_model_encode_images(m, images, NULL, r->n, c.mu, c.logvar, err);
        if (status == ELBO_OK) status = score(r, m, images, &c, o->importance, work, err);
    }
    if (status == ELBO_OK) status = order(r, err);
    if (status == ELBO_OK && o->anomaly >= 0) status = rank_anomaly(r, images, err);
    double at = o->duplicate_at > 0 ? o->duplicate_at : ELBO_DUPLICATE_AT;
    if (status == ELBO_OK && o->duplicates) status = find_pairs(r, &c, at, work, err);
    if (status == ELBO_OK) status = show_both_ends(r, m, images, &c, err);
    free(c.mu);
    free(c.logvar);
    if (status != ELBO_OK) elbo_outliers_free(r);
    return status;
}

void elbo_outliers_free(elbo_outliers *r) {
    for (int s = 0; s < ELBO_OUTLIER_SCORES; s++) free(r->score[s]);
    free(r->order);
    free(r->pair);
    free(r->worst);
    free(r->typical);
    free(r->typical_index);
    *r = (elbo_outliers){0};
}

/* ---- JSON ---- */

json_t *elbo_outliers_json(const elbo_outliers *r) {
    json_t *scores = json_object(), *rows = json_array(), *pairs = json_array();
    for (int s = 0; s < ELBO_OUTLIER_SCORES; s++) {
        if (!r->score[s]) continue;
        json_t *column = json_array();
        for (size_t i = 0; i < r->n; i++)
            json_array_append_new(column, isfinite(r->score[s][i]) ? json_real(r->score[s][i]) : json_null());
        json_object_set_new(scores, elbo_outlier_score_name[s], column);
    }
    for (size_t i = 0; i < r->n; i++) json_array_append_new(rows, json_integer(r->order[i]));
    for (size_t i = 0; i < r->pairs; i++)
        json_array_append_new(pairs, json_pack("{s:i, s:i, s:f}", "a", (int)r->pair[i].a, "b", (int)r->pair[i].b,
                                               "distance", r->pair[i].distance));
    json_t *o = json_pack("{s:I, s:s, s:o, s:o}", "images", (json_int_t)r->n, "ordered_by",
                          elbo_outlier_score_name[r->by], "order", rows, "scores", scores);
    for (int s = 0; o && s < ELBO_OUTLIER_SCORES; s++) {
        if (!isfinite(r->ranking[s].auroc)) continue;
        json_t *all = json_object_get(o, "anomaly");
        if (!all)
            json_object_set_new(o, "anomaly", all = json_pack("{s:I}", "images", (json_int_t)r->ranking[s].positives));
        json_object_set_new(all, elbo_outlier_score_name[s],
                            json_pack("{s:f, s:f}", "auroc", r->ranking[s].auroc, "average_precision",
                                      r->ranking[s].average_precision));
    }
    if (isfinite(r->median_distance)) {
        json_object_set_new(o, "median_code_distance", json_real(r->median_distance));
        json_object_set(o, "duplicates", pairs);
    }
    json_decref(pairs);
    return o;
}
