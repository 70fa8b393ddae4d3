#include "lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"

elbo_status cli_read_dims(const char *text, int latent, int *dims, int most, int *count, elbo_error *err) {
    char shown[ELBO_SHOWN];
    elbo_text_shown(text, shown);
    *count = 0;
    for (const char *p = text;; p++) {
        char *end;
        long d = strtol(p, &end, 10);
        if (*p < '0' || *p > '9' || (*end && *end != ','))
            return elbo_fail(err, ELBO_BAD_INPUT, "--dims %s: expected a list of latent dimensions, such as 3,7",
                             shown);
        if (d >= latent)
            return elbo_fail(err, ELBO_BAD_INPUT, "--dims %s: the code has %d dimension%s, 0 to %d", shown, latent,
                             latent == 1 ? "" : "s", latent - 1);
        for (int i = 0; i < *count; i++)
            if (dims[i] == d)
                return elbo_fail(err, ELBO_BAD_INPUT, "--dims %s: dimension %ld is named twice", shown, d);
        if (*count == most) return elbo_fail(err, ELBO_BAD_INPUT, "--dims %s: at most %d", shown, most);
        dims[(*count)++] = (int)d;
        p = end;
        if (!*p) return ELBO_OK;
    }
}

elbo_status cli_read_range(const char *text, double *from, double *to, elbo_error *err) {
    char *end, *last, shown[ELBO_SHOWN];
    *from = strtod(text, &end); // "-3..3" is taken up to "-3." at most
    const char *dots = strstr(text, "..");
    if (dots && dots > text && (end == dots || end == dots + 1) && dots[2]) {
        *to = strtod(dots + 2, &last);
        if (!*last && isfinite(*from) && isfinite(*to) && *from < *to && fabs(*from) <= 1e6 && fabs(*to) <= 1e6)
            return ELBO_OK;
    }
    return elbo_fail(err, ELBO_BAD_INPUT, "--range %s: expected two numbers, the smaller first, such as -3..3",
                     elbo_text_shown(text, shown));
}
