/* Whether samples from the prior look like the data. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/metrics/scores.h"
#include "stats/precision_recall.h"
#include "stats/random_features.h"

enum { IMAGES = 1000, FEWEST = 50 };

/* Root mean square of the 4-neighbour Laplacian over the standard deviation of the pixels, the median over images; 0 of a
 * flat one. images: (n, C, H, W) from 0 to 1; scratch: (n) */
static double median_sharpness(const float *images, size_t n, elbo_image_shape s, double *scratch) {
    size_t H = (size_t)s.height, W = (size_t)s.width, size = elbo_image_size(s);
    for (size_t i = 0; i < n; i++) {
        const float *x = images + i * size;
        double laplacian = 0, sum = 0, squares = 0;
        size_t inner = 0;
        for (size_t k = 0; k < size; k++) sum += x[k], squares += (double)x[k] * x[k];
        for (size_t c = 0; c < (size_t)s.channels; c++)
            for (size_t y = 1; y + 1 < H; y++)
                for (size_t a = (c * H + y) * W + 1; a < (c * H + y + 1) * W - 1; a++, inner++) {
                    double l = 4.0 * x[a] - x[a - 1] - x[a + 1] - x[a - W] - x[a + W];
                    laplacian += l * l;
                }
        double variance = squares / (double)size - sum / (double)size * (sum / (double)size);
        scratch[i] = inner && variance > 1e-9 ? sqrt(laplacian / (double)inner / variance) : 0;
    }
    qsort(scratch, n, sizeof *scratch, elbo_ascending);
    return scratch[n / 2];
}

/* Features of images in the recipe's range, which are brought to 0 .. 1 and clipped as a picture is.  images: (n, C, H, W),
 * overwritten; out: (n, ELBO_RANDOM_FEATURES) */
static elbo_status describe(float *out, float *images, size_t n, const elbo_eval_context *e,
                            const elbo_feature_net *net, elbo_error *err) {
    float low = e->model->recipe.image.low, width = e->model->recipe.image.high - low;
    for (size_t i = 0; i < n * elbo_image_size(e->images->shape); i++) {
        float v = (images[i] - low) / width;
        images[i] = v > 0 ? v < 1 ? v : 1 : 0; // (and NaN)
    }
    return elbo_features_of(net, images, n, out, e->work, err);
}

/* Of a conditional model: with the labels of some images. */
static elbo_status draw(float *images, float *z, size_t n, const elbo_eval_context *e, const uint32_t *index,
                        elbo_error *err) {
    const elbo_graph *g = &e->model->network.graph;
    for (size_t i = 0; i < n; i++)
        g->prior->sample(z + i * e->Z, e->Z, (elbo_stream){.purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)i});
    ELBO_TRY(elbo_model_set_labels_of(e->model, &e->data->train, index, n, err));
    return elbo_model_decode_codes(e->model, n, z, images, err);
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
    return ELBO_OK;
}

elbo_status elbo_sample_score(elbo_sample_scores *s, const elbo_eval_context *e, elbo_error *err) {
    *s = (elbo_sample_scores){
        .k = 3, .precision = NAN, .recall = NAN, .test_precision = NAN, .test_recall = NAN, .sharpness = NAN};
    size_t n = e->n < e->train ? e->n : e->train, size = elbo_image_size(e->images->shape);
    if (!e->logvar || e->model->network.graph.skips || e->trained_on || n < FEWEST) return ELBO_OK;
    n = n < IMAGES ? n : IMAGES;
    elbo_feature_net net;
    elbo_image_shape shape = e->images->shape;
    ELBO_TRY(elbo_eval_context_step(e->work, "samples", 0, err));
    ELBO_TRY(elbo_feature_net_make(&net, shape.channels, shape.height, shape.width, err));
    uint32_t *index = elbo_alloc(n, sizeof *index);
    float *images = elbo_alloc(n, size * sizeof *images), *z = elbo_alloc(n, e->Z * sizeof *z);
    float *features = elbo_alloc(3 * n, ELBO_RANDOM_FEATURES * sizeof *features), *real = features, *made, *test;
    float low = e->model->recipe.image.low, high = e->model->recipe.image.high;
    double *sharpness = elbo_alloc(n, sizeof *sharpness);
    elbo_status status = index && images && z && features && sharpness ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        made = real + n * ELBO_RANDOM_FEATURES;
        test = made + n * ELBO_RANDOM_FEATURES;
        elbo_eval_context_some_training(e, n, index);
        elbo_images_to_floats(&e->data->train, index, n, low, high, images);
        status = describe(real, images, n, e, &net, err);
        double of_data = median_sharpness(images, n, shape, sharpness);
        if (status == ELBO_OK) status = draw(images, z, n, e, index, err);
        if (status == ELBO_OK) status = describe(made, images, n, e, &net, err);
        s->sharpness = of_data > 0 ? median_sharpness(images, n, shape, sharpness) / of_data : NAN;
        for (size_t i = 0; i < n; i++) index[i] = (uint32_t)(i * e->n / n);
        elbo_images_to_floats(e->images, index, n, low, high, images);
        if (status == ELBO_OK) status = describe(test, images, n, e, &net, err);
        s->images = n;
        if (status == ELBO_OK) status = compare(s, real, made, test, e, err);
    }
    free(index);
    free(images);
    free(z);
    free(features);
    free(sharpness);
    elbo_feature_net_free(&net);
    return status;
}
