/* Near points: distances of 6 x 64 pairs in registers, compared with each row's bound before they are let go; only what
 * is nearer is written down. */
#include "stats/near.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <stdbool.h>
#include <string.h>

/* As wide as the machine, and not always sixteen as in vector.h: sums run over dimensions, which no vector holds two
 * of, so the width changes no bit. */
enum { WIDE = ELBO_VECTOR_BYTES / 4, PARTS = ELBO_NEAR_BLOCK / WIDE };
typedef float wide __attribute__((vector_size(ELBO_VECTOR_BYTES)));
typedef int32_t iwide __attribute__((vector_size(ELBO_VECTOR_BYTES)));

/* Rows and vectors whose sums fit into the registers. */
#if ELBO_VECTOR_BYTES == 64
enum { ROWS = 6, MOST_BLOCKS = 4 };
#elif ELBO_VECTOR_BYTES == 32
enum { ROWS = 6, MOST_BLOCKS = 1 };
#else
enum { ROWS = 2, MOST_BLOCKS = 1 };
#endif
enum { MOST_VECTORS = MOST_BLOCKS * PARTS };

static inline wide load(const float *p) {
    wide v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline wide choose(iwide condition, wide yes, wide no) {
    return (wide)((condition & (iwide)yes) | (~condition & (iwide)no));
}
static inline wide smaller(wide a, wide b) {
#if defined(__AVX512F__)
    return (wide)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (wide)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return choose(a < b, a, b);
#endif
}

static inline bool any_to(wide a, float bound) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)a, _mm512_set1_ps(bound), _CMP_LE_OQ) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, _mm256_set1_ps(bound), _CMP_LE_OQ)) != 0;
#else
    iwide condition = a <= bound;
    int64_t word[sizeof condition / 8], all = 0;
    memcpy(word, &condition, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) all |= word[i];
    return all != 0;
#endif
}

/* Squared distances of ROWS points of a group to `blocks` blocks. */
static inline __attribute__((always_inline)) void tile(wide sum[ROWS][MOST_VECTORS], const float *group,
                                                       const float *packed, int blocks, int dims) {
    size_t stride = (size_t)dims * ELBO_NEAR_BLOCK;
    wide total[ROWS][MOST_VECTORS]; // of its own, so that nobody can point at it: it stays in registers
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < blocks * PARTS; v++) total[r][v] = (wide){};
    for (int d = 0; d < dims; d++) {
        wide p[MOST_VECTORS];
        for (int b = 0; b < blocks; b++)
            for (int v = 0; v < PARTS; v++)
                p[b * PARTS + v] = load(packed + (size_t)b * stride + (size_t)d * ELBO_NEAR_BLOCK + (size_t)v * WIDE);
        for (int r = 0; r < ROWS; r++) {
            wide q = (wide){} + group[d * ELBO_NEAR_GROUP + r];
            for (int v = 0; v < blocks * PARTS; v++) {
                wide difference = p[v] - q;
                total[r][v] += difference * difference;
            }
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < blocks * PARTS; v++) sum[r][v] = total[r][v];
}

/* Writes down what lies before the row's bound. */
static void keep(elbo_near_row *row, const wide *sum, const uint32_t *index, int vectors) {
    int count = row->count;
    for (int v = 0; v < vectors; v++, index += WIDE) {
#if defined(__AVX512F__)
        __m512 d = (__m512)sum[v], bound = _mm512_set1_ps(row->bound);
        __mmask16 near = _mm512_cmp_ps_mask(d, bound, _CMP_LE_OQ);
        if (!near) continue;
        __m512i at = _mm512_loadu_si512(index);
        near &= _mm512_cmp_ps_mask(d, bound, _CMP_LT_OQ) |
                _mm512_cmplt_epu32_mask(at, _mm512_set1_epi32((int)row->bound_index));
        near &= _mm512_cmpneq_epi32_mask(at, _mm512_set1_epi32((int)row->self));
        // Compressed in a register, then stored whole: compressing stores are slow on some machines.
        _mm512_storeu_ps(row->distance2 + count, _mm512_maskz_compress_ps(near, d));
        _mm512_storeu_si512(row->index + count, _mm512_maskz_compress_epi32(near, at));
        count += __builtin_popcount(near);
#else
        if (!any_to(sum[v], row->bound)) continue;
        for (int i = 0; i < WIDE; i++) {
            float d = sum[v][i];
            row->distance2[count] = d;
            row->index[count] = index[i];
            count += (d < row->bound || (d == row->bound && index[i] < row->bound_index)) && index[i] != row->self;
        }
#endif
    }
    row->count = count;
}

