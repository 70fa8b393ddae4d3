#include "response.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"

void serve_response_free(serve_response *r) {
    if (!r->borrowed) free((void *)(uintptr_t)r->body);
    free(r->headers);
    *r = (serve_response){0};
}

static const char no_memory[] = "{\"error\":\"out of memory\"}";

static void answer(serve_response *r, int status, const char *type, const void *body, size_t size) {
    serve_response_free(r);
    *r = (serve_response){.status = status, .type = type, .body = body, .size = size};
}

static void answer_json(serve_response *r, int status, json_t *o) {
    char *text = elbo_json_text(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(o);
    if (text) {
        answer(r, status, "application/json", text, strlen(text));
    } else {
        answer(r, 500, "application/json", no_memory, sizeof no_memory - 1);
        r->borrowed = true;
    }
}

void serve_answer_json(serve_response *r, json_t *o) { answer_json(r, 200, o); }

void serve_answer_error(serve_response *r, int status, const char *format, ...) {
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    answer_json(r, status, json_pack("{s:s#}", "error", text, (int)strlen(text)));
}

void serve_answer_failure(serve_response *r, elbo_status status, const elbo_error *err) {
    static const int codes[] = {[ELBO_BAD_INPUT] = 400, [ELBO_NOT_FOUND] = 404, [ELBO_IO] = 500,
                                [ELBO_NO_MEMORY] = 500, [ELBO_DIVERGED] = 500,  [ELBO_STOPPED] = 503};
    serve_answer_error(r, codes[status] ? codes[status] : 500, "%s", err->message);
}

void serve_answer_text(serve_response *r, const char *type, const void *text, size_t size) {
    answer(r, 200, type, text, size);
    r->borrowed = true;
}

void serve_answer_array(serve_response *r, serve_array a, void *data) {
    static const struct {
        const char *name;
        size_t size;
    } types[] = {{"f32", 4}, {"u8", 1}, {"i32", 4}};
    size_t bytes = 1;
    for (size_t k = 0; k < 3; k++)
        if (!strcmp(types[k].name, a.type)) bytes = types[k].size;
    char shape[100] = "";
    for (int k = 0; k < a.rank; k++) {
        bytes *= a.shape[k];
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%s%zu", k ? "," : "", a.shape[k]);
    }
    answer(r, 200, "application/octet-stream", data, bytes);
    serve_add_header(r, "Elbo-Type: %s", a.type);
    serve_add_header(r, "Elbo-Shape: %s", shape);
}

void serve_add_header(serve_response *r, const char *format, ...) {
    char line[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c; c++)
        if (*c == '\r' || *c == '\n') *c = ' ';
    char *all = elbo_format("%s%s\r\n", r->headers ? r->headers : "", line);
    if (!all) return;
    free(r->headers);
    r->headers = all;
}

bool serve_has(serve_response *r, const serve_request *q, const char *tag) {
    size_t n = strlen(tag);
    const char *has = q->if_none_match;
    if (!has || has[0] != '"' || strncmp(has + 1, tag, n) || strcmp(has + 1 + n, "\"")) return false;
    answer(r, 304, NULL, NULL, 0);
    serve_add_header(r, "ETag: \"%s\"", tag);
    serve_add_header(r, "Cache-Control: private, no-cache");
    return true;
}

void serve_answer_tag(serve_response *r, const serve_request *q, const char *format, ...) {
    char tag[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tag, sizeof tag, format, arguments);
    va_end(arguments);
    if (r->status != 200 || serve_has(r, q, tag)) return;
    serve_add_header(r, "ETag: \"%s\"", tag);
    serve_add_header(r, "Cache-Control: private, no-cache");
}

const char *serve_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {417, "Expectation Failed"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status) return reasons[i].reason;
    return "Error";
}
