#include "request.h"

#include <string.h>
#include <strings.h>

static const char *const methods[SERVE_METHODS] = {"GET", "POST", "PUT", "DELETE"};

static int refuse(const char **why, int status, const char *text) {
    *why = text;
    return status;
}

int serve_head_check(const char *head, size_t n, size_t *looked_at, const char **why) {
    for (size_t i = *looked_at; i < n; i++) {
        unsigned char c = (unsigned char)head[i];
        if (c == '\n' && (i == 0 || head[i - 1] != '\r'))
            return refuse(why, 400, "a line ends with LF, not with CR LF");
        if (i > 0 && head[i - 1] == '\r' && c != '\n') return refuse(why, 400, "a CR stands alone");
        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 127)
            return refuse(why, 400, "a control character in the head");
        *looked_at = i + 1;
    }
    return 0;
}

/* ---- percent-encoding ---- */

static int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* In place; false: no hexadecimal, a control character, or a slash of a path that is no slash between its parts. */
static bool decode(char *text, bool query) {
    char *to = text;
    for (const char *c = text; *c; c++) {
        int value = (unsigned char)*c;
        if (*c == '%') {
            int high = digit(c[1]), low = high < 0 ? -1 : digit(c[2]);
            if (low < 0) return false;
            value = high << 4 | low;
            c += 2;
            if (!query && value == '/') return false;
        } else if (query && *c == '+') {
            value = ' ';
        }
        if (value < ' ' || value == 127) return false;
        *to++ = (char)value;
    }
    *to = 0;
    return true;
}

/* Whether a part of the path is "." or "..", or it holds a backslash. */
static bool leaves(const char *path) {
    if (strchr(path, '\\')) return true;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t n = strcspn(part, "/");
        if ((n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.')) return true;
    }
    return false;
}

bool serve_query(const serve_request *r, const char *name, char *value, size_t room) {
    size_t n = strlen(name);
    for (const char *at = r->query; *at; at += strcspn(at, "&"), at += *at == '&') {
        if (strncmp(at, name, n) || at[n] != '=') continue;
        size_t size = strcspn(at + n + 1, "&");
        char text[SERVE_QUERY_MOST + 1]; // (a longer query was refused)
        memcpy(text, at + n + 1, size);
        text[size] = 0;
        if (!decode(text, true)) return false;
        size = strlen(text);
        if (size >= room) size = room - 1;
        memcpy(value, text, size);
        value[size] = 0;
        return true;
    }
    return false;
}

/* ---- the head ---- */

static int read_target(serve_request *r, char *target, const char **why) {
    if (target[0] != '/') return refuse(why, 400, "the target is no path");
    char *question = strchr(target, '?');
    if (question) *question = 0;
    r->path = target;
    r->query = question ? question + 1 : target + strlen(target);
    if (strchr(target, '#') || strchr(r->query, '#')) return refuse(why, 400, "a fragment in the target");
    if (strlen(r->query) > SERVE_QUERY_MOST) return refuse(why, 414, "the query is longer than 8 KB");
    char query[SERVE_QUERY_MOST + 1];
    strcpy(query, r->query);
    if (!decode(query, true)) return refuse(why, 400, "the query is not percent-encoded well");
    if (!decode(r->path, false)) return refuse(why, 400, "the path is not percent-encoded well");
    if (leaves(r->path)) return refuse(why, 400, "the path has a part that leads out of it");
    return 0;
}

static int read_request_line(serve_request *r, char *line, const char **why) {
    char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version || strchr(version + 1, ' ')) return refuse(why, 400, "the request line is not METHOD TARGET HTTP/1.1");
    *target++ = *version++ = 0;
    if (strcmp(version, "HTTP/1.1") && strcmp(version, "HTTP/1.0")) return refuse(why, 400, "HTTP/1.1 is spoken here");
    r->keep_alive = version[7] == '1';
    int m = 0;
    while (m < SERVE_METHODS && strcmp(line, methods[m])) m++;
    if (m == SERVE_METHODS) return refuse(why, 405, "GET, POST, PUT and DELETE are answered");
    r->method = (serve_method)m;
    return read_target(r, target, why);
}

/* Digits alone, of a number that a size_t holds many times over. */
static bool read_length(size_t *length, const char *text) {
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 15 || text[n]) return false;
    *length = 0;
    for (size_t i = 0; i < n; i++) *length = *length * 10 + (size_t)(text[i] - '0');
    return true;
}

typedef struct seen {
    const char *length, *encoding, *connection, *expect;
} seen;

static int keep_header(serve_request *r, seen *s, const char *name, const char *value, const char **why) {
    const struct {
        const char *name, **value;
    } known[] = {
        {"host", &r->host},
        {"origin", &r->origin},
        {"sec-fetch-site", &r->fetch_site},
        {"sec-fetch-mode", &r->fetch_mode},
        {"authorization", &r->authorization},
        {"elbo-client", &r->client},
        {"if-none-match", &r->if_none_match},
        {"content-length", &s->length},
        {"transfer-encoding", &s->encoding},
        {"connection", &s->connection},
        {"expect", &s->expect},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (strcasecmp(name, known[k].name)) continue;
        if (*known[k].value) return refuse(why, 400, "a header that counts stands twice");
        *known[k].value = value;
    }
    return 0;
}

static int read_header(serve_request *r, seen *s, char *line, const char **why) {
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t n = strspn(line, token);
    if (n == 0 || line[n] != ':') return refuse(why, 400, "a header is not NAME: VALUE");
    line[n] = 0;
    char *value = line + n + 1;
    value += strspn(value, " \t");
    for (size_t end = strlen(value); end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'); end--)
        value[end - 1] = 0;
    return keep_header(r, s, line, value, why);
}

static int weigh(serve_request *r, const seen *s, const char **why) {
    if (s->encoding)
        return refuse(why, s->length ? 400 : 411, "a body has a Content-Length here, and no Transfer-Encoding");
    if (s->length && !read_length(&r->length, s->length)) return refuse(why, 400, "Content-Length is no number");
    if (r->length > SERVE_IMAGES_MOST) return refuse(why, 413, "the body is too large");
    if (r->length && (r->method == SERVE_GET || r->method == SERVE_DELETE))
        return refuse(why, 400, "a GET or DELETE has no body");
    if (s->connection && !strcasecmp(s->connection, "close")) r->keep_alive = false;
    if (s->expect && strcasecmp(s->expect, "100-continue")) return refuse(why, 417, "Expect: 100-continue is all");
    r->expects_continue = s->expect != NULL;
    return 0;
}

int serve_request_read(serve_request *r, char *head, size_t n, const char **why) {
    *r = (serve_request){0};
    seen s = {0};
    size_t looked_at = 0;
    int status = serve_head_check(head, n, &looked_at, why);
    if (status) return status;
    if (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4)) return refuse(why, 400, "the head does not end");
    int lines = 0;
    for (char *line = head, *end; line < head + n - 2; line = end + 2, lines++) {
        end = memchr(line, '\r', (size_t)(head + n - line));
        *end = 0;
        if (lines > SERVE_HEADERS_MOST) return refuse(why, 431, "too many headers");
        status = lines ? read_header(r, &s, line, why) : read_request_line(r, line, why);
        if (status) return status;
    }
    return weigh(r, &s, why);
}
