/* Who may ask: this machine's pages that were opened with the token. Asked of every request before it is routed. */
#ifndef SERVE_GUARD_H
#define SERVE_GUARD_H

#include "base/status.h"
#include "request.h"

enum { SERVE_TOKEN = 32 }; // letters: 128 bits in hexadecimal

/* Host is a loopback name with the server's port; Origin, where there is one, is this page; a browser says that the
 * request comes from this page, or from nobody. Under /api/ the token is asked for. Returns 0 or the status that
 * answers it. */
int serve_guard(const serve_request *r, int port, const char token[SERVE_TOKEN + 1], const char **why);

/* Where this user's programs keep what is to outlive them: a new string, or NULL where nobody says. */
char *serve_state_folder(void);

/* The token of this user's servers: kept in a file that its owner alone can read, so that a page goes on when its server
 * starts again. Where there is no such place, a new one. */
elbo_status serve_token_open(char token[SERVE_TOKEN + 1], elbo_error *err);

#endif