/* Moves the candidates with distance below `bound`, or equal to it and index at most `most`, to the front. */
static int compress(elbo_near_row *row, float bound, uint32_t most) {
    int kept = 0, i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= row->count; i += 16) {
        __m512 d = _mm512_loadu_ps(row->distance2 + i), limit = _mm512_set1_ps(bound);
        __m512i at = _mm512_loadu_si512(row->index + i);
        __mmask16 near =
            _mm512_cmp_ps_mask(d, limit, _CMP_LT_OQ) |
            (_mm512_cmp_ps_mask(d, limit, _CMP_EQ_OQ) & _mm512_cmple_epu32_mask(at, _mm512_set1_epi32((int)most)));
        _mm512_mask_storeu_ps(row->distance2 + kept, (__mmask16)((1u << __builtin_popcount(near)) - 1),
                              _mm512_maskz_compress_ps(near, d));
        _mm512_mask_storeu_epi32(row->index + kept, (__mmask16)((1u << __builtin_popcount(near)) - 1),
                                 _mm512_maskz_compress_epi32(near, at));
        kept += __builtin_popcount(near);
    }
#endif
    for (; i < row->count; i++) {
        float d = row->distance2[i];
        uint32_t at = row->index[i];
        row->distance2[kept] = d;
        row->index[kept] = at;
        kept += d < bound || (d == bound && at <= most);
    }
    return kept;
}

/* How many are at most `limit`; distances are not negative, so their bits are in their order. */
static int count_to(const uint32_t *bits, int n, uint32_t limit) {
    int count = 0;
    for (int i = 0; i < n; i++) count += bits[i] <= limit;
    return count;
}

/* Leaves the k nearest of more than k candidates and makes the farthest of them the bound. The distance that parts them
 * is found by halving an interval: more passes than a quickselect, each without a branch. */
static void select_nearest(elbo_near_row *row, int k) {
    int n = row->count;
    uint32_t low = UINT32_MAX, high = 0, *bits = (uint32_t *)(void *)row->distance2;
    for (int i = 0; i < n; i++) {
        low = bits[i] < low ? bits[i] : low;
        high = bits[i] > high ? bits[i] : high;
    }
    int below = n; // candidates at most `high`, of which there are at least k
    while (low < high && below > k) {
        uint32_t middle = low + (high - low) / 2;
        int count = count_to(bits, n, middle);
        if (count >= k) {
            high = middle;
            below = count;
        } else {
            low = middle + 1;
        }
    }
    float bound;
    memcpy(&bound, &high, sizeof bound);
    row->count = compress(row, bound, UINT32_MAX);
    if (row->count > k) { // all those at the bound are equal: the smaller indices are nearer
        uint32_t least = 0, most = UINT32_MAX;
        while (least < most) {
            uint32_t middle = least + (most - least) / 2;
            int count = 0;
            for (int i = 0; i < row->count; i++) count += bits[i] < high || row->index[i] <= middle;
            if (count >= k)
                most = middle;
            else
                least = middle + 1;
        }
        row->count = compress(row, bound, most);
    }
    uint32_t farthest = 0, last = 0;
    for (int i = 0; i < row->count; i++) farthest = bits[i] > farthest ? bits[i] : farthest;
    for (int i = 0; i < row->count; i++) {
        uint32_t at = bits[i] == farthest ? row->index[i] : 0;
        last = at > last ? at : last;
    }
    memcpy(&row->bound, &farthest, sizeof row->bound);
    row->bound_index = last;
}

/* Adds the candidates to the counts. */
static void count_ranks(elbo_near_row *row) {
    for (int a = 0; a < row->asked; a++) {
        float distance2 = row->asked_distance2[a];
        uint32_t index = row->asked_index[a], before = 0, equal = 0;
        for (int i = 0; i < row->count; i++) {
            before += row->distance2[i] < distance2;
            equal += row->distance2[i] == distance2;
        }
        for (int i = 0; i < row->count && equal; i++) // seldom: the indices need not be read else
            before += (row->distance2[i] == distance2) & (row->index[i] < index);
        row->before[a] += before;
    }
    row->count = 0;
}

static inline __attribute__((always_inline)) void search_tile(elbo_near_row *row, const float *group,
                                                              const float *packed, const uint32_t *index, int blocks,
                                                              int dims, int k) {
    for (int first = 0; first < ELBO_NEAR_GROUP; first += ROWS) {
        wide sum[ROWS][MOST_VECTORS];
        tile(sum, group + first, packed, blocks, dims);
        for (int r = 0; r < ROWS; r++) {
            wide least = sum[r][0];
            for (int v = 1; v < blocks * PARTS; v++) least = smaller(least, sum[r][v]);
            elbo_near_row *one = row + first + r;
            if (__builtin_expect(!any_to(least, one->bound), 1)) continue;
            keep(one, sum[r], index, blocks * PARTS);
            if (one->count < one->room) continue;
            if (k)
                select_nearest(one, k);
            else
                count_ranks(one);
        }
    }
}

static inline __attribute__((always_inline)) void search_blocks(elbo_near_row *row, const float *group,
                                                                const float *packed, const uint32_t *index,
                                                                size_t blocks, int dims, int k) {
    size_t stride = (size_t)dims * ELBO_NEAR_BLOCK, b = 0;
    for (; b + MOST_BLOCKS <= blocks; b += MOST_BLOCKS)
        search_tile(row, group, packed + b * stride, index + b * ELBO_NEAR_BLOCK, MOST_BLOCKS, dims, k);
    for (; b < blocks; b++) search_tile(row, group, packed + b * stride, index + b * ELBO_NEAR_BLOCK, 1, dims, k);
}

