/* Scores as JSON, and RUN/scores.json. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "explore/metrics/quality.h"
#include "run/scores_json.h"

enum { VERSION = 2, LARGEST = 1 << 26 };

static json_t *array_of(const double *v, int n) {
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(a, json_real(v[i]));
    return a;
}

/* {"name": "Gaussian", "sigma": 0.3, "learned": true}, which p(x|z) is scored */
static json_t *observation_to_json(const elbo_observation_model *m) {
    if (!m->is) return json_null();
    json_t *o = json_pack("{s:s}", "name", m->is->name);
    if (m->is->scale) json_object_set_new(o, m->is->scale, json_real(m->scale));
    if (isfinite(m->laplace)) json_object_set_new(o, "laplace_scale", json_real(m->laplace));
    if (m->is->scale) json_object_set_new(o, "learned", json_boolean(m->learned));
    if (m->implied) json_object_set_new(o, "kl_weight", json_real((double)m->kl_weight));
    return o;
}

json_t *elbo_quality_to_json(const elbo_quality *q) {
    errno = 0; // jansson leaves out what it has no memory for
    json_t *o = json_object();
    for (const elbo_quality_row *r = elbo_quality_rows; r->key; r++) {
        double v = r->value(q);
        if (!isfinite(v)) continue;
        json_object_set_new(o, r->key, r->decimals ? json_real(v) : json_integer((json_int_t)v));
    }
    json_object_set_new(o, "metrics", elbo_metric_values_to_json(&q->metrics, q->losses.metric));
    json_object_set_new(o, "observation", observation_to_json(&q->observation));
    if (q->samples.images) {
        json_object_set_new(o, "sample_images", json_integer((json_int_t)q->samples.images));
        json_object_set_new(o, "sample_neighbours", json_integer(q->samples.k));
    }
    if (q->likelihood.samples) json_object_set_new(o, "importance_samples", json_integer(q->likelihood.samples));
    json_object_set_new(o, "latent", json_integer(q->latent.latent));
    if (q->latent.kl) json_object_set_new(o, "kl_per_dimension", array_of(q->latent.kl, q->latent.latent));
    json_object_set_new(o, "code_variance", array_of(q->latent.variance, q->latent.latent));
    json_object_set_new(o, "code_mean", array_of(q->latent.mean, q->latent.latent));
    if (errno != ENOMEM) return o;
    json_decref(o);
    return NULL;
}

/* ---- what the scores belong to ---- */

static uint64_t images_checksum(uint64_t h, const elbo_images *i) {
    uint64_t pixels = i->count ? elbo_images_fingerprint(i) : 0;
    h = elbo_checksum(h, &pixels, sizeof pixels);
    return i->labels ? elbo_checksum_large(h, i->labels, i->count) : h;
}

/* The weights, and the recipe, which says how they are read. New strings. */
static char *model_mark(const elbo_model *m) {
    char *recipe = elbo_recipe_text(&m->recipe);
    if (!recipe) return NULL;
    uint64_t h = elbo_checksum(ELBO_CHECKSUM_START, m->network.params, m->network.graph.param_floats * sizeof(float));
    h = elbo_checksum(h, recipe, strlen(recipe));
    free(recipe);
    return elbo_format("%016llx", (unsigned long long)h);
}

/* Both splits: what is told of classes goes by training codes. */
static char *data_mark(const elbo_dataset *d) {
    uint64_t h = images_checksum(images_checksum(ELBO_CHECKSUM_START, &d->test), &d->train);
    return elbo_format("%016llx", (unsigned long long)h);
}

/* ---- the file ---- */

elbo_status elbo_quality_save(const elbo_quality *q, const elbo_model *m, const elbo_dataset *data, elbo_error *err) {
    char *path = elbo_path_join(m->run, "scores.json"), *model = model_mark(m), *images = data_mark(data), *text = NULL;
    json_t *o = model && images ? json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "version", VERSION, "model", model,
                                            "data", "name", data->name, "checksum", images, "images",
                                            (json_int_t)q->losses.images, "scores", elbo_quality_to_json(q))
                                : NULL;
    if (o) text = elbo_json_text(o, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    elbo_status status = path && text ? elbo_file_write(path, text, strlen(text), err) : elbo_no_memory(err);
    json_decref(o);
    free(text);
    free(images);
    free(model);
    free(path);
    return status;
}

