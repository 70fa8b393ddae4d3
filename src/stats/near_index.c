#include "stats/near_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stats/cells.h"
#include "stats/near.h"

elbo_status elbo_near_index_make(elbo_near_index *i, const float *x, size_t n, int dims, elbo_error *err) {
    size_t blocks = (n + ELBO_NEAR_BLOCK - 1) / ELBO_NEAR_BLOCK;
    *i = (elbo_near_index){.n = n, .blocks = blocks, .dims = dims};
    ELBO_TRY(elbo_points_check(x, n, dims, "point", err));
    i->packed = elbo_alloc(blocks * ELBO_NEAR_BLOCK * (size_t)dims, sizeof *i->packed);
    if (!i->packed) return elbo_no_memory(err);
    elbo_near_pack(i->packed, x, NULL, 0, n, dims);
    return ELBO_OK;
}

void elbo_near_index_free(elbo_near_index *i) {
    free(i->packed);
    *i = (elbo_near_index){0};
}

void elbo_near_index_all(const elbo_near_index *i, const float *point, float *distance2) {
    elbo_near_kernels_here()->distances(distance2, point, i->packed, i->blocks, i->dims);
}

void elbo_near_index_find(const elbo_near_index *i, const float *point, int k, uint32_t *index, float *distance2) {
    enum { AT_ONCE = 64 }; // blocks
    const elbo_near_kernels *kernels = elbo_near_kernels_here();
    _Alignas(64) float some[AT_ONCE * ELBO_NEAR_BLOCK];
    int found = 0;
    for (size_t block = 0; block < i->blocks; block += AT_ONCE) {
        size_t blocks = i->blocks - block < AT_ONCE ? i->blocks - block : AT_ONCE, first = block * ELBO_NEAR_BLOCK;
        size_t count = i->n - first < blocks * ELBO_NEAR_BLOCK ? i->n - first : blocks * ELBO_NEAR_BLOCK;
        kernels->distances(some, point, i->packed + first * (size_t)i->dims, blocks, i->dims);
        for (size_t p = 0; p < count; p++) {
            if (found == k && !(some[p] < distance2[k - 1])) continue;
            int at = found < k ? found++ : k - 1;
            for (; at > 0 && some[p] < distance2[at - 1]; at--) {
                distance2[at] = distance2[at - 1];
                index[at] = index[at - 1];
            }
            distance2[at] = some[p];
            index[at] = (uint32_t)(first + p);
        }
    }
}
