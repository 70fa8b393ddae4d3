/* A discrete Fourier transform of sixteen sequences side by side, one per lane: no shuffles, any length of factors 2,
 * 3, 5. Stockham's form (Van Loan, Computational Frameworks for the FFT, 1992, section 1.7): from one buffer to another
 * and back, in order at the end without a pass that reorders. */
#ifndef ELBO_MAP_FFT_H
#define ELBO_MAP_FFT_H

#include "stats/fft.h"
#include "stats/simd/tsne_vector.h"

typedef struct complex_vec {
    vec re, im;
} complex_vec;

static inline complex_vec plus(complex_vec a, complex_vec b) { return (complex_vec){a.re + b.re, a.im + b.im}; }
static inline complex_vec minus(complex_vec a, complex_vec b) { return (complex_vec){a.re - b.re, a.im - b.im}; }
static inline complex_vec scaled(complex_vec a, float s) { return (complex_vec){a.re * s, a.im * s}; }
static inline complex_vec times(complex_vec a, const float *w) {
    return (complex_vec){a.re * w[0] - a.im * w[1], a.re * w[1] + a.im * w[0]};
}
static inline complex_vec plus_i(complex_vec a, complex_vec b) {
    return (complex_vec){a.re - b.im, a.im + b.re};
} // a + i b
static inline complex_vec minus_i(complex_vec a, complex_vec b) { return (complex_vec){a.re + b.im, a.im - b.re}; }

/* out = the transform of a over j, of `radix` numbers. */
static inline __attribute__((always_inline)) void butterfly(complex_vec *out, const complex_vec *a, int radix) {
    if (radix == 2) {
        out[0] = plus(a[0], a[1]);
        out[1] = minus(a[0], a[1]);
    } else if (radix == 3) {
        complex_vec sum = plus(a[1], a[2]), middle = minus(a[0], scaled(sum, 0.5f));
        complex_vec side = scaled(minus(a[1], a[2]), 0.866025404f); // sin 60
        out[0] = plus(a[0], sum);
        out[1] = minus_i(middle, side);
        out[2] = plus_i(middle, side);
    } else if (radix == 4) {
        complex_vec s = plus(a[0], a[2]), d = minus(a[0], a[2]), t = plus(a[1], a[3]), e = minus(a[1], a[3]);
        out[0] = plus(s, t);
        out[1] = minus_i(d, e);
        out[2] = minus(s, t);
        out[3] = plus_i(d, e);
    } else {
        const float c1 = 0.309016994f, c2 = -0.809016994f, s1 = 0.951056516f, s2 = 0.587785252f; // of 72 and 144
        complex_vec p = plus(a[1], a[4]), q = plus(a[2], a[3]), m = minus(a[1], a[4]), n = minus(a[2], a[3]);
        complex_vec first = plus(a[0], plus(scaled(p, c1), scaled(q, c2)));
        complex_vec second = plus(a[0], plus(scaled(p, c2), scaled(q, c1)));
        complex_vec u = plus(scaled(m, s1), scaled(n, s2)), v = minus(scaled(m, s2), scaled(n, s1));
        out[0] = plus(a[0], plus(p, q));
        out[1] = minus_i(first, u);
        out[4] = plus_i(first, u);
        out[2] = minus_i(second, v);
        out[3] = plus_i(second, v);
    }
}

/* One stage: `groups` = l / radix butterflies on numbers `stride` apart, for each of `stride` sequences. */
static inline __attribute__((always_inline)) const float *
stage(complex_vec *to, const complex_vec *from, const float *twiddle, int groups, int stride, int radix) {
    for (int p = 0; p < groups; p++, twiddle += 2 * (radix - 1))
        for (int q = 0; q < stride; q++) {
            complex_vec a[5], b[5];
            for (int j = 0; j < radix; j++) a[j] = from[q + stride * (p + groups * j)];
            butterfly(b, a, radix);
            complex_vec *out = to + q + stride * radix * p;
            out[0] = b[0];
            for (int j = 1; j < radix; j++) out[stride * j] = p ? times(b[j], twiddle + 2 * (j - 1)) : b[j];
        }
    return twiddle;
}

/* Returns where the result is: data or spare, both (n). */
static complex_vec *transform(const elbo_fft *f, complex_vec *data, complex_vec *spare) {
    const float *twiddle = f->twiddle;
    for (int s = 0, l = f->n, stride = 1; s < f->stages; stride *= f->radix[s++]) {
        int radix = f->radix[s], groups = l / radix;
        switch (radix) {
        case 2: twiddle = stage(spare, data, twiddle, groups, stride, 2); break;
        case 3: twiddle = stage(spare, data, twiddle, groups, stride, 3); break;
        case 4: twiddle = stage(spare, data, twiddle, groups, stride, 4); break;
        default: twiddle = stage(spare, data, twiddle, groups, stride, 5); break;
        }
        complex_vec *swap = data;
        data = spare;
        spare = swap;
        l = groups;
    }
    return data;
}

#endif
