/* Names of runs, classes and files on their way out: into gnuplot's scripts, HTML, CSV, messages. What is written is
 * read here by the rules of each, and holds no more than the name. */
#include "fuzz.h"

#include <ctype.h>

#include "base/shown.h"
#include "render/text.h"

static char *written; // by the last call of one of the writers
static size_t written_size;

typedef void (*writer)(FILE *out, const char *text);
static void to_gnuplot(FILE *out, const char *text) { elbo_text_to_gnuplot(out, text, 0); }
static void to_short_gnuplot(FILE *out, const char *text) { elbo_text_to_gnuplot(out, text, 12); }
static void to_html(FILE *out, const char *text) { elbo_text_to_html(out, text, 0); }
static void to_html_lines(FILE *out, const char *text) { elbo_text_to_html(out, text, 1); }

static void write_name(writer w, const char *text) {
    free(written);
    FILE *out = open_memstream(&written, &written_size);
    FUZZ_ASSERT(out, "out of memory");
    w(out, text);
    FUZZ_ASSERT(fclose(out) == 0 && strlen(written) == written_size, "a zero byte");
}

/* UTF-8 without control characters, but for the two that `kept` says. */
static void check_characters(const char *s, const char *kept) {
    for (int bytes; *s; s += bytes) {
        unsigned c = elbo_text_next(s, &bytes);
        FUZZ_ASSERT(bytes > 0 && (c != '?' || *s == '?'), "bytes that are no UTF-8 in: %s", written);
        FUZZ_ASSERT(c != ' ' || *s == ' ' || strchr(kept, *s), "a control character in: %s", written);
    }
}

/* One string in double quotes, whatever is in it: nothing that gnuplot runs, expands or ends it by. */
static void check_gnuplot(void) {
    const char *p = written;
    check_characters(p, "");
    FUZZ_ASSERT(*p++ == '"', "no quote before %s", written);
    while (*p && *p != '"') {
        FUZZ_ASSERT(!strchr("`@{}\n", *p), "%c in %s", *p, written);
        if (*p++ != '\\') continue;
        if (*p == '"' || *p == '\\') {
            p++;
            continue;
        }
        for (int i = 0; i < 3; i++, p++) FUZZ_ASSERT(*p >= '0' && *p <= '7', "an escape of its own in %s", written);
        FUZZ_ASSERT(p[-3] != '0', "gnuplot takes a fourth digit behind a 0: %s", written);
    }
    FUZZ_ASSERT(p[0] == '"' && !p[1], "text behind the string: %s", written);
}

static void check_html(const char *kept) {
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    check_characters(written, kept);
    for (const char *p = written; *p; p++) {
        FUZZ_ASSERT(!strchr("<>\"'", *p), "%c in %s", *p, written);
        bool known = *p != '&';
        for (size_t i = 0; i < 5; i++) known |= !strncmp(p, entities[i], strlen(entities[i]));
        FUZZ_ASSERT(known, "an entity of its own: %s", p);
    }
}

/* RFC 4180: quotes only in pairs between the first and the last. */
static void check_csv(void) {
    check_characters(written, "");
    size_t n = written_size;
    FUZZ_ASSERT(n >= 2 && written[0] == '"' && written[n - 1] == '"', "no quotes around %s", written);
    for (size_t i = 1; i + 1 < n; i++)
        if (written[i] == '"') {
            FUZZ_ASSERT(i + 2 < n && written[i + 1] == '"', "a single quote in %s", written);
            i++;
        }
}

static void check_shown(const char *text) {
    char shown[ELBO_SHOWN];
    elbo_error err;
    FUZZ_ASSERT(elbo_text_shown(text, shown) == shown && strlen(shown) < sizeof shown, "cut too late");
    for (const char *p = shown; *p; p++) FUZZ_ASSERT((unsigned char)*p >= 32 && *p != 127, "a control character");
    fuzz_succeeded(elbo_fail(&err, ELBO_IO, "%s: %s", text, shown), &err);
    char *copy = strdup(text);
    FUZZ_ASSERT(copy, "out of memory");
    elbo_make_utf8(copy);
    FUZZ_ASSERT(strlen(copy) == strlen(text), "another length");
    for (int bytes = 1; *copy && bytes > 0;) { // what is left is UTF-8
        const char *p = copy;
        for (; *p; p += bytes) FUZZ_ASSERT(elbo_text_next(p, &bytes) != '?' || *p == '?' || !isascii(*p), "%s", p);
        break;
    }
    free(copy);
}

/* A letter beyond Europe's is looked up by fc-list, a process for each: without it, all letters are taken to be there. */
static void hide_programs(bool hidden) {
    static char nowhere[] = "PATH=/nowhere", *usual;
    if (!usual) FUZZ_ASSERT(asprintf(&usual, "PATH=%s", getenv("PATH") ? getenv("PATH") : "") > 0, "out of memory");
    putenv(hidden ? nowhere : usual);
}

static void run(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size);
    hide_programs(true);
    write_name(to_gnuplot, text);
    check_gnuplot();
    write_name(to_short_gnuplot, text);
    check_gnuplot();
    FUZZ_ASSERT(elbo_text_length(written) <= 4 * 12 + 2, "not cut: %s", written);
    write_name(to_html, text);
    check_html("");
    write_name(to_html_lines, text);
    check_html("\n\t");
    write_name(elbo_text_to_csv, text);
    check_csv();
    check_shown(text);
    hide_programs(false);
    free(text);
}

const fuzz_target fuzz_names = {"names", 128, run};
