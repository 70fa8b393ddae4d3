/* Text that comes from outside (names of runs, classes, files) on its way into gnuplot scripts, CSV and HTML. */
#ifndef ELBO_VIEW_TEXT_H
#define ELBO_VIEW_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The next character of UTF-8 text and its length in *bytes; '?' with length 1 where the bytes are no UTF-8, a space
 * for a control character (newlines among them); 0 with length 0 at the end. */
unsigned elbo_text_next(const char *s, int *bytes);

/* Characters, as a reader counts them. */
size_t elbo_text_length(const char *s);

/* Writes one byte of a gnuplot string in double quotes: quotes and backslashes behind a backslash, backticks, macros and
 * braces as octal digits. Single-quoted strings would need none of this, but gnuplot 5.4 takes a doubled quote at a
 * string's start, or two in a row, for its end. */
void elbo_text_byte_to_gnuplot(FILE *out, char byte);

/* Writes s as a gnuplot string in double quotes. At most `longest` characters (0: all), the cut marked by an ellipsis;
 * `?` for a character that no font has. */
void elbo_text_to_gnuplot(FILE *out, const char *s, size_t longest);

/* Writes s as one CSV field in double quotes (RFC 4180). */
void elbo_text_to_csv(FILE *out, const char *s);

/* Writes s as HTML text, fit for attributes in double quotes too. Newlines and tabs stay where `keep_lines`. */
void elbo_text_to_html(FILE *out, const char *s, int keep_lines);

void elbo_text_base64(FILE *out, const uint8_t *bytes, size_t n);

#endif
