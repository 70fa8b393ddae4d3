#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

/* Loads and stores whole vectors, or the last n of an array. */
static inline vec load(const float *p, size_t left) { return left >= LANES ? vload(p) : vload_part(p, left); }
static inline void store(float *p, vec v, size_t left) {
    if (left >= LANES)
        vstore(p, v);
    else
        vstore_part(p, v, left);
}

static void sgd(float *w, float *m, const float *g, size_t n, const elbo_update *u) {
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        vec weight = load(w + i, left), step = load(g + i, left) * u->gradient_scale + weight * u->weight_decay;
        if (u->momentum > 0) {
            if (!u->first) step = load(m + i, left) * u->momentum + step;
            store(m + i, step, left);
        }
        store(w + i, weight - step * u->lr, left);
    }
}

/* `keep` scales the weights first (AdamW's decay), `decay` adds to the gradient (Adam's). */
static inline __attribute__((always_inline)) void adam_pass(float *w, float *m, float *v, const float *g, size_t n,
                                                            const elbo_update *u, float keep, float decay) {
    float rest1 = 1 - u->beta1, rest2 = 1 - u->beta2, rate = u->lr / u->correction1, root = 1 / u->correction2;
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        vec weight = load(w + i, left) * keep;
        vec gradient = load(g + i, left) * u->gradient_scale + weight * decay;
        vec first = load(m + i, left) * u->beta1 + gradient * rest1;
        vec second = load(v + i, left) * u->beta2 + gradient * gradient * rest2;
        store(m + i, first, left);
        store(v + i, second, left);
        store(w + i, weight - rate * first / (vsqrt(second) * root + u->eps), left);
    }
}

static void adam(float *w, float *m, float *v, const float *g, size_t n, const elbo_update *u) {
    adam_pass(w, m, v, g, n, u, 1.0f, u->weight_decay);
}

static void adamw(float *w, float *m, float *v, const float *g, size_t n, const elbo_update *u) {
    adam_pass(w, m, v, g, n, u, 1.0f - u->lr * u->weight_decay, 0.0f);
}

static double sum_of_squares(const float *g, size_t n) {
    enum { PIECE = 4096 }; // floats keep their digits over a piece, doubles over all of them
    double total = 0;
    for (size_t start = 0; start < n; start += PIECE) {
        size_t end = n - start < PIECE ? n : start + PIECE;
        vec sum = {};
        for (size_t i = start; i < end; i += LANES) {
            vec v = load(g + i, end - i);
            sum += v * v;
        }
        total += vsum(sum);
    }
    return total;
}

const elbo_update_kernels ELBO_SIMD(update) = {ELBO_ISA_NAME, sgd, adam, adamw, sum_of_squares};
