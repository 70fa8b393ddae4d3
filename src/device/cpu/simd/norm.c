/* Normalisation, channel by channel. Blocked images are walked sixteen channels at a time; the rest
 * (features, or the few channels of an image) by loops over lanes that the compiler makes vectors of. Sums run over
 * some pixels of one image in floats, over more in doubles. */
#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

typedef double wide __attribute__((vector_size(WIDTH * 8)));
static inline wide widen(vec v) { return __builtin_convertvector(v, wide); }
static inline vec narrow(wide v) { return __builtin_convertvector(v, vec); }

static inline const float *image(const elbo_planes *p, const float *x, size_t row, size_t group) {
    return x + (row * p->groups + group) * p->pixels * p->lanes;
}

/* ---- sixteen lanes ---- */

/* Pixels whose sum floats can hold: over a million of them the mean was off by 0.7 %. */
enum { PIXELS_IN_FLOATS = 128 };
static inline size_t run_end(const elbo_planes *p, size_t start) {
    return p->pixels - start < PIXELS_IN_FLOATS ? p->pixels : start + PIXELS_IN_FLOATS;
}
#define EACH_RUN(p) for (size_t start = 0, end = run_end(p, 0); start < (p)->pixels; start = end, end = run_end(p, end))

static inline void sum_of_run(wide *sum, const float *v, size_t start, size_t end) {
    vec even[PARTS] = {}, odd[PARTS] = {}; // neither waits for the other
    size_t k = start;
    for (; k + 1 < end; k += 2) EACH_PART(i) {
            even[i] += vload(v + k * LANES + i * WIDTH);
            odd[i] += vload(v + (k + 1) * LANES + i * WIDTH);
        }
    if (k < end) EACH_PART(i) even[i] += vload(v + k * LANES + i * WIDTH);
    EACH_PART(i) sum[i] += widen(even[i] + odd[i]);
}

/* Sums of a run's distances from m, and of their squares. */
static inline void deviations_of_run(wide *rest, wide *squares, const float *v, const vec *m, size_t start,
                                     size_t end) {
    vec even[PARTS] = {}, odd[PARTS] = {}, even_squares[PARTS] = {}, odd_squares[PARTS] = {};
    size_t k = start;
    for (; k + 1 < end; k += 2) EACH_PART(i) {
            vec d = vload(v + k * LANES + i * WIDTH) - m[i], e = vload(v + (k + 1) * LANES + i * WIDTH) - m[i];
            even[i] += d;
            odd[i] += e;
            even_squares[i] += d * d;
            odd_squares[i] += e * e;
        }
    if (k < end) EACH_PART(i) {
            vec d = vload(v + k * LANES + i * WIDTH) - m[i];
            even[i] += d;
            even_squares[i] += d * d;
        }
    EACH_PART(i) {
        rest[i] += widen(even[i] + odd[i]);
        squares[i] += widen(even_squares[i] + odd_squares[i]);
    }
}

/* In two passes, the second of which corrects the first (Chan, Golub and LeVeque, "Algorithms for computing the sample
 * variance", 1983): the first mean is off by some of the last digits of the values' sum, which is much of a channel
 * that is bright and varies little; what the distances from it sum to is not rounded like that. */
static void moments_16(float *mean, float *squares, const float *x, const elbo_planes *p) {
    double count = (double)(p->rows * p->pixels);
    for (size_t g = 0; g < p->groups; g++) {
        wide sum[PARTS] = {}, rest[PARTS] = {}, deviations[PARTS] = {};
        for (size_t r = 0; r < p->rows; r++) {
            const float *v = image(p, x, r, g);
            EACH_RUN(p) sum_of_run(sum, v, start, end);
        }
        vec m[PARTS];
        EACH_PART(i) m[i] = narrow(sum[i] / count);
        for (size_t r = 0; r < p->rows; r++) {
            const float *v = image(p, x, r, g);
            EACH_RUN(p) deviations_of_run(rest, deviations, v, m, start, end);
        }
        EACH_PART(i) {
            vstore(mean + g * LANES + i * WIDTH, narrow(widen(m[i]) + rest[i] / count));
            vstore(squares + g * LANES + i * WIDTH, narrow(deviations[i] - rest[i] * rest[i] / count));
        }
    }
}

