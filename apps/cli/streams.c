/* What goes to stdout and stderr, all of it, passes here: control characters are shown, not sent. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

typedef struct stream {
    int fd;
    bool half; // the last byte may begin one of Latin-1's control characters
} stream;

static stream streams[2] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}}; // of the process, as these two are

static bool put(int fd, const char *bytes, size_t n) {
    while (n) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* Bytes come as the buffer has them, so that a letter may come in two parts. */
static ssize_t write_shown(void *context, const char *bytes, size_t n) {
    stream *s = context;
    char out[4096];
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool latin = s->half && c >= 0x80 && c < 0xA0;
        bool control = (c < 32 && c != '\n' && c != '\t') || c == 127 || latin;
        s->half = c == 0xC2;
        if (control)
            used += (size_t)snprintf(out + used, sizeof out - used, "\\x%02x", c);
        else
            out[used++] = (char)c;
        if (used + 8 > sizeof out || i + 1 == n) {
            if (!put(s->fd, out, used)) return 0;
            used = 0;
        }
    }
    return (ssize_t)n;
}

void cli_open_streams(void) {
    const cookie_io_functions_t io = {.write = write_shown};
    FILE *out = fopencookie(&streams[0], "w", io), *err = fopencookie(&streams[1], "w", io);
    if (out) {
        setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
        stdout = out;
    }
    if (err) {
        setvbuf(err, NULL, _IOLBF, BUFSIZ); // whole lines, where others write to the same terminal or file
        stderr = err;
    }
}

void cli_draw_line(const char *text) {
    char shown[512], line[600];
    elbo_text_escape(text, shown, sizeof shown);
    int n = snprintf(line, sizeof line, "\r%s\033[K", shown);
    fflush(stderr);
    put(STDERR_FILENO, line, (size_t)n);
}
