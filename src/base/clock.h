/* Seconds on a clock that never goes back, from an arbitrary start. */
#ifndef ELBO_BASE_CLOCK_H
#define ELBO_BASE_CLOCK_H

#include <time.h>

static inline double elbo_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