static void search(elbo_near_row *row, const float *group, const float *packed, const uint32_t *index, size_t blocks,
                   int dims, int k) {
    search_blocks(row, group, packed, index, blocks, dims, k);
}

static void rank(elbo_near_row *row, const float *group, const float *packed, const uint32_t *index, size_t blocks,
                 int dims) {
    search_blocks(row, group, packed, index, blocks, dims, 0);
}

static inline bool before(float a, uint32_t a_index, float b, uint32_t b_index) {
    return a < b || (a == b && a_index < b_index);
}

/* Sorts runs by counting how many of the run come before each, which has no branches to guess, then merges them
 * pairwise, to and fro between the caller's arrays and the row's. */
static void finish(elbo_near_row *row, int k, float *distance2, uint32_t *index) {
    enum { RUN = 96 };
    if (row->count > k) select_nearest(row, k);
    int n = row->count, passes = 0;
    for (int width = RUN; width < n; width *= 2) passes++;
    float *d = distance2, *other_d = row->distance2;
    uint32_t *at = index, *other_at = row->index;
    for (int first = 0; first < n; first += RUN) {
        int end = first + RUN < n ? first + RUN : n;
        for (int i = first; i < end; i++) {
            float one = other_d[i];
            uint32_t one_index = other_at[i];
            int place = first;
            for (int j = first; j < end; j++)
                place += (other_d[j] < one) | ((other_d[j] == one) & (other_at[j] < one_index));
            d[place] = one;
            at[place] = one_index;
        }
    }
    for (int width = RUN; width < n; width *= 2) {
        for (int first = 0; first < n; first += 2 * width) {
            int middle = first + width < n ? first + width : n, end = middle + width < n ? middle + width : n;
            int a = first, b = middle;
            for (int to = first; to < end; to++) {
                bool second = a == middle || (b < end && before(d[b], at[b], d[a], at[a]));
                int from = second ? b : a;
                b += second;
                a += !second;
                other_d[to] = d[from];
                other_at[to] = at[from];
            }
        }
        float *turn_d = d;
        uint32_t *turn_at = at;
        d = other_d, other_d = turn_d;
        at = other_at, other_at = turn_at;
    }
    if (passes % 2) {
        memcpy(distance2, d, (size_t)n * sizeof *d);
        memcpy(index, at, (size_t)n * sizeof *at);
    }
}

static void nearest(uint32_t *place, float *distance2, const float *group, const float *packed, size_t blocks,
                    int dims) {
    size_t stride = (size_t)dims * ELBO_NEAR_BLOCK;
    for (int first = 0; first < ELBO_NEAR_GROUP; first += ROWS) {
        wide best[ROWS][PARTS];
        iwide best_block[ROWS][PARTS];
        for (int r = 0; r < ROWS; r++)
            for (int v = 0; v < PARTS; v++) {
                best[r][v] = (wide){} + __builtin_inff();
                best_block[r][v] = (iwide){};
            }
        for (size_t b = 0; b < blocks; b++) {
            wide sum[ROWS][MOST_VECTORS];
            tile(sum, group + first, packed + b * stride, 1, dims);
            for (int r = 0; r < ROWS; r++)
                for (int v = 0; v < PARTS; v++) {
                    iwide nearer = sum[r][v] < best[r][v];
                    best[r][v] = choose(nearer, sum[r][v], best[r][v]);
                    best_block[r][v] = (nearer & (int32_t)b) | (~nearer & best_block[r][v]);
                }
        }
        for (int r = 0; r < ROWS; r++) {
            distance2[first + r] = best[r][0][0];
            place[first + r] = (uint32_t)best_block[r][0][0] * ELBO_NEAR_BLOCK;
            for (int i = 1; i < ELBO_NEAR_BLOCK; i++) {
                float d = best[r][i / WIDE][i % WIDE];
                uint32_t at = (uint32_t)best_block[r][i / WIDE][i % WIDE] * ELBO_NEAR_BLOCK + (uint32_t)i;
                if (d > distance2[first + r] || (d == distance2[first + r] && at > place[first + r])) continue;
                distance2[first + r] = d;
                place[first + r] = at;
            }
        }
    }
}

static void distances(float *out, const float *point, const float *packed, size_t blocks, int dims) {
    for (size_t b = 0; b < blocks; b++, packed += (size_t)dims * ELBO_NEAR_BLOCK, out += ELBO_NEAR_BLOCK) {
        wide sum[PARTS] = {};
        for (int d = 0; d < dims; d++)
            for (int v = 0; v < PARTS; v++) {
                wide difference = load(packed + d * ELBO_NEAR_BLOCK + v * WIDE) - point[d];
                sum[v] += difference * difference;
            }
        memcpy(out, sum, sizeof sum);
    }
}

#define NEAR_(isa) elbo_near_##isa
#define NEAR(isa) NEAR_(isa)
extern const elbo_near_kernels NEAR(ELBO_ISA);
const elbo_near_kernels NEAR(ELBO_ISA) = {ELBO_ISA_NAME, search, finish, rank, count_ranks, nearest, distances};