static void gradient_sums_16(float *sum, float *product, const float *dy, const float *x, const float *mean,
                             const elbo_planes *p) {
    for (size_t g = 0; g < p->groups; g++) {
        wide s[PARTS] = {}, q[PARTS] = {};
        vec m[PARTS];
        EACH_PART(i) m[i] = vload(mean + g * LANES + i * WIDTH);
        for (size_t r = 0; r < p->rows; r++) {
            const float *d = image(p, dy, r, g), *v = image(p, x, r, g);
            EACH_RUN(p) {
                vec a[PARTS] = {}, b[PARTS] = {};
                for (size_t k = start; k < end; k++) EACH_PART(i) {
                        vec gradient = vload(d + k * LANES + i * WIDTH);
                        a[i] += gradient;
                        b[i] += gradient * (vload(v + k * LANES + i * WIDTH) - m[i]);
                    }
                EACH_PART(i) s[i] += widen(a[i]);
                EACH_PART(i) q[i] += widen(b[i]);
            }
        }
        EACH_PART(i) vstore(sum + g * LANES + i * WIDTH, narrow(s[i]));
        EACH_PART(i) vstore(product + g * LANES + i * WIDTH, narrow(q[i]));
    }
}

/* ---- any number of lanes ---- */

static void moments_any(float *mean, float *squares, const float *x, const elbo_planes *p) {
    double count = (double)(p->rows * p->pixels);
    for (size_t g = 0; g < p->groups; g++)
        for (size_t lane = 0; lane < p->lanes; lane++) {
            double sum = 0, deviations = 0;
            for (size_t r = 0; r < p->rows; r++)
                for (size_t k = 0; k < p->pixels; k++) sum += image(p, x, r, g)[k * p->lanes + lane];
            double m = sum / count;
            for (size_t r = 0; r < p->rows; r++)
                for (size_t k = 0; k < p->pixels; k++) {
                    double d = image(p, x, r, g)[k * p->lanes + lane] - m;
                    deviations += d * d;
                }
            mean[g * p->lanes + lane] = (float)m;
            squares[g * p->lanes + lane] = (float)deviations;
        }
}

static void gradient_sums_any(float *sum, float *product, const float *dy, const float *x, const float *mean,
                              const elbo_planes *p) {
    for (size_t g = 0; g < p->groups; g++)
        for (size_t lane = 0; lane < p->lanes; lane++) {
            size_t c = g * p->lanes + lane;
            double s = 0, q = 0;
            for (size_t r = 0; r < p->rows; r++) {
                const float *d = image(p, dy, r, g), *v = image(p, x, r, g);
                for (size_t k = lane; k < p->pixels * p->lanes; k += p->lanes) {
                    s += d[k];
                    q += (double)d[k] * (v[k] - mean[c]);
                }
            }
            sum[c] = (float)s;
            product[c] = (float)q;
        }
}

/* ---- the kernels ---- */

static void moments(float *mean, float *squares, const float *x, const elbo_planes *p) {
    (p->lanes == LANES ? moments_16 : moments_any)(mean, squares, x, p);
}

static void gradient_sums(float *sum, float *product, const float *dy, const float *x, const float *mean,
                          const elbo_planes *p) {
    (p->lanes == LANES ? gradient_sums_16 : gradient_sums_any)(sum, product, dy, x, mean, p);
}

static void normalise_16(float *y, const float *x, const float *mean, const float *scale, const float *shift,
                         const elbo_planes *p) {
    for (size_t r = 0; r < p->rows; r++)
        for (size_t g = 0; g < p->groups; g++) {
            vec m[PARTS], a[PARTS], b[PARTS];
            EACH_PART(i) {
                size_t at = g * LANES + (size_t)i * WIDTH;
                m[i] = vload(mean + at), a[i] = vload(scale + at), b[i] = vload(shift + at);
            }
            for (size_t k = 0; k < p->pixels; k++, x += LANES, y += LANES)
                EACH_PART(i) vstore(y + i * WIDTH, (vload(x + i * WIDTH) - m[i]) * a[i] + b[i]);
        }
}

