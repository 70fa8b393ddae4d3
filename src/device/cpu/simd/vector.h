/* A register of floats in GCC's vector extension: sixteen in AVX-512, eight in AVX, four in SSE. This folder is compiled
 * once for each of these (meson.build), so that one program runs at full width everywhere.
 *
 * Blocked images hold sixteen channels beside each other (device/cpu/conv.h), and sums keep sixteen lanes whatever the
 * register: that is PARTS registers, vec v[PARTS]. A vector type of sixteen lanes would say so more simply, but where
 * it is wider than a register GCC 12 keeps it in memory and fills, compares and shuffles it float by float. */
#ifndef ELBO_SIMD_VECTOR_H
#define ELBO_SIMD_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Floats of a vec: those of a register. Who works with sixteen all the same says so before including this. */
#ifndef ELBO_VECTOR_LANES
#define ELBO_VECTOR_LANES (ELBO_VECTOR_BYTES / 4)
#endif

enum {
    LANES = 16, // of a block of channels, and of a sum
    WIDTH = ELBO_VECTOR_LANES,
    PARTS = LANES / WIDTH,
};
typedef float vec __attribute__((vector_size(WIDTH * 4)));
typedef int32_t ivec __attribute__((vector_size(WIDTH * 4)));
/* Short loops whose counts are known; each compiler has a word of its own for it. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
/* v: the parts of sixteen lanes, to be unrolled; p WIDTH is the first lane of part p. */
#define EACH_PART(p) UNROLL for (int p = 0; p < PARTS; p++)

/* x - 0 is x, whatever its sign; 0 + x is not where x is -0, and GCC would compute it. */
static inline vec vset(float x) { return x - (vec){}; }
static inline vec vload(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void vstore(float *p, vec v) { memcpy(p, &v, sizeof v); }
/* The last n < WIDTH values of an array; the other lanes are 0. */
static inline vec vload_part(const float *p, size_t n) {
    vec v = {};
    memcpy(&v, p, n * sizeof(float));
    return v;
}
static inline void vstore_part(float *p, vec v, size_t n) { memcpy(p, &v, n * sizeof(float)); }

/* How many values of an array of n a register takes from `at` on: WIDTH, or fewer at its end. */
static inline size_t left_of(size_t n, size_t at) { return at >= n ? 0 : n - at < WIDTH ? n - at : WIDTH; }
/* The register at `at`, zeros behind the array's end. */
static inline vec vload_of(const float *v, size_t at, size_t n) {
    return at + WIDTH <= n ? vload(v + at) : vload_part(v + at, left_of(n, at));
}
static inline void vstore_of(float *v, size_t at, size_t n, vec value) {
    if (at + WIDTH <= n)
        vstore(v + at, value);
    else
        vstore_part(v + at, value, left_of(n, at));
}

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
    for (int i = 0; i < WIDTH; i++) a[i] = __builtin_sqrtf(a[i]);
    return a;
}
/* The first n <= WIDTH of these lanes; the others are 0. */
static inline vec vfirst(vec v, size_t n) {
    vec kept = {};
    memcpy(&kept, &v, n * sizeof(float));
    return kept;
}
/* Sixteen lanes, always in the same order. */
static inline float vsum(const vec a[PARTS]) {
    float s[LANES];
    memcpy(s, a, sizeof s);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) s[i] += s[i + width];
    return s[0];
}

/* Turns WIDTH vectors of WIDTH: in step s, elements whose index differs from their vector's in bit s change places. */
static inline __attribute__((always_inline)) void transpose(vec row[WIDTH]) {
#define UNPACK(...) __VA_ARGS__
#define HALF(step, low, high)                                                                                          \
    UNROLL for (int i = 0; i < WIDTH; i++) if (!(i & step)) {                                                          \
        vec a = row[i], b = row[i + step];                                                                             \
        row[i] = __builtin_shufflevector(a, b, UNPACK low);                                                            \
        row[i + step] = __builtin_shufflevector(a, b, UNPACK high);                                                    \
    }
#if ELBO_VECTOR_LANES == 16
    HALF(1, (0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
         (1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
    HALF(2, (0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
         (2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    HALF(4, (0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
         (4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    HALF(8, (0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
         (8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
#elif ELBO_VECTOR_LANES == 8
    HALF(1, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15))
    HALF(2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))
    HALF(4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))
#else
    HALF(1, (0, 4, 2, 6), (1, 5, 3, 7))
    HALF(2, (0, 1, 4, 5), (2, 3, 6, 7))
#endif
#undef UNPACK
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
