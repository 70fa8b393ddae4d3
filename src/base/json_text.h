/* JSON to text and back. jansson does not look whether there was memory for an object's key while it is printed, nor for a
 * string's characters while it is read: they are then missing, and the rest looks well. */
#ifndef ELBO_JSON_TEXT_H
#define ELBO_JSON_TEXT_H

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

/* A new string, or NULL: there is no memory, or something in it is not UTF-8. errno is ENOMEM where it was memory. */
static inline char *elbo_json_text(const json_t *o, size_t flags) {
    errno = 0;
    char *text = o ? json_dumps(o, flags) : NULL;
    if (text && errno == ENOMEM) {
        free(text);
        text = NULL;
        errno = ENOMEM;
    }
    return text;
}

/* NULL: there is no memory (errno is ENOMEM), or it is not JSON, and `problem` says why. jansson clears errno where it reads
 * a number, so the text is read twice: what a failed allocation took from one reading is in the other, or neither ends. */
static inline json_t *elbo_json_read(const char *text, size_t length, size_t flags, json_error_t *problem) {
    errno = 0;
    json_t *again = json_loadb(text, length, flags, problem), *o = json_loadb(text, length, flags, problem);
    bool memory = errno != ENOMEM && !o == !again && (!o || json_equal(o, again));
    json_decref(again);
    if (memory) return o;
    json_decref(o);
    errno = ENOMEM;
    return NULL;
}

#endif
