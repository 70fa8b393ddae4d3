/* Talking to `elbo serve` as a page does, and as one that means ill: by sockets. */
#ifndef ELBO_TESTS_SERVE_CLIENT_H
#define ELBO_TESTS_SERVE_CLIENT_H

#include "program.h"

#include <arpa/inet.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

static program serving;
static int serve_port;
static char serve_token[64], serve_address[120];

static inline void server_take_address(void) {
    char *out = in_scratch("stdout");
    for (int ms = 0; ms < 60000; ms += 5) {
        char *said = read_text(out), *end = strchr(said, '\n');
        int n = end && sscanf(said, "http://127.0.0.1:%d/#token=%63s", &serve_port, serve_token) == 2;
        if (end) snprintf(serve_address, sizeof serve_address, "%.*s", (int)(end - said), said);
        free(said);
        if (n) {
            free(out);
            return;
        }
        pause_ms(5);
    }
    fail_msg("elbo serve says no address");
}
#define server_start(...)                                                                                              \
    do {                                                                                                               \
        serving = elbo_start("serve", "--no-open", __VA_ARGS__);                                                       \
        server_take_address();                                                                                         \
    } while (0)

/* Ends well, whatever was asked of it. */
static inline void server_end(void) {
    kill(serving.pid, SIGTERM);
    program_wait(&serving);
    expect_code(&serving, 0);
    program_free(&serving);
}

/* ---- bytes ---- */

static inline int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)serve_port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) fail_msg("connect: %s", strerror(errno));
    return fd;
}

/* False where the other side has closed. */
static inline bool say(int fd, const void *bytes, size_t n) {
    for (const char *p = bytes; n;) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done <= 0) return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

typedef struct reply {
    int status; // 0: none came
    char *head; // with an end
    uint8_t *body;
    size_t size;
} reply;

static inline void reply_free(reply *r) {
    free(r->head);
    *r = (reply){0};
}

static inline const char *header_of(const reply *r, const char *name, char value[1000]) {
    size_t n = strlen(name);
    for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, n) && line[2 + n] == ':') {
            sscanf(line + 3 + n, " %999[^\r]", value);
            return value;
        }
    return NULL;
}

/* One answer, up to its Content-Length; `seconds` for each piece of it. */
static inline reply hear(int fd, int seconds) {
    enum { MOST = 64 << 20 };
    reply r = {0};
    char *bytes = NULL, value[1000];
    size_t n = 0, room = 0, want = 0;
    for (;;) {
        char *end = bytes ? memmem(bytes, n, "\r\n\r\n", 4) : NULL;
        if (end && !r.status) {
            r.head = strndup(bytes, (size_t)(end - bytes));
            sscanf(bytes, "HTTP/1.1 %d", &r.status);
            want = (size_t)(end - bytes) + 4;
            if (r.status == 100) {
                memmove(bytes, end + 4, n -= want);
                reply_free(&r);
                continue;
            }
            if (header_of(&r, "Content-Length", value)) want += (size_t)atol(value);
        }
        if (r.status && n >= want) break;
        if (n + 65536 > room) bytes = realloc(bytes, room = 2 * room + 131072);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&p, 1, 1000 * seconds) > 0 ? recv(fd, bytes + n, room - n - 1, 0) : -1;
        if (got <= 0 || n > MOST) break;
        n += (size_t)got;
    }
    if (r.status) {
        size_t head = strlen(r.head) + 4;
        r.size = n > head ? n - head : 0;
        r.head = realloc(r.head, strlen(r.head) + r.size + 2);
        r.body = (uint8_t *)r.head + strlen(r.head) + 1;
        memcpy(r.body, bytes + head, r.size);
        r.body[r.size] = 0;
    }
    free(bytes);
    return r;
}

/* ---- requests ---- */

/* `headers`: more lines, each with its CR LF; or "" */
static inline reply ask_on(int fd, const char *method, const char *path, const char *headers, const void *body,
                           size_t n) {
    char head[4096];
    int size = snprintf(head, sizeof head,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n%s"
                        "Content-Length: %zu\r\n\r\n",
                        method, path, serve_port, serve_token, headers, n);
    say(fd, head, (size_t)size);
    if (n) say(fd, body, n);
    return hear(fd, SECONDS_TO_LIVE);
}

static inline reply ask(const char *method, const char *path, const void *body, size_t n) {
    int fd = dial();
    reply r = ask_on(fd, method, path, "", body, n);
    close(fd);
    return r;
}

static inline reply ask_well(const char *method, const char *path, const void *body, size_t n) {
    reply r = ask(method, path, body, n);
    if (r.status != 200) fail_msg("%s %s: %d %s", method, path, r.status, r.body ? (const char *)r.body : "");
    return r;
}

static inline json_t *json_of_reply(reply r) {
    json_error_t why;
    json_t *o = json_loadb((const char *)r.body, r.size, JSON_DECODE_ANY, &why);
    if (!o) fail_msg("%s: %.200s", why.text, (const char *)r.body);
    reply_free(&r);
    return o;
}

static inline json_t *get_json(const char *path) { return json_of_reply(ask_well("GET", path, NULL, 0)); }

static inline json_t *send_json(const char *method, const char *path, json_t *body) {
    char *text = json_dumps(body, 0);
    json_decref(body);
    json_t *o = json_of_reply(ask_well(method, path, text, strlen(text)));
    free(text);
    return o;
}

/* The shape that an array's header says. */
static inline void assert_shape(const reply *r, const char *type, const char *shape) {
    char value[1000];
    assert_string_equal(header_of(r, "Elbo-Type", value), type);
    assert_string_equal(header_of(r, "Elbo-Shape", value), shape);
}

/* Refused with a 4xx and one line. */
static inline void refused_with(reply r, int status) {
    if (r.status != status) fail_msg("%d, not %d: %s", r.status, status, r.body ? (const char *)r.body : "");
    json_t *o = json_of_reply(r);
    assert_true(strlen(text(o, "error")) > 3);
    json_decref(o);
}

#endif
