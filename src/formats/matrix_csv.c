#include "formats/matrix_csv.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/shown.h"

enum { CHUNK = 1 << 20, LONGEST_LINE = 1 << 28 };

/* Lines of a file that may be larger than memory. */
typedef struct lines {
    FILE *f;
    const char *path;
    char *buffer; // (room + 1): a NUL stands behind each line, so that numbers may be read without looking for its end
    size_t room, start, end, number;
    bool over;
} lines;

/* The next line without its end, or NULL: the last was read, or *status tells. */
static char *next_line(lines *l, elbo_status *status, elbo_error *err) {
    for (size_t searched = 0;;) {
        char *line = l->buffer + l->start;
        size_t have = l->end - l->start;
        char *newline = have > searched ? memchr(line + searched, '\n', have - searched) : NULL;
        if (newline || (l->over && have)) {
            size_t length = newline ? (size_t)(newline - line) : have;
            l->start += length + (newline != NULL);
            if (length && line[length - 1] == '\r') length--;
            line[length] = 0;
            l->number++;
            return line;
        }
        if (l->over) return NULL;
        searched = have;
        memmove(l->buffer, line, have);
        l->start = 0;
        l->end = have;
        if (l->room - have < CHUNK) {
            if (l->room > LONGEST_LINE) {
                *status = elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: the line does not end; is this a text file?", l->path,
                                    l->number + 1);
                return NULL;
            }
            char *larger = realloc(l->buffer, 2 * l->room + 1);
            if (!larger) {
                *status = elbo_no_memory(err);
                return NULL;
            }
            l->buffer = larger;
            l->room *= 2;
        }
        size_t got = fread(l->buffer + l->end, 1, l->room - l->end, l->f);
        l->end += got;
        l->over = got == 0;
        if (ferror(l->f)) {
            *status = elbo_fail_errno(err, "%s: cannot be read", l->path);
            return NULL;
        }
    }
}

/* What parts the fields of this line, outside of quotes. Spaces last: the others may have spaces around them. */
static char separator_of(const char *line) {
    bool quoted = false, comma = false, tab = false;
    for (; *line; line++) {
        if (*line == '"') quoted = !quoted;
        if (quoted) continue;
        if (*line == ';') return ';';
        comma |= *line == ',';
        tab |= *line == '\t';
    }
    return comma ? ',' : tab ? '\t' : ' ';
}

static void skip_blanks(const char **p, char separator) {
    while (**p == ' ' || (**p == '\t' && separator != '\t')) ++*p;
}

/* Behind a field: true where another one follows. Fails by leaving *p where it is, at something else. */
static bool take_separator(const char **p, char separator) {
    skip_blanks(p, separator);
    if (separator == ' ') return **p != 0; // the blanks were it
    if (**p != separator) return false;
    ++*p;
    skip_blanks(p, separator);
    return true;
}

/* A field that is a number, perhaps in quotes. */
static bool take_number(const char **p, double *value) {
    const char *end, *start = *p + (**p == '"');
    *value = elbo_parse_number(start, &end);
    if (end == start || (**p == '"' && *end != '"')) return false;
    *p = end + (**p == '"');
    return true;
}

static bool ends_field(char c, char separator) { return c == 0 || c == ' ' || c == '\t' || c == separator; }

/* Any field, numbers or not; false where a quote is not closed. */
static bool skip_field(const char **p, char separator) {
    if (**p == '"') {
        for (++*p; **p && (**p != '"' || (*p)[1] == '"'); ++*p)
            if (**p == '"') ++*p; // a doubled quote is one inside
        if (**p != '"') return false;
        ++*p;
    }
    while (**p && **p != separator && !(separator == ' ' && **p == '\t')) ++*p;
    return true;
}

typedef struct reader {
    lines lines;
    char separator;
    int columns;
    size_t rows, room; // room: in values
    float *value;
} reader;

static elbo_status bad_field(const reader *r, const char *field, int column, elbo_error *err) {
    const char *end = field;
    char word[ELBO_SHOWN], shown[ELBO_SHOWN];
    if (!skip_field(&end, r->separator)) end = field + strlen(field);
    size_t n = (size_t)(end - field);
    if (n == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: column %d is empty; every value must be a number", r->lines.path,
                         r->lines.number, column + 1);
    snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word - 1 ? n : sizeof word - 1), field);
    double value = NAN;
    const char *behind = field;
    bool finite = take_number(&behind, &value) && isfinite(value);
    const char *why =
        finite && *behind == ','  ? "is not a number; is its comma a decimal point? write 1.5, not 1,5"
        : finite && behind == end ? "is too large for float32"
        : !strncasecmp(word, "nan", 3) || !strcasecmp(word, "na") || !strncasecmp(word + (*word == '-'), "inf", 3)
            ? "is not finite; every value must be"
            : "is not a number";
    return elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: column %d: \"%s\" %s", r->lines.path, r->lines.number, column + 1,
                     elbo_text_shown(word, shown), why);
}

