#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

#define MARK ".tmp-"         // no name that a person gives: elbo_writer_clean removes by it
#define SUFFIX MARK "XXXXXX" // six letters or digits

enum {
    LEFT_SECONDS = 60,     // a temporary that nobody holds, and as old as this, was left by a process that was killed
    NAMES_LOOKED_AT = 1000 // so that writing many files into one folder stays linear
};

/* Where a rename would do what the user means: the end of a link, and never a device, which root could replace by a
 * file. */
static char *target_of(const char *path, elbo_error *err) {
    struct stat st;
    char *target = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? realpath(path, NULL) : NULL;
    if (!target) target = strdup(path); // no link, or one to nowhere
    if (!target) {
        elbo_no_memory(err);
    } else if (stat(target, &st) == 0 && !S_ISREG(st.st_mode)) {
        elbo_fail(err, ELBO_BAD_INPUT, "%s: cannot be written: it is %s", path,
                  S_ISDIR(st.st_mode) ? "a folder; name a file" : "not a regular file");
        free(target);
        return NULL;
    }
    return target;
}

static bool folder_of_is_there(const char *path) {
    char *copy = strdup(path);
    bool there = copy && elbo_folder_exists(dirname(copy));
    free(copy);
    return there;
}

/* Makes a file of a new name, with the permissions that any other new file of the user has (mkstemp would make it 0600,
 * and the mask that says which they are cannot be asked for without changing it). -1 and errno where it cannot be. */
