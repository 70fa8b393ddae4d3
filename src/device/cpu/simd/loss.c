#include <math.h>

#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/latent_vector.h"

/* Each loss walks sixteen lanes at a time, then the rest, whose empty lanes are kept out of the sums. */

typedef struct term {
    vec loss, squared, gradient;
} term;

/* Weights that a loss may read. */
typedef struct weights {
    float mse, l1;
} weights;

static inline term bce_term(vec l, vec x, weights w) {
    (void)w;
    vec e, s = vsigmoid(l, &e), error = s - x;
    return (term){vselect(l > 0.0f, l, vset(0)) - l * x + vlog1p_unit(e), error * error, error};
}

static inline term mse_term(vec y, vec x, weights w) {
    (void)w;
    vec error = y - x;
    return (term){error * error, error * error, 2.0f * error};
}

static inline term l1_term(vec y, vec x, weights w) {
    (void)w;
    vec error = y - x, sign = vselect(error > 0.0f, vset(1), vselect(error < 0.0f, vset(-1), vset(0)));
    return (term){vabs(error), error * error, sign};
}

/* log(x) of a positive, normal x: x = 2^n m with m between sqrt(1/2) and sqrt(2), 2 atanh((m - 1) / (m + 1)). */
static inline vec vlog(vec x) {
    ivec n = ((ivec)x - 0x3f3504f3) >> 23;
    vec m = (vec)((ivec)x - (n << 23)), s = (m - 1.0f) / (m + 1.0f), q = s * s;
    vec p = vset(2.0f / 9);
    p = p * q + 2.0f / 7;
    p = p * q + 2.0f / 5;
    p = p * q + 2.0f / 3;
    p = p * q + 2.0f;
    vec exponent = __builtin_convertvector(n, vec);
    return exponent * 0.693359375f + (exponent * -2.12194440e-4f + p * s); // ln2 in two parts
}

/* bce less f(l) = log(l / tanh(l / 2)); the gradient is the mean less x, and the mean sigmoid(l) - f'(l). Near 0 by their
 * series. */
static inline term cb_term(vec l, vec x, weights w) {
    (void)w;
    vec e, s = vsigmoid(l, &e), t = vabs(l), q = l * l, h = q * 0.25f;
    vec near = h * (1.0f / 3 + h * (-7.0f / 90 + h * (62.0f / 2835 + h * (-127.0f / 18900)))) + 0.693147181f;
    vec normaliser = vselect(t < 0.5f, near, vlog(t * (1.0f + e) / (1.0f - e)));
    vec slope = l * (1.0f / 6 + q * (-7.0f / 360 + q * (31.0f / 15120 + q * (-127.0f / 604800))));
    slope = vselect(t < 0.5f, slope, vcopysign(1.0f / t - 2.0f * e / ((1.0f - e) * (1.0f + e)), l));
    vec error = s - slope - x;
    return (term){vselect(l > 0.0f, l, vset(0)) - l * x + vlog1p_unit(e) - normaliser, error * error, error};
}

static inline term mse_l1_term(vec y, vec x, weights w) {
    vec error = y - x, sign = vselect(error > 0.0f, vset(1), vselect(error < 0.0f, vset(-1), vset(0)));
    return (term){vabs(error), error * error, 2.0f * w.mse * error + w.l1 * sign};
}

/* Values whose terms are summed in floats; over more of them, in doubles: in floats alone the loss of an image of
 * 2048x2048 is off by 5e-4. */
enum { PIECE = 4096 };
static inline size_t piece_of(size_t left) { return left < PIECE ? left : PIECE; }

static inline __attribute__((always_inline)) float reduce_piece(float *dy, float *squared, const float *y,
                                                                const float *x, size_t n, float scale, weights w,
                                                                term (*of)(vec, vec, weights)) {
    vec loss[PARTS] = {}, squares[PARTS] = {};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) EACH_PART(p) {
            size_t at = i + (size_t)p * WIDTH;
            term t = of(vload(y + at), vload(x + at), w);
            loss[p] += t.loss;
            squares[p] += t.squared;
            if (dy) vstore(dy + at, t.gradient * scale);
        }
    EACH_PART(p) {
        size_t at = i + (size_t)p * WIDTH, left = left_of(n, at);
        if (!left) continue;
        term t = of(vload_part(y + at, left), vload_part(x + at, left), w);
        loss[p] += vfirst(t.loss, left);
        squares[p] += vfirst(t.squared, left);
        if (dy) vstore_part(dy + at, t.gradient * scale, left);
    }
    *squared = vsum(squares);
    return vsum(loss);
}

