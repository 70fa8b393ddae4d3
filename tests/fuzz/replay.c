/* The targets without libFuzzer: fuzz-replay [TARGET [FILE...]] gives each target the files, or all of its corpus, once.
 * Every input that ever broke something is there. */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SECONDS = 20, MIB = 1 << 20, MOST_MEMORY = 96 };

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static char current[800]; // the input being read

static void say_which(void) {
    if (write(2, "input: ", 7) < 0 || write(2, current, strlen(current)) < 0 || write(2, "\n", 1) < 0) _exit(1);
}

static void on_signal(int number) {
    say_which();
    signal(number, SIG_DFL);
    raise(number);
}

#ifdef SANITIZED
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

static void watch(void) {
#ifdef SANITIZED
    __sanitizer_set_death_callback(say_which);
    signal(SIGABRT, on_signal);
#else
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], on_signal);
    // (what allocates by an input's word fails, where a sanitizer would say so)
    unsigned long pages = 0; // of data, that libraries have already
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*u %*u %*u %*u %*u %lu", &pages) != 1) pages = 200 * MIB / 4096;
    if (f) fclose(f);
    const rlim_t most = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)MOST_MEMORY * MIB;
    setrlimit(RLIMIT_DATA, &(struct rlimit){most, most});
#endif
    signal(SIGALRM, on_signal);
}

static void give(const fuzz_target *t, const char *path) {
    snprintf(current, sizeof current, "%s %s", t->name, path);
    uint8_t *bytes;
    size_t n = fuzz_read(path, &bytes);
    uint8_t *exact = malloc(n ? n : 1); // no byte more than there are
    FUZZ_ASSERT(exact, "out of memory");
    memcpy(exact, bytes, n);
    free(bytes);
    alarm(SECONDS);
    t->run(exact, n);
    alarm(0);
    free(exact);
}

static int no_dots(const struct dirent *e) { return e->d_name[0] != '.'; }

static int give_corpus(const fuzz_target *t) {
    char path[700], folder[400];
    snprintf(folder, sizeof folder, "%s/corpus/%s", ELBO_FUZZ_SOURCE, t->name);
    struct dirent **names;
    int n = scandir(folder, &names, no_dots, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        give(t, path);
        free(names[i]);
    }
    if (n >= 0) free(names);
    t->run((const uint8_t *)"", 0);
    return n;
}

int main(int argc, char **argv) {
    const fuzz_target *one = argc > 1 ? fuzz_find(argv[1]) : NULL;
    if (argc > 1 && !one) {
        fprintf(stderr, "%s: no such target; usage: fuzz-replay [TARGET [FILE...]]\n", argv[1]);
        return 2;
    }
    // (OpenBLAS's threads wait for ever for memory that the limit keeps from them)
    if (!getenv("OPENBLAS_NUM_THREADS") && setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) execv("/proc/self/exe", argv);
    watch();
    for (int i = 2; i < argc; i++) give(one, argv[i]);
    int failed = 0;
    for (const fuzz_target *const *t = fuzz_targets; *t && argc < 3; t++) {
        if (one && *t != one) continue;
        int inputs = give_corpus(*t);
        printf("%-12s %d inputs\n", (*t)->name, inputs);
        failed |= inputs < 1; // a target without seeds is not run in earnest
    }
    return failed;
}
