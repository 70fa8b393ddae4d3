#include "explore/nearest_image.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "stats/neighbours.h"
#include "run/model.h"

enum { BLOCK_VALUES = 1 << 24, LEAST_BLOCK = 256 }; // 64 MiB of floats

/* A block of the images, as floats. */
typedef struct source {
    elbo_image_choice of;
    size_t size, block;
    uint32_t *index; // (block) rows of the images
    float *rows;     // (block, size)
} source;

static size_t read_block(source *s, size_t first) {
    size_t count = s->of.n - first < s->block ? s->of.n - first : s->block;
    for (size_t i = 0; i < count; i++) s->index[i] = s->of.which ? s->of.which[first + i] : (uint32_t)(first + i);
    elbo_images_to_floats(s->of.images, s->index, count, s->of.low, s->of.high, s->rows);
    return count;
}

static void find_mean(source *s, double *mean) { // (size)
    for (size_t first = 0; first < s->of.n; first += s->block) {
        size_t count = read_block(s, first);
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < s->size; k++) mean[k] += (double)s->rows[i * s->size + k] / (double)s->of.n;
    }
}

/* Deviations from the mean, of length 1 (or 0, where there is none).  rows: (n, size) */
static void point(float *rows, size_t n, size_t size, const double *mean) {
    for (float *row = rows; row < rows + n * size; row += size) {
        double square = 0;
        for (size_t k = 0; k < size; k++) square += (row[k] - mean[k]) * (row[k] - mean[k]);
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (size_t k = 0; k < size; k++) row[k] = (float)((row[k] - mean[k]) * scale);
    }
}

static elbo_status search(source *s, uint32_t *nearest, float *distance, const float *pictures, size_t m,
                          const double *mean, const elbo_job *work, elbo_error *err) {
    for (size_t i = 0; i < m; i++) distance[i] = INFINITY; // squared until all blocks were seen
    for (size_t first = 0; first < s->of.n; first += s->block) {
        size_t count = read_block(s, first);
        point(s->rows, count, s->size, mean);
        elbo_neighbours nb;
        elbo_neighbours_question question = {
            .query = pictures, .m = m, .x = s->rows, .n = count, .dims = (int)s->size, .k = 1};
        ELBO_TRY(elbo_neighbours_of(&nb, &question, work, err));
        for (size_t i = 0; i < m; i++) {
            if (!(nb.distance2[i] < distance[i])) continue;
            distance[i] = nb.distance2[i];
            if (nearest) nearest[i] = s->index[nb.index[i]];
        }
        elbo_neighbours_free(&nb);
    }
    for (size_t i = 0; i < m; i++) distance[i] = sqrtf(distance[i]);
    return ELBO_OK;
}

elbo_status elbo_nearest_image(uint32_t *nearest, float *distance, const float *pictures, size_t m,
                               const elbo_image_choice *images, const elbo_job *work, elbo_error *err) {
    size_t size = elbo_image_size(images->images->shape), block = BLOCK_VALUES / size;
    if (block < LEAST_BLOCK) block = LEAST_BLOCK;
    if (block > images->n) block = images->n;
    source s = {.of = *images,
                .size = size,
                .block = block,
                .index = elbo_alloc(block, sizeof *s.index),
                .rows = elbo_alloc(block * size, sizeof *s.rows)};
    double *mean = elbo_alloc(size, sizeof *mean);
    float *pointed = elbo_alloc(m * size, sizeof *pointed);
    elbo_status status = s.index && s.rows && mean && pointed ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        find_mean(&s, mean);
        for (size_t i = 0; i < m * size; i++) pointed[i] = pictures[i];
        point(pointed, m, size, mean);
        status = search(&s, nearest, distance, pointed, m, mean, work, err);
    }
    free(s.index);
    free(s.rows);
    free(mean);
    free(pointed);
    return status;
}
