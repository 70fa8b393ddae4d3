/* Random numbers that depend on what they are for, never on who asks first.
 *
 * Each number is a pure function of (seed, purpose, epoch, sample, element): Philox4x32-10, the counter-based generator
 * of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. So threads, shards and resumed runs
 * agree. */
#ifndef ELBO_BASE_RANDOM_H
#define ELBO_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a number is drawn for. Numbers of different purposes are independent. Append only: the values are part of what
 * "same seed, same bits" promises. */
typedef enum elbo_purpose {
    ELBO_FOR_WEIGHTS = 1,    /* sample: parameter index */
    ELBO_FOR_SHUFFLE,        /* epoch; element: position */
    ELBO_FOR_NOISE,          /* epsilon of the reparameterisation, in training: epoch, sample: image index, element;
                                + place among the image's samples << 8 */
    ELBO_FOR_TEST_NOISE,     /* the same in evaluation */
    ELBO_FOR_DROPOUT,        /* + layer number << 8 */
    ELBO_FOR_PRIOR,          /* elbo sample: sample: row */
    ELBO_FOR_DIGITS,         /* the built-in data set */
    ELBO_FOR_PICKING,        /* choosing images to show */
    ELBO_FOR_MAP,            /* t-SNE's start where it is not PCA's; sampled points of a score */
    ELBO_FOR_NEIGHBOURS,     /* approximate nearest neighbours */
    ELBO_FOR_MIXTURE,        /* fitting a mixture of Gaussians, and drawing from it */
    ELBO_FOR_LIKELIHOOD,     /* importance samples: epoch: which of the k, sample: image index */
    ELBO_FOR_PROBE,          /* linear probes, shuffled codes */
    ELBO_FOR_SPLIT,          /* a folder's own train and test split */
    ELBO_FOR_AUGMENTATION,   /* epoch, sample: image index */
    ELBO_FOR_PIXELS = 32,    /* images drawn from p(x|z): sample: row */
    ELBO_FOR_BINARY = 48,    /* binary images: epoch: 0 where they are fixed, else the epoch + 1; sample: image index */
    ELBO_FOR_CORRUPTION,     /* + place in the list << 8: epoch, sample: image index */
    ELBO_FOR_TEST_CORRUPTION, /* the same in evaluation: sample: image index */
    ELBO_FOR_CODES = 64      /* + purpose of the batch's noise << 8: draws from the prior that codes are compared with */
} elbo_purpose;

typedef struct elbo_stream {
    uint64_t seed;
    uint32_t purpose, epoch, sample;
} elbo_stream;

/* Four words for elements 4 * block .. 4 * block + 3 of the stream. */
void elbo_random_words(elbo_stream s, uint32_t block, uint32_t words[4]);

/* out[i] for elements 0 .. n-1: uniform in [0, 1), 24 bits each. */
void elbo_random_uniform(elbo_stream s, float *out, size_t n); // out: (n)

/* out[i] for elements 0 .. n-1: standard normal (Box-Muller). */
void elbo_random_normal(elbo_stream s, float *out, size_t n); // out: (n)

/* A permutation of 0 .. n-1 (Fisher-Yates). */
void elbo_random_permutation(elbo_stream s, uint32_t *out, uint32_t n); // out: (n)

#endif
