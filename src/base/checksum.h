/* A checksum of 64 bits, FNV-1a eight bytes at a time: tells one state of things from the next, guards against no
 * one. */
#ifndef ELBO_BASE_CHECKSUM_H
#define ELBO_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ELBO_CHECKSUM_START 0xcbf29ce484222325u

static inline uint64_t elbo_checksum(uint64_t h, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 29; // (the product carries upwards only)
    }
    for (; n; n--, p++) h = (h ^ *p) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The same purpose for much data, as fast as memory is read: eight sums side by side, then their sum. Another number
 * than elbo_checksum's. */
static inline uint64_t elbo_checksum_large(uint64_t h, const void *bytes, size_t n) {
    enum { LANES = 8 };
    uint64_t lane[LANES], word[LANES];
    const uint8_t *p = bytes;
    size_t blocks = n / sizeof word;
    for (int k = 0; k < LANES; k++) lane[k] = h + (uint64_t)k;
    for (size_t i = 0; i < blocks; i++, p += sizeof word) {
        memcpy(word, p, sizeof word);
        for (int k = 0; k < LANES; k++) {
            lane[k] = (lane[k] ^ word[k]) * 0x100000001b3u;
            lane[k] ^= lane[k] >> 29;
        }
    }
    h = elbo_checksum(elbo_checksum(h, &n, sizeof n), lane, sizeof lane);
    return elbo_checksum(h, p, n % sizeof word);
}

#endif
