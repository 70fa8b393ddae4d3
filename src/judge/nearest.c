#include "judge/nearest.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BLOCK = 256 };

typedef struct search {
    const elbo_recipe *recipe;
    const elbo_images *images;
    const uint32_t *index;
    const float *queries;
    size_t m, n, size;
    float *smallest; // (blocks, m) of |t|^2 - 2 q t
    atomic_bool no_memory;
} search;

static void run_block(void *context, size_t block) {
    search *s = context;
    size_t first = block * BLOCK, count = s->n - first < BLOCK ? s->n - first : BLOCK;
    float *t = elbo_alloc(count * s->size, sizeof *t), *product = elbo_alloc(2 * s->m * count, sizeof *product);
    if (t && product) {
        elbo_images_to_floats(s->images, s->index + first, count, s->recipe->image.low, s->recipe->image.high, t);
        elbo_device_find("cpu")->linear->forward(product, s->queries, t, NULL, (int)s->m, (int)s->size, (int)count,
                                                 product + s->m * count); // (m, count)
        for (size_t j = 0; j < count; j++) {
            double square = 0;
            for (size_t k = 0; k < s->size; k++) square += (double)t[j * s->size + k] * t[j * s->size + k];
            for (size_t i = 0; i < s->m; i++) {
                float d = (float)square - 2 * product[i * count + j], *least = &s->smallest[block * s->m + i];
                if (j == 0 || d < *least) *least = d;
            }
        }
    } else {
        atomic_store(&s->no_memory, true);
    }
    free(t);
    free(product);
}

elbo_status elbo_nearest_image(double *distance, elbo_model *model, const float *queries, size_t m,
                               const elbo_images *images, const uint32_t *index, size_t n, elbo_error *err) {
    size_t size = elbo_image_size(images->shape), blocks = (n + BLOCK - 1) / BLOCK;
    search s = {.recipe = &model->recipe,
                .images = images,
                .index = index,
                .queries = queries,
                .m = m,
                .n = n,
                .size = size,
                .smallest = elbo_alloc(blocks * m, sizeof(float))};
    if (!s.smallest) return elbo_no_memory(err);
    elbo_exam_parallel(model, blocks, run_block, &s);
    for (size_t i = 0; i < m; i++) {
        double square = 0, least = INFINITY;
        for (size_t k = 0; k < size; k++) square += (double)queries[i * size + k] * queries[i * size + k];
        for (size_t b = 0; b < blocks; b++) least = fmin(least, s.smallest[b * m + i]);
        distance[i] = sqrt(fmax(square + least, 0));
    }
    free(s.smallest);
    return atomic_load(&s.no_memory) ? elbo_no_memory(err) : ELBO_OK;
}
