/* Numbers that should agree: a difference passes by `difference <= tolerance`, so that NaN fails. */
#ifndef ELBO_TESTS_CLOSE_H
#define ELBO_TESTS_CLOSE_H

#include <math.h>

static inline void assert_near(const char *what, size_t i, double got, double want, double tolerance) {
    double difference = fabs(got - want);
    if (difference <= tolerance || got == want) return; // equal infinities have no difference
    fail_msg("%s[%zu]: %.9g, should be %.9g; off by %.3g, allowed are %.3g", what, i, got, want, difference, tolerance);
}

/* The largest difference over the largest value of `want`: what "relative error" of a whole tensor means in these
 * tests. NaN where there is one in either. */
static inline double worst_error(const float *got, const double *want, size_t n) {
    double most = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs(got[i] - want[i]);
        if (isnan(difference)) return difference;
        if (difference > most) most = difference;
        if (fabs(want[i]) > largest) largest = fabs(want[i]);
    }
    return most == 0 ? 0 : most / largest;
}

static inline void assert_tensors_near(const char *what, const float *got, const double *want, size_t n,
                                       double tolerance) {
    double error = worst_error(got, want, n);
    if (error <= tolerance) return;
    fail_msg("%s: relative error %.3g, allowed is %.3g", what, error, tolerance);
}

#endif
