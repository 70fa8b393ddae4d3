#include "http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/clock.h"
#include "base/memory.h"

enum {
    HEAD_SECONDS = 10,
    BODY_SECONDS = 30,
    IDLE_SECONDS = 30,
    WRITE_SECONDS = 30,
    LINGER_SECONDS = 2,
    BEAT_SECONDS = 15
};
enum { STREAM_MOST = 1 << 20 }; // bytes that a stream's reader may be behind

typedef enum state {
    FREE,
    READS_HEAD, // of the next request
    READS_BODY,
    IS_ASKED, // the answer is being made
    WRITES,
    STREAMS,
    LINGERS, // refused: what still comes is passed over, so that the answer is not lost with it
} state;

typedef struct connection {
    struct serve_http *http;
    state state;
    uint32_t generation;
    struct bufferevent *stream;
    struct event *deadline;
    serve_request *request;  // READS_BODY: with room for its body
    size_t looked_at;        // bytes of the head
    bool keep_alive, closes; // after this answer; the other side sends no more
    double since;            // of READS_HEAD
} connection;

struct serve_http {
    struct event_base *loop;
    struct evconnlistener *listener;
    struct event *beat;
    serve_http_calls calls;
    int port;
    connection connection[SERVE_CONNECTIONS];
};

static uint64_t name_of(const connection *c) {
    return (uint64_t)c->generation << 8 | (uint64_t)(c - c->http->connection);
}

static void enter(connection *c, state s, int seconds) {
    c->state = s;
    struct timeval t = {.tv_sec = seconds};
    if (seconds)
        event_add(c->deadline, &t);
    else
        event_del(c->deadline);
}

static void hang_up(connection *c) {
    if (c->state == FREE) return;
    event_free(c->deadline);
    bufferevent_free(c->stream);
    free(c->request);
    *c = (connection){.http = c->http, .generation = c->generation + 1};
}

/* ---- answers ---- */

static const char common[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' blob:; style-src "
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

static void release_body(const void *body, size_t size, void *context) {
    (void)size, (void)context;
    free((void *)(uintptr_t)body);
}

/* Status line, headers, body. The response is empty afterwards. */
static void write_answer(connection *c, serve_response *r, bool last) {
    struct evbuffer *out = bufferevent_get_output(c->stream);
    evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n%s%s", r->status, serve_reason(r->status), common,
                        r->headers ? r->headers : "");
    if (r->type) evbuffer_add_printf(out, "Content-Type: %s\r\n", r->type);
    if (!r->stream && r->status != 304) evbuffer_add_printf(out, "Content-Length: %zu\r\n", r->size);
    if (!r->headers || !strstr(r->headers, "Cache-Control")) evbuffer_add_printf(out, "Cache-Control: no-store\r\n");
    if (last) evbuffer_add_printf(out, "Connection: close\r\n");
    evbuffer_add(out, "\r\n", 2);
    if (r->size && evbuffer_add_reference(out, r->body, r->size, r->borrowed ? NULL : release_body, NULL) == 0)
        r->borrowed = true; // the buffer's from now on
    serve_response_free(r);
}

/* An answer before the whole request was read: what is left of it is not looked at. */
static void turn_away(connection *c, int status, const char *why) {
    serve_response r = {0};
    serve_answer_error(&r, status, "%s", why);
    if (status == 405) serve_add_header(&r, "Allow: GET, POST, PUT, DELETE");
    c->keep_alive = false;
    write_answer(c, &r, true);
    enter(c, WRITES, WRITE_SECONDS);
}

/* ---- requests ---- */

static void read_head(connection *c);

/* A request with room for its body, whose strings point into the memory behind it. */
static serve_request *new_request(const serve_request *r, const char *head, size_t n) {
    serve_request *own = malloc(sizeof *own + n + r->length + 1);
    if (!own) return NULL;
    char *copy = (char *)(own + 1);
    memcpy(copy, head, n);
    *own = *r;
    const char **text[] = {(const char **)&own->path, (const char **)&own->query, &own->host,          &own->origin,
                           &own->fetch_site,          &own->fetch_mode,           &own->authorization, &own->client,
                           &own->if_none_match};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        if (*text[i]) *text[i] = copy + (*text[i] - head);
    own->body = (uint8_t *)copy + n;
    return own;
}

static void ask(connection *c) {
    serve_request *r = c->request;
    c->request = NULL;
    enter(c, IS_ASKED, 0);
    bufferevent_disable(c->stream, EV_READ); // the next request waits in the kernel
    c->http->calls.ask(c->http->calls.context, name_of(c), r);
}

