#include "run/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/options.h"
#include "data/binarise.h"
#include "data/contrast.h"
#include "data/sprites.h"
#include "device/cpu/kernels.h"
#include "run/run_folder.h"

/* Rows of one run: four shards, and codes of a set of any size in pieces of it; fewer of large networks. */
enum { MOST = 128 };

static void release_weights(elbo_weights *w) {
    if (!w || atomic_fetch_sub(&w->sessions, 1) > 1) return;
    elbo_network_free(&w->network);
    elbo_recipe_close(&w->recipe);
    elbo_run_facts_free(&w->facts);
    pthread_mutex_destroy(&w->lock);
    free(w->run);
    free(w);
}

static elbo_status read_weights(elbo_weights *w, elbo_error *err) {
    ELBO_TRY(elbo_run_facts_load(w->run, &w->facts, err));
    ELBO_TRY(elbo_run_recipe_open(&w->recipe, w->run, &w->facts, NULL, 0, err));
    ELBO_TRY(elbo_network_make(&w->network, &w->recipe, w->facts.image, err));
    return elbo_model_load(w->run, &w->network, err);
}

/* Where the observation model's mean is one of logits, those are read as well. */
static elbo_status make_decoder(elbo_model *m, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    m->observation = elbo_observation_model_of(&m->recipe, g, m->network.params);
    bool *watch = elbo_alloc((size_t)g->count, sizeof *watch);
    if (!watch) return elbo_no_memory(err);
    watch[g->at.logits] = m->observation.is && m->observation.is->of_logits;
    elbo_plan_options options = {.mode = ELBO_DECODE, .batch = m->batch, .watch = watch};
    elbo_status status = elbo_plan_make(&m->decoder, &m->state, &options, err);
    m->decoder.options.watch = NULL; // which only making the plan needs
    free(watch);
    return status;
}

static elbo_status open_session(elbo_model *m, const elbo_model_options *o, elbo_error *err) {
    const elbo_device *device;
    ELBO_TRY(elbo_device_find(&device, o->device, err));
    ELBO_TRY(elbo_team_make(&m->team, o->threads, err));
    m->batch = elbo_graph_batch(&m->network.graph, o->rows && o->rows < MOST ? o->rows : MOST);
    ELBO_TRY(elbo_state_open(&m->state, device, &m->network, m->team, NULL, err));
    ELBO_TRY(elbo_prior_open(&m->prior, &m->network.graph, m->network.params, err));
    elbo_plan_options options = {.mode = ELBO_ENCODE, .batch = m->batch};
    ELBO_TRY(elbo_plan_make(&m->encoder, &m->state, &options, err));
    m->code_rows = elbo_alloc((size_t)m->batch * elbo_shape_size(m->network.graph.node[m->network.graph.at.code].shape),
                              sizeof *m->code_rows);
    if (!m->code_rows) return elbo_no_memory(err);
    return make_decoder(m, err);
}

/* A session of weights, which it counts itself among. */
static elbo_status make_session(elbo_model **model, elbo_weights *w, const elbo_model_options *o, elbo_error *err) {
    elbo_model *m = calloc(1, sizeof *m);
    if (!m) return elbo_no_memory(err);
    atomic_fetch_add(&w->sessions, 1);
    m->weights = w;
    m->run = w->run;
    m->facts = w->facts;
    m->recipe = w->recipe;
    m->network = w->network;
    elbo_status status = open_session(m, o, err);
    if (status == ELBO_OK)
        *model = m;
    else
        elbo_model_close(m);
    return status;
}

static elbo_status read_options(elbo_model_options *o, const elbo_model_options *given, elbo_error *err) {
    *o = (elbo_model_options){0};
    if (given) ELBO_TRY(elbo_options_read(o, sizeof *o, given, given->size, "elbo_model_options", err));
    if (o->threads < 0) return elbo_fail(err, ELBO_BAD_INPUT, "threads %d: expected 0 (all cores) or more", o->threads);
    if (o->rows < 0) return elbo_fail(err, ELBO_BAD_INPUT, "rows %d: expected 0 (default) or more", o->rows);
    return ELBO_OK;
}

