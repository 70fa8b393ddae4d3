/* Requests to `elbo serve`: any bytes as a head, and what a well-read one is asked. Nothing of it names a file. */
#include "apps/serve/guard.h"
#include "apps/serve/routes.h"
#include "fuzz.h"

static const char token[] = "0123456789abcdef0123456789abcdef";

/* What no part of a path may be. */
static void check_path(const char *path) {
    FUZZ_ASSERT(path[0] == '/', "%s", path);
    FUZZ_ASSERT(!strstr(path, "/../") && !strstr(path, "/./") && !strchr(path, '\\'), "%s", path);
    size_t n = strlen(path);
    FUZZ_ASSERT(n < 3 || strcmp(path + n - 3, "/.."), "%s", path);
    for (const char *c = path; *c; c++) FUZZ_ASSERT((unsigned char)*c >= 32 && *c != 127, "a control character");
}

static void check_request(const serve_request *r) {
    static const char *const names[] = {"method", "x", "class", "epoch", "from", "count", "by", "kind", "format"};
    char value[40], run[SERVE_NAME], name[SERVE_NAME];
    check_path(r->path);
    FUZZ_ASSERT(r->length <= SERVE_IMAGES_MOST, "%zu", r->length);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (serve_query(r, names[i], value, sizeof value)) FUZZ_ASSERT(strlen(value) < sizeof value, "%s", names[i]);
    const char *const headers[] = {r->host,          r->origin, r->fetch_site,   r->fetch_mode,
                                   r->authorization, r->client, r->if_none_match};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (headers[i]) fuzz_touch(headers[i], strlen(headers[i]) + 1);
    const serve_route *route;
    const char *why = "";
    if (serve_route_find(&route, r, run, name) == 0)
        FUZZ_ASSERT(route->handler && strlen(run) < SERVE_NAME && !strchr(run, '/') && !strchr(name, '/'), "%s",
                    r->path);
    int status = serve_guard(r, 8642, token, &why);
    FUZZ_ASSERT(status == 0 || (status >= 400 && status < 500 && *why), "%d", status);
    if (status == 0 && !strncmp(r->path, "/api/", 5))
        FUZZ_ASSERT(r->authorization && strstr(r->authorization, token), "let in");
}

static void run(const uint8_t *data, size_t size) {
    if (size > SERVE_HEAD_MOST) return;
    char *head = malloc(size + 1); // as long as it is: who reads on is seen
    FUZZ_ASSERT(head, "out of memory");
    memcpy(head, data, size);
    const char *why = NULL;
    serve_request r;
    int status = serve_request_read(&r, head, size, &why);
    FUZZ_ASSERT(status == 0 || (status >= 400 && status < 500 && why), "%d", status);
    if (status == 0) check_request(&r);
    free(head);
}

const fuzz_target fuzz_request = {"request", 2048, run};
