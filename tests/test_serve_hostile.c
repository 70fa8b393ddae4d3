/* What nobody means well is answered with a 4xx, nothing of it harms the server, and the next request is served. */
#include "serve_client.h"

enum { TRAIN = 200, TEST = 40, Z = 20, SIZE = 784 };

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("mnist", TRAIN, TEST);
    run_well("train", "mnist-vae", "-o", "runs/vae", "-e", "1", "-q");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &files);
    server_start("runs", "--port", "0");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    server_end();
    scratch_remove(&here);
    return 0;
}

/* Whatever was sent before. */
static void assert_serves(void) {
    json_t *o = get_json("/api/1/runs");
    assert_int_equal(json_array_size(json_object_get(o, "runs")), 1);
    json_decref(o);
}

/* Raw bytes, "%d" of which is the port and "%s" the token, are refused with the status. */
static void raw(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void raw(int status, const char *format, ...) {
    char bytes[8000];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(bytes, sizeof bytes, format, arguments);
    va_end(arguments);
    int fd = dial();
    say(fd, bytes, (size_t)n);
    reply r = hear(fd, SECONDS_TO_LIVE);
    if (r.status != status) fail_msg("%d, not %d, to: %.200s", r.status, status, bytes);
    reply_free(&r);
    close(fd);
    assert_serves();
}
#define GET "GET /api/1/runs HTTP/1.1\r\n"
#define POST "POST /api/1/runs/vae/decode HTTP/1.1\r\n"
#define HOST "Host: 127.0.0.1:%d\r\n"
#define TOKEN "Authorization: Bearer %s\r\n"
#define END "\r\n"

static void test_who_asks(void **state) {
    (void)state;
    int p = serve_port;
    const char *t = serve_token;
    raw(200, GET HOST TOKEN END, p, t);
    raw(401, GET HOST END, p);
    raw(401, GET HOST "Authorization: Bearer 00000000000000000000000000000000\r\n" END, p);
    raw(401, GET HOST "Authorization: Bearer %s0\r\n" END, p, t);
    raw(401, GET HOST "Authorization: %s\r\n" END, p, t);
    raw(403, GET "Host: evil.example\r\n" TOKEN END, t);
    raw(403, GET "Host: 127.0.0.1.evil.example:%d\r\n" TOKEN END, p, t);
    raw(403, GET "Host: 127.0.0.1:1\r\n" TOKEN END, t);
    raw(400, GET "Host:\r\n" TOKEN END, t);
    raw(400, GET TOKEN END, t);
    raw(400, GET HOST HOST TOKEN END, p, p, t);
    raw(400, GET HOST "Host: evil.example\r\n" TOKEN END, p, t);
    raw(403, GET HOST TOKEN "Origin: http://evil.example\r\n" END, p, t);
    raw(403, GET HOST TOKEN "Origin: null\r\n" END, p, t);
    raw(403, GET HOST TOKEN "Origin: https://127.0.0.1:%d\r\n" END, p, t, p);
    raw(200, GET HOST TOKEN "Origin: http://127.0.0.1:%d\r\n" END, p, t, p);
    raw(403, GET HOST TOKEN "Sec-Fetch-Site: cross-site\r\n" END, p, t);
    raw(403, GET HOST TOKEN "Sec-Fetch-Site: same-site\r\n" END, p, t);
    raw(403, GET HOST TOKEN "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n" END, p, t);
    raw(200, "GET / HTTP/1.1\r\n" HOST END, p); // the page itself tells nothing
    raw(403, "GET / HTTP/1.1\r\n" HOST "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n" END, p);
    raw(403, "GET / HTTP/1.1\r\nHost: evil.example\r\n" END);
}

/* One request means one thing, or nothing. */
static void test_requests_of_two_meanings(void **state) {
    (void)state;
    int p = serve_port;
    const char *t = serve_token;
    raw(400, POST HOST TOKEN "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n", p, t);
    raw(411, POST HOST TOKEN "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n", p, t);
    raw(400, POST HOST TOKEN "Content-Length: 4\r\nContent-Length: 5\r\n" END "xxxxx", p, t);
    raw(400, POST HOST TOKEN "Content-Length: 4\r\nContent-Length: 4\r\n" END "xxxx", p, t);
    static const char *const lengths[] = {
        "-1", "+4", "18446744073709551616", "99999999999999999999999999", "0x10", "4 4", "", "4,4", "1e3"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        raw(400, POST HOST TOKEN "Content-Length: %s\r\n" END "xxxx", p, t, lengths[i]);
    raw(413, POST HOST TOKEN "Content-Length: 999999999999\r\n" END, p, t);
    raw(413, POST HOST TOKEN "Content-Length: 1048577\r\n" END, p, t);
    raw(400, GET HOST TOKEN "Content-Length: 3\r\n" END "abc", p, t);
    raw(400, "GET /api/1/runs HTTP/1.1\nHost: 127.0.0.1:%d\nAuthorization: Bearer %s\n\n", p, t);
    raw(400, GET "Host: 127.0.0.1:%d\n" TOKEN END, p, t);
    raw(400, GET HOST TOKEN "X: a\rb\r\n" END, p, t);
    raw(400, GET HOST TOKEN " folded: yes\r\n" END, p, t);
    raw(400, GET HOST TOKEN "no colon\r\n" END, p, t);
    raw(400, GET HOST TOKEN "Content-Length : 4\r\n" END, p, t);
    raw(400, GET HOST TOKEN ": nothing\r\n" END, p, t);
    raw(400, "GET  /api/1/runs HTTP/1.1\r\n" HOST TOKEN END, p, t);
    raw(400, "GET /api/1/runs\r\n" HOST TOKEN END, p, t);
    raw(400, "GET /api/1/runs HTTP/2.0\r\n" HOST TOKEN END, p, t);
    raw(400, "GET http://127.0.0.1/api/1/runs HTTP/1.1\r\n" HOST TOKEN END, p, t);
    raw(400, "\r\n\r\n");
    raw(405, "OPTIONS /api/1/runs HTTP/1.1\r\n" HOST TOKEN END, p, t);
    raw(405, "TRACE / HTTP/1.1\r\n" HOST TOKEN END, p, t);
    raw(405, "DELETE /api/1/runs HTTP/1.1\r\n" HOST TOKEN END, p, t);
    raw(417, POST HOST TOKEN "Content-Length: 4\r\nExpect: tea\r\n" END, p, t);
}

static void test_bytes_that_are_no_text(void **state) {
    (void)state;
    char bytes[400];
    for (int where = 0; where < 3; where++) {
        int n = snprintf(bytes, sizeof bytes, "GET /api/1/runs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: abc\r\n\r\n",
                         serve_port);
        bytes[where == 0 ? 2 : where == 1 ? 8 : n - 6] = 0;
        int fd = dial();
        say(fd, bytes, (size_t)n);
        refused_with(hear(fd, SECONDS_TO_LIVE), 400);
        close(fd);
    }
    uint64_t seed = 1;
    for (int round = 0; round < 50; round++) { // noise
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)((seed = seed * 6364136223846793005u + 1) >> 56);
        int fd = dial();
        say(fd, bytes, sizeof bytes);
        shutdown(fd, SHUT_WR);
        reply r = hear(fd, SECONDS_TO_LIVE);
        assert_true(r.status >= 400 && r.status < 500);
        reply_free(&r);
        close(fd);
    }
    assert_serves();
}

static void test_too_much(void **state) {
    (void)state;
    size_t n = 1 << 20;
    char *bytes = malloc(n + 1000);
    int head = sprintf(bytes, "GET /api/1/runs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: ", serve_port);
    memset(bytes + head, 'a', n);
    int fd = dial();
    say(fd, bytes, n); // a header of a megabyte
    refused_with(hear(fd, SECONDS_TO_LIVE), 431);
    close(fd);
    head = sprintf(bytes, "GET /api/1/runs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", serve_port);
    for (int i = 0; i < 10000; i++) head += sprintf(bytes + head, "X%d: y\r\n", i);
    strcpy(bytes + head, "\r\n");
    fd = dial();
    say(fd, bytes, (size_t)head + 2); // 10,000 headers
    refused_with(hear(fd, SECONDS_TO_LIVE), 431);
    close(fd);
    head = sprintf(bytes, "GET /api/1/runs HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", serve_port);
    for (int i = 0; i < 100; i++) head += sprintf(bytes + head, "X%d: y\r\n", i);
    strcpy(bytes + head, "\r\n");
    fd = dial();
    say(fd, bytes, (size_t)head + 2); // 100, in less than 16 KB
    refused_with(hear(fd, SECONDS_TO_LIVE), 431);
    close(fd);
    free(bytes);
    uint8_t *images = calloc(1, 4 << 20); // as images: more than 16, and more than 4 MB
    refused_with(ask("POST", "/api/1/runs/vae/encode", images, 17 * SIZE), 400);
    refused_with(ask("POST", "/api/1/runs/vae/encode", images, 4 << 20), 400);
    refused_with(ask("POST", "/api/1/runs/vae/encode", images, SIZE - 1), 400);
    refused_with(ask("POST", "/api/1/runs/vae/encode", images, 0), 400);
    free(images);
    raw(413, "POST /api/1/runs/vae/encode HTTP/1.1\r\n" HOST TOKEN "Content-Length: 4194305\r\n" END, serve_port,
        serve_token);
    assert_serves();
}

static void test_slow_ones_and_many(void **state) {
    (void)state;
    int slow = dial(), half = dial(), cut = dial();
    say(slow, "GET /api/1/runs HT", 18);
    char head[400];
    int n = snprintf(head, sizeof head, POST HOST TOKEN "Content-Length: 80\r\n\r\nabc", serve_port, serve_token);
    say(half, head, (size_t)n);
    say(cut, head, (size_t)n);
    shutdown(cut, SHUT_WR);
    refused_with(hear(cut, SECONDS_TO_LIVE), 400); // half a body, and no more to come
    close(cut);
    enum { MANY = 1000 };
    static int fd[MANY];
    int open = 0;
    for (; open < MANY; open++) {
        fd[open] = dial();
        if (open % 3 == 0) say(fd[open], "GET / HTTP/1.1\r\n", 16);
        if (open % 100 == 0) assert_serves();
    }
    assert_serves();
    for (int i = 0; i < open; i++) close(fd[i]);
    assert_serves();
    close(slow);
    close(half);
    slow = dial();
    double start = (double)time(NULL);
    for (int i = 0; i < 60; i++) { // a letter now and then is no request
        if (!say(slow, "G", 1)) break;
        struct pollfd p = {.fd = slow, .events = POLLIN};
        if (poll(&p, 1, 500) > 0) break;
    }
    refused_with(hear(slow, SECONDS_TO_LIVE), 408);
    assert_true((double)time(NULL) - start < 25);
    close(slow);
    assert_serves();
}

static void test_requests_behind_each_other(void **state) {
    (void)state;
    char two[1000];
    int n = snprintf(two, sizeof two, GET HOST TOKEN END "GET /api/1/runs/nope HTTP/1.1\r\n" HOST TOKEN END, serve_port,
                     serve_token, serve_port, serve_token);
    int fd = dial();
    say(fd, two, (size_t)n);
    reply first = hear(fd, SECONDS_TO_LIVE); // (may read the second with it)
    assert_int_equal(first.status, 200);
    if (!strstr((const char *)first.body, "HTTP/1.1 404")) refused_with(hear(fd, SECONDS_TO_LIVE), 404);
    reply_free(&first);
    close(fd);
    assert_serves();
}

static void test_paths(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *path;
    } paths[] = {{400, "/../../etc/passwd"},
                 {400, "/%2e%2e/etc/passwd"},
                 {400, "/api/1/runs/../../x"},
                 {400, "/api/1/runs/vae%00"},
                 {400, "/%00"},
                 {400, "/api/1/%zz"},
                 {400, "/api/1/runs/vae%2fmap"},
                 {404, "/etc/passwd"},
                 {404, "/api/1/"},
                 {404, "/api/2/runs"},
                 {404, "/api/1/runs//map"},
                 {400, "/api/1/runs/..%5cx"},
                 {404, "/index.html/x"},
                 {404, "/api/1/runs/nope/map"},
                 {400, "/api/1/runs/vae/map?method=x"},
                 {400, "/api/1/runs/vae/map?method=dims&x=20"},
                 {400, "/api/1/runs/vae/thumbs?count=-1"},
                 {400, "/api/1/runs/vae/thumbs?from=99999999999999999999"},
                 {400, "/api/1/runs/vae/values?by=x"},
                 {400, "/api/1/runs/vae/figure?kind=x"},
                 {400, "/api/1/runs/vae/figure?kind=interpolate&from=%22/etc/passwd%22"},
                 {400, "/api/1/runs/vae/figure?kind=traverse&at=../x.npy"},
                 {400, "/api/1/runs#x"}};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        reply r = ask("GET", paths[i].path, NULL, 0);
        if (r.status != paths[i].status) fail_msg("%s: %d, not %d", paths[i].path, r.status, paths[i].status);
        reply_free(&r);
    }
    assert_serves();
}

