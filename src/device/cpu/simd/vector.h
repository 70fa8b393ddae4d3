/* Sixteen floats at a time, in GCC's vector extension: one AVX-512 register, two of AVX, four of SSE. This folder is
 * compiled once for each of these (meson.build), so that one program runs at full width everywhere; sums keep sixteen
 * lanes in all of them. */
#ifndef ELBO_SIMD_VECTOR_H
#define ELBO_SIMD_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };
typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

static inline vec vset(float x) { return (vec){} + x; }
static inline vec vload(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vstore(float *p, vec v) { memcpy(p, &v, sizeof v); }
/* The last n < LANES values of an array; the other lanes are 0. */
static inline vec vload_part(const float *p, size_t n) {
    vec v = {};
    memcpy(&v, p, n * sizeof(float));
    return v;
}
static inline void vstore_part(float *p, vec v, size_t n) { memcpy(p, &v, n * sizeof(float)); }

static inline vec vselect(ivec condition, vec yes, vec no) {
    return (vec)((condition & (ivec)yes) | (~condition & (ivec)no));
}
static inline vec vmax(vec a, vec b) { return vselect(a > b, a, b); }
static inline vec vmin(vec a, vec b) { return vselect(a < b, a, b); }
static inline vec vabs(vec a) { return (vec)((ivec)a & 0x7fffffff); }
static inline vec vcopysign(vec magnitude, vec sign) {
    return (vec)(((ivec)magnitude & 0x7fffffff) | ((ivec)sign & (int32_t)0x80000000));
}
static inline vec vsqrt(vec a) {
    for (int i = 0; i < LANES; i++) a[i] = __builtin_sqrtf(a[i]);
    return a;
}
/* Always in the same order. */
static inline float vsum(vec a) {
    float s[LANES];
    memcpy(s, &a, sizeof s);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) s[i] += s[i + width];
    return s[0];
}

/* Turns sixteen vectors of sixteen: in step s, elements whose index differs from their vector's in bit s change
 * places. */
static inline void transpose_16(vec row[LANES]) {
#define HALF(step, low, high)                                                                                          \
    for (int i = 0; i < LANES; i++)                                                                                    \
        if (!(i & step)) {                                                                                             \
            vec a = row[i], b = row[i + step];                                                                         \
            row[i] = __builtin_shuffle(a, b, low);                                                                     \
            row[i + step] = __builtin_shuffle(a, b, high);                                                             \
        }
    HALF(1, ((ivec){0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30}),
         ((ivec){1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31}))
    HALF(2, ((ivec){0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29}),
         ((ivec){2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31}))
    HALF(4, ((ivec){0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27}),
         ((ivec){4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31}))
    HALF(8, ((ivec){0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23}),
         ((ivec){8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31}))
#undef HALF
}

/* exp(x) within 2 ulp for -87 <= x <= 88: 2^n e^r with |r| <= ln2 / 2, Taylor to r^7. Below it stays at exp(-87); above
 * it is infinite and NaN is NaN, so that a diverged run is seen. */
static inline vec vexp(vec x) {
    vec held = vmin(vmax(x, vset(-87.0f)), vset(88.0f));
    const float shift = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer
    vec n = (held * 1.44269504f + shift) - shift;
    vec r = held - n * 0.693359375f;
    r = r - n * -2.12194440e-4f; // ln2 in two parts
    vec p = vset(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    ivec exponent = (ivec)(n + shift) << 23;                                     // the low bits of n + shift are n's
    return vselect(x <= 88.0f, (vec)((ivec)p + exponent), x * __builtin_inff()); // NaN times infinity is NaN
}

/* log(1 + e) for 0 <= e <= 1: 2 atanh(s) with s = e / (2 + e) <= 1/3. */
static inline vec vlog1p_unit(vec e) {
    vec s = e / (e + 2.0f), q = s * s;
    vec p = vset(2.0f / 15);
    p = p * q + 2.0f / 13;
    p = p * q + 2.0f / 11;
    p = p * q + 2.0f / 9;
    p = p * q + 2.0f / 7;
    p = p * q + 2.0f / 5;
    p = p * q + 2.0f / 3;
    p = p * q + 2.0f;
    return p * s;
}

/* tanh, accurate near 0 too: an odd polynomial (Cephes, tanhf) below 0.625, from exp above. */
static inline vec vtanh(vec x) {
    vec a = vabs(x), q = x * x;
    vec p = vset(-5.70498872745e-3f);
    p = p * q + 2.06390887954e-2f;
    p = p * q + -5.37397155531e-2f;
    p = p * q + 1.33314422036e-1f;
    p = p * q + -3.33332819422e-1f;
    vec small = p * q * x + x;
    vec e = vexp(-2.0f * a);
    vec large = vcopysign((1.0f - e) / (1.0f + e), x);
    return vselect(a < 0.625f, small, large);
}

/* 1 / (1 + exp(-x)) without overflow; *e gets exp(-|x|). */
static inline vec vsigmoid(vec x, vec *e) {
    *e = vexp(-vabs(x));
    vec inverse = 1.0f / (1.0f + *e);
    return vselect(x >= 0.0f, inverse, *e * inverse);
}

#endif