static inline __attribute__((always_inline)) float reduce(float *dy, float *squared, const float *y, const float *x,
                                                          size_t n, float scale, weights w,
                                                          term (*of)(vec, vec, weights)) {
    double loss = 0, squares = 0;
    for (size_t i = 0, size; i < n; i += size) {
        float piece_squares;
        size = piece_of(n - i);
        loss += reduce_piece(dy ? dy + i : NULL, &piece_squares, y + i, x + i, size, scale, w, of);
        squares += piece_squares;
    }
    *squared = (float)squares;
    return (float)loss;
}

static float bce(float *dl, float *squared, const float *l, const float *x, size_t n, float scale) {
    return reduce(dl, squared, l, x, n, scale, (weights){0}, bce_term);
}

static float mse(float *dy, float *squared, const float *y, const float *x, size_t n, float scale) {
    return reduce(dy, squared, y, x, n, scale, (weights){0}, mse_term);
}

static float l1(float *dy, float *squared, const float *y, const float *x, size_t n, float scale) {
    return reduce(dy, squared, y, x, n, scale, (weights){0}, l1_term);
}

static float cb(float *dl, float *squared, const float *l, const float *x, size_t n, float scale) {
    return reduce(dl, squared, l, x, n, scale, (weights){0}, cb_term);
}

/* ---- the discretised logistic: three sums, and numbers of the whole image ---- */

typedef struct logistic_image {
    float inverse, k, lowest, highest; // 1 / scale; half / scale
    float constant, k_coth_k;          // -log(1 - exp(-2 k)): of every value that is not at an end
    float scale;                       // of the gradient
} logistic_image;

typedef struct logistic_term {
    vec loss, squared, slope, gradient;
} logistic_term;

/* As in ref/loss.c. Of an open end a is infinite, or b is -infinite: one of two terms is left out. */
static inline logistic_term logistic_of(vec y, vec x, const logistic_image *m) {
    vec error = y - x, u = -error * m->inverse, a = u + m->k, b = u - m->k, ea, eb;
    vec fa = vsigmoid(a, &ea), fb = vsigmoid(b, &eb), la = vlog1p_unit(ea), lb = vlog1p_unit(eb);
    ivec low = x<m->lowest, high = x> m->highest;
    vec zero = vset(0), beyond = vabs(u) - m->k;
    vec loss = vselect(beyond > 0.0f, beyond, zero) + la + lb + m->constant;
    loss = vselect(low, vselect(a < 0.0f, -a, zero) + la, vselect(high, vselect(b > 0.0f, b, zero) + lb, loss));
    vec by_u = vselect(low, fa - 1.0f, vselect(high, fb, fa + fb - 1.0f));
    vec slope = m->k_coth_k - u * by_u - m->k * (fa - fb);
    slope = vselect(low, -a * by_u, vselect(high, -b * by_u, slope));
    return (logistic_term){loss + 0.0f * u, error * error, slope, by_u * (-m->scale * m->inverse)};
}

/* sum: loss, squared error, slope */
static inline void logistic_piece(float *dy, float sum[3], const float *y, const float *x, size_t n,
                                  const logistic_image *m) {
    vec loss[PARTS] = {}, squares[PARTS] = {}, slope[PARTS] = {};
    for (size_t i = 0; i < n; i += LANES) EACH_PART(p) {
            size_t at = i + (size_t)p * WIDTH, left = left_of(n, at);
            if (!left) continue;
            logistic_term t = logistic_of(vload_of(y, at, n), vload_of(x, at, n), m);
            loss[p] += vfirst(t.loss, left);
            squares[p] += vfirst(t.squared, left);
            slope[p] += vfirst(t.slope, left);
            if (dy) vstore_of(dy, at, n, t.gradient);
        }
    sum[0] = vsum(loss);
    sum[1] = vsum(squares);
    sum[2] = vsum(slope);
}

static float logistic(float *dy, float *squared, float *by_scale, const float *y, const float *x, size_t n,
                      const elbo_logistic *of, float scale) {
    double k = (double)of->half / of->scale, sum[3] = {0};
    logistic_image m = {.inverse = 1 / of->scale,
                        .k = (float)k,
                        .lowest = of->lowest,
                        .highest = of->highest,
                        .constant = (float)-log(-expm1(-2 * k)),
                        .k_coth_k = (float)(k / tanh(k)),
                        .scale = scale};
    for (size_t i = 0, size; i < n; i += size) {
        float piece[3];
        size = piece_of(n - i);
        logistic_piece(dy ? dy + i : NULL, piece, y + i, x + i, size, &m);
        for (int j = 0; j < 3; j++) sum[j] += piece[j];
    }
    *squared = (float)sum[1];
    *by_scale = (float)sum[2];
    return (float)sum[0];
}

