#include "latent/novelty.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "latent/neighbours.h"
#include "train/model.h"

enum { MOST_ASKED = 1000 };

/* How near test images come to their nearest training image. */
static elbo_status ask_test_images(elbo_novelty *v, const elbo_images *test, const float *train, size_t n, float low,
                                   float high, const elbo_work *work, elbo_error *err) {
    v->usual = v->rare = NAN;
    size_t asked = test->count < MOST_ASKED ? test->count : MOST_ASKED, size = elbo_image_size(test->shape);
    if (asked == 0) return ELBO_OK;
    uint32_t index[MOST_ASKED];
    for (size_t i = 0; i < asked; i++) index[i] = (uint32_t)(i * test->count / asked);
    float *rows = elbo_alloc(asked * size, sizeof *rows);
    if (!rows) return elbo_no_memory(err);
    elbo_images_to_floats(test, index, asked, low, high, rows);
    elbo_neighbours nb;
    elbo_status status = elbo_neighbours_of(&nb, rows, asked, train, n, (int)size, 1, work, err);
    if (status == ELBO_OK) {
        qsort(nb.distance2, asked, sizeof *nb.distance2, elbo_ascending_floats);
        v->usual = sqrt((double)nb.distance2[asked / 2]);
        v->rare = sqrt((double)nb.distance2[asked / 100]);
        elbo_neighbours_free(&nb);
    }
    free(rows);
    return status;
}

static elbo_status ask(elbo_novelty *v, const float *images, const float *train, size_t count, size_t size,
                       const elbo_work *work, elbo_error *err) {
    elbo_neighbours nb;
    ELBO_TRY(elbo_neighbours_of(&nb, images, v->n, train, count, (int)size, 1, work, err));
    for (size_t i = 0; i < v->n; i++) {
        v->nearest[i] = nb.index[i];
        v->distance[i] = sqrtf(nb.distance2[i]);
        v->near += v->distance[i] < v->rare;
    }
    elbo_neighbours_free(&nb);
    return ELBO_OK;
}

elbo_status elbo_novelty_measure(elbo_novelty *v, const float *images, size_t n, const elbo_dataset *d, float low,
                                 float high, const elbo_work *work, elbo_error *err) {
    const elbo_images *train = &d->train;
    size_t size = elbo_image_size(train->shape);
    *v = (elbo_novelty){
        .n = n, .nearest = elbo_alloc(n, sizeof *v->nearest), .distance = elbo_alloc(n, sizeof *v->distance)};
    if (train->count == 0) {
        elbo_novelty_free(v);
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no training images to be compared with", d->name);
    }
    float *rows = elbo_alloc((size_t)train->count * size, sizeof *rows),
          *clipped = elbo_alloc(n * size, sizeof *clipped);
    elbo_status status = rows && clipped && v->nearest && v->distance ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_images_to_floats(train, NULL, train->count, low, high, rows);
        for (size_t i = 0; i < n * size; i++) clipped[i] = images[i] < low ? low : images[i] > high ? high : images[i];
        status = ask_test_images(v, &d->test, rows, train->count, low, high, work, err);
    }
    if (status == ELBO_OK) status = ask(v, clipped, rows, train->count, size, work, err);
    free(rows);
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
