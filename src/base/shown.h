/* Other people's texts inside our messages: short, and on one line. */
#ifndef ELBO_BASE_SHOWN_H
#define ELBO_BASE_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

/* Control characters are shown, not sent: a terminal would obey them. Those of ASCII and, in UTF-8, of Latin-1. Returns
 * how many bytes at `text` are one (0: none is) and its escape: \n, \t, \x1b. */
int elbo_control_shown(const char *text, char escape[8]);

/* `text` with control characters escaped, cut to `room` bytes, the NUL among them, never inside a UTF-8 letter. Returns
 * its length. */
size_t elbo_text_escape(const char *text, char *out, size_t room);

/* `text` with control characters escaped, cut to fit. Returns `out`. */
enum { ELBO_SHOWN = 72 };
const char *elbo_text_shown(const char *text, char out[ELBO_SHOWN]);

/* Whatever in `text` is not UTF-8, or is a control character, becomes '?', in place: names of files may hold any byte,
 * JSON and charts may not. */
void elbo_make_utf8(char *text);

bool elbo_text_is_utf8(const char *text);

/* 12345 -> "12,345" */
const char *elbo_thousands(double value, char text[32]);

#endif