elbo_status elbo_model_open_with(elbo_model **model, const char *run, const elbo_model_options *options,
                                 elbo_error *err) {
    *model = NULL;
    elbo_model_options o;
    const elbo_device *device; // a name that is none is told before the weights are read
    ELBO_TRY(read_options(&o, options, err));
    ELBO_TRY(elbo_device_find(&device, o.device, err));
    elbo_weights *w = calloc(1, sizeof *w);
    if (!w || !(w->run = strdup(run))) {
        free(w);
        return elbo_no_memory(err);
    }
    atomic_init(&w->sessions, 1); // this function, for a while
    pthread_mutex_init(&w->lock, NULL);
    elbo_status status = read_weights(w, err);
    if (status == ELBO_OK) status = make_session(model, w, &o, err);
    release_weights(w);
    return status;
}

elbo_status elbo_model_open(elbo_model **model, const char *run, int threads, elbo_error *err) {
    elbo_model_options o = {.size = sizeof o, .threads = threads};
    return elbo_model_open_with(model, run, &o, err);
}

elbo_status elbo_model_session(elbo_model **session, const elbo_model *model, const elbo_model_options *options,
                               elbo_error *err) {
    *session = NULL;
    elbo_model_options o;
    ELBO_TRY(read_options(&o, options, err));
    if (!o.device) o.device = model->state.device->name;
    return make_session(session, model->weights, &o, err);
}

void elbo_model_close(elbo_model *m) {
    if (!m) return;
    elbo_plan_free(&m->encoder);
    elbo_plan_free(&m->decoder);
    elbo_plan_free(&m->skip_encoder);
    elbo_state_close(&m->state);
    free(m->skips);
    free(m->labels);
    free(m->code_rows);
    elbo_prior_close(&m->prior);
    elbo_team_free(m->team);
    release_weights(m->weights);
    free(m);
}

elbo_model_info elbo_model_get_info(const elbo_model *m) {
    const elbo_graph *g = &m->network.graph;
    return (elbo_model_info){.name = m->recipe.name,
                             .kind = elbo_kind_name(m->recipe.kind),
                             .channels = g->image.channels,
                             .height = g->image.height,
                             .width = g->image.width,
                             .latent = g->latent,
                             .low = m->recipe.image.low,
                             .high = m->recipe.image.high};
}

/* Runs a plan over n rows of `images`, a batch at a time, and hands each batch's result to `take`. */
static elbo_status run_in_batches(const elbo_model *m, elbo_plan *plan, const elbo_images *images,
                                  const uint32_t *index, size_t n, void (*take)(void *context, size_t start, int count),
                                  void *context, elbo_error *err) {
    uint32_t rows[MOST], skip_row[MOST], label_row[MOST];
    size_t batch = (size_t)m->batch;
    for (size_t start = 0; start < n; start += batch) {
        int count = (int)(n - start < batch ? n - start : batch);
        for (int i = 0; i < count; i++) {
            size_t row = start + (size_t)i;
            rows[i] = index ? index[row] : (uint32_t)row;
            skip_row[i] = m->held ? (uint32_t)(row % m->held) : 0;
            label_row[i] = m->labels_held ? (uint32_t)(row % m->labels_held) : 0;
        }
        elbo_batch_args args = {.images = images,
                                .index = rows,
                                .count = count,
                                .skips = m->skips,
                                .skip_row = skip_row,
                                .label_weights = images->labels ? NULL : m->labels,
                                .label_row = label_row,
                                .low = m->recipe.image.low,
                                .high = m->recipe.image.high};
        ELBO_TRY(elbo_plan_run_one(plan, &args, err));
        take(context, start, count);
    }
    return ELBO_OK;
}

struct codes {
    elbo_model *model;
    float *mu, *logvar; // (n, latent)
};

static void take_codes(void *context, size_t start, int count) {
    const struct codes *c = context;
    const elbo_graph *g = &c->model->network.graph;
    size_t Z = (size_t)g->latent, width = elbo_shape_size(g->node[g->at.code].shape);
    elbo_plan_read(&c->model->encoder, c->model->encoder.code, 0, count, c->model->code_rows);
    for (int i = 0; i < count; i++) {
        const float *row = c->model->code_rows + (size_t)i * width; // a VAE's holds mu, then logvar
        memcpy(c->mu + (start + (size_t)i) * Z, row, Z * sizeof *row);
        if (c->logvar) memcpy(c->logvar + (start + (size_t)i) * Z, row + Z, Z * sizeof *row);
    }
}

elbo_status elbo_model_encode_images(elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                                     float *mu, float *logvar, elbo_error *err) {
    struct codes c = {m, mu, m->recipe.kind == ELBO_VAE ? logvar : NULL};
    return run_in_batches(m, &m->encoder, images, index, n, take_codes, &c, err);
}

