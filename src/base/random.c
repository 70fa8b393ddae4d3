#include "base/random.h"

#include <Random123/philox.h>
#include <math.h>

void elbo_random_words(elbo_stream s, uint32_t block, uint32_t words[4]) {
    philox4x32_ctr_t counter = {{block, s.sample, s.epoch, s.purpose}};
    philox4x32_key_t key = {{(uint32_t)s.seed, (uint32_t)(s.seed >> 32)}};
    philox4x32_ctr_t r = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) words[i] = r.v[i];
}

/* The upper 24 bits: every value is exact in a float. */
static float unit_float(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

void elbo_random_uniform(elbo_stream s, float *out, size_t n) {
    for (size_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        elbo_random_words(s, (uint32_t)(i / 4), words);
        for (size_t j = i; j < n && j < i + 4; j++) out[j] = unit_float(words[j - i]);
    }
}

void elbo_random_normal(elbo_stream s, float *out, size_t n) {
    for (size_t i = 0; i < n; i += 4) {
        uint32_t words[4];
        elbo_random_words(s, (uint32_t)(i / 4), words);
        float normal[4];
        for (int j = 0; j < 4; j += 2) {
            float u = 1.0f - unit_float(words[j]); // in (0, 1]: its logarithm is finite
            float radius = sqrtf(-2.0f * logf(u)), angle = 6.28318530718f * unit_float(words[j + 1]);
            normal[j] = radius * cosf(angle);
            normal[j + 1] = radius * sinf(angle);
        }
        for (size_t j = i; j < n && j < i + 4; j++) out[j] = normal[j - i];
    }
}

void elbo_random_permutation(elbo_stream s, uint32_t *out, uint32_t n) {
    uint32_t words[4];
    for (uint32_t i = 0; i < n; i++) out[i] = i;
    for (uint32_t i = 0; i + 1 < n; i++) {
        if (i % 4 == 0) elbo_random_words(s, i / 4, words);
        // The product's upper half scales a word to 0 .. n-i-1; its bias, at most n / 2^32, is of no account here.
        uint32_t j = i + (uint32_t)(((uint64_t)words[i % 4] * (n - i)) >> 32);
        uint32_t keep = out[i];
        out[i] = out[j];
        out[j] = keep;
    }
}
