/* What answers a request: JSON, an array, bytes, or why not. */
#ifndef SERVE_RESPONSE_H
#define SERVE_RESPONSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "request.h"

typedef struct serve_response {
    int status;       // 200; 0: not answered yet
    const char *type; // constant
    char *headers;    // lines "Name: value\r\n" besides, owned; or NULL
    const void *body; // (size)
    size_t size;
    bool borrowed; // the body is not this response's
    bool stream;   // the connection stays open for events
} serve_response;

void serve_response_free(serve_response *r);

/* Each replaces what was there. Out of memory they answer 500. */
void serve_answer_json(serve_response *r, json_t *o); // frees o; NULL: no memory
void serve_answer_error(serve_response *r, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void serve_answer_failure(serve_response *r, elbo_status status, const elbo_error *err);
void serve_answer_text(serve_response *r, const char *type, const void *text, size_t size); // borrowed, constant

/* An array: Elbo-Type and Elbo-Shape. */
typedef struct serve_array {
    const char *type; // "f32", "u8", "i32"
    int rank;
    size_t shape[4];
} serve_array;
/* `data` is malloc'd, and the response's from now on. */
void serve_answer_array(serve_response *r, serve_array a, void *data);

/* One more header. */
void serve_add_header(serve_response *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A tag that changes when the answer does: a browser that has it is told that nothing is new. Call it last, with a text of
 * letters, digits, "-" and ",". */
void serve_answer_tag(serve_response *r, const serve_request *q, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether the browser has what this tag is of: then it was answered, and nothing needs to be computed. */
bool serve_has(serve_response *r, const serve_request *q, const char *tag);

/* The reason phrase of a status. */
const char *serve_reason(int status);

#endif
