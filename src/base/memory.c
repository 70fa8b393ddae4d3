#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, LARGE = 512 << 10 };

void *elbo_alloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE) return NULL;
    size_t alignment = bytes >= LARGE ? HUGE_PAGE : 64;
    bytes = (bytes + 63) / 64 * 64; // aligned_alloc wants a multiple of the alignment
    if (bytes == 0) bytes = 64;
    if (alignment == HUGE_PAGE) bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *p = aligned_alloc(alignment, bytes);
    if (p && alignment == HUGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE); // fewer page table look-ups; only a wish
    if (p) memset(p, 0, bytes);
    return p;
}

char *elbo_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? NULL : text;
}
