/* Numbers as recipes write them, the same whatever locale the program around the library has set. */
#ifndef ELBO_RECIPE_NUMBERS_H
#define ELBO_RECIPE_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else, up to 2^64 - 1; a leading '-' (`negative`) is told apart so that messages can be
 * about the range. False: it is no whole number, or does not fit. */
bool elbo_parse_whole(const char *text, bool *negative, uint64_t *value);

/* "0.001", "1e-3", "-1". False for everything else, "nan" and "inf" among it, and for what is infinite as a float. */
bool elbo_parse_float(const char *text, float *value);

/* True for ".nan", "-inf", "1e39" and their like: numbers in a way, and worth other words than "ten". */
bool elbo_is_not_finite(const char *text);

/* The shortest text that reads back to the same float: 0.001, not 0.00100000005. Exponents look like 1.0e-8, because
 * YAML 1.1 readers (PyYAML) take 1e-8 for a word. Returns `out`. */
enum { ELBO_FLOAT_TEXT = 32 };
const char *elbo_print_float(float value, char out[ELBO_FLOAT_TEXT]);

#endif
