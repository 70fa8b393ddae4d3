/* A folder of photographs of any sizes and formats. They are brought to one shape and kept in a cache, so that the
 * second start reads a few megabytes instead of decoding it all again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "data/photos/photos.h"

const elbo_image_shape elbo_photo_default = {3, 64, 64};

enum { MOST_NOTES = 5 };

/* ---- room for the pixels while they are decoded ---- */

typedef struct room {
    uint8_t *pixels;
    size_t size;
} room;

/* A nameless file beside the cache, so that a folder of any size costs disk and not memory; where there is none to be
 * had (a full disk, a home that may not be written), memory. */
static elbo_status take_room(room *r, const char *cache, size_t size, elbo_error *err) {
    *r = (room){.size = size};
    char *name = elbo_format("%s.decoding-XXXXXX", cache);
    int fd = name ? mkostemp(name, O_CLOEXEC) : -1;
    if (fd >= 0) unlink(name);
    free(name);
    void *map = MAP_FAILED;
    if (fd >= 0 && posix_fallocate(fd, 0, (off_t)size) == 0)
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (map == MAP_FAILED) map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return elbo_no_memory(err);
    r->pixels = map;
    return ELBO_OK;
}

static void leave_room(room *r) {
    if (r->pixels) munmap(r->pixels, r->size);
    *r = (room){0};
}

/* ---- from entries to a data set ---- */

static int split_of(const elbo_photo_entry *e) {
    return e->state == ELBO_PHOTO_TRAIN ? 0 : e->state == ELBO_PHOTO_TEST ? 1 : -1;
}

static elbo_status take_labels(elbo_dataset *d, elbo_photos *p, const elbo_photo_entry *entry, elbo_splits splits,
                               elbo_error *err) {
    elbo_images *images[2] = {&d->train, &d->test};
    if (!p->classes) return ELBO_OK;
    for (int s = 0; s < 2; s++) {
        if (!(splits & (s ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT))) continue;
        images[s]->labels = elbo_alloc(images[s]->count, 1);
        if (!images[s]->labels) return elbo_no_memory(err);
    }
    for (uint32_t i = 0; i < p->count; i++) {
        int s = split_of(&entry[i]);
        if (s >= 0 && images[s]->labels) images[s]->labels[entry[i].row] = (uint8_t)p->file[i].class_index;
    }
    d->classes = p->classes;
    d->class_names = p->class_names;
    p->classes = 0;
    p->class_names = NULL;
    return ELBO_OK;
}

typedef struct hashed {
    elbo_hash content;
    uint32_t entry;
} hashed;