static void read_body(connection *c) {
    struct evbuffer *in = bufferevent_get_input(c->stream);
    if (evbuffer_get_length(in) < c->request->length) return;
    evbuffer_remove(in, (void *)(uintptr_t)c->request->body, c->request->length);
    ask(c);
}

static void take_head(connection *c, const char *bytes, size_t n) {
    char head[SERVE_HEAD_MOST];
    memcpy(head, bytes, n);
    evbuffer_drain(bufferevent_get_input(c->stream), n);
    serve_request r;
    const char *why = "";
    int status = serve_request_read(&r, head, n, &why);
    if (!status) status = c->http->calls.admit(c->http->calls.context, &r, &why);
    if (status) {
        turn_away(c, status, why);
        return;
    }
    c->keep_alive = r.keep_alive;
    c->request = new_request(&r, head, n);
    if (!c->request) {
        turn_away(c, 503, "out of memory");
        return;
    }
    if (r.length == 0) {
        ask(c);
        return;
    }
    bufferevent_setwatermark(c->stream, EV_READ, 0, r.length > SERVE_HEAD_MOST ? r.length : SERVE_HEAD_MOST);
    if (r.expects_continue) evbuffer_add_printf(bufferevent_get_output(c->stream), "HTTP/1.1 100 Continue\r\n\r\n");
    enter(c, READS_BODY, BODY_SECONDS);
    read_body(c);
}

static void read_head(connection *c) {
    struct evbuffer *in = bufferevent_get_input(c->stream);
    size_t n = evbuffer_get_length(in);
    if (n == 0) return;
    if (c->looked_at == 0) enter(c, READS_HEAD, HEAD_SECONDS);
    if (n > SERVE_HEAD_MOST) n = SERVE_HEAD_MOST;
    const char *bytes = (const char *)evbuffer_pullup(in, (ev_ssize_t)n);
    if (!bytes) {
        turn_away(c, 503, "out of memory");
        return;
    }
    const char *end = memmem(bytes, n, "\r\n\r\n", 4), *why = "";
    size_t head = end ? (size_t)(end - bytes) + 4 : n;
    int status = serve_head_check(bytes, head, &c->looked_at, &why);
    if (!status && !end && n == SERVE_HEAD_MOST) {
        status = 431;
        why = "the head is larger than 16 KB";
    }
    if (status)
        turn_away(c, status, why);
    else if (end)
        take_head(c, bytes, head);
}

static void next_request(connection *c) {
    c->looked_at = 0;
    c->since = elbo_now();
    bufferevent_setwatermark(c->stream, EV_READ, 0, SERVE_HEAD_MOST);
    enter(c, READS_HEAD, IDLE_SECONDS);
    bufferevent_enable(c->stream, EV_READ);
    read_head(c);
}

/* ---- what libevent calls ---- */

static void on_read(struct bufferevent *stream, void *context) {
    connection *c = context;
    if (c->state == READS_HEAD)
        read_head(c);
    else if (c->state == READS_BODY)
        read_body(c);
    else if (c->state == STREAMS || c->state == LINGERS)
        evbuffer_drain(bufferevent_get_input(stream), evbuffer_get_length(bufferevent_get_input(stream)));
}

/* All is written. */
static void on_written(struct bufferevent *stream, void *context) {
    connection *c = context;
    if (c->state != WRITES || evbuffer_get_length(bufferevent_get_output(stream))) return;
    if (c->closes) {
        hang_up(c);
    } else if (c->keep_alive) {
        next_request(c);
    } else {
        shutdown(bufferevent_getfd(stream), SHUT_WR);
        bufferevent_setwatermark(stream, EV_READ, 0, SERVE_HEAD_MOST);
        enter(c, LINGERS, LINGER_SECONDS);
        bufferevent_enable(stream, EV_READ);
        on_read(stream, c);
    }
}

static void on_event(struct bufferevent *stream, short what, void *context) {
    (void)stream;
    connection *c = context;
    bool answered = c->state == WRITES || c->state == IS_ASKED;
    bool half = (c->state == READS_HEAD && c->looked_at) || c->state == READS_BODY;
    if (!(what & BEV_EVENT_EOF) || !(what & BEV_EVENT_READING) || (!answered && !half)) {
        hang_up(c);
        return;
    }
    if (half) turn_away(c, 400, "the request ends in its middle");
    c->closes = true; // it may still read
}