struct pictures {
    elbo_model *model;
    float *images; // (n, C, H, W)
    float *noise;  // (C, H, W), where images are drawn; NULL: their means
    uint64_t seed;
};

static void draw_image(const struct pictures *p, size_t row, float *y, size_t size) {
    const elbo_observation_model *o = &p->model->observation;
    elbo_stream s = {.seed = p->seed, .purpose = ELBO_FOR_PIXELS, .sample = (uint32_t)row};
    (o->is->normal_noise ? elbo_random_normal : elbo_random_uniform)(s, p->noise, size);
    o->is->sample(y, p->noise, size, o);
}

static void take_pictures(void *context, size_t start, int count) {
    const struct pictures *p = context;
    const elbo_plan *plan = &p->model->decoder;
    const elbo_observation *o = p->model->observation.is;
    const elbo_tensor *logits = plan->watched[p->model->network.graph.at.logits];
    size_t size = elbo_image_size(p->model->network.graph.image);
    float *images = p->images + start * size;
    elbo_plan_read(&p->model->decoder, logits ? logits : plan->output, 0, count, images);
    for (int i = 0; p->noise && i < count; i++) draw_image(p, start + (size_t)i, images + (size_t)i * size, size);
    if (!p->noise && o && o->mean) o->mean(images, (size_t)count * size);
}

/* ---- what the decoder reads of the encoder ---- */

elbo_status elbo_model_decodes_alone(const elbo_model *m, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    if (!g->skips) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "%s: its decoder reads what the encoder saved of an image (%d activations), so a code "
                     "alone cannot be decoded; a model without such skips can (`elbo train photo-vae`)",
                     m->run, g->skips);
}

static void take_skips(void *context, size_t start, int count) {
    elbo_model *m = context;
    const elbo_graph *g = &m->network.graph;
    float *row = m->skips + start * g->skip_floats;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < g->skips; row += elbo_shape_size(g->node[g->skip[k]].shape), k++)
            elbo_plan_read(&m->skip_encoder, m->skip_encoder.skip[k], i, 1, row);
}

elbo_status elbo_model_set_skips(elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                                 elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    if (!g->skips) return ELBO_OK;
    elbo_plan_options options = {.mode = ELBO_ENCODE, .batch = m->batch, .keep_skips = true};
    if (!m->skip_encoder.program) ELBO_TRY(elbo_plan_make(&m->skip_encoder, &m->state, &options, err));
    free(m->skips);
    m->held = 0;
    m->skips = n ? elbo_alloc(n * g->skip_floats, sizeof *m->skips) : NULL;
    if (n && !m->skips) return elbo_no_memory(err);
    ELBO_TRY(run_in_batches(m, &m->skip_encoder, images, index, n, take_skips, m, err));
    m->held = n;
    return ELBO_OK;
}

/* noise: as in struct pictures */
static elbo_status decode_codes(elbo_model *m, size_t n, const float *z, float *images, float *noise, uint64_t seed,
                                elbo_error *err) {
    size_t size = elbo_image_size(m->network.graph.image);
    const elbo_graph *g = &m->network.graph;
    if ((g->skips && !m->held) ||
        (g->decoder_reads_label && !m->labels_held)) { // a caller's mistake: seen at once, and in every picture
        for (size_t i = 0; i < n * size; i++) images[i] = NAN;
        return ELBO_OK;
    }
    elbo_images rows = {.count = (uint32_t)n, .floats = (float *)(uintptr_t)z}; // only read
    struct pictures p = {m, images, noise, seed};
    return run_in_batches(m, &m->decoder, &rows, NULL, n, take_pictures, &p, err);
}

elbo_status elbo_model_decode_codes(elbo_model *m, size_t n, const float *z, float *images, elbo_error *err) {
    return decode_codes(m, n, z, images, NULL, 0, err);
}

elbo_status elbo_model_draw_images(elbo_model *m, size_t n, const float *z, uint64_t seed, float *images,
                                   elbo_error *err) {
    if (!m->observation.is) {
        elbo_terms terms = elbo_terms_computed(&m->recipe);
        char text[ELBO_TERMS_TEXT];
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: the loss %s is not a density of images, so none can be sampled; their mean can be decoded", m->run,
            elbo_terms_text(&terms, text));
    }
    float *noise = elbo_alloc(elbo_image_size(m->network.graph.image), sizeof *noise);
    if (!noise) return elbo_no_memory(err);
    elbo_status status = decode_codes(m, n, z, images, noise, seed, err);
    free(noise);
    return status;
}