static double real_of(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* `latent` finite numbers, or NULL. */
static double *read_array(const json_t *o, const char *key, int latent) {
    const json_t *a = json_object_get(o, key);
    if (json_array_size(a) != (size_t)latent) return NULL;
    double *v = elbo_alloc((size_t)latent, sizeof *v);
    for (int i = 0; v && i < latent; i++) v[i] = json_number_value(json_array_get(a, (size_t)i));
    return v;
}

/* Version 1 has log p(x) of mse and l1 without the density's constant, and of variance 1/2 whatever the KL's weight. */
static bool likelihood_holds(const elbo_quality *q, int version) {
    const elbo_observation_model *p = &q->observation;
    return version > 1 || !p->is || (p->constant == 0 && p->factor == 1);
}

static bool read_scores(elbo_quality *q, const json_t *o, const elbo_model *m, int version) {
    int Z = m->network.graph.latent;
    bool vae = m->recipe.kind == ELBO_VAE;
    q->losses = (elbo_scores){.loss = real_of(o, "loss"),
                              .reconstruction = real_of(o, "reconstruction"),
                              .mse = real_of(o, "mse"),
                              .kl = vae ? real_of(o, "kl") : 0};
    elbo_metric_values_from_json(q->losses.metric, json_object_get(o, "metrics"), &q->metrics);
    elbo_scores_fill(&q->losses, &q->metrics, elbo_image_size(m->network.graph.image));
    elbo_quality_set_objective(q, m, &(elbo_log){0});
    q->pictures = (elbo_picture_scores){.psnr = real_of(o, "psnr"),
                                        .ssim = real_of(o, "ssim"),
                                        .ms_ssim = real_of(o, "ms_ssim"),
                                        .scales = elbo_ms_ssim_scales(m->network.graph.image)};
    q->lpips = real_of(o, "lpips");
    q->knn = real_of(o, "knn_accuracy");
    q->probe = real_of(o, "probe_accuracy");
    q->factors = (elbo_disentanglement){
        .mig = real_of(o, "mig"), .factor_vae = real_of(o, "factor_vae_score"), .sap = real_of(o, "sap")};
    q->samples =
        (elbo_sample_scores){.images = (size_t)json_integer_value(json_object_get(o, "sample_images")),
                             .k = (int)json_integer_value(json_object_get(o, "sample_neighbours")),
                             .precision = real_of(o, "sample_precision"),
                             .recall = real_of(o, "sample_recall"),
                             .test_precision = real_of(o, "test_precision"),
                             .test_recall = real_of(o, "test_recall"),
                             .sharpness = real_of(o, "sample_sharpness"),
                             .density = real_of(o, "sample_density"),
                             .coverage = real_of(o, "sample_coverage"),
                             .test_density = real_of(o, "test_density"),
                             .test_coverage = real_of(o, "test_coverage"),
                             .distance = {real_of(o, "sample_frechet_random"), real_of(o, "sample_kid_random")},
                             .test_distance = {real_of(o, "test_frechet_random"), real_of(o, "test_kid_random")},
                             .vgg = {real_of(o, "sample_frechet_vgg16"), real_of(o, "sample_kid_vgg16")},
                             .test_vgg = {real_of(o, "test_frechet_vgg16"), real_of(o, "test_kid_vgg16")}};
    if (likelihood_holds(q, version))
        q->likelihood = (elbo_likelihood){.samples = (int)json_integer_value(json_object_get(o, "importance_samples")),
                                          .log_p = real_of(o, "log_likelihood"),
                                          .error = real_of(o, "log_likelihood_error")};
    q->latent = (elbo_latent_scores){.latent = Z,
                                     .variance = read_array(o, "code_variance", Z),
                                     .mean = read_array(o, "code_mean", Z),
                                     .kl = vae ? read_array(o, "kl_per_dimension", Z) : NULL};
    if (!q->latent.variance || !q->latent.mean || (vae && !q->latent.kl)) return false;
    elbo_latent_count_active(&q->latent); // (of an AE, earlier versions counted otherwise)
    return isfinite(q->losses.loss) && isfinite(q->losses.kl);
}

static bool same_text(const json_t *o, const char *key, const char *text) {
    const char *said = json_string_value(json_object_get(o, key));
    return said && text && !strcmp(said, text);
}

elbo_status elbo_quality_load(elbo_quality *q, const elbo_model *m, const elbo_dataset *data, elbo_error *err) {
    *q = (elbo_quality){.metrics = elbo_metrics_of(&m->recipe),
                        .observation = elbo_observation_model_of(&m->recipe, &m->network.graph, m->network.params)};
    char *path = elbo_path_join(m->run, "scores.json"), *model = model_mark(m), *images = data ? data_mark(data) : NULL;
    uint8_t *bytes = NULL;
    size_t size;
    elbo_status status = path && model && (images || !data) ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK)
        status = elbo_file_exists(path) ? elbo_file_read(path, LARGEST, &bytes, &size, err) : ELBO_NOT_FOUND;
    json_t *o = status == ELBO_OK ? elbo_json_read((const char *)bytes, size, 0, NULL) : NULL;
    if (status == ELBO_OK && !o && errno == ENOMEM) status = elbo_no_memory(err);
    const json_t *about = json_object_get(o, "data");
    int version = (int)json_integer_value(json_object_get(o, "version"));
    bool fits = version >= 1 && version <= VERSION && same_text(o, "model", model) &&
                (!data || same_text(about, "checksum", images));
    if (status == ELBO_OK && (!fits || !read_scores(q, json_object_get(o, "scores"), m, version))) {
        elbo_quality_free(q);
        status = ELBO_NOT_FOUND;
    }
    if (status == ELBO_OK) q->losses.images = (uint32_t)json_integer_value(json_object_get(about, "images"));
    if (status == ELBO_NOT_FOUND)
        status = elbo_fail(err, ELBO_NOT_FOUND, "%s: holds no scores of this model on these images", m->run);
    json_decref(o);
    free(bytes);
    free(images);
    free(model);
    free(path);
    return status;
}

elbo_status elbo_quality_keep(const elbo_quality *q, const elbo_model *m, const elbo_dataset *data, elbo_error *err) {
    elbo_quality whole = *q, before;
    elbo_error none;
    if (elbo_quality_load(&before, m, data, &none) == ELBO_OK) {
        if (!q->likelihood.samples) whole.likelihood = before.likelihood;
        if (!isfinite(q->lpips)) whole.lpips = before.lpips;
        if (!isfinite(q->samples.vgg.frechet)) {
            whole.samples.vgg = before.samples.vgg;
            whole.samples.test_vgg = before.samples.test_vgg;
        }
        elbo_quality_free(&before);
    }
    return elbo_quality_save(&whole, m, data, err);
}
