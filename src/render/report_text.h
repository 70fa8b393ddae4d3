/* Texts formatted for a page, freed together with it. */
#ifndef ELBO_REPORT_TEXT_H
#define ELBO_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct elbo_report_texts {
    char **text; // (count)
    size_t count, capacity;
    bool failed; // for want of memory: some text is ""
} elbo_report_texts;

const char *elbo_report_say(elbo_report_texts *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void elbo_report_texts_free(elbo_report_texts *t);

#endif
