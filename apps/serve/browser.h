/* The user's browser. */
#ifndef SERVE_BROWSER_H
#define SERVE_BROWSER_H

#include <stdbool.h>

/* Opens an address with xdg-open where there is a screen and that program. The address holds the token, and a program's
 * arguments can be read by every user of the machine: what is opened is a file, readable by its owner alone, that leads
 * there. */
bool serve_open_browser(const char *url);

#endif
