/* Fuzz targets: everything that elbo reads and did not write, given any bytes at all. A target is a file here with one
 * fuzz_target, a row in fuzz.c, and a folder of inputs in corpus/.
 *
 * Built by clang they are one libFuzzer program (`make fuzz`; build-fuzz/tests/fuzz/fuzz TARGET), and by any compiler
 * one program that reads the corpora once (`make test`; build/tests/fuzz/fuzz-replay). */
#ifndef ELBO_TESTS_FUZZ_H
#define ELBO_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef struct fuzz_target {
    const char *name;
    size_t longest; // bytes of an input; more teaches nothing and takes longer
    void (*run)(const uint8_t *data, size_t size);
} fuzz_target;

extern const fuzz_target *const fuzz_targets[]; // ended by NULL
const fuzz_target *fuzz_find(const char *name); // NULL: there is none

/* What every reader owes its caller, whatever it was given: true where it succeeded. Where it failed the message is one
 * line without control characters, and memory did not run out: nothing is allocated by an input's word. */
bool fuzz_succeeded(elbo_status status, const elbo_error *err);

/* Something that can never be. */
#define FUZZ_ASSERT(condition, ...)                                                                                    \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                            \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The same of a call that cannot fail, made by the target itself. */
#define FUZZ_OK(call)                                                                                                  \
    do {                                                                                                               \
        elbo_error fuzz_err_;                                                                                          \
        FUZZ_ASSERT((call) == ELBO_OK, "%s", fuzz_err_.message);                                                       \
    } while (0)

/* Reads every byte, so that a sanitizer sees which are not there. */
void fuzz_touch(const void *bytes, size_t n);

/* Files in memory. Each of a few has new contents with every call; the path is always the same one. */
enum { FUZZ_FILES = 2 };
const char *fuzz_file(int which, const uint8_t *data, size_t size);
/* A path of that name ("cifar/test_batch.bin", below a folder of this process that goes with it) which is a link to the
 * file: for readers that go by names. A string that stays. */
const char *fuzz_link(int which, const char *name);
/* The path alone, its folder made: for what a target writes. */
const char *fuzz_path(const char *name);
/* Bytes of such a path. *bytes is freed by the caller. */
size_t fuzz_read(const char *path, uint8_t **bytes);

/* A safetensors file: a text that begins with a brace is its header, up to a NUL, and what follows its data; other bytes
 * are the file as it is. The eight bytes that count the header's length would stop most mutations of it. */
const char *fuzz_safetensors_file(int which, const uint8_t *data, size_t size);

/* A new string: the bytes up to the first NUL. */
char *fuzz_text(const uint8_t *data, size_t size);

#endif
