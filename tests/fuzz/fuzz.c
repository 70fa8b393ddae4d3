/* What the targets share, and the list of them. */
#include "fuzz.h"

#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern const fuzz_target fuzz_bodies, fuzz_checkpoint, fuzz_cifar, fuzz_codes, fuzz_csv, fuzz_expression, fuzz_gz,
    fuzz_idx, fuzz_images, fuzz_log, fuzz_names, fuzz_npy, fuzz_photos, fuzz_png, fuzz_recipe, fuzz_request,
    fuzz_safetensors, fuzz_scores, fuzz_sweep, fuzz_tar, fuzz_zip;

const fuzz_target *const fuzz_targets[] = {
    &fuzz_bodies, &fuzz_checkpoint, &fuzz_cifar,  &fuzz_codes,   &fuzz_csv,         &fuzz_expression,
    &fuzz_gz,     &fuzz_idx,        &fuzz_images, &fuzz_log,     &fuzz_names,       &fuzz_npy,
    &fuzz_photos, &fuzz_png,        &fuzz_recipe, &fuzz_request, &fuzz_safetensors, &fuzz_scores,
    &fuzz_sweep,  &fuzz_tar,        &fuzz_zip,    NULL,
};

const fuzz_target *fuzz_find(const char *name) {
    const fuzz_target *const *t = fuzz_targets;
    while (*t && strcmp((*t)->name, name) != 0) t++;
    return *t;
}

bool fuzz_succeeded(elbo_status status, const elbo_error *err) {
    if (status == ELBO_OK) return true;
    size_t length = strnlen(err->message, sizeof err->message);
    FUZZ_ASSERT(length > 0 && length < sizeof err->message, "a message of %zu bytes", length);
    for (const char *p = err->message; *p; p++)
        FUZZ_ASSERT((unsigned char)*p >= 32 && *p != 127, "a control character in: %s", err->message);
    FUZZ_ASSERT(status != ELBO_NO_MEMORY, "%s", err->message);
    FUZZ_ASSERT(status == err->status, "returned %d, said %d: %s", (int)status, (int)err->status, err->message);
    return false;
}

void fuzz_touch(const void *bytes, size_t n) {
    static volatile uint8_t sum;
    for (const uint8_t *p = bytes; n--; p++) sum ^= *p;
    (void)sum;
}

char *fuzz_text(const uint8_t *data, size_t size) {
    char *text = strndup((const char *)data, size);
    FUZZ_ASSERT(text, "out of memory");
    return text;
}

/* ---- files ---- */

static char folder[64]; // "": none yet

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

static void make_folder(void) {
    if (*folder) return;
    strcpy(folder, "/dev/shm/elbo-fuzz-XXXXXX"); // memory, where there is such a thing
    if (!mkdtemp(folder)) {
        strcpy(folder, "/tmp/elbo-fuzz-XXXXXX");
        FUZZ_ASSERT(mkdtemp(folder), "no folder can be made in /tmp");
    }
    atexit(remove_folder);
}

static struct {
    int file;
    char path[32];
} files[FUZZ_FILES];

static void open_file(int which) {
    if (files[which].path[0]) return;
    files[which].file = memfd_create("elbo-fuzz", MFD_CLOEXEC);
    FUZZ_ASSERT(files[which].file >= 0, "no file in memory can be made");
    snprintf(files[which].path, sizeof files[which].path, "/proc/self/fd/%d", files[which].file);
}

const char *fuzz_file(int which, const uint8_t *data, size_t size) {
    open_file(which);
    bool written = ftruncate(files[which].file, 0) == 0 && pwrite(files[which].file, data, size, 0) == (ssize_t)size;
    FUZZ_ASSERT(written, "a file in memory cannot be written");
    return files[which].path;
}

const char *fuzz_path(const char *name) {
    static char *known[64]; // one path for each name that targets have
    size_t i = 0;
    make_folder();
    size_t n = strlen(folder) + 1;
    while (i < 64 && known[i] && strcmp(known[i] + n, name) != 0) i++;
    FUZZ_ASSERT(i < 64, "more names than expected");
    if (known[i]) return known[i];
    FUZZ_ASSERT(asprintf(&known[i], "%s/%s", folder, name) > 0, "out of memory");
    for (char *slash = strchr(known[i] + n, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(known[i], 0700);
        *slash = '/';
    }
    return known[i];
}

const char *fuzz_link(int which, const char *name) {
    const char *path = fuzz_path(name);
    open_file(which);
    struct stat st;
    if (lstat(path, &st) != 0) FUZZ_ASSERT(symlink(files[which].path, path) == 0, "%s: cannot be made", path);
    return path;
}

size_t fuzz_read(const char *path, uint8_t **bytes) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    FUZZ_ASSERT(f && fstat(fileno(f), &st) == 0, "%s: cannot be read", path);
    size_t n = (size_t)st.st_size;
    *bytes = malloc(n + 1);
    FUZZ_ASSERT(*bytes && fread(*bytes, 1, n, f) == n, "%s: cannot be read", path);
    fclose(f);
    return n;
}

const char *fuzz_safetensors_file(int which, const uint8_t *data, size_t size) {
    if (!size || data[0] != '{') return fuzz_file(which, data, size);
    const uint8_t *end = memchr(data, 0, size);
    uint64_t header = end ? (uint64_t)(end - data) : size;
    size_t rest = end ? size - header - 1 : 0;
    uint8_t *bytes = malloc(sizeof header + header + rest);
    FUZZ_ASSERT(bytes, "out of memory");
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, data, header);
    if (rest) memcpy(bytes + sizeof header + header, end + 1, rest);
    const char *path = fuzz_file(which, bytes, sizeof header + header + rest);
    free(bytes);
    return path;
}
