#include <math.h>

#include "stats/simd/tsne_kernels.h"
#include "stats/simd/tsne_vector.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* ---- perplexity ---- */

/* The entropy of exp(-beta (d2 - d2_0)) normalised is log S + beta D / S, where S is the sum and D that of d2 - d2_0
 * times it: van der Maaten and Hinton 2008, section 2. It falls as beta grows. */
static void conditional(float *p, const float *d2, int k, float log_perplexity) {
    float nearest = d2[0], beta = 1, low = 0, high = INFINITY;
    for (int i = 1; i < k; i++) nearest = d2[i] < nearest ? d2[i] : nearest;
    float spread = 0; // about where beta lies: one over the mean
    for (int i = 0; i < k; i++) spread += (d2[i] - nearest) / (float)k;
    if (spread > 0) beta = 1 / spread;
    for (int attempt = 0; attempt < 64; attempt++) {
        vec s = {}, d = {};
        for (int i = 0; i < k; i += LANES) {
            size_t left = (size_t)(k - i) < LANES ? (size_t)(k - i) : LANES;
            vec x = vload_part(d2 + i, left) - nearest, e = vexp(-beta * x), kept = {};
            memcpy(&kept, &e, left * sizeof(float));
            s += kept;
            d += kept * x;
        }
        float sum = vsum(&s), entropy = logf(sum) + beta * (vsum(&d) / sum), off = entropy - log_perplexity;
        if (fabsf(off) < 1e-5f) break;
        if (off > 0)
            low = beta;
        else
            high = beta;
        float next = isinf(high) ? beta * 2 : (low + high) / 2;
        if (next == beta || isinf(next)) break; // points that lie in one place have no such beta
        beta = next;
    }
    vec s = {};
    for (int i = 0; i < k; i += LANES) {
        size_t left = (size_t)(k - i) < LANES ? (size_t)(k - i) : LANES;
        vec e = vexp(-beta * (vload_part(d2 + i, left) - nearest)), kept = {};
        memcpy(&kept, &e, left * sizeof(float));
        s += kept;
        vstore_part(p + i, e, left);
    }
    float scale = 1 / vsum(&s);
    for (int i = 0; i < k; i++) p[i] *= scale;
}

/* ---- attraction ---- */

static inline vec weights(const uint16_t *w) {
    uint16_t packed __attribute__((vector_size(LANES * 2)));
    memcpy(&packed, w, sizeof packed);
    return (vec)((__builtin_convertvector(packed, ivec) << ELBO_WEIGHT_SHIFT) + ELBO_WEIGHT_ZERO);
}

/* The places of sixteen points. AVX-512 has an instruction that gathers eight pairs of floats as if they were doubles.
 */
