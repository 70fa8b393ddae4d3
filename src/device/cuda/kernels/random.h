/* Random numbers as base/random.h has them: Philox4x32-10 by (seed, purpose, epoch, sample, element). Words and uniform
 * numbers are the same bits as on the CPU; normal ones, by Box-Muller from polynomials, within a few bits. */
#ifndef ELBO_CUDA_RANDOM_H
#define ELBO_CUDA_RANDOM_H

#include "device/cuda/kernels/numbers.h"

/* The four words of elements 4 block .. 4 block + 3. */
DEVICE void random_words(const elbo_gpu_step *s, unsigned purpose, unsigned sample, unsigned block, unsigned words[4]) {
    unsigned c0 = block, c1 = sample, c2 = s->epoch, c3 = purpose, k0 = s->seed[0], k1 = s->seed[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        unsigned long long a = (unsigned long long)c0 * 0xD2511F53u, b = (unsigned long long)c2 * 0xCD9E8D57u;
        c0 = (unsigned)(b >> 32) ^ c1 ^ k0;
        c2 = (unsigned)(a >> 32) ^ c3 ^ k1;
        c1 = (unsigned)b;
        c3 = (unsigned)a;
    }
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

DEVICE float unit_float(unsigned word) { return (float)(int)(word >> 8) * 0x1p-24f; }

DEVICE float random_uniform(const elbo_gpu_step *s, unsigned purpose, unsigned sample, int element) {
    unsigned words[4];
    random_words(s, purpose, sample, (unsigned)element / 4, words);
    int at = element % 4;
    return unit_float(at == 0 ? words[0] : at == 1 ? words[1] : at == 2 ? words[2] : words[3]);
}

/* Sine and cosine of t turns, 0 <= t < 1 (Cephes). */
DEVICE void turns(float t, float *sine, float *cosine) {
    const float shift = 12582912.0f; // adding it rounds to an integer
    float shifted = FMA(t, 4.0f, shift);
    int quarter = FLOAT_BITS(shifted) & 3;
    float a = FMA(shifted - shift, -0.25f, t) * 6.28318530718f, q = a * a; // within pi/4
    float s = FMA(-1.9515295891e-4f, q, 8.3321608736e-3f), c = FMA(2.443315711809948e-5f, q, -1.388731625493765e-3f);
    s = FMA(FMA(s, q, -1.6666654611e-1f) * q, a, a);
    c = FMA(FMA(c, q, 4.166664568298827e-2f) * q, q, FMA(-0.5f, q, 1.0f));
    float first = quarter & 1 ? c : s, second = quarter & 1 ? s : c;
    *sine = quarter & 2 ? -first : first;
    *cosine = (quarter + 1) & 2 ? -second : second;
}

DEVICE float random_normal(const elbo_gpu_step *s, unsigned purpose, unsigned sample, int element) {
    unsigned words[4];
    float sine, cosine;
    random_words(s, purpose, sample, (unsigned)element / 4, words);
    int half = element % 4 / 2;
    float radius = SQRT(-2.0f * log_of(1.0f - unit_float(half ? words[2] : words[0])));
    turns(unit_float(half ? words[3] : words[1]), &sine, &cosine);
    return radius * (element % 2 ? sine : cosine);
}

#endif
