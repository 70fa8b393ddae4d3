#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

elbo_status elbo_writer_open(elbo_writer *w, const char *path, elbo_error *err) {
    *w = (elbo_writer){.path = strdup(path), .temporary = elbo_format("%s.XXXXXX", path)};
    if (!w->path || !w->temporary) {
        elbo_writer_abandon(w);
        return elbo_no_memory(err);
    }
    int fd = mkstemp(w->temporary);
    if (fd < 0) {
        elbo_status status = elbo_fail_errno(err, "%s: cannot be written", path);
        free(w->temporary);
        w->temporary = NULL; // nothing to unlink
        elbo_writer_abandon(w);
        return status;
    }
    mode_t mask = umask(0); // mkstemp makes 0600; a result is as readable as any other file of the user
    umask(mask);
    fchmod(fd, 0666 & ~mask);
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

elbo_status elbo_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, elbo_error *err) {
    *bytes = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return elbo_fail_errno(err, "%s: cannot be opened", path);
    elbo_status status = ELBO_OK;
    struct stat st;
    uint8_t *buffer = NULL;
    if (fstat(fd, &st) != 0) {
        status = elbo_fail_errno(err, "%s: cannot be read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a file%s", path, S_ISDIR(st.st_mode) ? " but a folder" : "");
    } else if ((uint64_t)st.st_size > limit) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: %lld bytes; at most %zu are taken", path, (long long)st.st_size,
                           limit);
    } else if (!(buffer = malloc((size_t)st.st_size + 1))) {
        status = elbo_no_memory(err);
    } else {
        size_t done = 0, want = (size_t)st.st_size;
        while (done < want) {
            ssize_t got = read(fd, buffer + done, want - done);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            done += (size_t)got;
        }
        if (done < want)
            status = elbo_fail(err, ELBO_IO, "%s: ended after %zu of %zu bytes while it was read", path, done, want);
        buffer[done] = 0;
        *size = done;
    }
    close(fd);
    if (status != ELBO_OK) {
        free(buffer);
        *size = 0;
        return status;
    }
    *bytes = buffer;
    return ELBO_OK;
}

elbo_status elbo_make_folder(const char *path, elbo_error *err) {
    char *copy = strdup(path);
    if (!copy) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    for (char *p = copy + 1; status == ELBO_OK; p++) {
        if (*p != '/' && *p != 0) continue;
        char end = *p;
        *p = 0;
        if (mkdir(copy, 0777) != 0 && !elbo_folder_exists(copy))
            status = elbo_fail_errno(err, "%s: the folder cannot be made", copy);
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

bool elbo_folder_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *elbo_path_join(const char *folder, const char *name) {
    size_t n = strlen(folder);
    return elbo_format(n && folder[n - 1] == '/' ? "%s%s" : "%s/%s", folder, name);
}