static void on_deadline(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    connection *c = context;
    if ((c->state == READS_HEAD && c->looked_at) || c->state == READS_BODY)
        turn_away(c, 408, "the request did not come in time");
    else
        hang_up(c);
}

/* The place for a new connection: a free one, or that of the one that has longest been waiting for a request. */
static connection *find_place(serve_http *h) {
    connection *oldest = NULL;
    for (int i = 0; i < SERVE_CONNECTIONS; i++) {
        connection *c = &h->connection[i];
        if (c->state == FREE) return c;
        if ((c->state == READS_HEAD || c->state == LINGERS) && (!oldest || c->since < oldest->since)) oldest = c;
    }
    if (oldest) hang_up(oldest);
    return oldest;
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int size,
                          void *context) {
    (void)listener, (void)from, (void)size;
    static const char busy[] = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    serve_http *h = context;
    connection *c = find_place(h);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct bufferevent *stream = c ? bufferevent_socket_new(h->loop, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
    struct event *deadline = stream ? evtimer_new(h->loop, on_deadline, c) : NULL;
    if (!deadline) {
        if (stream) bufferevent_free(stream);
        if (!stream) {
            send(fd, busy, sizeof busy - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            close(fd);
        }
        return;
    }
    *c = (connection){.http = h, .generation = c->generation, .stream = stream, .deadline = deadline};
    bufferevent_setcb(stream, on_read, on_written, on_event, c);
    bufferevent_enable(stream, EV_WRITE);
    next_request(c);
}

/* A comment now and then shows which streams have gone. */
static void on_beat(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    serve_http_broadcast(context, ":\n\n", 3);
}

/* ---- for the server ---- */

void serve_http_answer(serve_http *h, uint64_t who, serve_response *r) {
    connection *c = &h->connection[who & 255];
    if ((who & 255) >= SERVE_CONNECTIONS || c->state != IS_ASKED || name_of(c) != who) {
        serve_response_free(r);
        return;
    }
    int streams = 0;
    for (int i = 0; i < SERVE_CONNECTIONS; i++) streams += h->connection[i].state == STREAMS;
    if (r->stream && streams == SERVE_STREAMS) serve_answer_error(r, 429, "too many pages follow the events");
    bool stream = r->stream;
    if (stream) c->keep_alive = false;
    write_answer(c, r, !c->keep_alive);
    enter(c, stream ? STREAMS : WRITES, stream ? 0 : WRITE_SECONDS);
    if (!stream) return;
    bufferevent_setwatermark(c->stream, EV_READ, 0, SERVE_HEAD_MOST);
    bufferevent_enable(c->stream, EV_READ);
}

void serve_http_broadcast(serve_http *h, const char *text, size_t n) {
    for (int i = 0; i < SERVE_CONNECTIONS; i++) {
        connection *c = &h->connection[i];
        if (c->state != STREAMS) continue;
        struct evbuffer *out = bufferevent_get_output(c->stream);
        if (evbuffer_get_length(out) + n > STREAM_MOST)
            hang_up(c);
        else
            evbuffer_add(out, text, n);
    }
}

elbo_status serve_http_open(serve_http **http, struct event_base *loop, int port, serve_http_calls calls,
                            elbo_error *err) {
    serve_http *h = calloc(1, sizeof *h);
    *http = h;
    if (!h) return elbo_no_memory(err);
    *h = (serve_http){.loop = loop, .calls = calls};
    for (int i = 0; i < SERVE_CONNECTIONS; i++) h->connection[i].http = h;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC;
    h->listener = evconnlistener_new_bind(loop, on_connection, h, flags, 128, (struct sockaddr *)&at, sizeof at);
    if (!h->listener) return elbo_fail_errno(err, "127.0.0.1:%d cannot be listened to", port);
    socklen_t size = sizeof at;
    getsockname(evconnlistener_get_fd(h->listener), (struct sockaddr *)&at, &size);
    h->port = ntohs(at.sin_port);
    h->beat = event_new(loop, -1, EV_PERSIST, on_beat, h);
    if (!h->beat || event_add(h->beat, &(struct timeval){.tv_sec = BEAT_SECONDS}) != 0) return elbo_no_memory(err);
    return ELBO_OK;
}

void serve_http_close(serve_http *h) {
    if (!h) return;
    for (int i = 0; i < SERVE_CONNECTIONS; i++) hang_up(&h->connection[i]);
    if (h->listener) evconnlistener_free(h->listener);
    if (h->beat) event_free(h->beat);
    free(h);
}

int serve_http_port(const serve_http *h) { return h->port; }
