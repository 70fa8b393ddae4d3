/* A folder of its own for a test, and files in it. */
#ifndef ELBO_TESTS_SCRATCH_H
#define ELBO_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct scratch {
    char folder[64];
    char path[320]; // of the last scratch_path
} scratch;

static inline void scratch_make(scratch *s) {
    strcpy(s->folder, "/tmp/elbo-test-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
}

/* Valid until the next call. */
static inline const char *scratch_path(scratch *s, const char *name) {
    snprintf(s->path, sizeof s->path, "%s/%s", s->folder, name);
    return s->path;
}

static inline const char *scratch_write(scratch *s, const char *name, const void *bytes, size_t n) {
    FILE *f = fopen(scratch_path(s, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return s->path;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static inline void scratch_remove(scratch *s) { nftw(s->folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS); }

/* The message says each of the words (ended by NULL). */
static inline void assert_says(const char *message, const char *const *words) {
    for (; *words; words++)
        if (!strstr(message, *words)) fail_msg("\"%s\" does not say \"%s\"", message, *words);
    assert_null(strchr(message, '\n'));
}
#define assert_message(err, ...) assert_says((err).message, (const char *const[]){__VA_ARGS__, NULL})

#endif
