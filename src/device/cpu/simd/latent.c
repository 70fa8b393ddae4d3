/* The terms over the code. Arrays of codes are (Z, stride), an image in each lane; the lanes behind the last image hold
 * zeros and are kept out of every sum. */
#include <math.h>

#include "device/cpu/simd/latent_vector.h"
#include "device/cpu/simd/simd.h"

/* A row of `stride` floats, sixteen at a time: part p of the block is at block + p WIDTH. */
#define EACH_BLOCK(block, stride) for (size_t block = 0; block < (stride); block += LANES)

/* v, zeros in lanes that are no image's. */
static inline vec of_images(vec v, size_t at, size_t count) {
    return at + WIDTH <= count ? v : vfirst(v, left_of(count, at));
}

static float penalty(float *dx, const float *x, size_t n, float scale) {
    vec sum[PARTS] = {};
    for (size_t i = 0; i < n; i += LANES) EACH_PART(p) {
            size_t at = i + (size_t)p * WIDTH;
            if (at >= n) continue;
            vec v = vload_of(x, at, n);
            sum[p] += v * v;
            if (dx) vstore_of(dx, at, n, vload_of(dx, at, n) + v * scale);
        }
    return 0.5f * vsum(sum);
}

/* ---- the KL held to a bound ---- */

static float mean_kl(const elbo_codes *c, size_t d) {
    const float *mu = c->mu + d * c->stride, *logvar = c->logvar + d * c->stride;
    vec sum[PARTS] = {};
    EACH_BLOCK(block, c->stride) EACH_PART(p) {
        size_t at = block + (size_t)p * WIDTH;
        vec m = vload(mu + at), raw = vload(logvar + at), v = vlogvar(raw), e = vexp(v);
        sum[p] += m * m + e - 1.0f - v + (e - 1.0f) * (raw - v); // 0 behind the end
    }
    return 0.5f * vsum(sum) / (float)c->count;
}

static void add_kl_gradient(const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a, size_t d,
                            float scale) {
    size_t start = d * c->stride + a->first, n = a->rows;
    const float *mu = c->mu + start, *logvar = c->logvar + start;
    float *dmu = g->mu + start, *dlogvar = g->logvar + start;
    for (size_t i = 0; i < n; i += WIDTH) {
        vstore_of(dmu, i, n, vload_of(dmu, i, n) + vload_of(mu, i, n) * scale);
        vec slope = 0.5f * (scale * (vexp(vlogvar(vload_of(logvar, i, n))) - 1.0f));
        vstore_of(dlogvar, i, n, vload_of(dlogvar, i, n) + slope);
    }
}

static void free_bits(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    double sum = 0;
    for (size_t d = 0; d < c->Z; d++) {
        float kl = mean_kl(c, d);
        if (kl >= a->bound) continue;
        sum += a->bound - kl;
        if (g) add_kl_gradient(g, c, a, d, -a->scale);
    }
    for (size_t r = 0; r < a->rows; r++) value[r] = (float)sum;
}

static void capacity(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    double kl = 0;
    for (size_t d = 0; d < c->Z; d++) kl += mean_kl(c, d);
    for (size_t r = 0; r < a->rows; r++) value[r] = (float)(fabs(kl - a->bound) - kl);
    for (size_t d = 0; g && kl < a->bound && d < c->Z; d++) add_kl_gradient(g, c, a, d, -2 * a->scale);
}

/* ---- densities of the batch's mean posterior ---- */

/* Of each posterior and dimension, (Z, stride). */
typedef struct posteriors {
    float *precision, *logvar, *half; // half: 0 where logvar is out of its bounds, and has no gradient
    float *density;                   // (Z, stride): of one image's z under each, less 1/2 log 2 pi
    float *joint, *share;             // (stride): log density of all dimensions; exp of it, over the largest
} posteriors;

static posteriors prepare(const elbo_codes *c, float *room) {
    size_t n = c->Z * c->stride;
    posteriors q = {room, room + n, room + 2 * n, room + 3 * n, room + 4 * n, room + 4 * n + c->stride};
    for (size_t i = 0; i < n; i += WIDTH) {
        vec raw = vload(c->logvar + i), v = vlogvar(raw);
        vstore(q.precision + i, vexp(-v));
        vstore(q.logvar + i, v);
        vstore(q.half + i, vselect(v == raw, vset(0.5f), vset(0)));
    }
    return q;
}

