#include "explore/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "run/model.h"

/* ---- sources ---- */

static const char *const source_names[] = {"default", "prior", "gaussian", "gmm"};

const char *elbo_sample_source_name(elbo_sample_source source) { return source_names[source]; }

bool elbo_sample_source_named(elbo_sample_source *source, const char *name) {
    for (int s = ELBO_SAMPLE_PRIOR; s <= ELBO_SAMPLE_GMM; s++)
        if (!strcmp(name, source_names[s])) {
            *source = (elbo_sample_source)s;
            return true;
        }
    return false;
}

elbo_status elbo_sample_source_of(elbo_sample_source *source, const elbo_model *m, elbo_error *err) {
    if (*source == ELBO_SAMPLE_DEFAULT) *source = m->network.graph.prior ? ELBO_SAMPLE_PRIOR : ELBO_SAMPLE_GMM;
    return elbo_model_decodes_alone(m, err);
}

elbo_sample_options elbo_sample_defaults(void) { return (elbo_sample_options){.count = 64, .temperature = 1}; }

/* ---- drawing codes ---- */

/* Code i is drawn from the seed and i.  z: (n, latent) */
static void draw_prior(const elbo_sample_result *r, const elbo_prior_model *prior, size_t n, float *z) {
    for (size_t i = 0; i < n; i++)
        prior->is->sample(prior, z + i * prior->Z, (float)r->temperature,
                          (elbo_stream){.seed = r->seed, .purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)i});
}

/* Which classes are decoded, and the labels for them. */
static elbo_status set_classes(elbo_sample_result *r, elbo_model *m, const char *word, elbo_error *err) {
    if (!elbo_model_is_conditional(m)) return word ? elbo_model_find_class(&r->first_class, m, word, err) : ELBO_OK;
    size_t all = (size_t)m->network.graph.classes;
    int classes = word ? 1 : (int)all;
    if (word) ELBO_TRY(elbo_model_find_class(&r->first_class, m, word, err));
    float *labels = elbo_alloc((size_t)classes * all, sizeof *labels);
    r->class_name = elbo_alloc((size_t)classes, sizeof *r->class_name);
    elbo_status status = labels && r->class_name ? ELBO_OK : elbo_no_memory(err);
    for (int k = 0; k < classes && status == ELBO_OK; k++) {
        char text[12];
        labels[(size_t)k * all + (size_t)(r->first_class + k)] = 1;
        r->class_name[r->classes++] = strdup(elbo_model_class_text(m, r->first_class + k, text));
        if (!r->class_name[k]) status = elbo_no_memory(err);
    }
    if (status == ELBO_OK) status = elbo_model_set_labels(m, labels, (size_t)classes, err);
    free(labels);
    return status;
}

/* Each of the first codes as often as there are classes.  z: (n, latent) */
static void repeat(float *z, size_t n, size_t latent, size_t times) {
    for (size_t i = n; i-- > 0;) memmove(z + i * latent, z + i / times * latent, latent * sizeof *z);
}

static elbo_status draw_images(elbo_sample_result *r, elbo_model *m, const elbo_density *density, elbo_error *err) {
    size_t n = (size_t)r->count, Z = (size_t)m->network.graph.latent, times = r->classes > 1 ? (size_t)r->classes : 1;
    size_t codes = (n + times - 1) / times;
    elbo_prior_model prior = m->prior;
    if (!prior.is) prior.is = &elbo_standard_normal;
    float *z = elbo_alloc(n * Z, sizeof *z); // (count, latent)
    r->images = elbo_alloc(n * elbo_image_size(r->format.shape), sizeof *r->images);
    elbo_status status = z && r->images ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK && density)
        status = elbo_density_draw(density, r->seed, codes, r->temperature, z, err);
    else if (status == ELBO_OK)
        draw_prior(r, &prior, codes, z);
    if (status == ELBO_OK) repeat(z, n, Z, times);
    if (status == ELBO_OK)
        status = r->drawn_pixels ? elbo_model_draw_images(m, n, z, r->seed, r->images, err)
                                 : elbo_model_decode_codes(m, n, z, r->images, err);
    free(z);
    return status;
}

