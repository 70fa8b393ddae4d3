#include "render/report_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

const char *elbo_report_say(elbo_report_texts *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = elbo_grow(&t->text, t->count, &t->capacity, sizeof *t->text) ? vasprintf(&text, format, args) : -1;
    va_end(args);
    if (n >= 0) return t->text[t->count++] = text;
    t->failed = true;
    return "";
}

void elbo_report_texts_free(elbo_report_texts *t) {
    for (size_t i = 0; i < t->count; i++) free(t->text[i]);
    free(t->text);
    *t = (elbo_report_texts){0};
}
