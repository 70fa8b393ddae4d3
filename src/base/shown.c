#include "base/shown.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

int elbo_control_shown(const char *text, char escape[8]) {
    const unsigned char *p = (const unsigned char *)text;
    bool latin = p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0;
    if (!p[0] || (p[0] >= 32 && p[0] != 127 && !latin)) return 0;
    if (p[0] == '\n' || p[0] == '\t' || p[0] == '\r')
        snprintf(escape, 8, "\\%c", p[0] == '\n' ? 'n' : p[0] == '\t' ? 't' : 'r');
    else
        snprintf(escape, 8, "\\x%02x", latin ? p[1] : p[0]);
    return latin ? 2 : 1;
}

size_t elbo_text_escape(const char *text, char *out, size_t room) {
    size_t used = 0;
    while (*text) {
        char escape[8];
        int control = elbo_control_shown(text, escape), bytes = control ? control : letter((const unsigned char *)text);
        if (!bytes) bytes = 1; // (no UTF-8: a byte as it is)
        size_t put = control ? strlen(escape) : (size_t)bytes;
        if (used + put >= room) break;
        memcpy(out + used, control ? escape : text, put);
        used += put;
        text += bytes;
    }
    out[used] = 0;
    return used;
}

const char *elbo_text_shown(const char *text, char out[ELBO_SHOWN]) {
    static const char more[] = "...";
    char whole[ELBO_SHOWN + 8];
    if (elbo_text_escape(text, whole, sizeof whole) < ELBO_SHOWN) return strcpy(out, whole);
    elbo_text_escape(text, out, ELBO_SHOWN - strlen(more));
    return strcat(out, more);
}

bool elbo_text_is_utf8(const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int n = *p < 0x80 ? 1 : letter(p);
        if (!n) return false;
        p += n;
    }
    return true;
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
