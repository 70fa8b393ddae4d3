/* Other people's texts inside our messages: short, and on one line. */
#ifndef ELBO_BASE_SHOWN_H
#define ELBO_BASE_SHOWN_H

/* `text`, cut to fit (never inside a UTF-8 letter), with control characters replaced by '?'. Returns `out`. */
enum { ELBO_SHOWN = 72 };
const char *elbo_text_shown(const char *text, char out[ELBO_SHOWN]);

/* Whatever in `text` is not UTF-8, or is a control character, becomes '?', in place: names of files may hold any byte,
 * JSON and charts may not. */
void elbo_make_utf8(char *text);

/* 12345 -> "12,345" */
const char *elbo_thousands(double value, char text[32]);

#endif
