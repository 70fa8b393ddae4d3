#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/shown.h"

/* Names and texts from outside may hold anything; the message is one line that a terminal does not obey. */
static void set_message(elbo_error *err, const char *format, va_list args) {
    char text[sizeof err->message]; // (an argument may be the message itself)
    vsnprintf(text, sizeof text, format, args);
    elbo_text_escape(text, err->message, sizeof err->message);
}

elbo_status elbo_fail(elbo_error *err, elbo_status status, const char *format, ...) {
    if (!err) return status;
    va_list args;
    va_start(args, format);
    set_message(err, format, args);
    va_end(args);
    err->status = status;
    return status;
}

elbo_status elbo_fail_errno(elbo_error *err, const char *format, ...) {
    int number = errno;
    elbo_status status = number == ENOENT ? ELBO_NOT_FOUND : number == ENOMEM ? ELBO_NO_MEMORY : ELBO_IO;
    if (!err) return status;
    va_list args;
    va_start(args, format);
    set_message(err, format, args);
    va_end(args);
    err->status = status;
    size_t used = strlen(err->message);
    snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(number));
    return status;
}

elbo_status elbo_no_memory(elbo_error *err) { return elbo_fail(err, ELBO_NO_MEMORY, "out of memory"); }

elbo_status elbo_no_room(elbo_error *err, double bytes, const char *what, const char *remedy) {
    const double mib = 1 << 20;
    bool large = bytes >= 1024 * mib;
    return elbo_fail(err, ELBO_NO_MEMORY, "out of memory: %s take %.*f %s%s%s", what, large ? 1 : 0,
                     large ? bytes / mib / 1024 : bytes / mib, large ? "GiB" : "MiB", remedy ? "; " : "",
                     remedy ? remedy : "");
}

/* Edit distance where two neighbouring letters that changed places are one mistake (Damerau); long words count as
 * far. */
static int edit_distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST) return LONGEST;
    int d[LONGEST + 1][LONGEST + 1]; // d[i][j]: between the first i letters of a and the first j of b
    for (int i = 0; i <= n; i++) d[i][0] = i;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *elbo_nearest_word(const char *typed, const char *const *words) {
    const char *nearest = NULL;
    int letters = (int)strlen(typed),
        best = letters < 4 ? 1 : letters / 3 + (letters < 6); // a third may be wrong: denoise is no decode
    for (; *words; words++) {
        int distance = edit_distance(typed, *words);
        if (distance <= best && (!nearest || distance < best)) {
            best = distance;
            nearest = *words;
        }
    }
    return nearest;
}
