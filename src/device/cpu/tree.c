#include "device/cpu/tree.h"

#include <string.h>

void elbo_tree_sum(const elbo_kernels *k, float *to, const float *leaf, size_t stride, int leaves, size_t n) {
    enum { PIECE = 512 }; // floats: the sums on the way stay in the first cache
    _Alignas(64) float sum[ELBO_TREE_DEPTH][PIECE];
    for (size_t start = 0; start < n; start += PIECE) {
        size_t count = n - start < PIECE ? n - start : PIECE, bytes = count * sizeof *to;
        int sums = 0;
        for (int i = 0; i < leaves; i++) {
            memcpy(sum[sums++], leaf + (size_t)i * stride + start, bytes);
            for (int joins = elbo_tree_joins(i); joins > 0; joins--, sums--)
                k->pointwise->add(sum[sums - 2], sum[sums - 1], count);
        }
        for (; sums > 1; sums--) k->pointwise->add(sum[sums - 2], sum[sums - 1], count);
        memcpy(to + start, sum[0], bytes);
    }
}
