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

#endif
