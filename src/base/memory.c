#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *elbo_alloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 64) return NULL;
    bytes = (bytes + 63) / 64 * 64; // aligned_alloc wants a multiple of the alignment
    if (bytes == 0) bytes = 64;
    void *p = aligned_alloc(64, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

bool elbo_grow(void *array, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) return true;
    size_t wanted = *capacity ? 2 * *capacity : 64, bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes)) return false;
    void *block;
    memcpy(&block, array, sizeof block); // whatever it points to
    block = realloc(block, bytes);
    if (!block) return false;
    memcpy(array, &block, sizeof block);
    *capacity = wanted;
    return true;
}

char *elbo_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? NULL : text;
}
