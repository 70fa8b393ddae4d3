/* Parts of `elbo serve` that need no socket: how requests are read, who is let in, which calls are dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "apps/serve/guard.h"
#include "apps/serve/routes.h"
#include "apps/serve/work.h"

static const char token[] = "0123456789abcdef0123456789abcdef";

static int read_text(serve_request *r, char *copy, const char *head) {
    const char *why = NULL;
    strcpy(copy, head);
    int status = serve_request_read(r, copy, strlen(copy), &why);
    assert_true(!status == !why);
    return status;
}

static void a_request_is_read(void **state) {
    (void)state;
    char copy[2000], value[20];
    serve_request r;
    assert_int_equal(read_text(&r, copy,
                               "POST /api/1/runs/a%20b/map?method=pca&x=%33&y=a+b&z HTTP/1.1\r\nHost:  localhost:1 \r\n"
                               "Content-Length: 12\r\nelbo-client: me\r\nX-Other: 1\r\nX-Other: 2\r\n\r\n"),
                     0);
    assert_int_equal(r.method, SERVE_POST);
    assert_string_equal(r.path, "/api/1/runs/a b/map");
    assert_string_equal(r.host, "localhost:1");
    assert_string_equal(r.client, "me");
    assert_true(r.length == 12 && r.keep_alive && !r.origin);
    assert_true(serve_query(&r, "x", value, sizeof value) && !strcmp(value, "3"));
    assert_true(serve_query(&r, "y", value, sizeof value) && !strcmp(value, "a b"));
    assert_true(serve_query(&r, "method", value, 3) && !strcmp(value, "pc")); // cut
    assert_false(serve_query(&r, "z", value, sizeof value));
    assert_false(serve_query(&r, "metho", value, sizeof value));
    assert_int_equal(read_text(&r, copy, "GET / HTTP/1.0\r\n\r\n"), 0);
    assert_false(r.keep_alive);
    assert_int_equal(read_text(&r, copy, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 0);
    assert_false(r.keep_alive);
    assert_int_equal(read_text(&r, copy, "GET /?x=%zz HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(read_text(&r, copy, "GET / HTTP/1.1\r\nHost: a"), 400);
}

static void only_the_page_is_let_in(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *path;
        serve_request headers;
    } rows[] = {
        {401, "/api/1/runs", {.host = "localhost:80"}},
        {0, "/api/1/runs", {.host = "localhost:80", .authorization = "Bearer 0123456789abcdef0123456789abcdef"}},
        {0, "/api/1/runs", {.host = "[::1]:80", .authorization = "bearer 0123456789abcdef0123456789abcdef"}},
        {401, "/api/1/runs", {.host = "localhost:80", .authorization = "Bearer 0123456789abcdef0123456789abcdee"}},
        {401, "/api/1/runs", {.host = "localhost:80", .authorization = "Bearer 0123456789abcdef"}},
        {401, "/api/1/runs", {.host = "localhost:80", .authorization = ""}},
        {0, "/", {.host = "127.0.0.1:80"}},
        {403, "/", {.host = "127.0.0.1"}},
        {403, "/", {.host = "127.0.0.1:8"}},
        {403, "/", {.host = "evil:80"}},
        {400, "/", {.host = NULL}},
        {0, "/", {.host = "localhost:80", .origin = "http://localhost:80"}},
        {403, "/", {.host = "localhost:80", .origin = "http://127.0.0.1:80"}},
        {403, "/", {.host = "localhost:80", .origin = "null"}},
        {0, "/", {.host = "localhost:80", .fetch_site = "none"}},
        {403, "/", {.host = "localhost:80", .fetch_site = "cross-site"}},
        {0, "/", {.host = "localhost:80", .fetch_site = "cross-site", .fetch_mode = "navigate"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = "";
        serve_request r = rows[i].headers;
        r.path = (char *)(uintptr_t)rows[i].path;
        int status = serve_guard(&r, 80, token, &why);
        if (status != rows[i].status) fail_msg("row %zu: %d (%s), not %d", i, status, why, rows[i].status);
    }
}

static void routes_are_found(void **state) {
    (void)state;
    char run[SERVE_NAME], name[SERVE_NAME], path[300];
    const serve_route *route;
    serve_request r = {.method = SERVE_PUT, .path = path};
    strcpy(path, "/api/1/runs/a/vectors/smile");
    assert_int_equal(serve_route_find(&route, &r, run, name), 0);
    assert_string_equal(run, "a");
    assert_string_equal(name, "smile");
    assert_true(route->flags & SERVE_WRITES);
    r.method = SERVE_POST;
    assert_int_equal(serve_route_find(&route, &r, run, name), 405);
    static const char *const none[] = {"/api/1/", "/api/1/runs/", "/api/1/runs/a/",  "/api/1/runs/a/map/b",
                                       "/api/1",  "/x",           "/api/1/runs//map"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        strcpy(path, none[i]);
        assert_int_equal(serve_route_find(&route, &r, run, name), 404);
    }
    strcpy(path, "/api/1/runs/");
    memset(path + 12, 'a', SERVE_NAME);
    path[12 + SERVE_NAME] = 0;
    assert_int_equal(serve_route_find(&route, &r, run, name), 404);
}

/* ---- the queue ---- */