static float mse_l1(float *dy, float *squared, const float *y, const float *x, size_t n, float mse_weight,
                    float l1_weight, float scale) {
    return reduce(dy, squared, y, x, n, scale, (weights){mse_weight, l1_weight}, mse_l1_term);
}

static inline float reparameterize_piece(float *z, const float *mu, const float *logvar, const float *eps, size_t n) {
    vec kl[PARTS] = {};
    for (size_t i = 0; i < n; i += LANES) EACH_PART(p) {
            size_t at = i + (size_t)p * WIDTH;
            if (at >= n) continue;
            vec m = vload_of(mu, at, n), raw = vload_of(logvar, at, n), v = vlogvar(raw), e = vexp(v);
            vstore_of(z, at, n, eps ? m + vload_of(eps, at, n) * vexp(v * 0.5f) : m);
            kl[p] += m * m + e - 1.0f - v + (e - 1.0f) * (raw - v); // 0 behind the end
        }
    return 0.5f * vsum(kl);
}

static float reparameterize(float *z, const float *mu, const float *logvar, const float *eps, size_t n) {
    double kl = 0;
    for (size_t i = 0, size; i < n; i += size) {
        size = piece_of(n - i);
        kl += reparameterize_piece(z + i, mu + i, logvar + i, eps ? eps + i : NULL, size);
    }
    return (float)kl;
}

static void reparameterize_backward(float *dmu, float *dlogvar, const float *dz, const float *mu, const float *logvar,
                                    const float *eps, size_t n, float weight) {
    for (size_t i = 0; i < n; i += WIDTH) {
        vec d = vload_of(dz, i, n), raw = vload_of(logvar, i, n), v = vlogvar(raw);
        vec noise = eps ? vselect(v == raw, vload_of(eps, i, n) * vexp(v * 0.5f), vset(0)) : vset(0);
        vstore_of(dmu, i, n, d + vload_of(mu, i, n) * weight);
        vstore_of(dlogvar, i, n, 0.5f * (d * noise + weight * (vexp(v) - 1.0f)));
    }
}

static inline float sampled_kl_piece(const float *z, const float *logvar, const float *eps, size_t n) {
    vec sum[PARTS] = {};
    for (size_t i = 0; i < n; i += LANES) EACH_PART(p) {
            size_t at = i + (size_t)p * WIDTH;
            if (at >= n) continue;
            vec x = vload_of(z, at, n), e = vload_of(eps, at, n);
            sum[p] += x * x - e * e - vlogvar(vload_of(logvar, at, n)); // 0 behind the end
        }
    return 0.5f * vsum(sum);
}

static float sampled_kl(const float *z, const float *logvar, const float *eps, size_t n) {
    double sum = 0;
    for (size_t i = 0, size; i < n; i += size) {
        size = piece_of(n - i);
        sum += sampled_kl_piece(z + i, logvar + i, eps + i, size);
    }
    return (float)sum;
}

static void sampled_kl_backward(float *dmu, float *dlogvar, const float *dz, const float *z, const float *logvar,
                                const float *eps, size_t n, float weight) {
    for (size_t i = 0; i < n; i += WIDTH) {
        vec d = vload_of(dz, i, n), raw = vload_of(logvar, i, n), v = vlogvar(raw), own = vload_of(z, i, n) * weight;
        vec noise = vload_of(eps, i, n) * vexp(v * 0.5f);
        vstore_of(dmu, i, n, d + own);
        vstore_of(dlogvar, i, n, 0.5f * ((own + vselect(v == raw, d, vset(0))) * noise - weight));
    }
}

static void scale_by(float *y, size_t n, float factor) {
    for (size_t i = 0; i < n; i += WIDTH) vstore_of(y, i, n, vload_of(y, i, n) * factor);
}

const elbo_loss_kernels ELBO_SIMD(loss) = {
    .name = ELBO_ISA_NAME,
    .normal = ELBO_SIMD(normal),
    .uniform = ELBO_SIMD(uniform),
    .pixel =
        {
#define PIXEL_LOSS(name, NAME) [ELBO_##NAME] = name,
#define OTHER_LOSS(name, NAME)
#include "recipe/losses.def"
        },
    .mse_l1 = mse_l1,
    .logistic = logistic,
    .reparameterize = reparameterize,
    .reparameterize_backward = reparameterize_backward,
    .sampled_kl = sampled_kl,
    .sampled_kl_backward = sampled_kl_backward,
    .scale = scale_by,
};
