/* Text to number without the locale, and several times faster than strtod, which reads as if every number had hundreds
 * of digits. */
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats/matrix_csv.h"

/* Powers of ten that float64 holds exactly. */
static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The rare number whose digits or power are too many for one rounding. strtod knows the decimal point of the locale, so
 * a locale without ideas is made for it. */
static double parse_slowly(const char *text, size_t length) {
    char small[64], *copy = length < sizeof small ? small : malloc(length + 1);
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    double value = NAN;
    if (copy && plain) {
        memcpy(copy, text, length);
        copy[length] = 0;
        value = strtod_l(copy, NULL, plain);
    }
    if (plain) freelocale(plain);
    if (copy != small) free(copy);
    return value;
}

static inline unsigned digit(char c) { return (unsigned)(unsigned char)c - '0'; }

double elbo_parse_number(const char *text, const char **end) {
    const char *p = text;
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    uint64_t digits = 0;
    const char *first = p;
    while (digit(*p) < 10) digits = digits * 10 + digit(*p++);
    size_t count = (size_t)(p - first);
    long power = 0;
    if (*p == '.') {
        const char *point = ++p;
        while (digit(*p) < 10) digits = digits * 10 + digit(*p++);
        power = -(long)(p - point);
        count += (size_t)(p - point);
    }
    if (!count) {
        *end = text;
        return NAN;
    }
    if (*p == 'e' || *p == 'E') {
        const char *q = p + 1;
        bool down = *q == '-';
        q += *q == '-' || *q == '+';
        if (digit(*q) < 10) {
            long e = 0;
            for (; digit(*q) < 10; q++)
                if (e < 100000) e = e * 10 + (long)digit(*q);
            power += down ? -e : e;
            p = q;
        }
    }
    *end = p;
    // Both factors are exact, so their product or quotient is rounded once (Clinger 1990).
    if (count <= 19 && digits < (uint64_t)1 << 53 && power >= -22 && power <= 22) {
        double value = power < 0 ? (double)digits / tens[-power] : (double)digits * tens[power];
        return negative ? -value : value;
    }
    return parse_slowly(text, (size_t)(p - text));
}
