#include "serve/page.h"

#include <string.h>

#include "base/checksum.h"

const serve_page_file *serve_page_find(const char *path) {
    const char *name = !strcmp(path, "/") ? "index.html" : path + 1;
    for (const serve_page_file *f = serve_page_files; f->name; f++)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}

static const char *type_of(const char *name) {
    static const struct {
        const char *ending, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcmp(dot, types[i].ending)) return types[i].type;
    return "text/plain; charset=utf-8";
}

void serve_page_answer(serve_response *r, const serve_request *q) {
    const serve_page_file *f = serve_page_find(q->path);
    if (!f) {
        serve_answer_error(r, 404, "there is no such page");
        return;
    }
    size_t size = (size_t)(f->end - f->bytes);
    serve_answer_text(r, type_of(f->name), f->bytes, size);
    serve_answer_tag(r, q, "%016llx", (unsigned long long)elbo_checksum(ELBO_CHECKSUM_START, f->bytes, size));
}
