#include "routes.h"

#include <string.h>

// clang-format off: a row each
static const serve_route routes[] = {
    {SERVE_GET, "runs", serve_list_runs, 0},
    {SERVE_GET, "events", serve_follow, 0},
    {SERVE_GET, "runs/RUN", serve_show_run, 0},
    {SERVE_GET, "runs/RUN/log", serve_show_log, 0},
    {SERVE_GET, "runs/RUN/doctor", serve_examine, 0},
    {SERVE_GET, "runs/RUN/map", serve_show_map, 0},
    {SERVE_POST, "runs/RUN/place", serve_place, SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/locate", serve_locate, SERVE_NEWEST},
    {SERVE_GET, "runs/RUN/labels", serve_show_labels, 0},
    {SERVE_GET, "runs/RUN/values", serve_show_values, 0},
    {SERVE_GET, "runs/RUN/thumbs", serve_show_thumbs, 0},
    {SERVE_POST, "runs/RUN/images", serve_show_images, SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/codes", serve_show_codes, SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/select", serve_select, SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/decode", serve_decode, SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/encode", serve_encode, SERVE_IMAGES | SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/nearest", serve_find_nearest, SERVE_NEWEST},
    {SERVE_POST, "runs/RUN/expression", serve_compute, SERVE_NEWEST},
    {SERVE_GET, "runs/RUN/vectors", serve_list_vectors, 0},
    {SERVE_PUT, "runs/RUN/vectors/NAME", serve_put_vector, SERVE_WRITES},
    {SERVE_DELETE, "runs/RUN/vectors/NAME", serve_delete_vector, SERVE_WRITES},
    {SERVE_GET, "runs/RUN/figure", serve_draw, 0},
};
// clang-format on

/* A part of the path into its place. False: it is too long, or empty. */
static bool keep(char to[SERVE_NAME], const char *part, size_t n) {
    if (n == 0 || n >= SERVE_NAME) return false;
    memcpy(to, part, n);
    to[n] = 0;
    return true;
}

static bool fits(const char *pattern, const char *path, char run[SERVE_NAME], char name[SERVE_NAME]) {
    run[0] = name[0] = 0;
    for (;;) {
        size_t p = strcspn(pattern, "/"), n = strcspn(path, "/");
        bool is_run = p == 3 && !strncmp(pattern, "RUN", 3), is_name = p == 4 && !strncmp(pattern, "NAME", 4);
        if (is_run || is_name) {
            if (!keep(is_run ? run : name, path, n)) return false;
        } else if (p != n || strncmp(pattern, path, n)) {
            return false;
        }
        pattern += p;
        path += n;
        if (!*pattern || !*path) return *pattern == *path;
        pattern++;
        path++;
    }
}

int serve_route_find(const serve_route **route, const serve_request *r, char run[SERVE_NAME], char name[SERVE_NAME]) {
    static const char root[] = "/api/1/";
    bool known = false;
    if (strncmp(r->path, root, sizeof root - 1)) return 404;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!fits(routes[i].path, r->path + sizeof root - 1, run, name)) continue;
        known = true;
        if (routes[i].method != r->method) continue;
        *route = &routes[i];
        return 0;
    }
    return known ? 405 : 404;
}
