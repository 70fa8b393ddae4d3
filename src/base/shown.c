#include "base/shown.h"

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
