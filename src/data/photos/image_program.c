#include "data/photos/image_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#define PROGRAM "elbo-images"

enum { SECONDS_TO_START = 30, SECONDS_TO_END = 2 };

bool elbo_is_image_name(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp",
                                          ".tif", ".tiff", ".gif", ".bmp",  ".dib"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t m = strlen(endings[i]);
        if (n > m && strcasecmp(name + n - m, endings[i]) == 0) return true;
    }
    return false;
}

/* ---- finding it ---- */

/* The folder of the running program, a new string; NULL where it is not known. */
static char *own_folder(void) {
    char *path = realpath("/proc/self/exe", NULL), *slash = path ? strrchr(path, '/') : NULL;
    if (slash) *slash = 0;
    return path;
}

static bool can_run(const char *path) { return path && elbo_file_exists(path) && access(path, X_OK) == 0; }

elbo_status elbo_images_program_find(char **path, elbo_error *err) {
    *path = NULL;
    const char *named = getenv("ELBO_IMAGES");
    if (named && *named) {
        if (!can_run(named))
            return elbo_fail(err, ELBO_NOT_FOUND,
                             "%s: ELBO_IMAGES names it, but it is not a program; expected " PROGRAM, named);
        *path = strdup(named);
        return *path ? ELBO_OK : elbo_no_memory(err);
    }
    char *folder = own_folder();
    char *places[] = {folder ? elbo_path_join(folder, PROGRAM) : NULL,
                      folder ? elbo_path_join(folder, "../libexec/elbo/" PROGRAM)
                             : NULL, // moved after its installation
                      strdup(ELBO_LIBEXEC "/" PROGRAM)};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!*path && can_run(places[i]))
            *path = places[i];
        else
            free(places[i]);
    free(folder);
    if (*path) return ELBO_OK;
    return elbo_fail(err, ELBO_NOT_FOUND,
                     PROGRAM
                     ": reads photographs for elbo, and is not built; `make photos` installs what it needs (Debian's "
                     "libvips-dev) and builds it");
}

/* ---- starting and stopping it ---- */

void elbo_images_program_stop(elbo_images_program *p) {
    if (!p->pid) return;
    close(p->fd);
    kill(p->pid, SIGKILL); // it has nothing to lose
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {}
    p->pid = 0;
}

extern char **environ;

static int spawn(elbo_images_program *p, int socket) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, by_default;
    sigemptyset(&none);
    sigemptyset(&by_default);
    sigaddset(&by_default, SIGINT);
    sigaddset(&by_default, SIGTERM);
    sigaddset(&by_default, SIGHUP);
    sigaddset(&by_default, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions)) return ENOMEM;
    if (posix_spawnattr_init(&attributes)) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    char *argv[] = {(char *)(uintptr_t)p->path, NULL};
    int failed = posix_spawn_file_actions_adddup2(&actions, socket, 0);
    // (a process group of its own: Ctrl-C at the terminal is not for it, and would look like a file that crashed it)
    if (!failed)
        failed = posix_spawnattr_setflags(&attributes,
                                          POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failed) failed = posix_spawnattr_setsigmask(&attributes, &none);
    if (!failed) failed = posix_spawnattr_setsigdefault(&attributes, &by_default);
    if (!failed) failed = posix_spawn(&p->pid, p->path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* ---- talking ---- */

typedef enum heard { HEARD, HUNG_UP, TOO_LATE, STOPPED, FAILED } heard; // FAILED: errno says why

/* The next `n` bytes it says. */
static heard hear(elbo_images_program *p, void *bytes, size_t n, double deadline) {
    for (char *at = bytes; n;) {
        double left = deadline - elbo_now();
        if (p->stop && atomic_load(p->stop)) return STOPPED;
        if (left <= 0) return TOO_LATE;
        struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
        int ready = poll(&poll_fd, 1, left < 0.1 ? 1 + (int)(left * 1000) : 100);
        if (ready < 0 && errno != EINTR) return FAILED;
        if (ready <= 0) continue;
        ssize_t got = recv(p->fd, at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != ECONNRESET) return FAILED;
        if (got <= 0) return HUNG_UP;
        at += got;
        n -= (size_t)got;
    }
    return HEARD;
}

static bool say(const elbo_images_program *p, const void *bytes, size_t n) { // (a request fits the socket's buffer)
    for (const char *at = bytes; n;) {
        ssize_t put = send(p->fd, at, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        at += put;
        n -= (size_t)put;
    }
    return true;
}

/* By errno. */
static elbo_status take_failure(elbo_images_program *p, elbo_error *err) {
    elbo_status status = elbo_fail_errno(err, "%s: cannot be talked to", p->path);
    elbo_images_program_stop(p);
    return status;
}

static elbo_status start(elbo_images_program *p, elbo_error *err) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return elbo_fail_errno(err, "%s: cannot be started", p->path);
    int failed = spawn(p, ends[1]);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        p->pid = 0;
        errno = failed;
        return elbo_fail_errno(err, "%s: cannot be started", p->path);
    }
    p->fd = ends[0];
    elbo_images_greeting hello = {0};
    heard h = hear(p, &hello, sizeof hello, elbo_now() + SECONDS_TO_START);
    if (h == HEARD && hello.greeting == ELBO_IMAGES_GREETING && hello.version == ELBO_IMAGES_VERSION) return ELBO_OK;
    if (h == FAILED) return take_failure(p, err);
    elbo_images_program_stop(p);
    if (h == STOPPED) return elbo_fail(err, ELBO_STOPPED, "stopped while reading images");
    return elbo_fail(err, ELBO_IO, "%s: is %s; rebuild it with `make photos`", p->path,
                     h == HEARD ? "of another version of elbo" : "not " PROGRAM ", or cannot be run here");
}

