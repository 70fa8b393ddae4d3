/* Arrays for the kernels that work on images: they hold NaN until they are written, and have a guard behind them. */
#ifndef ELBO_TESTS_IMAGE_ARRAYS_H
#define ELBO_TESTS_IMAGE_ARRAYS_H

#include "base/memory.h"
#include "kernel_sets.h"

/* The device takes its kernels from the sets, so what holds for them holds for it. */
static inline int find_image_sets(void **state) {
    find_sets(state);
    const elbo_kernels *cpu = elbo_kernels_here(), *ref = &elbo_kernels_ref;
    const kernel_set *widest = &sets[set_count - 1];
    bool known = cpu->norm == widest->norm && cpu->resample == widest->resample && cpu->conv == widest->conv &&
                 cpu->gate == widest->gate && cpu->attention == widest->attention && ref->gate == &elbo_ref_gate &&
                 ref->attention == &elbo_ref_attention && ref->norm == &elbo_ref_norm &&
                 ref->resample == &elbo_ref_resample && ref->conv == &elbo_ref_conv;
    return known ? 0 : -1;
}

static inline float *empty(size_t n) { // NaN: whatever is read before it is written shows
    float *v = elbo_alloc(n + GUARD, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) v[i] = NAN;
    for (size_t i = n; i < n + GUARD; i++) v[i] = -77;
    return v;
}

static inline float *normal(size_t n, uint32_t stream) {
    float *v = empty(n);
    elbo_random_normal((elbo_stream){.seed = 3, .purpose = ELBO_FOR_PICKING, .sample = stream}, v, n);
    return v;
}

static inline void check_guard(const char *what, const float *v, size_t n) {
    for (size_t i = n; i < n + GUARD; i++)
        if (v[i] != -77) fail_msg("%s: written past its end", what);
}

/* A result in doubles, and the sum of the sizes of what was added up for it. */
typedef struct sums {
    double *sum, *size;
} sums;

static inline sums new_sums(size_t n) {
    sums s = {calloc(n, sizeof(double)), calloc(n, sizeof(double))};
    assert_non_null(s.sum);
    assert_non_null(s.size);
    return s;
}

static inline void add_term(sums *s, size_t i, double term) {
    s->sum[i] += term;
    s->size[i] += fabs(term);
}

/* Checks `got`, and frees both. */
static inline void compare(const char *what, float *got, sums want, size_t n) {
    for (size_t i = 0; i < n; i++) assert_near(what, i, got[i], want.sum[i], SUM * want.size[i]);
    check_guard(what, got, n);
    free(got), free(want.sum), free(want.size);
}

#endif