/* The first line that is no comment: how many columns there are, and whether it names them. */
static elbo_status look_at_first(reader *r, const char *line, bool *names, elbo_error *err) {
    r->separator = separator_of(line);
    const char *p = line;
    skip_blanks(&p, r->separator);
    bool unnamed = ends_field(*p, r->separator) || !strncmp(p, "\"\"", 2);
    for (bool more = true; more;) {
        const char *field = p;
        double value;
        if (!take_number(&p, &value) || !ends_field(*p, r->separator)) {
            // What begins as a number, or is none that is finite, is data, and refused when the line is read as such.
            *names |= !(strchr("0123456789.+-", *field) || ends_field(*field, r->separator) ||
                        !strncasecmp(field, "nan", 3) || !strncasecmp(field, "inf", 3));
            p = field;
            if (!skip_field(&p, r->separator))
                return elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: column %d: a quote that is not closed", r->lines.path,
                                 r->lines.number, r->columns + 1);
        }
        if (r->columns == INT_MAX) return elbo_fail(err, ELBO_BAD_INPUT, "%s: too many columns", r->lines.path);
        r->columns++;
        more = take_separator(&p, r->separator);
    }
    if (*names && unnamed) // pandas writes its index so: a number of the row would pass for a measured value
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s:%zu: column 1 has no name: is it an index column? write the file without (index=False)",
                         r->lines.path, r->lines.number);
    return ELBO_OK;
}

static elbo_status make_room(reader *r, elbo_error *err) {
    size_t need, bytes;
    if (__builtin_mul_overflow(r->rows + 1, (size_t)r->columns, &need)) return elbo_no_memory(err);
    if (need <= r->room) return ELBO_OK;
    size_t room = need + need / 2 + 1024; // (large arrays grow by moving pages, not bytes)
    if (__builtin_mul_overflow(room, sizeof(float), &bytes)) return elbo_no_memory(err);
    float *larger = realloc(r->value, bytes);
    if (!larger) return elbo_no_memory(err);
    r->value = larger;
    r->room = room;
    return ELBO_OK;
}

static elbo_status read_row(reader *r, const char *line, elbo_error *err) {
    ELBO_TRY(make_room(r, err));
    float *row = r->value + r->rows * (size_t)r->columns;
    const char *p = line;
    skip_blanks(&p, r->separator);
    for (int c = 0;; c++) {
        const char *field = p;
        double value;
        if (!take_number(&p, &value) || !isfinite((float)value) || !ends_field(*p, r->separator))
            return bad_field(r, field, c, err);
        row[c] = (float)value;
        bool more = take_separator(&p, r->separator);
        if (!more && *p) return bad_field(r, field, c, err);
        if (more == (c + 1 < r->columns)) {
            if (!more) break;
            continue;
        }
        if (more)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: more than %d values; lines above have %d", r->lines.path,
                             r->lines.number, r->columns, r->columns);
        return elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: %d value%s; lines above have %d", r->lines.path, r->lines.number,
                         c + 1, c ? "s" : "", r->columns);
    }
    r->rows++;
    return ELBO_OK;
}

static elbo_status read_lines(reader *r, elbo_error *err) {
    elbo_status status = ELBO_OK;
    size_t empty = 0; // empty: number of the first empty line of those just read
    for (char *line; (line = next_line(&r->lines, &status, err));) {
        if (r->lines.number == 1 && !strncmp(line, "\xef\xbb\xbf", 3)) line += 3; // a byte order mark
        if (*line == '#') continue;
        if (line[strspn(line, " \t")] == 0) {
            if (!empty) empty = r->lines.number;
            continue;
        }
        if (empty && r->columns)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s:%zu: is empty; only the last lines may be", r->lines.path, empty);
        empty = 0;
        if (!r->columns) {
            bool names = false;
            ELBO_TRY(look_at_first(r, line, &names, err));
            if (names) continue;
        }
        ELBO_TRY(read_row(r, line, err));
    }
    ELBO_TRY(status);
    if (!r->rows)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: holds no rows of numbers; a .npy, or lines such as 0.5,1.25,3 are read", r->lines.path);
    return ELBO_OK;
}

elbo_status elbo_csv_read(elbo_matrix *m, const char *path, elbo_error *err) {
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f) return elbo_fail_errno(err, "%s: cannot be opened", path);
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(f);
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is a folder, not a file", path);
    }
    reader r = {.lines = {.f = f, .path = path, .room = 2 * CHUNK}};
    r.lines.buffer = malloc(r.lines.room + 1);
    elbo_status status = r.lines.buffer ? read_lines(&r, err) : elbo_no_memory(err);
    free(r.lines.buffer);
    fclose(f);
    if (status != ELBO_OK) {
        free(r.value);
        return status;
    }
    float *smaller = realloc(r.value, r.rows * (size_t)r.columns * sizeof(float));
    *m = (elbo_matrix){.rows = r.rows, .columns = r.columns, .value = smaller ? smaller : r.value};
    return ELBO_OK;
}

elbo_status elbo_csv_write(const char *path, const float *value, size_t rows, int columns, elbo_error *err) {
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0); // a program with a decimal comma may have called us
    if (!plain) return elbo_no_memory(err);
    elbo_writer w;
    elbo_status status = elbo_writer_open(&w, path, err);
    if (status == ELBO_OK) {
        locale_t before = uselocale(plain);
        for (size_t i = 0; i < rows; i++)
            for (int c = 0; c < columns; c++)
                fprintf(w.stream, "%.9g%c", (double)value[i * (size_t)columns + (size_t)c],
                        c + 1 < columns ? ',' : '\n');
        uselocale(before);
        status = elbo_writer_commit(&w, err);
    }
    freelocale(plain);
    return status;
}
