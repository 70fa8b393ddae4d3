/* Running elbo as its users do: the built program in a process of its own, in a scratch folder that is its home, with a
 * time limit; and small data for it. */
#ifndef ELBO_TESTS_PROGRAM_H
#define ELBO_TESTS_PROGRAM_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/data.h"
#include "formats/png.h"
#include "scratch.h"

enum { SECONDS_TO_LIVE = 60, MOST_WORDS = 32 };

static scratch here; // the folder that the program runs in

/* What the next program finds, besides its usual world; used up by program_start. */
static struct {
    const char *path;        // PATH
    const char *folder;      // in the scratch folder: where it runs
    const char *stdout_file; // "/dev/full"; "-": closed
    rlim_t largest_file;     // bytes; 0: any size
} world;

typedef struct program {
    pid_t pid;
    int code; // exit status; 128 + n where signal n ended it
    char *out, *err;
} program;

static inline char *read_text(const char *path) {
    uint8_t *text = NULL;
    size_t n;
    if (elbo_file_read(path, (size_t)1 << 30, &text, &n, NULL) != ELBO_OK) return strdup("");
    return (char *)text;
}

static inline char *in_scratch(const char *name) {
    char *path = elbo_path_join(here.folder, name);
    assert_non_null(path);
    return path;
}

