/* Whether samples from the prior look like the data, and reconstructions like their originals to VGG16. */
#include <math.h>
#include <stdlib.h>

#include "data/table.h"
#include "base/memory.h"
#include "base/order.h"
#include "explore/metrics/scores.h"
#include "stats/precision_recall.h"
#include "stats/random_features.h"

enum { IMAGES = 1000, FEWEST = 50, COVERAGE_NEIGHBOURS = 5 };

/* Images in the recipe's range, some at a time: images of a split, or samples. */
typedef struct source {
    const elbo_eval_context *e;
    const elbo_images *images; // the split that `index` is of
    const uint32_t *index;     // images of it; of samples from a conditional model: those whose labels they have
    bool sampled;
} source;

/* Root mean square of the 4-neighbour Laplacian over the standard deviation of the pixels; 0 of a flat one.
 * x: (C, H, W) */
static double sharpness_of(const float *x, elbo_image_shape s) {
    size_t H = (size_t)s.height, W = (size_t)s.width, size = elbo_image_size(s), inner = 0;
    double laplacian = 0, sum = 0, squares = 0;
    for (size_t k = 0; k < size; k++) sum += x[k], squares += (double)x[k] * x[k];
    for (size_t c = 0; c < (size_t)s.channels; c++)
        for (size_t y = 1; y + 1 < H; y++)
            for (size_t a = (c * H + y) * W + 1; a < (c * H + y + 1) * W - 1; a++, inner++) {
                double l = 4.0 * x[a] - x[a - 1] - x[a + 1] - x[a - W] - x[a + W];
                laplacian += l * l;
            }
    double variance = squares / (double)size - sum / (double)size * (sum / (double)size);
    return inner && variance > 1e-9 ? sqrt(laplacian / (double)inner / variance) : 0;
}

/* out: (n, C, H, W) of the source's images from `first` on; z: (n, Z), room */
static elbo_status read_source(const source *from, size_t first, size_t n, float *out, float *z, elbo_error *err) {
    const elbo_eval_context *e = from->e;
    const elbo_prior_model *prior = &e->model->prior;
    const uint32_t *index = from->index + first;
    if (!from->sampled) {
        elbo_images_to_floats(from->images, index, n, e->model->recipe.image.low, e->model->recipe.image.high, out);
        return ELBO_OK;
    }
    for (size_t i = 0; i < n; i++)
        prior->is->sample(prior, z + i * e->Z, 1,
                          (elbo_stream){.purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)(first + i)});
    ELBO_TRY(elbo_model_set_labels_of(e->model, from->images, index, n, err));
    return elbo_model_decode_codes(e->model, n, z, out, err);
}

/* In the recipe's range, brought to 0 .. 1 and clipped as a picture is. */
static void clip(float *images, size_t values, const elbo_recipe *r) {
    float low = r->image.low, width = r->image.high - low;
    for (size_t i = 0; i < values; i++) {
        float v = (images[i] - low) / width;
        images[i] = v > 0 ? v < 1 ? v : 1 : 0; // (and NaN)
    }
}

/* What looks at images. */
typedef struct eyes {
    elbo_feature_net net;
    elbo_vgg *vgg; // or NULL
} eyes;

/* What they see of n images. */
typedef struct crowd {
    float *features;  // (n, ELBO_RANDOM_FEATURES)
    float *vgg;       // (n, its width); NULL without it
    double sharpness; // the median
} crowd;

static elbo_status describe(crowd *c, const source *from, size_t n, const eyes *with, elbo_error *err) {
    const elbo_eval_context *e = from->e;
    elbo_image_shape shape = e->images->shape;
    size_t size = elbo_image_size(shape), at_once = elbo_eval_at_once(e->model, e->images);
    size_t wide = with->vgg ? (size_t)elbo_vgg_width(with->vgg) : 0;
    float *images = elbo_alloc(at_once, size * sizeof *images), *z = elbo_alloc(at_once, e->Z * sizeof *z);
    double *each = elbo_alloc(n, sizeof *each);
    elbo_status status = images && z && each ? ELBO_OK : elbo_no_memory(err);
    for (size_t first = 0; status == ELBO_OK && first < n; first += at_once) {
        size_t count = n - first < at_once ? n - first : at_once;
        status = read_source(from, first, count, images, z, err);
        if (status != ELBO_OK) break;
        clip(images, count * size, &e->model->recipe);
        for (size_t i = 0; i < count; i++) each[first + i] = sharpness_of(images + i * size, shape);
        status = elbo_features_of(&with->net, images, count, c->features + first * ELBO_RANDOM_FEATURES, e->work, err);
        if (status == ELBO_OK && with->vgg)
            status = elbo_vgg_features_of(with->vgg, images, count, c->vgg + first * wide, err);
    }
    if (status == ELBO_OK) {
        qsort(each, n, sizeof *each, elbo_ascending);
        c->sharpness = each[n / 2];
    }
    free(images);
    free(z);
    free(each);
    return status;
}

