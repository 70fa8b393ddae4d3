/* Whether samples from the prior look like the data. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/metrics/scores.h"
#include "stats/precision_recall.h"
#include "stats/random_features.h"

enum { IMAGES = 1000, FEWEST = 50 };

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

/* Features of n images, which are brought to 0 .. 1 and clipped as a picture is, and the median of their sharpness.
 * features: (n, ELBO_RANDOM_FEATURES) */
static elbo_status describe(const source *from, size_t n, const elbo_feature_net *net, float *features,
                            double *sharpness, elbo_error *err) {
    const elbo_eval_context *e = from->e;
    elbo_image_shape shape = e->images->shape;
    size_t size = elbo_image_size(shape), at_once = elbo_eval_at_once(e->model, e->images);
    float low = e->model->recipe.image.low, width = e->model->recipe.image.high - low;
    float *images = elbo_alloc(at_once, size * sizeof *images), *z = elbo_alloc(at_once, e->Z * sizeof *z);
    double *each = elbo_alloc(n, sizeof *each);
    elbo_status status = images && z && each ? ELBO_OK : elbo_no_memory(err);
    for (size_t first = 0; status == ELBO_OK && first < n; first += at_once) {
        size_t count = n - first < at_once ? n - first : at_once;
        status = read_source(from, first, count, images, z, err);
        for (size_t i = 0; status == ELBO_OK && i < count * size; i++) {
            float v = (images[i] - low) / width;
            images[i] = v > 0 ? v < 1 ? v : 1 : 0; // (and NaN)
        }
        if (status != ELBO_OK) break;
        for (size_t i = 0; i < count; i++) each[first + i] = sharpness_of(images + i * size, shape);
        status = elbo_features_of(net, images, count, features + first * ELBO_RANDOM_FEATURES, e->work, err);
    }
    if (status == ELBO_OK) {
        qsort(each, n, sizeof *each, elbo_ascending);
        *sharpness = each[n / 2];
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

/* real, made, test: (n, ELBO_RANDOM_FEATURES) */
static elbo_status compare(elbo_sample_scores *s, const float *real, const float *made, const float *test,
                           const elbo_eval_context *e, elbo_error *err) {
    elbo_precision_recall samples, images;
    size_t n = s->images;
    ELBO_TRY(
        elbo_precision_recall_of(&samples, &(elbo_clouds){real, n, made, n, ELBO_RANDOM_FEATURES}, s->k, e->work, err));
    ELBO_TRY(
        elbo_precision_recall_of(&images, &(elbo_clouds){real, n, test, n, ELBO_RANDOM_FEATURES}, s->k, e->work, err));
    s->precision = samples.precision;
    s->recall = samples.recall;
    s->realism = samples.realism;
    s->test_realism = images.realism;
    s->test_precision = images.precision;
    s->test_recall = images.recall;
    double of_data = variance_of(real, n);
    s->variety = of_data > 0 ? variance_of(made, n) / of_data : NAN;
    return ELBO_OK;
}

elbo_status elbo_sample_score(elbo_sample_scores *s, const elbo_eval_context *e, elbo_error *err) {
    *s = (elbo_sample_scores){
        .k = 3, .precision = NAN, .recall = NAN, .test_precision = NAN, .test_recall = NAN, .sharpness = NAN};
    size_t n = e->n < e->train ? e->n : e->train;
    if (!e->model->prior.is || e->model->network.graph.skips || e->trained_on || n < FEWEST) return ELBO_OK;
    n = n < IMAGES ? n : IMAGES;
    elbo_feature_net net;
    elbo_image_shape shape = e->images->shape;
    ELBO_TRY(elbo_eval_context_step(e->work, "samples", 0, err));
    ELBO_TRY(elbo_feature_net_make(&net, shape.channels, shape.height, shape.width, err));
    uint32_t *index = elbo_alloc(n, sizeof *index);
    float *real = elbo_alloc(3 * n, ELBO_RANDOM_FEATURES * sizeof *real);
    elbo_status status = index && real ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        float *made = real + n * ELBO_RANDOM_FEATURES, *test = made + n * ELBO_RANDOM_FEATURES;
        double of_data = 0, of_samples = 0, of_test;
        source from = {.e = e, .images = &e->data->train, .index = index};
        elbo_eval_context_some_training(e, n, index);
        status = describe(&from, n, &net, real, &of_data, err);
        from.sampled = true;
        if (status == ELBO_OK) status = describe(&from, n, &net, made, &of_samples, err);
        s->sharpness = of_data > 0 ? of_samples / of_data : NAN;
        for (size_t i = 0; i < n; i++) index[i] = (uint32_t)(i * e->n / n);
        from = (source){.e = e, .images = e->images, .index = index};
        if (status == ELBO_OK) status = describe(&from, n, &net, test, &of_test, err);
        s->images = n;
        if (status == ELBO_OK) status = compare(s, real, made, test, e, err);
    }
    free(index);
    free(real);
    elbo_feature_net_free(&net);
    return status;
}