static inline program program_start(const char *const *words) {
    const char *binary = getenv("ELBO_PROGRAM");
    if (!binary) fail_msg("ELBO_PROGRAM must name the program to test");
    char *argv[MOST_WORDS + 2] = {(char *)"elbo"};
    for (int i = 0; words[i]; i++) {
        assert_true(i < MOST_WORDS);
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    const char *path = world.path ? world.path : getenv("PATH");
    char *environment[] = {elbo_format("PATH=%s", path ? path : ""),
                           elbo_format("HOME=%s", here.folder),
                           elbo_format("XDG_CACHE_HOME=%s/cache", here.folder),
                           elbo_format("ELBO_DATA=%s", here.folder),
                           elbo_format("UBSAN_OPTIONS=halt_on_error=%d", 1),
                           NULL}; // (of a build with sanitizers)
    char *out = in_scratch("stdout"), *err = in_scratch("stderr");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    unlink(out);
    if (world.stdout_file && !strcmp(world.stdout_file, "-"))
        posix_spawn_file_actions_addclose(&actions, 1);
    else
        posix_spawn_file_actions_addopen(&actions, 1, world.stdout_file ? world.stdout_file : out,
                                         O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addchdir_np(&actions, here.folder);
    if (world.folder) posix_spawn_file_actions_addchdir_np(&actions, world.folder);
    struct rlimit before, limited;
    getrlimit(RLIMIT_FSIZE, &before);
    limited = (struct rlimit){world.largest_file, before.rlim_max};
    if (world.largest_file) setrlimit(RLIMIT_FSIZE, &limited);
    program p = {0};
    int failed = posix_spawn(&p.pid, binary, &actions, NULL, argv, environment);
    setrlimit(RLIMIT_FSIZE, &before);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; environment[i]; i++) free(environment[i]);
    free(out);
    free(err);
    memset(&world, 0, sizeof world);
    if (failed) fail_msg("%s: %s", binary, strerror(failed));
    return p;
}

static inline void pause_ms(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static inline void program_wait(program *p) {
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int status = 0;
    bool late = false;
    while (waitpid(p->pid, &status, WNOHANG) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!late && now.tv_sec - start.tv_sec > SECONDS_TO_LIVE) {
            late = true;
            kill(p->pid, SIGKILL);
        }
        pause_ms(1);
    }
    p->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char *out = in_scratch("stdout"), *err = in_scratch("stderr");
    p->out = read_text(out);
    p->err = read_text(err);
    free(out);
    free(err);
    const char *said[] = {p->out, p->err}; // which no terminal may obey
    for (int i = 0; i < 2; i++)
        for (const char *c = said[i]; *c; c++)
            if (((unsigned char)*c < ' ' && *c != '\n' && *c != '\t') || *c == 127)
                fail_msg("byte %d: %s", *c, said[i]);
    if (late) fail_msg("ended after %d s; it had said: %s%s", SECONDS_TO_LIVE, p->out, p->err);
}

static inline program program_run(const char *const *words) {
    program p = program_start(words);
    program_wait(&p);
    return p;
}
#define elbo(...) program_run((const char *const[]){__VA_ARGS__, NULL})
#define elbo_start(...) program_start((const char *const[]){__VA_ARGS__, NULL})

static inline void program_free(program *p) {
    free(p->out);
    free(p->err);
    *p = (program){0};
}

/* ---- what is expected of it ---- */

static inline void expect_code(const program *p, int code) {
    if (p->code != code) fail_msg("exit status %d, not %d; stdout: %s; stderr: %s", p->code, code, p->out, p->err);
}

#define run_well(...)                                                                                                  \
    do {                                                                                                               \
        program well_ = elbo(__VA_ARGS__);                                                                             \
        expect_code(&well_, 0);                                                                                        \
        program_free(&well_);                                                                                          \
    } while (0)

/* Ended with `code`, nothing on stdout, and on stderr one line, "elbo: ...", that says each of the words. */
static inline void expect_refusal(program *p, int code, const char *const *words) {
    if (getenv("ELBO_SHOW")) fputs(p->err, stdout);
    expect_code(p, code);
    assert_string_equal(p->out, "");
    size_t n = strlen(p->err);
    if (strncmp(p->err, "elbo: ", 6) || n < 8 || strchr(p->err, '\n') != p->err + n - 1)
        fail_msg("not one line that begins with \"elbo: \": %s", p->err);
    for (; *words; words++)
        if (!strstr(p->err, *words)) fail_msg("\"%s\" does not say \"%s\"", p->err, *words);
    program_free(p);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* refused(code, WORDS(said...), arguments...) */
#define refused(code, said, ...)                                                                                       \
    do {                                                                                                               \
        program refused_ = elbo(__VA_ARGS__);                                                                          \
        expect_refusal(&refused_, code, said);                                                                         \
    } while (0)

/* Ended well with one JSON value on one line of stdout and nothing on stderr. */
static inline json_t *expect_json(program *p) {
    expect_code(p, 0);
    assert_string_equal(p->err, "");
    size_t n = strlen(p->out);
    if (n < 2 || strchr(p->out, '\n') != p->out + n - 1) fail_msg("not one line of JSON: %s", p->out);
    json_error_t where;
    json_t *o = json_loads(p->out, 0, &where); // (fails where something follows the value)
    if (!o) fail_msg("%s: %s", where.text, p->out);
    program_free(p);
    return o;
}

static inline double number(const json_t *o, const char *key) {
    json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) fail_msg("no number \"%s\"", key);
    return json_number_value(v);
}

static inline const char *text(const json_t *o, const char *key) {
    const char *v = json_string_value(json_object_get(o, key));
    if (!v) fail_msg("no text \"%s\"", key);
    return v;
}

/* ---- files in the scratch folder ---- */

static inline bool there(const char *name) {
    char *path = in_scratch(name);
    bool found = elbo_file_exists(path);
    free(path);
    return found;
}

static inline void assert_there(const char *name) {
    if (!there(name)) fail_msg("%s is not there", name);
}

static inline uint8_t *bytes_of(const char *name, size_t *n) {
    char *path = in_scratch(name);
    uint8_t *bytes;
    elbo_error err;
    if (elbo_file_read(path, (size_t)1 << 30, &bytes, n, &err) != ELBO_OK) fail_msg("%s", err.message);
    free(path);
    return bytes;
}

static inline bool same_bytes(const char *a, const char *b) {
    size_t n, m;
    uint8_t *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    bool same = n == m && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

static inline void assert_same_bytes(const char *a, const char *b) {
    if (!same_bytes(a, b)) fail_msg("%s and %s differ", a, b);
}

static inline void copy_file(const char *from, const char *to) {
    size_t n;
    uint8_t *bytes = bytes_of(from, &n);
    scratch_write(&here, to, bytes, n);
    free(bytes);
}

/* The four files of a run. */
static inline void copy_run(const char *from, const char *to) {
    static const char *const files[] = {"recipe.yaml", "model.safetensors", "checkpoint.safetensors", "log.jsonl"};
    char *folder = in_scratch(to), a[200], b[200];
    mkdir(folder, 0777);
    free(folder);
    for (int i = 0; i < 4; i++) {
        snprintf(a, sizeof a, "%s/%s", from, files[i]);
        snprintf(b, sizeof b, "%s/%s", to, files[i]);
        copy_file(a, b);
    }
}

/* Temporary files of a writer in a folder. */
static inline int count_temporaries(const char *folder) {
    char *path = in_scratch(folder);
    DIR *d = opendir(path);
    int count = 0;
    for (struct dirent *e; d && (e = readdir(d));) count += strstr(e->d_name, ".tmp-") != NULL;
    if (d) closedir(d);
    free(path);
    return count;
}

static inline int count_lines(const char *name) {
    char *path = in_scratch(name), *content = read_text(path);
    int lines = 0;
    for (const char *p = content; *p; p++) lines += *p == '\n';
    free(content);
    free(path);
    return lines;
}

/* ---- small data ---- */

static inline void put_big_endian(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* `folder`/PREFIX-images-idx3-ubyte and its labels, of elbo's own digits. */
static inline void write_split(const char *folder, const char *prefix, bool test, uint32_t count) {
    elbo_images images;
    assert_int_equal(elbo_digits_make(&images, test, count, 2, NULL), ELBO_OK);
    size_t pixels = (size_t)count * 784;
    uint8_t *file = malloc(16 + pixels), label_file[8 + 4096];
    assert_non_null(file);
    assert_true(count <= 4096);
    put_big_endian(file, 0x803);
    put_big_endian(file + 4, count);
    put_big_endian(file + 8, 28);
    put_big_endian(file + 12, 28);
    memcpy(file + 16, images.bytes, pixels);
    put_big_endian(label_file, 0x801);
    put_big_endian(label_file + 4, count);
    memcpy(label_file + 8, images.labels, count);
    char name[200];
    snprintf(name, sizeof name, "%s/%s-images-idx3-ubyte", folder, prefix);
    scratch_write(&here, name, file, 16 + pixels);
    snprintf(name, sizeof name, "%s/%s-labels-idx1-ubyte", folder, prefix);
    scratch_write(&here, name, label_file, 8 + count);
    free(file);
    elbo_images_free(&images);
}

static inline void write_data(const char *folder, uint32_t train, uint32_t test) {
    char *path = in_scratch(folder);
    mkdir(path, 0777);
    free(path);
    write_split(folder, "train", false, train);
    write_split(folder, "t10k", true, test);
}

/* A figure: NAME.png that is a picture, and NAME.gp that drew it. */
static inline void assert_figure(const char *name) {
    char file[200], *path;
    snprintf(file, sizeof file, "%s.gp", name);
    assert_there(file);
    snprintf(file, sizeof file, "%s.png", name);
    path = in_scratch(file);
    uint8_t *pixels;
    int width, height;
    elbo_error err;
    if (elbo_png_read(path, 3, &pixels, &width, &height, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_true(width > 100 && height > 50);
    free(pixels);
    free(path);
}

#endif