static elbo_status check_numbers(const char *what, const float *v, size_t n, size_t width, elbo_error *err) {
    if (n > UINT32_MAX) return elbo_fail(err, ELBO_BAD_INPUT, "%zu rows; at most 2^32 - 1 in one call", n);
    for (size_t i = 0; i < n * width; i++)
        if (!isfinite(v[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s %zu: value %zu is not finite", what, i / width, i % width);
    return ELBO_OK;
}

elbo_status elbo_model_encode_checked(elbo_model *m, size_t n, const float *images, float *mu, float *logvar,
                                      elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    if (logvar && g->kind != ELBO_VAE)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is an autoencoder; only a VAE's code has a variance", m->run);
    ELBO_TRY(check_numbers("image", images, n, elbo_image_size(g->image), err));
    elbo_images rows = {.shape = g->image, .count = (uint32_t)n, .floats = (float *)(uintptr_t)images};
    return elbo_model_encode_images(m, &rows, NULL, n, mu, logvar, err);
}

/* Whether a part of a conditional model is told the class, which this call has not. */
static elbo_status check_unlabelled(const elbo_model *m, bool told, const char *instead, elbo_error *err) {
    if (!told) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: is conditional; %s takes the classes", m->run, instead);
}

elbo_status elbo_encode_gaussian(elbo_model *m, size_t n, const float *images, float *mu, float *logvar,
                                 elbo_error *err) {
    ELBO_TRY(check_unlabelled(m, m->network.graph.encoder_reads_label, "elbo_encode_labelled", err));
    return elbo_model_encode_checked(m, n, images, mu, logvar, err);
}

elbo_status elbo_encode(elbo_model *m, size_t n, const float *images, float *z, elbo_error *err) {
    return elbo_encode_gaussian(m, n, images, z, NULL, err);
}

elbo_status elbo_decode(elbo_model *m, size_t n, const float *z, float *images, elbo_error *err) {
    ELBO_TRY(check_unlabelled(m, m->network.graph.decoder_reads_label, "elbo_decode_labelled", err));
    return elbo_model_decode_checked(m, n, z, images, err);
}

elbo_status elbo_model_decode_checked(elbo_model *m, size_t n, const float *z, float *images, elbo_error *err) {
    ELBO_TRY(elbo_model_decodes_alone(m, err));
    ELBO_TRY(check_numbers("code", z, n, (size_t)m->network.graph.latent, err));
    return elbo_model_decode_codes(m, n, z, images, err);
}

elbo_status elbo_model_sample(elbo_model *m, size_t n, uint64_t seed, float *images, float *z, elbo_error *err) {
    ELBO_TRY(check_unlabelled(m, m->network.graph.decoder_reads_label, "elbo_model_sample_labelled", err));
    return elbo_model_sample_checked(m, n, seed, images, z, err);
}

elbo_status elbo_model_sample_checked(elbo_model *m, size_t n, uint64_t seed, float *images, float *z,
                                      elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent;
    if (!m->prior.is)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is an autoencoder, which has no prior to draw codes from", m->run);
    ELBO_TRY(elbo_model_decodes_alone(m, err));
    if (n > UINT32_MAX) return elbo_fail(err, ELBO_BAD_INPUT, "%zu images; at most 2^32 - 1 in one call", n);
    float *own = z ? NULL : elbo_alloc(n * Z, sizeof *own), *codes = z ? z : own; // (n, Z)
    if (n && !codes) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++)
        m->prior.is->sample(&m->prior, codes + i * Z, 1,
                            (elbo_stream){.seed = seed, .purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)i});
    elbo_status status = elbo_model_decode_codes(m, n, codes, images, err);
    free(own);
    return status;
}

int elbo_model_epoch(const elbo_model *m) { return m->facts.epoch; }

const char *elbo_model_fingerprint(const elbo_model *m) {
    elbo_weights *w = m->weights;
    pthread_mutex_lock(&w->lock);
    if (!w->fingerprint[0]) {
        size_t bytes = w->network.graph.param_floats * sizeof(float);
        uint64_t hash = elbo_checksum(ELBO_CHECKSUM_START, w->network.params, bytes);
        snprintf(w->fingerprint, sizeof w->fingerprint, "%016llx", (unsigned long long)hash);
    }
    pthread_mutex_unlock(&w->lock);
    return w->fingerprint;
}

elbo_status elbo_images_check_range(const elbo_images *images, const elbo_recipe *r, const char *source,
                                    elbo_error *err) {
    const float slack = 1e-4f; // of who computed in floats
    const elbo_term *logits = elbo_terms_of_logits(&r->loss.reconstruction);
    if (!images->floats || !logits) return ELBO_OK;
    size_t n = images->count * elbo_image_size(images->shape);
    float least = INFINITY, most = -INFINITY;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        float v = images->floats[i];
        least = v < least ? v : least;
        most = v > most ? v : most;
        finite = finite && isfinite(v);
    }
    if (n == 0 || (finite && least >= -slack && most <= 1 + slack)) return ELBO_OK;
    return elbo_fail(
        err, ELBO_BAD_INPUT,
        "%s: its values go from %g to %g; the loss %s needs floats from 0 to 1 (or uint8, 0 to 255): scale "
        "them, or use another loss (--set loss.reconstruction=mse)",
        source, (double)least, (double)most, elbo_reconstruction_name(logits->kind));
}