/* The sum of the features' variances over images.  features: (n, ELBO_RANDOM_FEATURES) */
static double variance_of(const float *features, size_t n) {
    double sum = 0;
    for (size_t f = 0; f < ELBO_RANDOM_FEATURES; f++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++) mean += (double)features[i * ELBO_RANDOM_FEATURES + f] / (double)n;
        for (size_t i = 0; i < n; i++) {
            double off = (double)features[i * ELBO_RANDOM_FEATURES + f] - mean;
            sum += off * off / (double)n;
        }
    }
    return sum;
}

enum { TRAINING, SAMPLES, TEST, CROWDS };

static elbo_clouds clouds_of(const crowd *c, int made, size_t n) {
    return (elbo_clouds){c[TRAINING].features, n, c[made].features, n, ELBO_RANDOM_FEATURES};
}

static elbo_status compare_vgg(elbo_sample_scores *s, const crowd *c, const eyes *with, const elbo_job *work,
                               elbo_error *err) {
    if (!with->vgg) return ELBO_OK;
    elbo_clouds samples = {c[TRAINING].vgg, s->images, c[SAMPLES].vgg, s->images, elbo_vgg_width(with->vgg)};
    elbo_clouds test = samples;
    test.made = c[TEST].vgg;
    ELBO_TRY(elbo_cloud_distances_of(&s->vgg, &samples, work, err));
    return elbo_cloud_distances_of(&s->test_vgg, &test, work, err);
}

/* Samples, and test images in their place, against training images.  c: (CROWDS) */
static elbo_status compare(elbo_sample_scores *s, const crowd *c, const elbo_job *work, elbo_error *err) {
    const elbo_clouds samples = clouds_of(c, SAMPLES, s->images), test = clouds_of(c, TEST, s->images);
    elbo_precision_recall of_samples, of_test;
    elbo_density_coverage balls, test_balls;
    ELBO_TRY(elbo_precision_recall_of(&of_samples, &samples, s->k, work, err));
    ELBO_TRY(elbo_precision_recall_of(&of_test, &test, s->k, work, err));
    ELBO_TRY(elbo_density_coverage_of(&balls, &samples, COVERAGE_NEIGHBOURS, work, err));
    ELBO_TRY(elbo_density_coverage_of(&test_balls, &test, COVERAGE_NEIGHBOURS, work, err));
    ELBO_TRY(elbo_cloud_distances_of(&s->distance, &samples, work, err));
    ELBO_TRY(elbo_cloud_distances_of(&s->test_distance, &test, work, err));
    s->precision = of_samples.precision;
    s->recall = of_samples.recall;
    s->realism = of_samples.realism;
    s->test_realism = of_test.realism;
    s->test_precision = of_test.precision;
    s->test_recall = of_test.recall;
    s->density = balls.density;
    s->coverage = balls.coverage;
    s->test_density = test_balls.density;
    s->test_coverage = test_balls.coverage;
    s->sharpness = c[TRAINING].sharpness > 0 ? c[SAMPLES].sharpness / c[TRAINING].sharpness : NAN;
    double of_data = variance_of(c[TRAINING].features, s->images);
    s->variety = of_data > 0 ? variance_of(c[SAMPLES].features, s->images) / of_data : NAN;
    return ELBO_OK;
}

