/* Loaded into elbo by LD_PRELOAD: counts allocations from main on and fails those that the plan names; has the kernel
 * ask the sweep about each system call. What elbo starts is left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <malloc.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"
#include "plan.h"

#define EXPORT __attribute__((visibility("default")))

static fault_plan *plan;
static bool armed; // in main

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

/* ---- who asked ---- */

/* Where the code of oneDNN, and of what it allocates through, lies. */
static struct { uintptr_t from, to; } library[4];
static int libraries;

static int find_library(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!strstr(info->dlpi_name, "libdnnl") && !strstr(info->dlpi_name, "libstdc++")) return 0;
    library[libraries].from = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
            library[libraries].to = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    return ++libraries == 4;
}

static bool from_onednn(uintptr_t caller) {
    for (int i = 0; i < libraries; i++)
        if (caller >= library[i].from && caller < library[i].to) return true;
    return false;
}

static void say_where(void) {
    enum { MOST = 24 };
    void *caller[MOST];
    int n = backtrace(caller, MOST); // (its library is loaded already)
    size_t used = 0;
    for (int i = 2; i < n && used + 120 < sizeof plan->where; i++) {
        Dl_info at;
        if (!dladdr(caller[i], &at) || !at.dli_fname) continue;
        const char *slash = strrchr(at.dli_fname, '/');
        int wrote = snprintf(plan->where + used, 110, "%s%s+0x%lx", used ? " " : "", slash ? slash + 1 : at.dli_fname,
                             (unsigned long)((char *)caller[i] - (char *)at.dli_fbase));
        used += (size_t)(wrote < 110 ? wrote : 109);
    }
}

/* Whether this allocation fails. */
static bool fails_here(void *caller) {
    bool fired = plan->from && atomic_load(&plan->fired);
    if (!fired && (plan->kind == FAULT_ONEDNN) != from_onednn((uintptr_t)caller)) return false;
    if (!fired && atomic_fetch_add(&plan->count, 1) != plan->at) return false;
    if (!atomic_exchange(&plan->fired, true)) say_where();
    errno = ENOMEM;
    return true;
}
#define fails() (armed && fails_here(__builtin_return_address(0)))

/* ---- the family ---- */

EXPORT void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
EXPORT void *calloc(size_t members, size_t size) { return fails() ? NULL : __libc_calloc(members, size); }
EXPORT void *realloc(void *p, size_t n) { return n && fails() ? NULL : __libc_realloc(p, n); }
EXPORT void *memalign(size_t alignment, size_t n) { return fails() ? NULL : __libc_memalign(alignment, n); }
EXPORT void *aligned_alloc(size_t alignment, size_t n) { return fails() ? NULL : __libc_memalign(alignment, n); }
EXPORT int posix_memalign(void **p, size_t alignment, size_t n) {
    if (fails()) return ENOMEM;
    void *block = __libc_memalign(alignment, n);
    if (!block) return ENOMEM;
    *p = block;
    return 0;
}

/* ---- system calls ---- */

/* Gives away the descriptor through which the kernel asks. */
static void give_away(int socket, int listener) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 0;
    struct iovec io = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &listener, sizeof listener);
    if (sendmsg(socket, &message, 0) != 1) _exit(99);
    close(listener);
}

static void ask_about_calls(int socket) {
    enum { CALLS = sizeof fault_calls / sizeof *fault_calls };
    struct sock_filter code[CALLS + 3];
    int n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < CALLS; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)fault_calls[i].number,
                                                 (uint8_t)(CALLS - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {(unsigned short)n, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) _exit(99);
    give_away(socket, (int)listener);
}

/* ---- from main on ---- */

static int (*real_main)(int, char **, char **);

static int begin(int argc, char **argv, char **environment) {
    const char *given = getenv(FAULT_VARIABLE);
    int file, socket;
    if (!given || sscanf(given, "%d %d", &file, &socket) != 2) _exit(99);
    unsetenv("LD_PRELOAD");
    unsetenv(FAULT_VARIABLE);
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (plan == MAP_FAILED) _exit(99);
    close(file);
    void *warm[2];
    backtrace(warm, 2);
    if (plan->kind == FAULT_CALLS || plan->kind == FAULT_DISK) ask_about_calls(socket);
    close(socket);
    dl_iterate_phdr(find_library, NULL);
    armed = plan->kind == FAULT_MEMORY || plan->kind == FAULT_ONEDNN;
    return real_main(argc, argv, environment);
}

typedef int start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void),
                       void *);

EXPORT int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                             void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end) {
    start_main *next;
    void *found = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&next, &found, sizeof next);
    real_main = main;
    return next(begin, argc, argv, init, fini, rtld_fini, stack_end);
}
