#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

static int refuse(const char **why, int status, const char *text) {
    *why = text;
    return status;
}

static bool is_loopback(const char *host, int port) {
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    char expected[40];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(expected, sizeof expected, "%s:%d", names[i], port);
        if (!strcasecmp(host, expected)) return true;
    }
    return false;
}

/* Whatever the text is, each letter of the token is looked at: how long it takes tells nothing. */
static bool is_token(const char *authorization, const char *token) {
    static const char scheme[] = "Bearer ";
    size_t n = sizeof scheme - 1;
    if (!authorization || strlen(authorization) != n + SERVE_TOKEN || strncasecmp(authorization, scheme, n))
        return false;
    unsigned different = 0;
    for (size_t i = 0; i < SERVE_TOKEN; i++) different |= (unsigned char)(authorization[n + i] ^ token[i]);
    return different == 0;
}

int serve_guard(const serve_request *r, int port, const char token[SERVE_TOKEN + 1], const char **why) {
    bool api = !strncmp(r->path, "/api/", 5);
    if (!r->host || !r->host[0]) return refuse(why, 400, "Host is missing");
    if (!is_loopback(r->host, port)) return refuse(why, 403, "Host is not this machine's loopback address and port");
    if (r->origin && (strncmp(r->origin, "http://", 7) || strcasecmp(r->origin + 7, r->host)))
        return refuse(why, 403, "another site's page asks");
    /* A link elsewhere may lead to the page, which holds nothing without the token. */
    bool navigation = !api && r->method == SERVE_GET && r->fetch_mode && !strcmp(r->fetch_mode, "navigate");
    if (r->fetch_site && !navigation && strcmp(r->fetch_site, "same-origin") && strcmp(r->fetch_site, "none"))
        return refuse(why, 403, "another site's page asks");
    if (api && !is_token(r->authorization, token))
        return refuse(why, 401, "expected Authorization: Bearer and the token of the URL that `elbo serve` printed");
    return 0;
}

/* ---- the token ---- */

char *serve_state_folder(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/') return elbo_format("%s/elbo", state);
    return home && home[0] == '/' ? elbo_format("%s/.local/state/elbo", home) : NULL;
}

static bool is_hexadecimal(const char *text) {
    return strlen(text) == SERVE_TOKEN && strspn(text, "0123456789abcdef") == SERVE_TOKEN;
}

/* False: none, or one that others can read. */
static bool read_token(char token[SERVE_TOKEN + 1], const char *path) {
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return false;
    struct stat at;
    memset(token, 0, SERVE_TOKEN + 1);
    bool good = fstat(file, &at) == 0 && S_ISREG(at.st_mode) && at.st_uid == geteuid() && !(at.st_mode & 077) &&
                read(file, token, SERVE_TOKEN) == SERVE_TOKEN && is_hexadecimal(token);
    close(file);
    return good;
}

/* Written beside its place and linked there, so that two servers that start at once agree on one. */
static void keep_token(char token[SERVE_TOKEN + 1], const char *path) {
    char *own = elbo_format("%s.%ld", path, (long)getpid());
    int file = own ? open(own, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (file >= 0) {
        bool whole = write(file, token, SERVE_TOKEN) == SERVE_TOKEN;
        close(file);
        if (whole && link(own, path) != 0 && errno == EEXIST) {
            char other[SERVE_TOKEN + 1];
            if (read_token(other, path))
                memcpy(token, other, sizeof other);
            else
                rename(own, path);
        }
        unlink(own);
    }
    free(own);
}

elbo_status serve_token_open(char token[SERVE_TOKEN + 1], elbo_error *err) {
    char *folder = serve_state_folder(), *path = folder ? elbo_path_join(folder, "serve-token") : NULL;
    elbo_error ignored;
    bool kept = path && read_token(token, path);
    uint8_t random[SERVE_TOKEN / 2];
    elbo_status status = ELBO_OK;
    if (!kept && getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        status = elbo_fail_errno(err, "no random numbers for the token");
    if (!kept && status == ELBO_OK) {
        for (size_t i = 0; i < sizeof random; i++) snprintf(token + 2 * i, 3, "%02x", random[i]);
        if (path && elbo_make_folder(folder, &ignored) == ELBO_OK) keep_token(token, path);
    }
    free(path);
    free(folder);
    return status;
}
