/* A request as handlers see it: a method, a path, a query, the few headers that count, and a body. No sockets.
 *
 * What is read is a strict subset of HTTP/1.1, in which every request means one thing: lines end with CR LF, a header
 * that counts stands once, a body has a Content-Length. All else is answered with a 4xx. */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SERVE_HEAD_MOST = 16384,     // bytes of request line and headers
    SERVE_HEADERS_MOST = 64,     // lines
    SERVE_QUERY_MOST = 8192,     // bytes
    SERVE_BODY_MOST = 1 << 20,   // bytes
    SERVE_IMAGES_MOST = 4 << 20, // bytes of a body of images
};

typedef enum serve_method { SERVE_GET, SERVE_POST, SERVE_PUT, SERVE_DELETE, SERVE_METHODS } serve_method;

typedef struct serve_request {
    serve_method method;
    char *path;  // "/api/1/runs", percent-decoded; no part of it is "." or ".."
    char *query; // behind the "?", as it was sent; "" without
    /* Headers; NULL where there is none. */
    const char *host, *origin, *fetch_site, *fetch_mode, *authorization, *client, *if_none_match;
    bool keep_alive, expects_continue;
    size_t length; // of the body
    const uint8_t *body;
} serve_request;

/* Reads request line and headers, which end with an empty line. `head` is written to: strings of the request point
 * into it. Returns 0, or the status that answers it, with `*why` in words. */
int serve_request_read(serve_request *r, char *head, size_t n, const char **why);

/* What the beginning of a head already shows to be wrong: a NUL, a line that ends with LF alone. From `*looked_at`, which
 * is moved on. Returns 0 or the status. */
int serve_head_check(const char *head, size_t n, size_t *looked_at, const char **why);

/* A value of the query, percent-decoded, cut to `room` - 1 bytes. False: there is none. */
bool serve_query(const serve_request *r, const char *name, char *value, size_t room);

#endif