static void normalise_any(float *y, const float *x, const float *mean, const float *scale, const float *shift,
                          const elbo_planes *p) {
    size_t lanes = p->lanes;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t g = 0; g < p->groups; g++) {
            const float *m = mean + g * lanes, *a = scale + g * lanes, *b = shift + g * lanes;
            for (size_t k = 0; k < p->pixels; k++, x += lanes, y += lanes)
                for (size_t lane = 0; lane < lanes; lane++) y[lane] = (x[lane] - m[lane]) * a[lane] + b[lane];
        }
}

static void normalise(float *y, const float *x, const float *mean, const float *scale, const float *shift,
                      const elbo_planes *p) {
    (p->lanes == LANES ? normalise_16 : normalise_any)(y, x, mean, scale, shift, p);
}

/* Value by value: a row of lanes is a vector where there are sixteen, else what the compiler makes of the loop. */
static inline __attribute__((always_inline)) void backward_lanes(float *dx, const float *dy, const float *x,
                                                                 const elbo_norm_gradient *of, const elbo_planes *p,
                                                                 bool accumulate, size_t lanes) {
    const float *mean = of->mean, *a = of->a, *b = of->b, *c = of->c0;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t g = 0; g < p->groups; g++) {
            size_t at = g * lanes;
            for (size_t k = 0; k < p->pixels; k++, x += lanes, dx += lanes, dy += lanes)
                for (size_t lane = 0; lane < lanes; lane++) {
                    size_t i = at + lane;
                    float v = a[i] * dy[lane] + b[i] * (x[lane] - mean[i]) + c[i];
                    dx[lane] = accumulate ? dx[lane] + v : v;
                }
        }
}

static void backward(float *dx, const float *dy, const float *x, const elbo_norm_gradient *of, const elbo_planes *p,
                     bool accumulate) {
    if (p->lanes == LANES)
        backward_lanes(dx, dy, x, of, p, accumulate, LANES);
    else
        backward_lanes(dx, dy, x, of, p, accumulate, p->lanes);
}

/* ---- one image by itself ---- */

/* Sums run in floats over this many values, over more in doubles. */
enum { RUN = 64 * LANES };

static double sum_of(const float *x, size_t n) {
    double sum = 0;
    for (size_t start = 0; start < n; start += RUN) {
        size_t end = n - start < RUN ? n : start + RUN, i = start;
        vec s[PARTS] = {};
        for (; i + LANES <= end; i += LANES) EACH_PART(p) s[p] += vload(x + i + p * WIDTH);
        EACH_PART(p) s[p] += vload_of(x, i + (size_t)p * WIDTH, end);
        sum += vsum(s);
    }
    return sum;
}

