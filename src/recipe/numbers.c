#include "recipe/numbers.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool elbo_parse_whole(const char *text, bool *negative, uint64_t *value) {
    *negative = *text == '-';
    *value = 0;
    if (*negative || *text == '+') text++;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *text - '0', value))
            return false;
    }
    return true;
}

/* strtof and printf write the decimal point of the locale; this finds what it is. */
static const char *decimal_point(void) {
    const char *point = localeconv()->decimal_point;
    return point && *point ? point : ".";
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before the exponent. */
static bool looks_like_a_number(const char *p) {
    if (*p == '-' || *p == '+') p++;
    size_t whole = strspn(p, "0123456789"), fraction = 0;
    p += whole;
    if (*p == '.') {
        fraction = strspn(p + 1, "0123456789");
        p += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '-' || *p == '+') p++;
        size_t digits = strspn(p, "0123456789");
        if (!digits) return false;
        p += digits;
    }
    return !*p;
}

bool elbo_parse_float(const char *text, float *value) {
    char local[128];
    if (!looks_like_a_number(text)) return false;
    const char *point = strchr(text, '.');
    int n = point ? snprintf(local, sizeof local, "%.*s%s%s", (int)(point - text), text, decimal_point(), point + 1)
                  : snprintf(local, sizeof local, "%s", text);
    if (n < 0 || (size_t)n >= sizeof local) return false; // a hundred digits are no number that anyone typed
    *value = strtof(local, NULL);
    return isfinite(*value);
}

bool elbo_is_not_finite(const char *text) {
    static const char *const words[] = {"nan", "inf", "infinity", NULL};
    const char *p = text + (*text == '-' || *text == '+');
    float value;
    p += *p == '.';
    for (int i = 0; words[i]; i++)
        if (strcasecmp(p, words[i]) == 0) return true;
    return looks_like_a_number(text) && !elbo_parse_float(text, &value);
}

const char *elbo_print_float(float value, char out[ELBO_FLOAT_TEXT]) {
    char local[ELBO_FLOAT_TEXT];
    for (int digits = 1; digits <= 9; digits++) { // nine always do
        snprintf(local, sizeof local, "%.*g", digits, (double)value);
        if (strtof(local, NULL) == value) break;
    }
    const char *point = decimal_point(), *at = strstr(local, point), *e = strchr(local, 'e');
    size_t mantissa = e ? (size_t)(e - local) : strlen(local);
    char *to = out;
    if (at) {
        to += sprintf(to, "%.*s.%.*s", (int)(at - local), local, (int)(mantissa - (size_t)(at - local) - strlen(point)),
                      at + strlen(point));
    } else
        to += sprintf(to, "%.*s%s", (int)mantissa, local, e ? ".0" : "");
    if (e) {
        const char *digits = e + 2; // e-08 -> e-8
        while (digits[0] == '0' && digits[1]) digits++;
        sprintf(to, "e%c%s", e[1], digits);
    }
    return out;
}
