/* Labelled codes, those to learn the classes from and those whose classes are then told: what scores of classes take. */
#ifndef ELBO_LABELLED_CODES_H
#define ELBO_LABELLED_CODES_H

#include <stddef.h>
#include <stdint.h>

typedef struct elbo_labelled_codes {
    const float *train;          // (n, dims)
    const uint8_t *train_labels; // (n)
    size_t n;
    const float *test;          // (m, dims)
    const uint8_t *test_labels; // (m)
    size_t m;
    int dims;
    uint8_t *told; // (m), gets the class that each test code is told to be; or NULL
} elbo_labelled_codes;

#endif
