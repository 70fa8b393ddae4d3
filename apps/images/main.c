/* elbo-images: decodes image files for elbo, which starts it, one for each core, and talks to it over its standard
 * input (data/image_protocol.h). It is of no use by hand. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vips/vips.h>

#include "decode.h"

enum {
    SECONDS_TO_LIVE = 300, // for one file: elbo waits less, but may itself be gone
};
#define MOST_MEMORY ((rlim_t)3 << 30) // of address space: what asks for more ends this process, not the machine

static bool read_all(int fd, void *bytes, size_t n) {
    for (char *p = bytes; n;) {
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        p += got, n -= (size_t)got;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t n) {
    for (const char *p = bytes; n;) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        p += put, n -= (size_t)put;
    }
    return true;
}

/* Decoders chat on stdout and stderr; elbo's terminal is not theirs. */
static int keep_socket(void) {
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 3), nothing = open("/dev/null", O_RDWR);
    if (fd < 0 || nothing < 0) return -1;
    for (int i = 0; i < 3; i++)
        if (nothing != i) dup2(nothing, i);
    return fd;
}

static bool answer(int fd, const elbo_images_request *r, const char *path, uint8_t *pixels) {
    char reason[ELBO_IMAGES_MAX_REASON] = "";
    elbo_images_reply reply = {0};
    alarm(SECONDS_TO_LIVE);
    reply.readable = decode_image(path, r, pixels, &reply, reason);
    alarm(0);
    for (char *p = reason; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) *p = ' ';
    reply.bytes = (uint32_t)(reply.readable ? (size_t)r->channels * r->height * r->width : strlen(reason));
    return write_all(fd, &reply, sizeof reply) && write_all(fd, reply.readable ? (void *)pixels : reason, reply.bytes);
}

int main(int argc, char **argv) {
    (void)argc;
    struct stat st;
    if (fstat(0, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fputs("elbo-images: decodes image files for elbo, which starts it; it is not run by hand\n", stderr);
        return 2;
    }
    const struct rlimit memory = {MOST_MEMORY, MOST_MEMORY}, no_core = {0, 0};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // which reserve terabytes
    setrlimit(RLIMIT_AS, &memory);
#else
    (void)memory;
#endif
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGINT, SIG_IGN); // Ctrl-C is for elbo, which then hangs up
    int fd = keep_socket();
    if (fd < 0 || VIPS_INIT(argv[0])) return 1;
    vips_concurrency_set(1); // one of us for each core
    vips_cache_set_max(0);
    vips_cache_set_max_mem(0);
    const elbo_images_greeting hello = {ELBO_IMAGES_GREETING, ELBO_IMAGES_VERSION};
    if (!write_all(fd, &hello, sizeof hello)) return 1;
    elbo_images_request r;
    while (read_all(fd, &r, sizeof r)) {
        char path[ELBO_IMAGES_MAX_PATH + 1];
        bool sane = r.path_bytes >= 1 && r.path_bytes <= ELBO_IMAGES_MAX_PATH && (r.channels == 1 || r.channels == 3) &&
                    r.height >= 1 && r.height <= ELBO_IMAGES_MAX_SIDE && r.width >= 1 &&
                    r.width <= ELBO_IMAGES_MAX_SIDE;
        if (!sane || !read_all(fd, path, r.path_bytes)) return 1;
        path[r.path_bytes] = 0;
        uint8_t *pixels = malloc((size_t)r.channels * r.height * r.width);
        bool sent = pixels && answer(fd, &r, path, pixels);
        free(pixels);
        if (!sent) return 1;
    }
    vips_shutdown();
    return 0;
}