void elbo_model_see(const elbo_model *m, elbo_images *images) { images->contrast = m->recipe.image.contrast; }

elbo_status elbo_model_take_data(const elbo_model *m, elbo_dataset *d, elbo_error *err) {
    const elbo_recipe *r = &m->recipe;
    elbo_image_shape have = d->test.count ? d->test.shape : d->train.shape, want = m->network.graph.image;
    if (have.channels != want.channels || have.height != want.height || have.width != want.width)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: its images are %dx%dx%d, %s was trained on %dx%dx%d", d->source,
                         have.channels, have.height, have.width, m->run, want.channels, want.height, want.width);
    ELBO_TRY(elbo_images_check_range(&d->train, r, d->source, err));
    ELBO_TRY(elbo_images_check_range(&d->test, r, d->source, err));
    ELBO_TRY(elbo_model_check_labels(m, d, err));
    elbo_model_see(m, &d->train);
    elbo_model_see(m, &d->test);
    if (r->image.binary == ELBO_BINARY_NONE) return ELBO_OK;
    ELBO_TRY(elbo_images_binarise(&d->train, r->train.seed, r->image.low, r->image.high, err));
    return elbo_images_binarise(&d->test, r->train.seed, r->image.low, r->image.high, err);
}

uint64_t elbo_images_fingerprint(const elbo_images *images) {
    size_t values = images->count * elbo_image_size(images->shape);
    uint64_t h = elbo_checksum(ELBO_CHECKSUM_START, &images->shape, sizeof images->shape);
    if (images->bytes) h = elbo_checksum_large(h, images->bytes, values);
    if (images->floats) h = elbo_checksum_large(h, images->floats, values * sizeof *images->floats);
    if (images->sprites) h = elbo_checksum_large(h, images->factors, images->count * (size_t)images->factor_count);
    return h;
}

uint64_t elbo_images_fingerprint_1(const elbo_images *images) {
    enum { LOOKED_AT = 64 }; // bytes of an image, from its middle: corners are mostly the same
    size_t values = elbo_image_size(images->shape), size = images->bytes ? values : values * sizeof(float);
    size_t some = size < LOOKED_AT ? size : LOOKED_AT, from = (size - some) / 2;
    const uint8_t *first = images->bytes ? images->bytes : (const uint8_t *)images->floats;
    uint64_t h = elbo_checksum(ELBO_CHECKSUM_START, &images->shape, sizeof images->shape);
    if (images->sprites) return 0; // (they came later)
    for (uint32_t i = 0; i < images->count; i++) h = elbo_checksum(h, first + i * size + from, some);
    return h >> 11;
}

void elbo_images_to_floats(const elbo_images *images, const uint32_t *index, size_t n, float low, float high,
                           float *out) {
    size_t size = elbo_image_size(images->shape);
    for (size_t i = 0; i < n; i++, out += size) {
        size_t row = index ? index[i] : i;
        if (images->floats)
            memcpy(out, images->floats + row * size, size * sizeof *out);
        else if (images->sprites)
            elbo_sprites_draw(images, (uint32_t)row, out, low, high);
        else
            elbo_kernels_here()->pointwise->from_bytes(out, images->bytes + row * size, size, low, high);
        if (elbo_contrast_is_on(&images->contrast)) elbo_contrast_apply(&images->contrast, out, size, low, high);
    }
}