static double deviations_of(const float *x, float mean, size_t n) {
    double sum = 0;
    for (size_t start = 0; start < n; start += RUN) {
        size_t end = n - start < RUN ? n : start + RUN, i = start;
        vec s[PARTS] = {};
        for (; i + LANES <= end; i += LANES) EACH_PART(p) {
                vec d = vload(x + i + p * WIDTH) - mean;
                s[p] += d * d;
            }
        sum += vsum(s);
        for (; i < end; i++) sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    return sum;
}

static void layer(float *y, float *mean, float *inverse, const float *x, const float *w, const float *b, size_t n,
                  float eps) {
    float m = (float)(sum_of(x, n) / (double)n);
    float inv = (float)(1 / __builtin_sqrt(deviations_of(x, m, n) / (double)n + eps));
    for (size_t i = 0; i < n; i += WIDTH)
        vstore_of(y, i, n, (vload_of(x, i, n) - m) * inv * vload_of(w, i, n) + vload_of(b, i, n));
    *mean = m;
    *inverse = inv;
}

static void layer_backward(float *dx, float *dw, float *db, const elbo_layer_norm_image *image, bool accumulate) {
    const float *dy = image->dy, *x = image->x, *w = image->w;
    float mean = image->mean, inverse = image->inverse;
    size_t n = image->n;
    double sum = 0, product = 0;
    for (size_t start = 0; start < n; start += RUN) {
        size_t end = n - start < RUN ? n : start + RUN;
        vec s[PARTS] = {}, q[PARTS] = {};
        for (size_t i = start; i < end; i += LANES) EACH_PART(p) { // behind the end dy is 0
                size_t at = i + (size_t)p * WIDTH;
                vec d = vload_of(dy, at, end), xhat = (vload_of(x, at, end) - mean) * inverse;
                vec g = d * vload_of(w, at, end);
                s[p] += g;
                q[p] += g * xhat;
                vstore_of(dw, at, end, vload_of(dw, at, end) + d * xhat);
                vstore_of(db, at, end, vload_of(db, at, end) + d);
            }
        sum += vsum(s);
        product += vsum(q);
    }
    if (!dx) return;
    float a = (float)(sum / (double)n), c = (float)(product / (double)n);
    for (size_t i = 0; i < n; i += WIDTH) {
        vec xhat = (vload_of(x, i, n) - mean) * inverse;
        vec v = (vload_of(dy, i, n) * vload_of(w, i, n) - a - xhat * c) * inverse;
        vstore_of(dx, i, n, accumulate ? vload_of(dx, i, n) + v : v);
    }
}

/* ---- groups of an image's channels ---- */

static void group(float *y, float *moments, const elbo_group_norm_image *image, float eps) {
    size_t channels = image->channels / image->groups, pixels = image->pixels, n = channels * pixels;
    for (size_t g = 0; g < image->groups; g++) {
        const float *x = image->x + g * n, *w = image->w + g * channels, *b = image->b + g * channels;
        float m = (float)(sum_of(x, n) / (double)n);
        float inv = (float)(1 / __builtin_sqrt(deviations_of(x, m, n) / (double)n + eps));
        for (size_t c = 0; c < channels; c++, x += pixels, y += pixels)
            for (size_t i = 0; i < pixels; i += WIDTH)
                vstore_of(y, i, pixels, (vload_of(x, i, pixels) - m) * inv * w[c] + b[c]);
        moments[2 * g] = m;
        moments[2 * g + 1] = inv;
    }
}

/* Sums of a channel's dy and dy (x - mean) inverse. */
static void channel_sums(double *sum, double *product, const float *dy, const float *x, const float *moments,
                         size_t n) {
    *sum = *product = 0;
    for (size_t start = 0; start < n; start += RUN) {
        size_t end = n - start < RUN ? n : start + RUN;
        vec s[PARTS] = {}, q[PARTS] = {};
        for (size_t i = start; i < end; i += LANES) EACH_PART(p) { // behind the end dy is 0
                vec d = vload_of(dy, i + (size_t)p * WIDTH, end);
                s[p] += d;
                q[p] += d * ((vload_of(x, i + (size_t)p * WIDTH, end) - moments[0]) * moments[1]);
            }
        *sum += vsum(s);
        *product += vsum(q);
    }
}

static void group_dx(float *dx, const float *dy, const float *x, const float *moments, const float *by, size_t n,
                     bool accumulate) { // by: weight, mean of dy w, mean of dy w xhat
    for (size_t i = 0; i < n; i += WIDTH) {
        vec xhat = (vload_of(x, i, n) - moments[0]) * moments[1];
        vec v = (vload_of(dy, i, n) * by[0] - by[1] - xhat * by[2]) * moments[1];
        vstore_of(dx, i, n, accumulate ? vload_of(dx, i, n) + v : v);
    }
}

static void group_backward(float *dx, float *dw, float *db, const float *moments, const elbo_group_norm_image *image,
                           bool accumulate) {
    size_t channels = image->channels / image->groups, pixels = image->pixels, n = channels * pixels;
    for (size_t g = 0; g < image->groups; g++, moments += 2) {
        const float *w = image->w + g * channels;
        double sum = 0, product = 0;
        for (size_t c = 0; c < channels; c++) {
            size_t at = g * n + c * pixels;
            double s, q;
            channel_sums(&s, &q, image->dy + at, image->x + at, moments, pixels);
            db[g * channels + c] += (float)s;
            dw[g * channels + c] += (float)q;
            sum += s * w[c];
            product += q * w[c];
        }
        for (size_t c = 0; dx && c < channels; c++) {
            size_t at = g * n + c * pixels;
            const float by[] = {w[c], (float)(sum / (double)n), (float)(product / (double)n)};
            group_dx(dx + at, image->dy + at, image->x + at, moments, by, pixels, accumulate);
        }
    }
}

const elbo_norm_kernels ELBO_SIMD(norm) = {ELBO_ISA_NAME, moments,        normalise, gradient_sums, backward,
                                           layer,         layer_backward, group,     group_backward};
