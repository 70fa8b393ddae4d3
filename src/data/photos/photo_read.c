/* Every file hashed and decoded, each thread with a helper program of its own. Which thread takes which file is left to
 * chance; what a file gives depends on the file alone. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "base/threads.h"
#include "data/photos/image_program.h"
#include "data/photos/photos.h"

enum { PIECE = 1 << 16, MOST_THREADS = 64 };

typedef struct work {
    elbo_photos *photos;
    const elbo_photo_cache *old;
    uint8_t *pixels; // (count, C, H, W)
    char *program;   // the helper's path; found when it is first needed
    pthread_mutex_t lock;
    pthread_cond_t ended;
    atomic_uint next, done;
    atomic_bool stop;
    int running;        // under `lock`, as all below
    elbo_status status; // the first failure
    elbo_error err;
} work;

static void fail(work *w, elbo_status status, const elbo_error *err) {
    pthread_mutex_lock(&w->lock);
    if (w->status == ELBO_OK) {
        w->status = status;
        w->err = *err;
    }
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->stop, true);
}

static void give_up(elbo_photo_entry *e, const char *reason) {
    e->state = ELBO_PHOTO_UNREADABLE;
    snprintf(e->reason, sizeof e->reason, "%.*s", (int)sizeof e->reason - 1, reason);
    elbo_make_utf8(e->reason);
}

/* The content's name. Never waits: a pipe in the folder is no image. */
static void hash_file(elbo_photos *p, elbo_photo_entry *e, const char *path, uint8_t *buffer) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st, link;
    if (fd < 0) {
        int number = errno;
        bool broken = number == ENOENT && lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
        give_up(e, broken ? "a broken symbolic link" : strerror(number));
        if (!broken && number != EACCES && number != ENOENT) atomic_store(&p->passing, true);
        return;
    }
    elbo_hash h = ELBO_HASH_START;
    bool plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    ssize_t n = 0;
    while (plain && ((n = read(fd, buffer, PIECE)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0) h = elbo_hash_add(h, buffer, (size_t)n);
    if (!plain)
        give_up(e, "not a regular file");
    else if (n < 0) {
        give_up(e, strerror(errno));
        atomic_store(&p->passing, true);
    }
    e->content = h;
    close(fd);
}

static elbo_status helper_path(work *w, elbo_error *err) {
    pthread_mutex_lock(&w->lock);
    elbo_status status = w->program ? ELBO_OK : elbo_images_program_find(&w->program, err);
    pthread_mutex_unlock(&w->lock);
    return status;
}

static elbo_status read_file(work *w, uint32_t i, elbo_images_program *helper, uint8_t *buffer, elbo_error *err) {
    elbo_photos *p = w->photos;
    elbo_photo_entry *e = &p->entry[i];
    size_t size = elbo_image_size(p->shape);
    uint8_t *pixels = w->pixels + i * size;
    const elbo_photo_entry *known = elbo_photo_cache_find_file(w->old, e), *same = NULL;
    char *path = elbo_path_join(p->folder, p->file[i].path);
    if (!path) return elbo_no_memory(err);
    if (known)
        e->content = known->content;
    else
        hash_file(p, e, path, buffer);
    const uint8_t *have =
        e->state == ELBO_PHOTO_NEW ? elbo_photo_cache_find_pixels(w->old, e->content, p->shape, &same) : NULL;
    elbo_status status = ELBO_OK;
    if (have) {
        memcpy(pixels, have, size);
        e->height = same->height;
        e->width = same->width;
        e->state = ELBO_PHOTO_READ;
    } else if (e->state == ELBO_PHOTO_NEW) {
        elbo_image_read result;
        status = helper_path(w, err);
        helper->path = w->program;
        if (status == ELBO_OK) status = elbo_images_program_read(helper, path, p->shape, pixels, &result, err);
        if (status == ELBO_OK) {
            e->height = result.height;
            e->width = result.width;
            e->state = ELBO_PHOTO_READ;
            if (!result.readable) give_up(e, result.reason);
            if (!result.readable && result.passing) atomic_store(&p->passing, true);
        }
    }
    free(path);
    return status;
}

static void *worker(void *context) {
    work *w = context;
    elbo_images_program helper = {.stop = &w->stop};
    elbo_error err = {0};
    uint8_t *buffer = malloc(PIECE);
    elbo_status status = buffer ? ELBO_OK : elbo_no_memory(&err);
    while (status == ELBO_OK && !atomic_load(&w->stop)) {
        uint32_t i = atomic_fetch_add(&w->next, 1);
        if (i >= w->photos->count) break;
        status = read_file(w, i, &helper, buffer, &err);
        atomic_fetch_add(&w->done, 1);
    }
    if (status != ELBO_OK) fail(w, status, &err);
    elbo_images_program_stop(&helper);
    free(buffer);
    pthread_mutex_lock(&w->lock);
    w->running--;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Waits for the workers, and tells the caller how far they are. */
static void watch(work *w, const elbo_data_options *o) {
    pthread_mutex_lock(&w->lock);
    while (w->running) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until); // (somebody may set the other one back by hours)
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&w->ended, &w->lock, &until);
        if (!o->progress || !w->running) continue;
        pthread_mutex_unlock(&w->lock);
        if (!o->progress(o->context, atomic_load(&w->done), w->photos->count)) atomic_store(&w->stop, true);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

elbo_status elbo_photos_read(elbo_photos *p, const elbo_photo_cache *old, uint8_t *pixels, const elbo_data_options *o,
                             elbo_error *err) {
    work w = {.photos = p, .old = old, .pixels = pixels, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w.ended, &clock);
    pthread_condattr_destroy(&clock);
    int wanted = o->threads > 0 ? o->threads : elbo_threads_default(), started = 0;
    if (wanted > MOST_THREADS) wanted = MOST_THREADS;
    if ((uint32_t)wanted > p->count) wanted = (int)p->count;
    pthread_t thread[MOST_THREADS];
    sigset_t all, before; // signals are for the program's own thread
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_mutex_lock(&w.lock);
    for (; started < wanted && pthread_create(&thread[started], NULL, worker, &w) == 0; started++) {}
    w.running = started;
    pthread_mutex_unlock(&w.lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) watch(&w, o);
    for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.ended);
    free(w.program);
    if (!started) return elbo_no_memory(err);
    if (w.status != ELBO_OK) return elbo_fail(err, w.status, "%s", w.err.message);
    if (atomic_load(&w.stop)) return elbo_fail(err, ELBO_STOPPED, "%s: stopped while reading its images", p->folder);
    return ELBO_OK;
}
