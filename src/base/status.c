#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

elbo_status elbo_fail(elbo_error *err, elbo_status status, const char *format, ...) {
    if (!err) return status;
    err->status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

elbo_status elbo_fail_errno(elbo_error *err, const char *format, ...) {
    int number = errno;
    elbo_status status = number == ENOENT ? ELBO_NOT_FOUND : number == ENOMEM ? ELBO_NO_MEMORY : ELBO_IO;
    if (!err) return status;
    err->status = status;
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - (size_t)used, ": %s", strerror(number));
    return status;
}

elbo_status elbo_no_memory(elbo_error *err) { return elbo_fail(err, ELBO_NO_MEMORY, "out of memory"); }

/* Levenshtein distance; words longer than the table count as far. */
static int edit_distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    int row[LONGEST + 1];
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int substitute = diagonal + (a[i - 1] != b[j - 1]);
            int insert_or_delete = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = substitute < insert_or_delete ? substitute : insert_or_delete;
        }
    }
    return row[m];
}

const char *elbo_nearest_word(const char *typed, const char *const *words) {
    const char *nearest = NULL;
    int best = 1 + (int)strlen(typed) / 3; // a third of the letters may be wrong, and one more
    for (; *words; words++) {
        int distance = edit_distance(typed, *words);
        if (distance <= best && (!nearest || distance < best)) {
            best = distance;
            nearest = *words;
        }
    }
    return nearest;
}
