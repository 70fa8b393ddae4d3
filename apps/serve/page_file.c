#include "page_file.h"

#include <string.h>

#include "apps/serve/page/page.h"
#include "base/checksum.h"

static const elbo_page_file *find(const char *path) {
    const char *name = !strcmp(path, "/") ? "index.html" : path + 1;
    for (const elbo_page_file *f = elbo_page_files; f->name; f++)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}

bool serve_page_has(const char *path) { return find(path) != NULL; }

void serve_page_answer(serve_response *r, const serve_request *q) {
    const elbo_page_file *f = find(q->path);
    if (!f) {
        serve_answer_error(r, 404, "there is no such page");
        return;
    }
    serve_answer_text(r, f->type, f->text, f->size);
    serve_answer_tag(r, q, "%016llx", (unsigned long long)elbo_checksum(ELBO_CHECKSUM_START, f->text, f->size));
}
