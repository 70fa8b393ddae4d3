#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

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

static float mse_l1(float *dy, float *squared, const float *y, const float *x, size_t n, float mse_weight,
                    float l1_weight, float scale) {
    return reduce(dy, squared, y, x, n, scale, (weights){mse_weight, l1_weight}, mse_l1_term);
}

static inline float reparameterize_piece(float *z, const float *mu, const float *logvar, const float *eps, size_t n) {
    vec kl[PARTS] = {};
    for (size_t i = 0; i < n; i += LANES) EACH_PART(p) {
            size_t at = i + (size_t)p * WIDTH;
            if (at >= n) continue;
            vec m = vload_of(mu, at, n), v = vload_of(logvar, at, n);
            vstore_of(z, at, n, eps ? m + vload_of(eps, at, n) * vexp(v * 0.5f) : m);
            kl[p] += m * m + vexp(v) - 1.0f - v; // 0 behind the end
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
        vec d = vload_of(dz, i, n), v = vload_of(logvar, i, n);
        vec noise = eps ? vload_of(eps, i, n) * vexp(v * 0.5f) : vset(0);
        vstore_of(dmu, i, n, d + vload_of(mu, i, n) * weight);
        vstore_of(dlogvar, i, n, 0.5f * (d * noise + weight * (vexp(v) - 1.0f)));
    }
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
    .reparameterize = reparameterize,
    .reparameterize_backward = reparameterize_backward,
};
