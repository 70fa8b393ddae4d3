#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

/* Each loss walks whole vectors, then the rest, whose empty lanes are kept out of the sums. */
static inline vec only(vec v, size_t n) {
    vec kept = {};
    memcpy(&kept, &v, n * sizeof(float));
    return kept;
}

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

static inline __attribute__((always_inline)) float reduce(float *dy, float *squared, const float *y, const float *x,
                                                          size_t n, float scale, weights w,
                                                          term (*of)(vec, vec, weights)) {
    vec loss = {}, squares = {};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        term t = of(vload(y + i), vload(x + i), w);
        loss += t.loss;
        squares += t.squared;
        if (dy) vstore(dy + i, t.gradient * scale);
    }
    if (i < n) {
        term t = of(vload_part(y + i, n - i), vload_part(x + i, n - i), w);
        loss += only(t.loss, n - i);
        squares += only(t.squared, n - i);
        if (dy) vstore_part(dy + i, t.gradient * scale, n - i);
    }
    *squared = vsum(squares);
    return vsum(loss);
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

static float reparameterize(float *z, const float *mu, const float *logvar, const float *eps, size_t n) {
    vec kl = {};
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i < LANES ? n - i : LANES;
        vec m = vload_part(mu + i, left), v = vload_part(logvar + i, left);
        vec deviation = vexp(v * 0.5f);
        if (eps)
            vstore_part(z + i, m + vload_part(eps + i, left) * deviation, left);
        else
            vstore_part(z + i, m, left);
        kl += only(m * m + vexp(v) - 1.0f - v, left);
    }
    return 0.5f * vsum(kl);
}

static void reparameterize_backward(float *dmu, float *dlogvar, const float *dz, const float *mu, const float *logvar,
                                    const float *eps, size_t n, float weight) {
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i < LANES ? n - i : LANES;
        vec d = vload_part(dz + i, left), v = vload_part(logvar + i, left);
        vec noise = eps ? vload_part(eps + i, left) * vexp(v * 0.5f) : vset(0);
        vstore_part(dmu + i, d + vload_part(mu + i, left) * weight, left);
        vstore_part(dlogvar + i, 0.5f * (d * noise + weight * (vexp(v) - 1.0f)), left);
    }
}

const elbo_loss_kernels ELBO_SIMD(loss) = {ELBO_ISA_NAME,  ELBO_SIMD(normal),      bce, mse, l1, mse_l1,
                                           reparameterize, reparameterize_backward};
