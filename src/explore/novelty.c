#include "explore/novelty.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/nearest_image.h"
#include "run/model.h"

enum { MOST_ASKED = 1000 };

static void clip(float *x, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

/* How near reconstructions of test images come to their nearest training image. */
static elbo_status ask_test_images(elbo_novelty *v, elbo_model *m, const elbo_dataset *d, const elbo_job *work,
                                   elbo_error *err) {
    v->median = v->p01 = NAN;
    size_t count = d->test.count, asked = count < MOST_ASKED ? count : MOST_ASKED,
           size = elbo_image_size(d->test.shape);
    if (asked == 0) return ELBO_OK;
    uint32_t index[MOST_ASKED];
    float distance[MOST_ASKED], low = m->recipe.image.low, high = m->recipe.image.high;
    elbo_image_choice train = {.images = &d->train, .n = d->train.count, .low = low, .high = high};
    for (size_t i = 0; i < asked; i++) index[i] = (uint32_t)(i * count / asked);
    float *z = elbo_alloc(asked * m->network.graph.latent, sizeof *z),
          *images = elbo_alloc(asked * size, sizeof *images);
    elbo_status status = z && images ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_set_labels_of(m, &d->test, index, asked, err);
    if (status == ELBO_OK) status = elbo_model_encode_images(m, &d->test, index, asked, z, NULL, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(m, asked, z, images, err);
    if (status == ELBO_OK) {
        clip(images, asked * size, low, high);
        status = elbo_nearest_image(NULL, distance, images, asked, &train, work, err);
    }
    if (status == ELBO_OK) {
        qsort(distance, asked, sizeof *distance, elbo_ascending_floats);
        v->median = (double)distance[asked / 2];
        v->p01 = (double)distance[asked / 100];
    }
    free(z);
    free(images);
    return status;
}

elbo_status elbo_novelty_measure(elbo_novelty *v, elbo_model *m, const float *images, size_t n, const elbo_dataset *d,
                                 const elbo_job *work, elbo_error *err) {
    size_t values = n * elbo_image_size(d->train.shape);
    float low = m->recipe.image.low, high = m->recipe.image.high;
    if (d->train.count == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no training images to be compared with", d->name);
    elbo_image_choice train = {.images = &d->train, .n = d->train.count, .low = low, .high = high};
    *v = (elbo_novelty){
        .n = n, .nearest = elbo_alloc(n, sizeof *v->nearest), .distance = elbo_alloc(n, sizeof *v->distance)};
    float *clipped = elbo_alloc(values, sizeof *clipped);
    elbo_status status = clipped && v->nearest && v->distance ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = ask_test_images(v, m, d, work, err);
    if (status == ELBO_OK) {
        for (size_t i = 0; i < values; i++) clipped[i] = images[i];
        clip(clipped, values, low, high);
        status = elbo_nearest_image(v->nearest, v->distance, clipped, n, &train, work, err);
    }
    for (size_t i = 0; status == ELBO_OK && i < n; i++) v->near += (double)v->distance[i] < v->p01;
    free(clipped);
    if (status != ELBO_OK) elbo_novelty_free(v);
    return status;
}

void elbo_novelty_free(elbo_novelty *v) {
    free(v->nearest);
    free(v->distance);
    v->nearest = NULL;
    v->distance = NULL;
}