/* The log density of z under all posteriors, dimension d: added to joint, its exponent to density. Returns the sum of
 * these. logvar's bounds keep each below e^15, and z's own posterior keeps the sum above e^-30. */
static inline __attribute__((always_inline)) float densities(const posteriors *q, const elbo_codes *c, size_t d,
                                                             float z, bool marginal) {
    vec sum[PARTS] = {};
    size_t row = d * c->stride;
    EACH_BLOCK(block, c->stride) EACH_PART(p) {
        size_t at = block + (size_t)p * WIDTH;
        vec off = z - vload(c->mu + row + at);
        vec log_density = -0.5f * (off * off * vload(q->precision + row + at) + vload(q->logvar + row + at));
        vstore(q->joint + at, vload(q->joint + at) + log_density);
        if (!marginal) continue;
        vec e = of_images(vexp(log_density), at, c->count);
        vstore(q->density + row + at, e);
        sum[p] += e;
    }
    return marginal ? vsum(sum) : 0;
}

/* joint to its softmax, in `share`. Returns log(sum exp(joint)). */
static double normalise_joint(const posteriors *q, const elbo_codes *c) {
    float most = -INFINITY;
    for (size_t j = 0; j < c->count; j++) most = q->joint[j] <= most ? most : q->joint[j]; // NaN stays
    vec sum[PARTS] = {};
    EACH_BLOCK(block, c->stride) EACH_PART(p) {
        size_t at = block + (size_t)p * WIDTH;
        vec e = of_images(vexp(vload(q->joint + at) - most), at, c->count);
        vstore(q->share + at, e);
        sum[p] += e;
    }
    float total = vsum(sum);
    for (size_t at = 0; at < c->stride; at += WIDTH) vstore(q->share + at, vload(q->share + at) / total);
    return (double)most + log(total);
}

/* Gradients of sum_j weight_j log density of z_i under posterior j, dimension d; weight_j = share_j - density_j / total,
 * times scale. */
static inline __attribute__((always_inline)) void add_gradient(const elbo_code_gradients *g, const posteriors *q,
                                                               const elbo_codes *c, size_t d, size_t i, float scale,
                                                               float inverse_total) {
    size_t row = d * c->stride;
    float z = c->z[row + i];
    vec dz[PARTS] = {};
    EACH_BLOCK(block, c->stride) EACH_PART(p) {
        size_t at = block + (size_t)p * WIDTH;
        vec weight = vload(q->share + at);
        if (inverse_total > 0) weight -= vload(q->density + row + at) * inverse_total;
        weight *= scale;
        vec off = z - vload(c->mu + row + at), push = off * vload(q->precision + row + at), t = weight * push;
        vstore(g->mu + row + at, vload(g->mu + row + at) + t);
        vstore(g->logvar + row + at, vload(g->logvar + row + at) + vload(q->half + row + at) * (t * off - weight));
        dz[p] += t;
    }
    g->z[row + i] -= vsum(dz);
}

static void tc(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    posteriors q = prepare(c, a->room);
    float *total = q.share + c->stride; // (Z)
    double log_count = log((double)c->count);
    for (size_t i = a->first; i < a->first + a->rows; i++) {
        memset(q.joint, 0, c->stride * sizeof *q.joint);
        double sum = 0;
        for (size_t d = 0; d < c->Z; d++) {
            total[d] = densities(&q, c, d, c->z[d * c->stride + i], true);
            sum -= log(total[d]) - log_count;
        }
        value[i - a->first] = (float)(sum + normalise_joint(&q, c) - log_count);
        for (size_t d = 0; g && d < c->Z; d++) add_gradient(g, &q, c, d, i, a->scale, 1 / total[d]);
    }
}