static int by_content(const void *a, const void *b) {
    const hashed *x = a, *y = b;
    int order = elbo_hash_order(x->content, y->content);
    return order ? order : x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void note_copies(elbo_dataset *d, const elbo_photos *p, const elbo_photo_entry *entry) {
    hashed *h = elbo_alloc(p->count, sizeof *h);
    uint32_t n = 0, left_out = 0;
    char a[ELBO_SHOWN] = "", b[ELBO_SHOWN];
    if (!h) return;
    for (uint32_t i = 0; i < p->count; i++)
        if (entry[i].state != ELBO_PHOTO_UNREADABLE) h[n++] = (hashed){entry[i].content, i};
    if (n) qsort(h, n, sizeof *h, by_content);
    for (uint32_t i = 1; i < n; i++) {
        if (elbo_hash_order(h[i].content, h[i - 1].content) != 0) continue;
        if (!d->duplicates++)
            elbo_text_shown(p->file[h[i - 1].entry].path, a), elbo_text_shown(p->file[h[i].entry].path, b);
    }
    free(h);
    for (uint32_t i = 0; i < p->count; i++) left_out += entry[i].state == ELBO_PHOTO_LEFT_OUT;
    if (d->duplicates)
        elbo_dataset_note(d, "%u cop%s of another image, kept in one split: %s = %s%s", d->duplicates,
                          d->duplicates == 1 ? "y" : "ies", a, b, d->duplicates > 1 ? ", ..." : "");
    if (left_out)
        elbo_dataset_note(d, "%u training image%s left out, because the test images hold the same", left_out,
                          left_out == 1 ? "" : "s");
}

static void note_entries(elbo_dataset *d, const elbo_photos *p, const elbo_photo_entry *entry) {
    d->smallest[0] = d->smallest[1] = INT32_MAX;
    for (uint32_t i = 0; i < p->count; i++) {
        const elbo_photo_entry *e = &entry[i];
        int side[2] = {e->height, e->width};
        for (int k = 0; k < 2 && split_of(e) >= 0; k++) {
            if (side[k] < d->smallest[k]) d->smallest[k] = side[k];
            if (side[k] > d->largest[k]) d->largest[k] = side[k];
        }
        char shown[ELBO_SHOWN];
        if (e->state == ELBO_PHOTO_UNREADABLE && d->skipped++ < MOST_NOTES)
            elbo_dataset_note(d, "%s: skipped: %s", elbo_text_shown(p->file[i].path, shown), e->reason);
    }
    if (d->skipped > MOST_NOTES) elbo_dataset_note(d, "and %u more files that cannot be read", d->skipped - MOST_NOTES);
    note_copies(d, p, entry);
}

/* Pixels as a copy in memory, where no cache can be kept. */
static elbo_status copy_rows(elbo_dataset *d, const elbo_photos *p, const uint8_t *pixels, elbo_splits splits,
                             elbo_error *err) {
    elbo_images *images[2] = {&d->train, &d->test};
    size_t size = elbo_image_size(p->shape);
    uint32_t rows[2] = {0};
    for (uint32_t i = 0; i < p->count; i++)
        if (split_of(&p->entry[i]) >= 0) rows[split_of(&p->entry[i])]++;
    for (int s = 0; s < 2; s++) {
        if (!(splits & (s ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT))) continue;
        *images[s] = (elbo_images){.shape = p->shape, .count = rows[s], .bytes = elbo_alloc(rows[s], size)};
        if (!images[s]->bytes) return elbo_no_memory(err);
    }
    for (uint32_t i = 0; i < p->count; i++) {
        int s = split_of(&p->entry[i]);
        if (s >= 0 && images[s]->bytes) memcpy(images[s]->bytes + p->entry[i].row * size, pixels + i * size, size);
    }
    return ELBO_OK;
}

static elbo_status from_cache(elbo_dataset *d, elbo_photos *p, const elbo_photo_cache *c, const char *path,
                              elbo_splits splits, elbo_error *err) {
    if (splits & ELBO_TRAIN_SPLIT) ELBO_TRY(elbo_photo_cache_map(c, path, 0, p->shape, &d->train, err));
    if (splits & ELBO_TEST_SPLIT) ELBO_TRY(elbo_photo_cache_map(c, path, 1, p->shape, &d->test, err));
    note_entries(d, p, c->entry);
    return take_labels(d, p, c->entry, splits, err);
}

/* The temporary files of a process that was killed while it wrote. Another that is at it now keeps its own: they have
 * no name. */
static bool make_cache_folder(const char *path) {
    char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    elbo_error ignored;
    bool made = folder && elbo_make_folder(folder, &ignored) == ELBO_OK;
    free(folder);
    return made;
}

/* ---- the whole ---- */

static elbo_status decode_all(elbo_dataset *d, elbo_photos *p, elbo_photo_cache *old, const char *cache,
                              const elbo_data_options *o, elbo_error *err) {
    room r = {0};
    elbo_error why;
    make_cache_folder(cache);
    elbo_status status;
    ELBO_TRY_GOTO(status, elbo_photo_cache_index(old, err), done);
    ELBO_TRY_GOTO(status, take_room(&r, cache, p->count * elbo_image_size(p->shape), err), done);
    ELBO_TRY_GOTO(status, elbo_photos_read(p, old, r.pixels, o, err), done);
    ELBO_TRY_GOTO(status, elbo_photos_split(p, err), done);
    elbo_photo_cache_close(old);
    d->prepared_now = true;
    if (elbo_photo_cache_write(cache, p, r.pixels, &why) == ELBO_OK) {
        elbo_photo_cache_open(old, cache, p->shape);
        if (old->map) status = from_cache(d, p, old, cache, o->splits, err);
        if (old->map) goto done;
        why = (elbo_error){.message = "it cannot be read back"};
    }
    elbo_dataset_note(d, "the decoded images cannot be cached: %s", why.message);
    ELBO_TRY_GOTO(status, copy_rows(d, p, r.pixels, o->splits, err), done);
    note_entries(d, p, p->entry);
    status = take_labels(d, p, p->entry, o->splits, err);
done:
    leave_room(&r);
    return status;
}

static elbo_status read_folder(elbo_dataset *d, const char *path, const elbo_data_options *o, elbo_error *err) {
    elbo_photos p;
    ELBO_TRY(elbo_photos_scan(&p, path, d, err));
    p.shape = (elbo_image_shape){o->channels ? o->channels : elbo_photo_default.channels,
                                 o->height ? o->height : elbo_photo_default.height,
                                 o->width ? o->width : elbo_photo_default.width};
    elbo_photo_cache c = {0};
    char *cache = elbo_photo_cache_path(path, p.shape);
    elbo_status status = cache ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) elbo_photo_cache_open(&c, cache, p.shape);
    bool fresh = c.map && c.count == p.count && elbo_hash_order(c.stamp, p.stamp) == 0;
    if (status == ELBO_OK)
        status = fresh ? from_cache(d, &p, &c, cache, o->splits, err) : decode_all(d, &p, &c, cache, o, err);
    elbo_photo_cache_close(&c);
    elbo_photos_free(&p);
    free(cache);
    return status;
}

const elbo_reader elbo_reader_photos = {
    .name = "image files",
    .looks_for = "a folder with image files in it or in folders below",
    .recognises = elbo_photos_there,
    .read = read_folder,
    .names_itself = true,
};
