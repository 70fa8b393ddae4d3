#include "render/text.h"

#include <string.h>

#include "render/fonts.h"

unsigned elbo_text_next(const char *s, int *bytes) {
    const unsigned char *u = (const unsigned char *)s;
    *bytes = u[0] != 0;
    if (u[0] < 0x20 || u[0] == 0x7f) return u[0] ? ' ' : 0;
    if (u[0] < 0x80) return u[0];
    int more = u[0] >= 0xc2 && u[0] < 0xe0 ? 1 : u[0] >= 0xe0 && u[0] < 0xf0 ? 2 : u[0] >= 0xf0 && u[0] < 0xf5 ? 3 : 0;
    if (!more) return '?';
    unsigned c = u[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) { // a NUL is no continuation byte, so this never runs past the end
        if ((u[i] & 0xc0) != 0x80) return '?';
        c = c << 6 | (u[i] & 0x3f);
    }
    static const unsigned smallest[4] = {0, 0x80, 0x800, 0x10000};
    if (c < smallest[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff) return '?';
    *bytes = more + 1;
    return c >= 0x80 && c < 0xa0 ? ' ' : c;
}

size_t elbo_text_length(const char *s) {
    size_t n = 0;
    for (int bytes; elbo_text_next(s, &bytes); s += bytes) n++;
    return n;
}

static void put_character(FILE *out, const char *s, int bytes, unsigned c) {
    if (c == '?' || c == ' ')
        fputc((int)c, out);
    else
        fwrite(s, 1, (size_t)bytes, out);
}

void elbo_text_byte_to_gnuplot(FILE *out, char byte) {
    if (byte == '"' || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if (strchr("`@{}", byte)) // (none below 0100: gnuplot takes a fourth digit behind a 0, of "\0440")
        fprintf(out, "\\%03o", (unsigned char)byte);
    else
        fputc(byte, out);
}

void elbo_text_to_gnuplot(FILE *out, const char *s, size_t longest) {
    size_t cut = longest && elbo_text_length(s) > longest ? longest - 1 : (size_t)-1;
    fputc('"', out);
    unsigned c;
    for (int bytes; cut-- && (c = elbo_text_next(s, &bytes)); s += bytes) {
        if (c > ' ' && c < 0x7f && c != '?')
            elbo_text_byte_to_gnuplot(out, *s);
        else
            put_character(out, s, bytes, elbo_font_has(c) ? c : '?');
    }
    if (*s) fputs("\xe2\x80\xa6", out);
    fputc('"', out);
}

void elbo_text_to_csv(FILE *out, const char *s) {
    fputc('"', out);
    unsigned c;
    for (int bytes; (c = elbo_text_next(s, &bytes)); s += bytes) {
        if (c == '"') fputc('"', out);
        put_character(out, s, bytes, c);
    }
    fputc('"', out);
}

void elbo_text_to_html(FILE *out, const char *s, int keep_lines) {
    unsigned c;
    for (int bytes; (c = elbo_text_next(s, &bytes)); s += bytes) {
        switch (c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        case ' ': fputc(keep_lines && (*s == '\n' || *s == '\t') ? *s : ' ', out); break;
        default: put_character(out, s, bytes, c);
        }
    }
}

void elbo_text_base64(FILE *out, const uint8_t *bytes, size_t n) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned v =
            (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        char four[4] = {digit[v >> 18], digit[v >> 12 & 63], left > 1 ? digit[v >> 6 & 63] : '=',
                        left > 2 ? digit[v & 63] : '='};
        fwrite(four, 1, 4, out);
    }
}