static elbo_status find_nearest(elbo_sample_result *r, elbo_model *m, const elbo_dataset *d, const elbo_job *work,
                                elbo_error *err) {
    size_t n = (size_t)r->count;
    ELBO_TRY(elbo_novelty_measure(&r->novelty, m, r->images, n, d, work, err));
    r->has_nearest = true;
    r->neighbours = elbo_alloc(n * elbo_image_size(r->format.shape), sizeof *r->neighbours);
    if (!r->neighbours) return elbo_no_memory(err);
    elbo_images_to_floats(&d->train, r->novelty.nearest, n, r->format.low, r->format.high, r->neighbours);
    return ELBO_OK;
}

elbo_status elbo_sample(elbo_sample_result *r, elbo_model *m, const elbo_dataset *d, const elbo_sample_options *options,
                        const elbo_job *work, elbo_error *err) {
    *r = (elbo_sample_result){.format = elbo_model_image_format(m),
                              .source = options->source,
                              .count = options->count,
                              .seed = options->seed,
                              .temperature = options->temperature,
                              .drawn_pixels = options->draw_pixels};
    elbo_observation_text(&m->observation, r->observation);
    r->no_prior = !m->network.graph.prior;
    ELBO_TRY(elbo_sample_source_of(&r->source, m, err));
    const elbo_density *density = r->source == ELBO_SAMPLE_PRIOR ? NULL : options->density;
    if (density) {
        r->components = density->mixture.components;
        r->dims = density->mixture.dims;
        r->principal = density->axis != NULL;
        r->variance_ratio = density->held;
        r->log_likelihood = density->mixture.log_likelihood;
    } else if (r->source != ELBO_SAMPLE_PRIOR) {
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: codes from %s need a density that was fitted on training codes",
                         m->run, elbo_sample_source_name(r->source));
    }
    elbo_status status = set_classes(r, m, options->class_word, err);
    if (status == ELBO_OK) status = draw_images(r, m, density, err);
    if (status == ELBO_OK && options->nearest) status = find_nearest(r, m, d, work, err);
    if (status != ELBO_OK) elbo_sample_free(r);
    return status;
}

/* ---- the result ---- */

static json_t *nearest_json(const elbo_novelty *v) {
    json_t *index = json_array(), *distance = json_array();
    for (size_t i = 0; i < v->n; i++) {
        json_array_append_new(index, json_integer(v->nearest[i]));
        json_array_append_new(distance, json_real(v->distance[i]));
    }
    json_t *nearest = json_pack("{s:o, s:o}", "train", index, "distance", distance);
    if (isfinite(v->median)) {
        json_object_set_new(nearest, "usual_distance", json_real(v->median));
        json_object_set_new(nearest, "rare_distance", json_real(v->p01));
        json_object_set_new(nearest, "nearer_than_rare", json_integer((json_int_t)v->near));
    }
    return nearest;
}

json_t *elbo_sample_json(const elbo_sample_result *r) {
    json_t *j = json_pack("{s:i, s:I, s:s, s:f}", "count", r->count, "seed", (json_int_t)r->seed, "from",
                          elbo_sample_source_name(r->source), "temperature", r->temperature);
    json_object_set_new(j, "pixels", json_string(r->drawn_pixels ? "drawn" : "mean"));
    if (r->no_prior && r->source == ELBO_SAMPLE_PRIOR) json_object_set_new(j, "trained_with_prior", json_false());
    if (r->source != ELBO_SAMPLE_PRIOR) {
        json_object_set_new(j, "components", json_integer(r->components));
        json_object_set_new(j, "log_likelihood", json_real(r->log_likelihood));
    }
    if (r->classes) {
        json_t *names = json_array();
        for (int k = 0; k < r->classes; k++) json_array_append_new(names, json_string(r->class_name[k]));
        json_object_set_new(j, "classes", names);
    }
    if (r->has_nearest) json_object_set_new(j, "nearest", nearest_json(&r->novelty));
    return j;
}

void elbo_sample_free(elbo_sample_result *r) {
    free(r->images);
    elbo_texts_free(r->class_name, r->classes);
    free(r->neighbours);
    elbo_novelty_free(&r->novelty);
    *r = (elbo_sample_result){0};
}
