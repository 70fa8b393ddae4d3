/* The page's files (page/), sent as they are in the program. */
#ifndef SERVE_PAGE_FILE_H
#define SERVE_PAGE_FILE_H

#include "request.h"
#include "response.h"

/* Whether there is a file of this path; "/" is index.html. */
bool serve_page_has(const char *path);
void serve_page_answer(serve_response *r, const serve_request *q);

#endif
