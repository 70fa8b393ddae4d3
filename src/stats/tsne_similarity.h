/* The input similarities of t-SNE: p_ij = (p_j|i + p_i|j) / (2 n) over the nearest neighbours, a sparse symmetric
 * matrix.
 *
 * A million points have more than 10^8 entries, so an entry is small (6 bytes) and points are relabelled, so that
 * points that are near each other are near in memory. */
#ifndef ELBO_TSNE_SIMILARITY_H
#define ELBO_TSNE_SIMILARITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/threads.h"
#include "stats/neighbours.h"

/* Weights are p_j|i + p_i|j, in (0, 2], as 16 bits: 5 of exponent and 11 of mantissa, which are a float's bits 12 to 27
 * above those of 2^-30. They are rounded to 1 part in 4096; what is smaller than 2^-30 counts as that. */
enum { ELBO_WEIGHT_SHIFT = 12, ELBO_WEIGHT_ZERO = (127 - 30) << 23, ELBO_ROW_UNIT = 16 };

typedef struct elbo_similarities {
    size_t n;
    size_t *start;   // (n + 1): row i's entries; its length is a multiple of ELBO_ROW_UNIT
    uint32_t *index; // by rows, ascending; then filled up with i itself, which attracts nothing
    uint16_t *weight;
    uint32_t *place; // (n): which of the caller's points is the i-th here
    double sum;      // of all weights: 2 n but for the rounding
    double entropy;  // sum of p log p, p normalised to 1 in all
} elbo_similarities;

/* Perplexity of each point's neighbours, symmetrised. Takes what nb holds, and frees it on the way. */
elbo_status elbo_similarities_make(elbo_similarities *s, elbo_neighbours *nb, double perplexity, elbo_team *team,
                                   elbo_error *err);
void elbo_similarities_free(elbo_similarities *s);

uint16_t elbo_weight_pack(float p);
float elbo_weight_unpack(uint16_t w);

#endif
