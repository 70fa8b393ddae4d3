/* The targets as one libFuzzer program: fuzz TARGET [libFuzzer's options] [folder or file...]. */
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const fuzz_target *chosen;

/* libFuzzer runs this program again with the same options but its own first words: the name is kept for it. */
#define NAME "ELBO_FUZZ_TARGET"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *first = *argc > 1 ? (*argv)[1] : "", *kept = getenv(NAME);
    chosen = fuzz_find(first);
    if (!chosen && kept) {
        chosen = fuzz_find(kept);
        if (chosen) return 0;
    }
    if (!chosen) {
        fputs("usage: fuzz TARGET [libFuzzer's options] [folder or file...]; targets:", stderr);
        for (const fuzz_target *const *t = fuzz_targets; *t; t++) fprintf(stderr, " %s", (*t)->name);
        fputc('\n', stderr);
        exit(2);
    }
    setenv(NAME, chosen->name, 1);
    static char longest[40], dictionary[400];
    snprintf(longest, sizeof longest, "-max_len=%zu", chosen->longest);
    snprintf(dictionary, sizeof dictionary, "%s/%s.dict", ELBO_FUZZ_SOURCE, chosen->name);
    FILE *f = fopen(dictionary, "r");
    if (f) fclose(f);
    snprintf(dictionary, sizeof dictionary, "-dict=%s/%s.dict", ELBO_FUZZ_SOURCE, chosen->name);
    // The name's place is taken by these; what the caller says behind them counts instead.
    char **words = calloc((size_t)*argc + 4, sizeof *words);
    if (!words) exit(2);
    int n = 0;
    words[n++] = (*argv)[0];
    words[n++] = longest;
    words[n++] = (char *)(uintptr_t) "-malloc_limit_mb=64";
    words[n++] = (char *)(uintptr_t) "-timeout=10";
    if (f) words[n++] = dictionary;
    for (int i = 2; i < *argc; i++) words[n++] = (*argv)[i];
    *argv = words;
    *argc = n;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chosen->run(data, size);
    return 0;
}
