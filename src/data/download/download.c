/* Files from mirrors: each resumed where it broke off, checked, and under its own name only once it is whole. */
#include "data/download/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum { CONNECT_SECONDS = 20, MOST_TRIES = 5 };

/* ---- is it right? ---- */

static bool has_sum(const uint8_t *bytes, size_t size, const elbo_remote_file *file) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    const EVP_MD *kind = file->md5 ? EVP_md5() : EVP_sha256();
    if (size != file->size || !EVP_Digest(bytes, size, sum, &length, kind, NULL)) return false;
    for (unsigned int i = 0; i < length; i++) snprintf(text + 2 * i, 3, "%02x", sum[i]);
    return strcmp(text, file->md5 ? file->md5 : file->sha256) == 0;
}

/* What a mirror may send at most: gzip adds little even to bytes that it cannot pack. */
static uint64_t largest_download(const elbo_remote_file *file) { return file->size + file->size / 64 + 65536; }

/* True where the file at `path` unpacks to the bytes wanted. Anything else, a file that is not there included, is not
 * right; only a want of memory is an error. */
static elbo_status check_file(const char *path, const elbo_remote_file *file, bool *right, elbo_error *err) {
    *right = false;
    uint8_t *bytes, *unpacked = NULL;
    size_t size;
    elbo_error ignored;
    elbo_status status = elbo_file_read(path, largest_download(file), &bytes, &size, &ignored);
    if (status == ELBO_NO_MEMORY) return elbo_no_memory(err);
    if (status != ELBO_OK) return ELBO_OK;
    if (file->md5 || size < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b) {
        *right = has_sum(bytes, size, file);
    } else {
        unpacked = malloc(file->size + 1);
        struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
        if (!unpacked || !inflater) {
            status = elbo_no_memory(err);
        } else {
            size_t used = 0, made = 0; // (more than the size wanted does not fit, and so is refused)
            *right = libdeflate_gzip_decompress_ex(inflater, bytes, size, unpacked, file->size, &used, &made) ==
                         LIBDEFLATE_SUCCESS &&
                     used == size && has_sum(unpacked, made, file);
        }
        libdeflate_free_decompressor(inflater);
    }
    free(unpacked);
    free(bytes);
    return status;
}

/* ---- one transfer ---- */

typedef struct transfer {
    CURL *curl;
    int fd;          // NAME.part
    uint64_t had;    // its bytes when the transfer began
    uint64_t at;     // and now
    uint64_t limit;  // more are refused
    uint64_t starts; // where the server says that its answer begins (Content-Range)
    bool answered;   // the first bytes came, and it was settled where they go
    int write_error; // errno of a write that failed
    bool too_large, stopped;
    elbo_fetch_progress progress;
    void *context;
    elbo_fetch_state *state;
} transfer;

/* "Content-Range: bytes 1000-4999/5000" */
static size_t on_header(char *text, size_t size, size_t count, void *context) {
    transfer *t = context;
    char line[128];
    size_t n = size * count, kept = n < sizeof line - 1 ? n : sizeof line - 1;
    memcpy(line, text, kept);
    line[kept] = 0;
    unsigned long long first;
    if (strncasecmp(line, "HTTP/", 5) == 0) t->starts = UINT64_MAX; // a new answer, after a redirection say
    if (strncasecmp(line, "Content-Range:", 14) == 0 && sscanf(line + 14, " bytes %llu-", &first) == 1)
        t->starts = first;
    return n;
}

/* A server that does not know ranges answers 200 with the whole file, not 206: then it begins anew. */
static bool settle_where(transfer *t) {
    long code = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code != 206 || t->starts != t->had) {
        if (code == 206) return false; // a part that was not asked for is of no use
        if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0) {
            t->write_error = errno;
            return false;
        }
        t->had = t->at = 0;
    }
    return t->answered = true;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context) {
    transfer *t = context;
    size_t n = size * count;
    if (!t->answered && !settle_where(t)) return 0;
    if (n > t->limit - t->at) {
        t->too_large = true;
        return 0;
    }
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(t->fd, bytes + done, n - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            t->write_error = wrote < 0 ? errno : ENOSPC;
            return 0;
        }
        done += (size_t)wrote;
        t->at += (uint64_t)wrote;
    }
    return n;
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
    (void)now, (void)up_total, (void)up_now;
    transfer *t = context;
    if (!t->progress) return 0;
    t->state->done = t->at;
    t->state->total = t->answered && total > 0 ? t->had + (uint64_t)total : 0;
    t->stopped = !t->progress(t->context, t->state);
    return t->stopped;
}