static sem_t begins, goes_on;
static serve_call *taken[16];
static int takes;

static void take(serve_call *c) {
    taken[takes++] = c;
    sem_post(&begins);
    sem_wait(&goes_on);
}

static void a_newer_call_supersedes_its_clients_own(void **state) {
    (void)state;
    static const serve_route decode = {.flags = SERVE_NEWEST}, map = {.flags = 0};
    static serve_request page = {.client = "page"}, other = {.client = "other"}, nobody = {.client = NULL};
    serve_call call[] = {
        {.route = &decode, .request = &page, .run_name = "a"},   // 0: is worked on
        {.route = &decode, .request = &page, .run_name = "a"},   // 1: dropped by 3
        {.route = &decode, .request = &other, .run_name = "a"},  // 2
        {.route = &decode, .request = &page, .run_name = "a"},   // 3: dropped by 8
        {.route = &decode, .request = &page, .run_name = "b"},   // 4: another run
        {.route = &decode, .request = &nobody, .run_name = "a"}, // 5
        {.route = &decode, .request = &nobody, .run_name = "a"}, // 6
        {.route = &map, .request = &page, .run_name = "a"},      // 7: of a kind that is never dropped
        {.route = &decode, .request = &page, .run_name = "a"},   // 8
    };
    enum { CALLS = sizeof call / sizeof *call };
    static const int dropped_by[CALLS] = {[3] = 1, [8] = 3}, order[] = {0, 2, 4, 5, 6, 7, 8};
    serve_queue q;
    elbo_error err;
    sem_init(&begins, 0, 0);
    sem_init(&goes_on, 0, 0);
    assert_int_equal(serve_queue_open(&q, take, &err), ELBO_OK);
    for (int i = 0; i < CALLS; i++) {
        serve_call *dropped = serve_queue_add(&q, &call[i]);
        if (dropped_by[i]) {
            assert_ptr_equal(dropped, &call[dropped_by[i]]);
            assert_null(dropped->next);
        } else {
            assert_null(dropped);
        }
        if (i == 0) sem_wait(&begins);
    }
    for (size_t i = 1; i < sizeof order / sizeof *order; i++) {
        sem_post(&goes_on);
        sem_wait(&begins);
    }
    sem_post(&goes_on);
    serve_queue_stop(&q);
    assert_null(serve_queue_close(&q));
    assert_int_equal(takes, sizeof order / sizeof *order);
    for (int i = 0; i < takes; i++) assert_ptr_equal(taken[i], &call[order[i]]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read),
        cmocka_unit_test(only_the_page_is_let_in),
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(a_newer_call_supersedes_its_clients_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