static void refused_body(const char *path, const char *body) {
    reply r = ask("POST", path, body, strlen(body));
    if (r.status < 400 || r.status > 404) fail_msg("%s %.60s: %d", path, body, r.status);
    char type[1000];
    assert_string_equal(header_of(&r, "Content-Type", type), "application/json");
    assert_string_equal(header_of(&r, "X-Content-Type-Options", type), "nosniff");
    reply_free(&r);
}

static void test_bodies(void **state) {
    (void)state;
    float *z = calloc(257 * Z, sizeof *z);
    refused_with(ask("POST", "/api/1/runs/vae/decode", z, 0), 400);
    refused_with(ask("POST", "/api/1/runs/vae/decode", z, 257 * Z * sizeof *z), 400);
    refused_with(ask("POST", "/api/1/runs/vae/decode", z, Z * sizeof *z - 1), 400);
    refused_with(ask("POST", "/api/1/runs/vae/decode?class=3", z, Z * sizeof *z), 400);
    refused_with(ask("POST", "/api/1/runs/vae/nearest", z, 17 * Z * sizeof *z), 400);
    z[3] = NAN;
    refused_with(ask("POST", "/api/1/runs/vae/decode", z, Z * sizeof *z), 400);
    refused_with(ask("POST", "/api/1/runs/vae/place?method=pca", z, Z * sizeof *z), 400);
    z[3] = INFINITY;
    refused_with(ask("POST", "/api/1/runs/vae/nearest", z, Z * sizeof *z), 400);
    free(z);
    static const char *const points[] = {"",
                                         "{",
                                         "[]",
                                         "{\"points\": []}",
                                         "{\"points\": [-1]}",
                                         "{\"points\": [240]}",
                                         "null",
                                         "{\"points\": [1.5]}",
                                         "{\"points\": [\"1\"]}",
                                         "{\"points\": {}}",
                                         "{\"points\": [99999999999999999999]}",
                                         "{\"points\": [1], \"points\": [2]}",
                                         "\xff\xfe",
                                         "{}"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        refused_body("/api/1/runs/vae/images", points[i]);
        refused_body("/api/1/runs/vae/select", points[i]);
    }
    static const char *const texts[] = {"{\"text\": 3}",
                                        "{}",
                                        "{\"text\": \"\"}",
                                        "{\"text\": \"\\\"/etc/passwd\\\"\"}",
                                        "{\"text\": \"test:99999\"}",
                                        "{\"text\": \"test:1 +\"}",
                                        "{\"text\": \"../x.npy\"}",
                                        "{\"text\": \"x.png\"}",
                                        "{\"text\": \"class:\\\"<script>\\\"\"}",
                                        "{\"text\": \"nobody\"}",
                                        "{\"text\": \"a\\u0000b\"}",
                                        "{\"text\": \"1/0 * test:1\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) refused_body("/api/1/runs/vae/expression", texts[i]);
    static const char *const places[] = {"{}", "{\"from\": [1], \"to\": [1, 2]}", "{\"from\": 1, \"to\": 2}"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        refused_body("/api/1/runs/vae/locate?method=pca", places[i]);
    for (int quoted = 0; quoted < 2; quoted++) { // 100,000 parentheses in a text, and as JSON
        size_t n = 100000;
        char *deep = malloc(n + 100), *to = deep;
        if (!quoted) to += sprintf(to, "{\"text\": \"");
        memset(to, quoted ? '[' : '(', n);
        strcpy(to + n, quoted ? "" : "\"}");
        refused_body("/api/1/runs/vae/expression", deep);
        free(deep);
    }
    char nested[2100] = "{\"text\": \""; // as many as a text may have
    memset(nested + 10, '(', 2000);
    strcpy(nested + 2010, "\"}");
    refused_body("/api/1/runs/vae/expression", nested);
    assert_serves();
}

static void test_names_of_vectors(void **state) {
    (void)state;
    char body[400] = "{\"z\": [0";
    for (int i = 1; i < Z; i++) strcat(body, ",0");
    strcat(body, "]}");
    static const char *const names[] = {"../x", "%2e%2e%2fx", "..%2fx",       "a%2fb", ".x", "x%00", "test",
                                        "mean", "a.b",        "%3cscript%3e", "x%0a",  "-x", "%20"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/1/runs/vae/vectors/%s", names[i]);
        reply r = ask("PUT", path, body, strlen(body));
        if (r.status < 400 || r.status > 404) fail_msg("%s: %d", names[i], r.status);
        reply_free(&r);
        r = ask("DELETE", path, NULL, 0);
        assert_true(r.status >= 400 && r.status <= 404);
        reply_free(&r);
    }
    refused_with(ask("PUT", "/api/1/runs/vae/vectors/good", "{\"z\": [0]}", 10), 400);
    assert_false(there("runs/x.safetensors"));
    assert_false(there("runs/vae/x.safetensors"));
    assert_false(there("runs/vae/vectors"));
    assert_serves();
}

/* While pages decode, another training takes the run's place: each is answered, by the old run or the new. */
static void test_run_replaced_in_mid_request(void **state) {
    (void)state;
    program training =
        elbo_start("train", "mnist-vae", "-o", "runs/vae", "-e", "3", "--force", "--set", "train.seed=9", "-q");
    float z[64 * Z] = {0};
    int status, answers = 0, good = 0;
    while (waitpid(training.pid, &status, WNOHANG) == 0) {
        reply r = ask("POST", "/api/1/runs/vae/decode", z, sizeof z);
        answers += r.status > 0;
        good += r.status == 200;
        reply_free(&r);
        r = ask("GET", "/api/1/runs/vae/map?method=pca", NULL, 0);
        assert_true(r.status > 0);
        reply_free(&r);
    }
    assert_int_equal(status, 0);
    assert_true(answers > 0 && good > 0);
    json_t *o = get_json("/api/1/runs/vae");
    for (int ms = 0; ms < 20000 && (number(o, "epoch") < 3 || json_is_true(json_object_get(o, "training"))); ms += 50) {
        json_decref(o);
        pause_ms(50);
        o = get_json("/api/1/runs/vae");
    }
    assert_true(number(o, "epoch") == 3);
    json_decref(o);
    assert_serves();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_asks),
        cmocka_unit_test(test_requests_of_two_meanings),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_slow_ones_and_many),
        cmocka_unit_test(test_requests_behind_each_other),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_names_of_vectors),
        cmocka_unit_test(test_run_replaced_in_mid_request),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