static elbo_status make_crowds(crowd *c, size_t n, const eyes *with, elbo_error *err) {
    for (int k = 0; k < CROWDS; k++) {
        c[k].features = elbo_alloc(n, ELBO_RANDOM_FEATURES * sizeof(float));
        if (with->vgg) c[k].vgg = elbo_alloc(n, (size_t)elbo_vgg_width(with->vgg) * sizeof(float));
        if (!c[k].features || (with->vgg && !c[k].vgg)) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

elbo_sample_scores elbo_no_sample_scores(void) {
    const elbo_cloud_distances none = {NAN, NAN};
    return (elbo_sample_scores){.precision = NAN,
                                .recall = NAN,
                                .density = NAN,
                                .coverage = NAN,
                                .test_density = NAN,
                                .test_coverage = NAN,
                                .distance = none,
                                .test_distance = none,
                                .realism = NAN,
                                .test_precision = NAN,
                                .test_recall = NAN,
                                .test_realism = NAN,
                                .sharpness = NAN,
                                .variety = NAN,
                                .vgg = none,
                                .test_vgg = none};
}

elbo_status elbo_sample_score(elbo_sample_scores *s, const elbo_eval_context *e, elbo_vgg *vgg, elbo_error *err) {
    *s = elbo_no_sample_scores();
    s->k = 3;
    size_t n = e->n < e->train ? e->n : e->train;
    if (!e->model->prior.is || e->model->network.graph.skips || e->trained_on || n < FEWEST) return ELBO_OK;
    if (elbo_shape_is_row(e->images->shape)) return ELBO_OK; // numbers side by side have no texture to look at
    n = n < IMAGES ? n : IMAGES;
    elbo_image_shape shape = e->images->shape;
    eyes with = {.vgg = vgg};
    crowd crowds[CROWDS] = {{0}};
    ELBO_TRY(elbo_eval_context_step(e->work, "samples", 0, err));
    ELBO_TRY(elbo_feature_net_make(&with.net, shape.channels, shape.height, shape.width, err));
    uint32_t *index = elbo_alloc(n, sizeof *index);
    elbo_status status = index ? make_crowds(crowds, n, &with, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        source from = {.e = e, .images = &e->data->train, .index = index};
        elbo_eval_context_some_training(e, n, index);
        status = describe(&crowds[TRAINING], &from, n, &with, err);
        from.sampled = true;
        if (status == ELBO_OK) status = describe(&crowds[SAMPLES], &from, n, &with, err);
        for (size_t i = 0; i < n; i++) index[i] = (uint32_t)(i * e->n / n);
        from = (source){.e = e, .images = e->images, .index = index};
        if (status == ELBO_OK) status = describe(&crowds[TEST], &from, n, &with, err);
        s->images = n;
        if (status == ELBO_OK) status = compare(s, crowds, e->work, err);
        if (status == ELBO_OK) status = compare_vgg(s, crowds, &with, e->work, err);
    }
    free(index);
    for (int k = 0; k < CROWDS; k++) {
        free(crowds[k].features);
        free(crowds[k].vgg);
    }
    elbo_feature_net_free(&with.net);
    return status;
}

/* ---- LPIPS of reconstructions ---- */

/* Some images and their reconstructions. */
typedef struct pairs {
    size_t n, at_once;
    float *z, *original, *decoded; // (at_once, Z), (at_once, C, H, W) twice
} pairs;

static elbo_status mean_lpips(double *mean, const pairs *p, const elbo_eval_context *e, elbo_vgg *vgg,
                              elbo_error *err) {
    elbo_model *m = e->model;
    const elbo_recipe *r = &m->recipe;
    size_t size = elbo_image_size(e->images->shape);
    uint32_t index[ELBO_EVAL_AT_ONCE];
    double each[ELBO_EVAL_AT_ONCE];
    *mean = 0;
    for (size_t start = 0; start < p->n; start += p->at_once) {
        size_t count = p->n - start < p->at_once ? p->n - start : p->at_once;
        for (size_t i = 0; i < count; i++) {
            index[i] = (uint32_t)((start + i) * e->n / p->n);
            for (size_t d = 0; d < e->Z; d++) p->z[i * e->Z + d] = e->mu[index[i] * e->Z + d];
        }
        ELBO_TRY(elbo_model_set_skips(m, e->images, index, count, err));
        ELBO_TRY(elbo_model_set_labels_of(m, e->images, index, count, err));
        ELBO_TRY(elbo_model_decode_codes(m, count, p->z, p->decoded, err));
        elbo_images_to_floats(e->images, index, count, r->image.low, r->image.high, p->original);
        clip(p->original, count * size, r);
        clip(p->decoded, count * size, r);
        ELBO_TRY(elbo_vgg_lpips(vgg, p->original, p->decoded, count, each, err));
        for (size_t i = 0; i < count; i++) *mean += each[i] / (double)p->n;
        ELBO_TRY(elbo_eval_context_step(e->work, "LPIPS", (double)(start + count) / (double)p->n, err));
    }
    return ELBO_OK;
}

elbo_status elbo_lpips_score(double *lpips, const elbo_eval_context *e, elbo_vgg *vgg, elbo_error *err) {
    size_t size = elbo_image_size(e->images->shape);
    pairs p = {.n = e->n < IMAGES ? e->n : IMAGES, .at_once = elbo_eval_at_once(e->model, e->images)};
    p.z = elbo_alloc(p.at_once, e->Z * sizeof *p.z);
    p.original = elbo_alloc(p.at_once, size * sizeof *p.original);
    p.decoded = elbo_alloc(p.at_once, size * sizeof *p.decoded);
    double mean = NAN;
    elbo_status status = p.z && p.original && p.decoded ? mean_lpips(&mean, &p, e, vgg, err) : elbo_no_memory(err);
    *lpips = mean;
    free(p.z);
    free(p.original);
    free(p.decoded);
    return status;
}
