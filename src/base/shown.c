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