static void mi(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    posteriors q = prepare(c, a->room);
    for (size_t i = a->first; i < a->first + a->rows; i++) {
        memset(q.joint, 0, c->stride * sizeof *q.joint);
        for (size_t d = 0; d < c->Z; d++) densities(&q, c, d, c->z[d * c->stride + i], false);
        double own = q.joint[i];
        value[i - a->first] = (float)(own - normalise_joint(&q, c) + log((double)c->count));
        q.share[i] -= 1;
        for (size_t d = 0; g && d < c->Z; d++) add_gradient(g, &q, c, d, i, -a->scale, 0);
    }
}

/* ---- maximum mean discrepancy ---- */

/* square[j] = |x_i - y_j|^2 */
static void squared_distances(float *square, const elbo_codes *c, const float *x, size_t i, const float *y) {
    memset(square, 0, c->stride * sizeof *square);
    for (size_t d = 0; d < c->Z; d++) {
        size_t row = d * c->stride;
        float at_i = x[row + i];
        for (size_t at = 0; at < c->stride; at += WIDTH) {
            vec off = at_i - vload(y + row + at);
            vstore(square + at, vload(square + at) + off * off);
        }
    }
}

/* The sum of the kernels of squared distances; these become the derivatives (0 behind the last image). `without`: one
 * that is left out, or a number beyond them. */
static float sum_kernels(float *square, const elbo_codes *c, unsigned choice, size_t without) {
    static const float scales[] = {0.1f, 0.2f, 0.5f, 1, 2, 5, 10};
    vec sum[PARTS] = {};
    float width = 2 * (float)c->Z;
    EACH_BLOCK(block, c->stride) EACH_PART(p) {
        size_t at = block + (size_t)p * WIDTH;
        vec s = vload(square + at), value = vset(0), slope = vset(0);
        if (choice == ELBO_MMD_RBF) {
            value = vexp(-s / width);
            slope = -value / width;
        } else {
            for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
                float C = width * scales[k];
                vec one = C / (C + s);
                value += one;
                slope -= one * one * (1 / C);
            }
        }
        value = of_images(value, at, c->count);
        slope = of_images(slope, at, c->count);
        if (without >= at && without < at + WIDTH) value[without - at] = slope[without - at] = 0;
        sum[p] += value;
        vstore(square + at, slope);
    }
    return vsum(sum);
}

/* Adds scale sum_j slope_j (z_i - y_j) to the gradient of z_i. */
static void add_pull(const elbo_code_gradients *g, const elbo_codes *c, size_t i, const float *slope, const float *y,
                     float scale) {
    for (size_t d = 0; d < c->Z; d++) {
        size_t row = d * c->stride;
        float z = c->z[row + i];
        vec sum[PARTS] = {};
        EACH_BLOCK(block, c->stride) EACH_PART(p) {
            size_t at = block + (size_t)p * WIDTH;
            sum[p] += vload(slope + at) * (z - vload(y + row + at));
        }
        g->z[row + i] += scale * vsum(sum);
    }
}

static void mmd(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    float n = (float)c->count, others = c->count > 1 ? n - 1 : 1, *square = a->room;
    for (size_t i = a->first; i < a->first + a->rows; i++) {
        squared_distances(square, c, c->draw, i, c->draw);
        double sum = sum_kernels(square, c, a->choice, i) / others;
        squared_distances(square, c, c->z, i, c->z);
        sum += sum_kernels(square, c, a->choice, i) / others;
        // twice for the square, twice because the others have the same part of i
        if (g) add_pull(g, c, i, square, c->z, 4 * a->scale / others);
        squared_distances(square, c, c->z, i, c->draw);
        sum -= 2 * sum_kernels(square, c, a->choice, c->count) / n;
        if (g) add_pull(g, c, i, square, c->draw, -4 * a->scale / n);
        value[i - a->first] = (float)sum;
    }
}

const elbo_latent_kernels ELBO_SIMD(latent) = {
    .name = ELBO_ISA_NAME,
#define ROW_TERM(name, NAME, ...) .row[ELBO_LATENT_##NAME] = name,
#define BATCH_TERM(name, NAME, ...) .batch[ELBO_LATENT_##NAME] = name,
#include "recipe/latent_terms.def"
};
