#include "latent/nearest_image.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "latent/neighbours.h"
#include "train/model.h"

enum { BLOCK_VALUES = 1 << 24, LEAST_BLOCK = 256 }; // 64 MiB of floats

elbo_status elbo_nearest_image(uint32_t *nearest, float *distance, const float *pictures, size_t m,
                               const elbo_images *images, const uint32_t *which, size_t n, float low, float high,
                               const elbo_work *work, elbo_error *err) {
    size_t size = elbo_image_size(images->shape), block = BLOCK_VALUES / size;
    if (block < LEAST_BLOCK) block = LEAST_BLOCK;
    if (block > n) block = n;
    float *rows = elbo_alloc(block * size, sizeof *rows); // (block, C, H, W)
    uint32_t *index = elbo_alloc(block, sizeof *index);   // (block)
    elbo_status status = rows && index ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; i < m; i++) distance[i] = INFINITY; // squared until all blocks were seen
    for (size_t first = 0; status == ELBO_OK && first < n; first += block) {
        size_t count = n - first < block ? n - first : block;
        for (size_t i = 0; i < count; i++) index[i] = which ? which[first + i] : (uint32_t)(first + i);
        elbo_images_to_floats(images, index, count, low, high, rows);
        elbo_neighbours nb;
        status = elbo_neighbours_of(&nb, pictures, m, rows, count, (int)size, 1, work, err);
        if (status != ELBO_OK) break;
        for (size_t i = 0; i < m; i++) {
            if (!(nb.distance2[i] < distance[i])) continue;
            distance[i] = nb.distance2[i];
            if (nearest) nearest[i] = index[nb.index[i]];
        }
        elbo_neighbours_free(&nb);
    }
    for (size_t i = 0; i < m; i++) distance[i] = sqrtf(distance[i]);
    free(rows);
    free(index);
    return status;
}
