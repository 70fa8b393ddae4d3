/* Gradients of a batch's parts are summed in a fixed binary tree, so that ranks that own whole subtrees make the same
 * bits as one that owns all: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). A part that a smaller batch leaves out is passed
 * over: (0 + 1) + 2. */
#ifndef ELBO_CPU_TREE_H
#define ELBO_CPU_TREE_H

#include "device/cpu/kernels.h"

/* Sums on the way that a tree of up to 2^11 leaves keeps at once. */
enum { ELBO_TREE_DEPTH = 12 };

/* How often, when leaf 0, 1, 2 ... is there, the last two sums are joined. */
static inline int elbo_tree_joins(int leaf) { return __builtin_ctz((unsigned)leaf + 1); }

/* to = the tree's sum of `leaves` arrays of n floats, `stride` apart. */
void elbo_tree_sum(const elbo_kernels *k, float *to, const float *leaf, size_t stride, int leaves, size_t n);

#endif