static inline void places(const float *y, const uint32_t *index, vec *x0, vec *x1) {
#if defined(__AVX512F__)
    __m512d a = _mm512_i32gather_pd(_mm256_loadu_si256((const __m256i *)index), (const double *)y, 8);
    __m512d b = _mm512_i32gather_pd(_mm256_loadu_si256((const __m256i *)(index + 8)), (const double *)y, 8);
    *x0 = __builtin_shufflevector((vec)a, (vec)b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *x1 = __builtin_shufflevector((vec)a, (vec)b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#else
    for (int l = 0; l < LANES; l++) {
        (*x0)[l] = y[2 * (size_t)index[l]];
        (*x1)[l] = y[2 * (size_t)index[l] + 1];
    }
#endif
}

static inline void row(float sum[2], const elbo_similarities *s, size_t i, const float *y) {
    vec x0 = vset(y[2 * i]), x1 = vset(y[2 * i + 1]), f0 = {}, f1 = {};
    for (size_t t = s->start[i]; t < s->start[i + 1]; t += LANES) {
        vec z0, z1;
        places(y, s->index + t, &z0, &z1);
        vec d0 = x0 - z0, d1 = x1 - z1, w = weights(s->weight + t) / (1.0f + d0 * d0 + d1 * d1);
        f0 += w * d0;
        f1 += w * d1;
    }
    sum[0] = vsum(&f0);
    sum[1] = vsum(&f1);
}

/* Gains as of Jacobs 1988: a coordinate that keeps its direction speeds up, one that turns slows down. */
static void step(const elbo_similarities *s, size_t from, size_t to, const elbo_tsne_motion *m, elbo_tsne_step how) {
    const float *y = m->y, *repulsion = m->repulsion;
    float *next = m->next, *velocity = m->velocity, *gain = m->gain;
    for (size_t i = from; i < to; i++) {
        float sum[2], length = 0;
        row(sum, s, i, y);
        for (size_t c = 2 * i; c < 2 * i + 2; c++) {
            float gradient = how.attraction * sum[c - 2 * i] - how.repulsion * repulsion[c];
            bool turned = (gradient > 0) == (velocity[c] > 0);
            gain[c] = turned ? gain[c] * 0.8f : gain[c] + 0.2f;
            if (gain[c] < 0.01f) gain[c] = 0.01f;
            velocity[c] = how.momentum * velocity[c] - how.rate * gain[c] * gradient;
            length += velocity[c] * velocity[c];
        }
        if (length > how.longest * how.longest) {
            float shorter = how.longest / sqrtf(length);
            velocity[2 * i] *= shorter;
            velocity[2 * i + 1] *= shorter;
        }
        next[2 * i] = y[2 * i] + velocity[2 * i];
        next[2 * i + 1] = y[2 * i + 1] + velocity[2 * i + 1];
    }
}

/* log(x) for x >= 1: x = 2^e m, m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)). */
static inline vec vlog(vec x) {
    ivec shifted = (ivec)x - 0x3f3504f3, e = shifted >> 23;
    vec m = (vec)((ivec)x - (e << 23)), s = (m - 1.0f) / (m + 1.0f), q = s * s;
    vec p = vset(2.0f / 9);
    p = p * q + 2.0f / 7;
    p = p * q + 2.0f / 5;
    p = p * q + 2.0f / 3;
    p = p * q + 2.0f;
    return __builtin_convertvector(e, vec) * 0.693147181f + p * s;
}

static double cost(const elbo_similarities *s, size_t from, size_t to, const float *y) {
    double sum = 0;
    for (size_t i = from; i < to; i++) {
        vec x0 = vset(y[2 * i]), x1 = vset(y[2 * i + 1]), c = {};
        for (size_t t = s->start[i]; t < s->start[i + 1]; t += LANES) {
            vec z0, z1;
            places(y, s->index + t, &z0, &z1);
            vec d0 = x0 - z0, d1 = x1 - z1;
            c += weights(s->weight + t) * vlog(1.0f + d0 * d0 + d1 * d1);
        }
        sum += vsum(&c);
    }
    return sum;
}

/* ---- exact repulsion ---- */

static void repel(float *repulsion, float *z, const float *at, size_t from, size_t to, const float *x, const float *y,
                  size_t n) {
    for (size_t i = from; i < to; i++) {
        vec x0 = vset(at[2 * i]), x1 = vset(at[2 * i + 1]), f0 = {}, f1 = {}, s = {};
        for (size_t j = 0; j < n; j += LANES) {
            vec d0 = x0 - vload(x + j), d1 = x1 - vload(y + j), w = 1.0f / (1.0f + d0 * d0 + d1 * d1), w2 = w * w;
            s += w;
            f0 += w2 * d0;
            f1 += w2 * d1;
        }
        repulsion[2 * i] = vsum(&f0);
        repulsion[2 * i + 1] = vsum(&f1);
        z[i] = vsum(&s);
    }
}

/* 1/a + 1/b + 1/c + 1/d with one division; a pair that is infinitely far is left out, since the product would overflow.
 */
static double normaliser(const float *x, const float *y, size_t n, size_t from, size_t to) {
    double total = 0;
    for (size_t i = from; i < to; i++) {
        vec x0 = vset(x[i]), x1 = vset(y[i]), z = {};
        size_t j = i + 1;
        for (; j < n && j % LANES; j++) {
            float d0 = x[i] - x[j], d1 = y[i] - y[j];
            total += 1.0f / (1.0f + d0 * d0 + d1 * d1);
        }
        for (size_t quads = 0; j + 4 * LANES <= n; j += 4 * LANES) {
            vec q[4];
            for (int t = 0; t < 4; t++) {
                vec d0 = x0 - vload(x + j + (size_t)t * LANES), d1 = x1 - vload(y + j + (size_t)t * LANES);
                q[t] = vmin(1.0f + d0 * d0 + d1 * d1, vset(1e9f));
            }
            vec ab = q[0] * q[1], cd = q[2] * q[3];
            z += ((q[0] + q[1]) * cd + (q[2] + q[3]) * ab) / (ab * cd);
            if (++quads % 64 == 0) { // few terms per lane: no digits lost
                total += vsum(&z);
                z = vset(0);
            }
        }
        for (; j < n; j += LANES) {
            vec d0 = x0 - vload(x + j), d1 = x1 - vload(y + j);
            z += 1.0f / (1.0f + d0 * d0 + d1 * d1);
        }
        total += vsum(&z);
    }
    return total;
}

const elbo_tsne_force_kernels JOIN(elbo_tsne_force_kernels_, ELBO_ISA) = {conditional, step, cost, repel, normaliser};
