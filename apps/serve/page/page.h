/* The explorer's page: its files as they stand in this folder, for the server and for the page that needs none. */
#ifndef ELBO_PAGE_H
#define ELBO_PAGE_H

#include <stddef.h>

typedef struct elbo_page_file {
    const char *name, *type; // "map.js", "text/javascript; charset=utf-8"
    size_t size;
    const char *text; // (size), and a NUL
} elbo_page_file;

/* Modules stand behind those that they import; ended by a row without a name. */
extern const elbo_page_file elbo_page_files[];

#endif
