/* FNV-1a of 128 bits (Fowler, Noll, Vo; http://www.isthe.com/chongo/tech/comp/fnv): names a file's content. Two files
 * by chance under one name are not to be expected in any collection (2^-128 a pair); it is no guard against someone who
 * makes them. */
#ifndef ELBO_CONTENT_HASH_H
#define ELBO_CONTENT_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct elbo_hash {
    uint64_t high, low;
} elbo_hash;

#define ELBO_HASH_START ((elbo_hash){0x6c62272e07bb0142, 0x62b821756295c58d})

static inline elbo_hash elbo_hash_add(elbo_hash h, const void *bytes, size_t n) {
    const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 x = ((unsigned __int128)h.high << 64) | h.low;
    for (const uint8_t *p = bytes; n; p++, n--) x = (x ^ *p) * prime;
    return (elbo_hash){(uint64_t)(x >> 64), (uint64_t)x};
}

static inline int elbo_hash_order(elbo_hash a, elbo_hash b) {
    if (a.high != b.high) return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

#endif
