#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

static void sgd(float *w, float *const *array, const float *g, size_t n, const elbo_update *u) {
    float *m = array[0];
    for (size_t i = 0; i < n; i += WIDTH) {
        vec weight = vload_of(w, i, n), step = vload_of(g, i, n) * u->gradient_scale + weight * u->weight_decay;
        if (u->momentum > 0) {
            if (!u->first) step = vload_of(m, i, n) * u->momentum + step;
            vstore_of(m, i, n, step);
        }
        vstore_of(w, i, n, weight - step * u->lr);
    }
}

/* `keep` scales the weights first (AdamW's decay), `decay` adds to the gradient (Adam's). */
static inline __attribute__((always_inline)) void adam_pass(float *w, float *m, float *v, const float *g, size_t n,
                                                            const elbo_update *u, float keep, float decay) {
    float rest1 = 1 - u->beta1, rest2 = 1 - u->beta2, rate = u->lr / u->correction1, root = 1 / u->correction2;
    for (size_t i = 0; i < n; i += WIDTH) {
        vec weight = vload_of(w, i, n) * keep;
        vec gradient = vload_of(g, i, n) * u->gradient_scale + weight * decay;
        vec first = vload_of(m, i, n) * u->beta1 + gradient * rest1;
        vec second = vload_of(v, i, n) * u->beta2 + gradient * gradient * rest2;
        vstore_of(m, i, n, first);
        vstore_of(v, i, n, second);
        vstore_of(w, i, n, weight - rate * first / (vsqrt(second) * root + u->eps));
    }
}

static void adam(float *w, float *const *array, const float *g, size_t n, const elbo_update *u) {
    adam_pass(w, array[0], array[1], g, n, u, 1.0f, u->weight_decay);
}

static void adamw(float *w, float *const *array, const float *g, size_t n, const elbo_update *u) {
    adam_pass(w, array[0], array[1], g, n, u, 1.0f - u->lr * u->weight_decay, 0.0f);
}

static double sum_of_squares(const float *g, size_t n) {
    enum { PIECE = 4096 }; // floats keep their digits over a piece, doubles over all of them
    double total = 0;
    for (size_t start = 0; start < n; start += PIECE) {
        size_t end = n - start < PIECE ? n : start + PIECE;
        vec sum[PARTS] = {};
        size_t i = start;
        for (; i + LANES <= end; i += LANES) EACH_PART(p) {
                vec v = vload(g + i + p * WIDTH);
                sum[p] += v * v;
            }
        EACH_PART(p) if (i + (size_t)p * WIDTH < end) {
            vec v = vload_of(g, i + (size_t)p * WIDTH, end);
            sum[p] += v * v;
        }
        total += vsum(sum);
    }
    return total;
}

const elbo_update_kernels ELBO_SIMD(update) = {
    .name = ELBO_ISA_NAME,
    .step =
        {
#define OPTIMIZER(name, NAME, ...) [ELBO_##NAME] = name,
#include "recipe/optimizers.def"
        },
    .sum_of_squares = sum_of_squares,
};
