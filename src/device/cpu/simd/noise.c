/* Random numbers, uniform and normal, a block of the generator in each lane: the same numbers as elbo_random_uniform and, to the last few
 * bits of a float, elbo_random_normal (base/random.h).
 *
 * Philox4x32-10 after Salmon et al., SC 2011; Box-Muller; logarithm and sine by polynomials (Cephes, logf and sinf). */
#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

typedef uint32_t uvec __attribute__((vector_size(WIDTH * 4)));
typedef uint64_t lvec __attribute__((vector_size(WIDTH * 4)));

static inline void multiply(uvec a, uint32_t b, uvec *high, uvec *low) {
    const uint64_t word = 0xffffffff;
    lvec even = ((lvec)a & word) * (uint64_t)b, odd = ((lvec)a >> 32) * (uint64_t)b;
    *high = (uvec)((even >> 32) | (odd & ~word));
    *low = (uvec)((even & word) | (odd << 32));
}

/* words[j]: word j of WIDTH blocks from the first on, a block in each lane. */
static inline void philox(elbo_stream s, uint32_t first, uvec words[4]) {
    static const uint32_t lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uvec lane;
    memcpy(&lane, lanes, sizeof lane);
    uvec c0 = lane + first, c1 = (uvec){} + s.sample, c2 = (uvec){} + s.epoch, c3 = (uvec){} + s.purpose;
    uint32_t k0 = (uint32_t)s.seed, k1 = (uint32_t)(s.seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uvec high0, low0, high1, low1;
        multiply(c0, 0xD2511F53u, &high0, &low0);
        multiply(c2, 0xCD9E8D57u, &high1, &low1);
        c0 = high1 ^ c1 ^ k0;
        c2 = high0 ^ c3 ^ k1;
        c1 = low1;
        c3 = low0;
    }
    words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

static inline vec unit(uvec words) { return __builtin_convertvector((ivec)(words >> 8), vec) * 0x1p-24f; }

/* log(x) for 2^-24 <= x <= 1. */
static inline vec vlog(vec x) {
    ivec bits = (ivec)x, exponent = (bits >> 23) - 126;
    vec m = (vec)((bits & 0x007fffff) | 0x3f000000); // in [0.5, 1)
    ivec small = m < 0.70710678f;
    vec e = __builtin_convertvector(exponent + small, vec); // a true comparison is -1
    m = vselect(small, m + m, m) - 1.0f;
    vec q = m * m;
    vec p = vset(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    vec y = p * m * q + e * -2.12194440e-4f - 0.5f * q;
    return m + y + e * 0.693359375f;
}

/* Sine and cosine of t turns, 0 <= t < 1. */
static inline void turns(vec t, vec *sine, vec *cosine) {
    const float shift = 12582912.0f; // adding it rounds to an integer
    vec shifted = t * 4.0f + shift;
    ivec quarter = (ivec)shifted & 3;
    vec a = (t - (shifted - shift) * 0.25f) * 6.28318530718f, q = a * a; // within pi/4
    vec s = ((-1.9515295891e-4f * q + 8.3321608736e-3f) * q - 1.6666654611e-1f) * q * a + a;
    vec c = ((2.443315711809948e-5f * q - 1.388731625493765e-3f) * q + 4.166664568298827e-2f) * q * q - 0.5f * q + 1.0f;
    ivec odd = -(quarter & 1);
    vec first = vselect(odd, c, s), second = vselect(odd, s, c);
    *sine = (vec)((ivec)first ^ ((quarter & 2) << 30));
    *cosine = (vec)((ivec)second ^ (((quarter + 1) & 2) << 30));
}

static inline void box_muller(uvec a, uvec b, vec *first, vec *second) {
    vec radius = vsqrt(-2.0f * vlog(1.0f - unit(a))), sine, cosine;
    turns(unit(b), &sine, &cosine);
    *first = radius * cosine;
    *second = radius * sine;
}

void ELBO_SIMD(normal)(float *out, size_t n, elbo_stream s) {
    for (size_t start = 0; start < n; start += 4 * WIDTH) {
        uvec words[4];
        vec normal[4];
        float as_floats[4][WIDTH];
        philox(s, (uint32_t)(start / 4), words);
        box_muller(words[0], words[1], &normal[0], &normal[1]);
        box_muller(words[2], words[3], &normal[2], &normal[3]);
        size_t left = n - start < 4 * WIDTH ? n - start : 4 * WIDTH;
        memcpy(as_floats, normal, sizeof normal);
        for (size_t i = 0; i < left; i++) out[start + i] = as_floats[i % 4][i / 4];
    }
}

void ELBO_SIMD(uniform)(float *out, size_t n, elbo_stream s) {
    for (size_t start = 0; start < n; start += 4 * WIDTH) {
        uvec words[4];
        vec numbers[4];
        float as_floats[4][WIDTH];
        philox(s, (uint32_t)(start / 4), words);
        for (int k = 0; k < 4; k++) numbers[k] = unit(words[k]);
        size_t left = n - start < 4 * WIDTH ? n - start : 4 * WIDTH;
        memcpy(as_floats, numbers, sizeof numbers);
        for (size_t i = 0; i < left; i++) out[start + i] = as_floats[i % 4][i / 4];
    }
}