static void set_up(CURL *curl, const char *url, transfer *t, int stall_seconds, char *text) {
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "elbo");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)stall_seconds);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
}

/* What came of asking a mirror once. */
typedef enum outcome {
    WHOLE,    // the server sent all it had
    BROKEN,   // the connection was lost in the middle; what came is kept
    STALLED,  // nothing came for too long; what came before is kept
    USELESS,  // this part cannot be continued there: begin anew
    REFUSED,  // 404, no such host, ...: ask another mirror
    HOPELESS, // the disk is full, the user stopped: no mirror helps
} outcome;

/* Asks for what `fd` (NAME.part) lacks. */
static outcome ask(const char *url, int fd, const elbo_remote_file *file, int stall_seconds, transfer *t,
                   elbo_error *err) {
    off_t end = lseek(fd, 0, SEEK_END);
    t->fd = fd;
    t->had = t->at = end > 0 ? (uint64_t)end : 0;
    t->limit = largest_download(file);
    t->starts = UINT64_MAX;
    t->answered = t->too_large = false;
    t->write_error = 0;
    t->curl = curl_easy_init();
    if (!t->curl) {
        elbo_no_memory(err);
        return HOPELESS;
    }
    char text[CURL_ERROR_SIZE] = "", range[32];
    set_up(t->curl, url, t, stall_seconds, text);
    snprintf(range, sizeof range, "%llu-", (unsigned long long)t->had);
    if (t->had) curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
    CURLcode code = curl_easy_perform(t->curl);
    long http = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &http);
    curl_easy_cleanup(t->curl);
    t->curl = NULL;
    if (code == CURLE_OK && (t->answered || t->had == 0)) return WHOLE;
    if (code == CURLE_OK) {
        elbo_fail(err, ELBO_IO, "%s: no data received", url);
        return USELESS;
    }
    if (t->stopped) {
        elbo_fail(err, ELBO_STOPPED, "%s: stopped; the same command resumes it", file->name);
        return HOPELESS;
    }
    if (t->write_error) {
        elbo_fail(err, ELBO_IO, "%s.part: cannot be written: %s", file->name, strerror(t->write_error));
        return HOPELESS;
    }
    if (t->too_large)
        elbo_fail(err, ELBO_IO, "%s: sends more than the expected %llu bytes", url, (unsigned long long)t->limit);
    else
        elbo_fail(err, ELBO_IO, "%s: %s", url, *text ? text : curl_easy_strerror(code));
    if (t->too_large || (t->had && (http == 416 || code == CURLE_WRITE_ERROR))) return USELESS;
    if (t->at == t->had) return REFUSED;
    return code == CURLE_OPERATION_TIMEDOUT ? STALLED : BROKEN;
}

/* ---- one file ---- */

/* Downloads to `fd` from one mirror, until the file is right or the mirror is given up. */
static outcome fetch_from(const char *mirror, const elbo_remote_file *file, const char *part, int fd, int stall_seconds,
                          transfer *t, elbo_error *err) {
    char *url = elbo_path_join(mirror, file->name);
    if (!url) {
        elbo_no_memory(err);
        return HOPELESS;
    }
    outcome out = REFUSED;
    for (int try = 0; try < MOST_TRIES; try++) {
        out = ask(url, fd, file, stall_seconds, t, err);
        if (out == REFUSED || out == STALLED || out == HOPELESS) break; // (another mirror may continue a stalled one)
        if (out == BROKEN) continue; // a try that brought nothing would have been a refusal
        bool right = false, resumed = t->had > 0;
        if (out == WHOLE) {
            if (check_file(part, file, &right, err) != ELBO_OK) out = HOPELESS;
            if (right || out == HOPELESS) break;
            elbo_fail(err, ELBO_BAD_INPUT, "%s: does not have the expected %s (%s%s)", url,
                      file->md5 ? "MD5" : "SHA-256", file->md5 ? file->md5 : file->sha256,
                      file->md5 ? "" : " once unpacked");
        }
        if (ftruncate(fd, 0) != 0) {
            elbo_fail_errno(err, "%s: cannot be truncated", part);
            out = HOPELESS;
            break;
        }
        out = REFUSED;
        if (!resumed) break; // else the beginning may have come from elsewhere: once more, all from here
    }
    free(url);
    return out;
}

