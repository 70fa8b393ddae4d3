/* The page's files, which are in the program. */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "serve/request.h"
#include "serve/response.h"

typedef struct serve_page_file {
    const char *name; // "index.html"
    const unsigned char *bytes, *end;
} serve_page_file;
extern const serve_page_file serve_page_files[]; // ended by a row without a name; made by tools/embed_page.sh

/* The file of a path, "/" is index.html; NULL: there is none. */
const serve_page_file *serve_page_find(const char *path);
void serve_page_answer(serve_response *r, const serve_request *q);

#endif
