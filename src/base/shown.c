#include "base/shown.h"

#include <stdio.h>

#include <string.h>

const char *elbo_text_shown(const char *text, char out[ELBO_SHOWN]) {
    size_t n = strlen(text), keep = n;
    if (n >= ELBO_SHOWN) {
        keep = ELBO_SHOWN - sizeof "...";
        while (keep && ((unsigned char)text[keep] & 0xC0) == 0x80) keep--; // back to the start of a letter
    }
    for (size_t i = 0; i < keep; i++) out[i] = (unsigned char)text[i] < 32 || text[i] == 127 ? '?' : text[i];
    strcpy(out + keep, keep < n ? "..." : "");
    return out;
}

/* How many bytes of `p` are one letter; 0: none is. Overlong forms, surrogates and what is above U+10FFFF are none. */
static int letter(const unsigned char *p) {
    int n = p[0] < 0x80                   ? 1
            : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
            : (p[0] & 0xF0) == 0xE0       ? 3
            : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                          : 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F)) return 0;
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) return 0;
    return n == 1 && (p[0] < 32 || p[0] == 127) ? 0 : n;
}

void elbo_make_utf8(char *text) {
    for (char *p = text; *p;) {
        int n = letter((const unsigned char *)p);
        if (!n) *p = '?';
        p += n ? n : 1;
    }
}

const char *elbo_thousands(double value, char text[32]) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.0f", value);
    size_t n = strlen(digits), k = 0;
    for (size_t i = 0; i < n && k < 30; i++) {
        if (i && (n - i) % 3 == 0 && digits[i - 1] != '-') text[k++] = ',';
        text[k++] = digits[i];
    }
    text[k] = 0;
    return text;
}
