#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

enum { SECONDS_TO_LIVE = 60 };

static const char *elbo_program, *injected_library;
static fault_plan *plan; // shared with the run
static int plan_file;

static void must(bool fine, const char *what) {
    if (fine) return;
    perror(what);
    exit(2);
}

void attempt_use(const char *elbo, const char *library) {
    elbo_program = realpath(elbo, NULL); // (a run has a folder of its own)
    injected_library = library ? realpath(library, NULL) : NULL;
    must(elbo_program && (injected_library || !library), elbo);
    plan_file = memfd_create("faults", 0);
    must(plan_file >= 0 && ftruncate(plan_file, sizeof *plan) == 0, "memfd");
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, plan_file, 0);
    must(plan != MAP_FAILED, "mmap");
    signal(SIGPIPE, SIG_IGN);
}

const char *attempt_lacks(void) {
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0
               ? NULL
               : "the kernel does not hand system calls to another process (SECCOMP_RET_USER_NOTIF)";
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the child ---- */

static void become_elbo(const attempt *a, int socket) {
    char *argv[40] = {(char *)(uintptr_t) "elbo"}, text[100];
    for (int i = 0; a->words[i] && i < 38; i++) argv[i + 1] = (char *)(uintptr_t)a->words[i];
    setpgid(0, 0);
    if (chdir(a->folder) != 0) _exit(98);
    int in = open("/dev/null", O_RDONLY), out = open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600),
        err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(98);
    close(in);
    close(out);
    close(err);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setenv("HOME", a->folder, 1);
    snprintf(text, sizeof text, "%s/cache", a->folder);
    setenv("XDG_CACHE_HOME", text, 1);
    setenv("ELBO_DATA", a->folder, 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    if (a->kind != FAULT_NONE) {
        snprintf(text, sizeof text, "%d %d", plan_file, socket);
        setenv(FAULT_VARIABLE, text, 1);
        setenv("LD_PRELOAD", injected_library, 1);
    }
    execv(elbo_program, argv);
    _exit(98);
}

/* ---- what the kernel asks ---- */

static int take_listener(int socket) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec io = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int listener = -1;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof listener);
    return listener;
}

/* A thread of the run itself, not a program that it started. */
static bool is_own(pid_t run, uint32_t thread) {
    char path[60];
    snprintf(path, sizeof path, "/proc/%d/task/%u", (int)run, thread);
    return access(path, F_OK) == 0;
}

static const fault_call *find_call(const struct seccomp_data *d) {
    for (size_t i = 0; i < sizeof fault_calls / sizeof *fault_calls; i++)
        if (fault_calls[i].number == d->nr) return &fault_calls[i];
    return NULL;
}

static bool may_fail(const fault_call *c, const struct seccomp_data *d) {
    bool writes = !strcmp(c->name, "write") || !strcmp(c->name, "writev");
    if (writes && d->args[0] == 2) return false;
    if (!strcmp(c->name, "fcntl") && d->args[1] != F_DUPFD_CLOEXEC && d->args[1] != F_DUPFD) return false;
    if (plan->kind == FAULT_CALLS) return true;
    if (c->disk != IF_CREATES) return c->disk == ON_DISK && !(writes && d->args[0] == 1);
    return (d->args[!strcmp(c->name, "open") ? 1 : 2] & O_CREAT) != 0;
}

/* The call with its file, for people. */
static void say_where(pid_t run, const fault_call *c, const struct seccomp_data *d) {
    char text[300] = "", link[60];
    bool at = strstr(c->name, "at") && strcmp(c->name, "stat") && strcmp(c->name, "lstat") && strcmp(c->name, "fstat");
    static const char *const on_files[] = {"read",  "write", "fsync",   "fstat",     "ftruncate", "getdents64",
                                           "lseek", "flock", "pread64", "fallocate", NULL};
    bool by_number = false;
    for (int i = 0; on_files[i]; i++) by_number |= !strcmp(c->name, on_files[i]);
    if (by_number) {
        snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)run, (int)d->args[0]);
        ssize_t n = readlink(link, text, sizeof text - 1);
        text[n > 0 ? n : 0] = 0;
    } else if (strncmp(c->name, "m", 1) || !strncmp(c->name, "mkdir", 5)) {
        struct iovec here = {text, sizeof text - 1}, there = {(void *)(uintptr_t)d->args[at ? 1 : 0], sizeof text - 1};
        if (process_vm_readv(run, &here, 1, &there, 1, 0) <= 0) text[0] = 0;
    }
    snprintf(plan->where, sizeof plan->where, "%s %.200s", c->name, text);
}

/* Answers one question. */
static void answer(int listener, pid_t run) {
    struct seccomp_notif q = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &q) != 0) return;
    struct seccomp_notif_resp r = {.id = q.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    const fault_call *c = find_call(&q.data);
    if (c && is_own(run, q.pid) && may_fail(c, &q.data)) {
        long number = atomic_fetch_add(&plan->count, 1);
        if (plan->at >= 0 && (plan->from ? number >= plan->at : number == plan->at)) {
            r.flags = 0;
            r.error = plan->kind == FAULT_DISK ? -ENOSPC : -c->error;
            if (!atomic_exchange(&plan->fired, true)) say_where(run, c, &q.data);
        }
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* ---- the whole ---- */

/* Until it ends: its exit code. */
static int watch(outcome *o, const attempt *a, pid_t run, int socket) {
    double start = now();
    int status = 0, listener = -1, self = (int)syscall(SYS_pidfd_open, run, 0);
    bool killed = false;
    must(self >= 0, "pidfd_open");
    for (;;) {
        double left = (a->kill_after > 0 && !killed ? a->kill_after : SECONDS_TO_LIVE) - (now() - start);
        if (left <= 0) {
            o->late = o->late || !(a->kill_after > 0);
            kill(-run, SIGKILL);
            killed = true;
            left = 1;
        }
        struct pollfd fds[3] = {
            {.fd = self, .events = POLLIN}, {.fd = listener, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
        struct timespec timeout = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
        if (ppoll(fds, 3, &timeout, NULL) <= 0) continue;
        if (fds[0].revents) break;
        if (fds[2].revents) {
            listener = take_listener(socket);
            socket = -1; // once
        }
        if (fds[1].revents & POLLIN)
            answer(listener, run);
        else if (fds[1].revents) {
            close(listener); // everybody hung up
            listener = -1;
        }
    }
    waitpid(run, &status, 0);
    kill(-run, SIGKILL); // whatever it started
    if (listener >= 0) close(listener);
    close(self);
    o->seconds = now() - start;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_beginning(const char *folder, const char *name, char *text, size_t room) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, room - 1) : 0;
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0) close(fd);
}

void attempt_run(outcome *o, const attempt *a) {
    int socket[2];
    *plan = (fault_plan){.kind = a->kind, .at = a->at, .from = a->from};
    o->late = false;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, socket) == 0, "socketpair");
    pid_t run = fork();
    must(run >= 0, "fork");
    if (run == 0) {
        close(socket[0]);
        become_elbo(a, socket[1]);
    }
    setpgid(run, run); // (whoever of the two comes first)
    close(socket[1]);
    o->code = watch(o, a, run, a->kind == FAULT_NONE ? -1 : socket[0]);
    close(socket[0]);
    o->fired = atomic_load(&plan->fired);
    o->count = atomic_load(&plan->count);
    memcpy(o->where, plan->where, sizeof o->where);
    read_beginning(a->folder, "stdout", o->out, sizeof o->out);
    read_beginning(a->folder, "stderr", o->err, sizeof o->err);
}
