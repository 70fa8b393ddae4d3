/* What oneDNN does where it gets no memory: its C++ throws, through elbo's frames, where nobody can catch; and its code
 * generator writes to address 0. A library must leave both to its caller. This program ends with a line. */
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "cli.h"

static void end(void) {
    static const char line[] = "elbo: out of memory, inside oneDNN\n";
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    _exit(CLI_FAILED);
}

/* std::set_new_handler or std::set_terminate, of the libstdc++ that oneDNN brings. */
static void call_end_from(const char *setter) {
    void (*(*set)(void (*)(void)))(void);
    void *found = dlsym(RTLD_DEFAULT, setter);
    memcpy(&set, &found, sizeof found);
    if (found) set(end);
}

#if defined(__x86_64__) || defined(__aarch64__)
static uintptr_t code_from, code_to; // oneDNN's, of this process
static struct sigaction before;      // a sanitizer's

/* Only a write or read near address 0 by oneDNN itself is taken for that; any other crash stays what it is. */
static void look_at_crash(int number, siginfo_t *info, void *context) {
    (void)number;
    const ucontext_t *c = context;
#ifdef __x86_64__
    uintptr_t at = (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#else
    uintptr_t at = c->uc_mcontext.pc;
#endif
    if ((uintptr_t)info->si_addr < 1 << 16 && at >= code_from && at < code_to) end();
    sigaction(SIGSEGV, &before, NULL); // the same once more, as if nobody had looked
}

static int find_code(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!strstr(info->dlpi_name, "libdnnl")) return 0;
    code_from = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
            code_to = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    return 1;
}

static void look_at_crashes(void) {
    struct sigaction look = {.sa_sigaction = look_at_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    dl_iterate_phdr(find_code, NULL);
    sigaction(SIGSEGV, &look, &before);
}
#else
static void look_at_crashes(void) {}
#endif

void cli_expect_refusals(void) {
    call_end_from("_ZSt15set_new_handlerPFvvE");
    call_end_from("_ZSt13set_terminatePFvvE");
    look_at_crashes();
}
