/* Random numbers of a seed that is printed, the same on every machine (xorshift64*). */
#ifndef ELBO_TESTS_FAULTS_CHANCE_H
#define ELBO_TESTS_FAULTS_CHANCE_H

#include <time.h>

static inline unsigned long long chance(unsigned long long *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 2685821657736338717ull;
}

/* Another each second. */
static inline unsigned long long chance_seed(void) { return (unsigned long long)time(NULL) << 20 | 1; }

#endif