/* The part's name is the file's own once it is on disk whole. */
static elbo_status give_name(int fd, const char *part, const char *path, elbo_error *err) {
    if (fsync(fd) != 0) return elbo_fail_errno(err, "%s: cannot be written", part);
    if (rename(part, path) != 0) return elbo_fail_errno(err, "%s: cannot be replaced", path);
    return ELBO_OK;
}

/* The part, locked against another download into the same folder. */
static elbo_status open_part(const char *part, int *fd, elbo_error *err) {
    *fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0) return elbo_fail_errno(err, "%s: cannot be written", part);
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        elbo_status status =
            errno == EWOULDBLOCK
                ? elbo_fail(err, ELBO_IO, "%s: another elbo process is downloading it; wait for it to finish", part)
                : elbo_fail_errno(err, "%s: cannot be locked", part);
        close(*fd);
        return status;
    }
    return ELBO_OK;
}

static elbo_status fetch_part(const elbo_remote *remote, const elbo_remote_file *file, const char *part,
                              const char *path, transfer *t, elbo_error *err) {
    int fd;
    ELBO_TRY(open_part(part, &fd, err));
    bool right = false;
    elbo_error last = {.message = "no mirror is known"};
    elbo_status status = check_file(part, file, &right, err); // whole already, when the last try was killed at its end
    outcome out = right ? WHOLE : REFUSED;
    for (const char *const *m = remote->mirrors; *m && status == ELBO_OK && out != WHOLE && out != HOPELESS; m++) {
        t->state->mirror = *m;
        out = fetch_from(*m, file, part, fd, remote->stall_seconds, t, &last);
    }
    if (status == ELBO_OK && out == WHOLE)
        status = give_name(fd, part, path, err);
    else if (status == ELBO_OK && out == HOPELESS)
        status = elbo_fail(err, last.status, "%s", last.message);
    else if (status == ELBO_OK)
        status = elbo_fail(err, ELBO_IO, "%s: every mirror failed; the last one: %s", file->name, last.message);
    struct stat st;
    if (status != ELBO_OK && fstat(fd, &st) == 0 && st.st_size == 0) unlink(part); // nothing to resume
    close(fd);
    return status;
}

static elbo_status fetch_file(const elbo_remote *remote, const elbo_remote_file *file, const char *folder, transfer *t,
                              elbo_error *err) {
    char *path = elbo_path_join(folder, file->name), *part = path ? elbo_format("%s.part", path) : NULL;
    bool right = false;
    elbo_status status = part ? check_file(path, file, &right, err) : elbo_no_memory(err);
    if (status == ELBO_OK && right && t->progress && !t->progress(t->context, t->state))
        status = elbo_fail(err, ELBO_STOPPED, "%s: stopped; the same command resumes it", file->name);
    if (status == ELBO_OK && !right) status = fetch_part(remote, file, part, path, t, err);
    free(part);
    free(path);
    return status;
}

elbo_status elbo_fetch_files(const elbo_remote *remote, const char *folder, elbo_fetch_progress progress, void *context,
                             elbo_error *err) {
    ELBO_TRY(elbo_make_folder(folder, err));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return elbo_fail(err, ELBO_IO, "libcurl cannot be initialised");
    elbo_fetch_state state = {0};
    while (remote->files[state.count].name) state.count++;
    elbo_status status = ELBO_OK;
    for (; status == ELBO_OK && state.index < state.count; state.index++) {
        const elbo_remote_file *file = &remote->files[state.index];
        state.file = file->name;
        state.mirror = NULL;
        state.done = state.total = 0;
        transfer t = {.progress = progress, .context = context, .state = &state};
        status = fetch_file(remote, file, folder, &t, err);
    }
    curl_global_cleanup();
    return status;
}