static int make_temporary(char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char *end = name + strlen(name) - strlen("XXXXXX");
    for (int tries = 0; tries < 100; tries++) {
        unsigned char bytes[6];
        if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return -1;
        for (size_t i = 0; i < sizeof bytes; i++) end[i] = letters[bytes[i] % (sizeof letters - 1)];
        int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static bool is_temporary_of(const char *name, const char *target) {
    size_t n = strlen(target);
    if (strncmp(name, target, n) || strlen(name) != n + strlen(SUFFIX) || strncmp(name + n, MARK, strlen(MARK)))
        return false;
    for (const char *p = name + n + strlen(MARK); *p; p++)
        if (!isalnum((unsigned char)*p)) return false;
    return true;
}

/* Whoever writes a file holds a lock on it, until it is renamed. */
static bool was_left(int folder, const char *name) {
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool left = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > LEFT_SECONDS &&
                flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0) close(fd);
    return left;
}

/* `sure`: nobody is writing `path`, so that all its temporaries go, however young. */
static void clean(const char *path, bool sure, int names) {
    char *folder_copy = strdup(path), *name_copy = strdup(path);
    const char *folder = folder_copy ? dirname(folder_copy) : NULL, *name = name_copy ? basename(name_copy) : NULL;
    DIR *d = folder && name ? opendir(folder) : NULL;
    for (struct dirent *e; d && names-- && (e = readdir(d));)
        if (is_temporary_of(e->d_name, name) && (sure || was_left(dirfd(d), e->d_name)))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
    free(folder_copy);
    free(name_copy);
}

void elbo_writer_clean(const char *path) { clean(path, true, INT_MAX); }

elbo_status elbo_writer_open(elbo_writer *w, const char *path, elbo_error *err) {
    *w = (elbo_writer){0};
    elbo_error why = {.status = ELBO_NO_MEMORY};
    w->path = target_of(path, &why);
    if (!w->path) {
        if (err) *err = why;
        return why.status;
    }
    w->temporary = elbo_format("%s" SUFFIX, w->path);
    if (!w->temporary) {
        elbo_writer_abandon(w);
        return elbo_no_memory(err);
    }
    clean(w->path, false, NAMES_LOOKED_AT);
    int fd = make_temporary(w->temporary);
    if (fd < 0) {
        int number = errno;
        bool no_folder = number == ENOENT && !folder_of_is_there(w->path);
        errno = number;
        elbo_status status = no_folder ? elbo_fail(err, ELBO_NOT_FOUND, "%s: cannot be written: no such folder", path)
                                       : elbo_fail_errno(err, "%s: cannot be written", path);
        free(w->temporary);
        w->temporary = NULL; // nothing to unlink
        elbo_writer_abandon(w);
        return status;
    }
    flock(fd, LOCK_EX | LOCK_NB); // (a file system without locks leaves its temporaries, too)
    w->stream = fdopen(fd, "wb");
    if (!w->stream) {
        close(fd);
        elbo_writer_abandon(w);
        return elbo_no_memory(err);
    }
    return ELBO_OK;
}

/* The rename itself is on disk only when the folder is. */
static void sync_folder_of(const char *path) {
    char *copy = strdup(path);
    if (!copy) return;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

elbo_status elbo_writer_commit(elbo_writer *w, elbo_error *err) {
    elbo_status status = ELBO_OK;
    bool written = fflush(w->stream) == 0 && !ferror(w->stream) && fsync(fileno(w->stream)) == 0;
    if (!written) status = elbo_fail_errno(err, "%s: cannot be written", w->path);
    int closed = fclose(w->stream);
    w->stream = NULL;
    if (status == ELBO_OK && closed != 0) status = elbo_fail_errno(err, "%s: cannot be written", w->path);
    if (status == ELBO_OK && rename(w->temporary, w->path) != 0)
        status = elbo_fail_errno(err, "%s: cannot be replaced", w->path);
    if (status == ELBO_OK) {
        sync_folder_of(w->path);
        free(w->temporary);
        w->temporary = NULL;
    }
    elbo_writer_abandon(w);
    return status;
}

void elbo_writer_abandon(elbo_writer *w) {
    if (w->stream) fclose(w->stream);
    if (w->temporary) unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    *w = (elbo_writer){0};
}

elbo_status elbo_file_write(const char *path, const void *bytes, size_t n, elbo_error *err) {
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    if (n && fwrite(bytes, 1, n, w.stream) != n) { // the commit would see it too; errno is freshest here
        elbo_status status = elbo_fail_errno(err, "%s: cannot be written", path);
        elbo_writer_abandon(&w);
        return status;
    }
    return elbo_writer_commit(&w, err);
}

elbo_status elbo_file_open(int *file, size_t *size, const char *path, size_t limit, elbo_error *err) {
    *file = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe that nobody writes to is refused, not waited for
    if (fd < 0) return elbo_fail_errno(err, "%s: cannot be opened", path);
    elbo_status status = ELBO_OK;
    struct stat st;
    if (fstat(fd, &st) != 0)
        status = elbo_fail_errno(err, "%s: cannot be read", path);
    else if (!S_ISREG(st.st_mode))
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: is %s", path,
                           S_ISDIR(st.st_mode) ? "a folder, not a file" : "not a regular file");
    else if ((uint64_t)st.st_size > limit)
        status =
            elbo_fail(err, ELBO_BAD_INPUT, "%s: %lld bytes; at most %zu are read", path, (long long)st.st_size, limit);
    if (status != ELBO_OK) {
        close(fd);
        return status;
    }
    *file = fd;
    *size = (size_t)st.st_size;
    return ELBO_OK;
}

elbo_status elbo_file_next(int file, const char *path, void *bytes, size_t n, elbo_error *err) {
    size_t done = 0;
    while (done < n) {
        ssize_t got = read(file, (uint8_t *)bytes + done, n - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    if (done == n) return ELBO_OK;
    return elbo_fail(err, ELBO_IO, "%s: ended after %zu of %zu bytes while it was read", path, done, n);
}

elbo_status elbo_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, elbo_error *err) {
    *bytes = NULL;
    *size = 0;
    int fd;
    size_t n = 0;
    ELBO_TRY(elbo_file_open(&fd, &n, path, limit, err));
    uint8_t *buffer = malloc(n + 1);
    elbo_status status = buffer ? elbo_file_next(fd, path, buffer, n, err) : elbo_no_memory(err);
    close(fd);
    if (status != ELBO_OK) {
        free(buffer);
        return status;
    }
    buffer[n] = 0;
    *bytes = buffer;
    *size = n;
    return ELBO_OK;
}

elbo_status elbo_make_folder(const char *path, elbo_error *err) {
    char *copy = strdup(path);
    if (!copy) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    for (char *p = *copy ? copy + 1 : copy; status == ELBO_OK && *copy; p++) { // "" is the folder we are in
        if (*p != '/' && *p != 0) continue;
        char end = *p;
        *p = 0;
        int why = mkdir(copy, 0777) == 0 ? 0 : errno; // (looking whether it is there sets errno too)
        if (why && !elbo_folder_exists(copy)) {
            errno = why;
            status = why == EEXIST
                         ? elbo_fail(err, ELBO_BAD_INPUT, "%s: the folder cannot be created: a file has its name", copy)
                         : elbo_fail_errno(err, "%s: the folder cannot be created", copy);
        }
        *p = end;
        if (!end) break;
    }
    free(copy);
    return status;
}

bool elbo_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

elbo_status elbo_file_look(const char *path, bool *there, elbo_error *err) {
    struct stat st;
    bool found = stat(path, &st) == 0;
    *there = found && S_ISREG(st.st_mode);
    return found || errno == ENOENT || errno == ENOTDIR ? ELBO_OK : elbo_fail_errno(err, "%s: cannot be read", path);
}

bool elbo_folder_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *elbo_path_join(const char *folder, const char *name) {
    size_t n = strlen(folder);
    return elbo_format(n == 0 || folder[n - 1] == '/' ? "%s%s" : "%s/%s", folder, name);
}
