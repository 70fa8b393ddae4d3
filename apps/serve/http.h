/* Sockets, and nothing else: connections on 127.0.0.1, whole requests out, answers in. By libevent; one thread, that of
 * the event loop, calls all of this.
 *
 * Limits: SERVE_CONNECTIONS at once (a new one takes the place of the longest idle), a head within 10 s and a body within
 * 30 s, 30 s idle, one request of a connection at a time. */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <event2/event.h>

#include "base/status.h"
#include "request.h"
#include "response.h"

enum { SERVE_CONNECTIONS = 64, SERVE_STREAMS = 24 };

typedef struct serve_http serve_http;

/* What a server does with requests. */
typedef struct serve_http_calls {
    /* Once a head was read, before its body: 0, or the status that refuses it. */
    int (*admit)(void *context, const serve_request *r, const char **why);
    /* A whole request, the callee's from now on: it frees it by free(). Answered by serve_http_answer, now or later. */
    void (*ask)(void *context, uint64_t who, serve_request *r);
    void *context;
} serve_http_calls;

/* `port` 0: any that is free. */
elbo_status serve_http_open(serve_http **http, struct event_base *loop, int port, serve_http_calls calls,
                            elbo_error *err);
void serve_http_close(serve_http *http); // NULL is fine
int serve_http_port(const serve_http *http);

/* Answers, and frees the response; where the connection has gone, frees it alone. */
void serve_http_answer(serve_http *http, uint64_t who, serve_response *r);
/* Sends text to every connection whose answer is a stream. */
void serve_http_broadcast(serve_http *http, const char *text, size_t n);

#endif