/* One that hung up has ended, or is about to; one that lives on is ended. True where it ended by itself. */
static bool wait_for_end(elbo_images_program *p, int *status) {
    double deadline = elbo_now() + SECONDS_TO_END;
    pid_t ended;
    while ((ended = waitpid(p->pid, status, WNOHANG)) == 0 && elbo_now() < deadline)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (ended == 0) {
        elbo_images_program_stop(p);
        return false;
    }
    close(p->fd);
    p->pid = 0;
    return true;
}

static void crashed(elbo_image_read *result, int number) {
    result->passing = false; // it would again
    snprintf(result->reason, sizeof result->reason, "its decoder crashed (%s)", strsignal(number));
}

/* What to say of a file that ended the helper: by which signal. */
static void say_how_it_ended(elbo_images_program *p, elbo_image_read *result) {
    int status = 0;
    result->passing = true;
    if (!wait_for_end(p, &status))
        snprintf(result->reason, sizeof result->reason, "its decoder closed the connection");
    else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        crashed(result, WTERMSIG(status));
    else
        snprintf(result->reason, sizeof result->reason, "its decoder stopped, probably out of memory");
}

static elbo_status take_answer(elbo_images_program *p, heard h, elbo_image_read *result, double seconds,
                               elbo_error *err) {
    switch (h) {
    case HEARD: break;
    case HUNG_UP: say_how_it_ended(p, result); break;
    case TOO_LATE:
        snprintf(result->reason, sizeof result->reason, "not decoded after %g s", seconds);
        elbo_images_program_stop(p);
        break;
    case STOPPED: elbo_images_program_stop(p); return elbo_fail(err, ELBO_STOPPED, "stopped while reading images");
    case FAILED: return take_failure(p, err);
    }
    return ELBO_OK;
}

elbo_status elbo_images_program_read(elbo_images_program *p, const char *path, elbo_image_shape shape, uint8_t *pixels,
                                     elbo_image_read *result, elbo_error *err) {
    *result = (elbo_image_read){0};
    size_t size = elbo_image_size(shape), length = strlen(path);
    if (length > ELBO_IMAGES_MAX_PATH) {
        snprintf(result->reason, sizeof result->reason, "its path is longer than %d bytes", ELBO_IMAGES_MAX_PATH);
        return ELBO_OK;
    }
    if (!p->pid) ELBO_TRY(start(p, err));
    double seconds = p->seconds > 0 ? p->seconds : ELBO_IMAGES_SECONDS, deadline = elbo_now() + seconds;
    elbo_images_request r = {(uint32_t)shape.channels, (uint32_t)shape.height, (uint32_t)shape.width, (uint32_t)length};
    elbo_images_reply reply = {0};
    heard h = say(p, &r, sizeof r) && say(p, path, length) ? hear(p, &reply, sizeof reply, deadline) : HUNG_UP;
    if (h != HEARD) return take_answer(p, h, result, seconds, err);
    result->height = (int)reply.height;
    result->width = (int)reply.width;
    bool sane = reply.readable ? reply.bytes == size : reply.bytes > 0 && reply.bytes < sizeof result->reason;
    h = sane ? hear(p, reply.readable ? (void *)pixels : result->reason, reply.bytes, deadline) : TOO_LATE;
    if (h == HEARD) result->readable = reply.readable;
    if (h == HEARD && !reply.readable && !*result->reason)
        snprintf(result->reason, sizeof result->reason, "the decoder gave no reason");
    return take_answer(p, h, result, seconds, err);
}
