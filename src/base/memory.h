/* Allocation. Everything numeric starts on a 64-byte boundary: a cache line, and the widest vector. */
#ifndef ELBO_BASE_MEMORY_H
#define ELBO_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* `count` x `size` zeroed bytes, or NULL when memory is out or the product overflows. Freed by free(). */
void *elbo_alloc(size_t count, size_t size);

/* Room for one more behind the `count` elements of an array that doubles; false when memory is out, with the array as
 * it was. `array` is the address of the pointer to it; NULL and a capacity of 0 to begin with. Freed by free(). */
bool elbo_grow(void *array, size_t count, size_t *capacity, size_t size);

/* Like printf into a new string; NULL when memory is out. Freed by free(). */
char *elbo_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
