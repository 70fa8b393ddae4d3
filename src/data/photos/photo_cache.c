/* Decoded photographs on disk: a header, an entry for each file, the training rows, the test rows, each part on a
 * boundary that any page size divides, so that a split can be mapped by itself. In the byte order of the machine that
 * uses it: it is a cache.
 *
 * Nothing in the file is believed: sizes are checked against its length, and every part against its checksum. */
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/photos/photos.h"

#define MAGIC "elbo photos\n"
enum { VERSION = 1, BOUNDARY = 65536 };

typedef struct header {
    char magic[16];
    uint32_t version, entry_size;
    uint32_t channels, height, width;
    uint32_t count, rows[2];
    elbo_hash stamp;
    uint64_t entries_at, pixels_at[2], file_size;
    uint32_t entries_sum, pixels_sum[2]; // CRC-32
    uint32_t header_sum;                 // of all before it
} header;

static uint64_t round_up(uint64_t n) { return (n + BOUNDARY - 1) / BOUNDARY * BOUNDARY; }

static uint32_t sum_of(const void *bytes, size_t n) { return libdeflate_crc32(0, bytes, n); }

char *elbo_photo_cache_path(const char *folder, elbo_image_shape s) {
    char *real = realpath(folder, NULL);
    elbo_hash h = elbo_hash_add(ELBO_HASH_START, real ? real : folder, strlen(real ? real : folder));
    free(real);
    char *name = elbo_format("folders/%016llx%016llx-%dx%dx%d", (unsigned long long)h.high, (unsigned long long)h.low,
                             s.channels, s.height, s.width);
    char *path = name ? elbo_dataset_cache_folder(name) : NULL;
    free(name);
    return path;
}

/* Where the parts lie, by their counts; `entry_size` and sizes of rows are this program's own. */
static header lay_out(uint32_t count, const uint32_t rows[2], elbo_image_shape s) {
    header h = {.magic = MAGIC,
                .version = VERSION,
                .entry_size = sizeof(elbo_photo_entry),
                .channels = (uint32_t)s.channels,
                .height = (uint32_t)s.height,
                .width = (uint32_t)s.width,
                .count = count,
                .rows = {rows[0], rows[1]},
                .entries_at = sizeof(header)};
    h.pixels_at[0] = round_up(h.entries_at + (uint64_t)count * sizeof(elbo_photo_entry));
    h.pixels_at[1] = round_up(h.pixels_at[0] + (uint64_t)rows[0] * elbo_image_size(s));
    h.file_size = h.pixels_at[1] + (uint64_t)rows[1] * elbo_image_size(s);
    return h;
}

/* ---- reading ---- */

static bool is_whole(const header *h, uint64_t size, elbo_image_shape s) {
    if (size < sizeof *h || h->header_sum != sum_of(h, offsetof(header, header_sum))) return false;
    header want = lay_out(h->count, h->rows, s); // (32-bit counts of small things: no sum here overflows 64 bits)
    want.stamp = h->stamp;
    want.entries_sum = h->entries_sum;
    memcpy(want.pixels_sum, h->pixels_sum, sizeof want.pixels_sum);
    want.header_sum = h->header_sum;
    const uint8_t *bytes = (const uint8_t *)h;
    size_t image = elbo_image_size(s);
    if (memcmp(h, &want, sizeof want) != 0 || h->file_size != size) return false;
    return h->entries_sum == sum_of(bytes + h->entries_at, h->count * sizeof(elbo_photo_entry)) &&
           h->pixels_sum[0] == sum_of(bytes + h->pixels_at[0], h->rows[0] * image) &&
           h->pixels_sum[1] == sum_of(bytes + h->pixels_at[1], h->rows[1] * image);
}

/* Checksums agree, but who writes may be wrong too: no row beyond its split, no text without an end. */
static bool entries_make_sense(const elbo_photo_cache *c) {
    for (uint32_t i = 0; i < c->count; i++) {
        const elbo_photo_entry *e = &c->entry[i];
        bool train = e->state == ELBO_PHOTO_TRAIN, test = e->state == ELBO_PHOTO_TEST;
        if ((train || test) && e->row >= c->rows[test]) return false;
        if (!train && !test && e->state != ELBO_PHOTO_UNREADABLE && e->state != ELBO_PHOTO_LEFT_OUT) return false;
        if (e->reason[sizeof e->reason - 1]) return false;
    }
    return true;
}

void elbo_photo_cache_open(elbo_photo_cache *c, const char *path, elbo_image_shape shape) {
    *c = (elbo_photo_cache){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0) return;
    void *map = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size >= sizeof(header)
                    ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                    : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) return;
    const header *h = map;
    c->map = map;
    c->size = (size_t)st.st_size;
    bool good = is_whole(h, c->size, shape);
    if (good) {
        c->entry = (const elbo_photo_entry *)(const void *)((const uint8_t *)map + h->entries_at);
        c->count = h->count;
        c->stamp = h->stamp;
        for (int i = 0; i < 2; i++) {
            c->rows[i] = h->rows[i];
            c->pixels[i] = (const uint8_t *)map + h->pixels_at[i];
        }
        good = entries_make_sense(c);
    }
    if (!good) elbo_photo_cache_close(c);
}

void elbo_photo_cache_close(elbo_photo_cache *c) {
    if (c->map) munmap(c->map, c->size);
    free(c->by_name);
    free(c->by_content);
    *c = (elbo_photo_cache){0};
}

elbo_status elbo_photo_cache_map(const elbo_photo_cache *c, const char *path, int split, elbo_image_shape shape,
                                 elbo_images *images, elbo_error *err) {
    const header *h = c->map;
    size_t size = c->rows[split] * elbo_image_size(shape);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || (uint64_t)st.st_size != h->file_size) {
        if (fd >= 0) close(fd);
        return elbo_fail(err, ELBO_IO, "%s: changed while it was read; try again", path);
    }
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, (off_t)h->pixels_at[split]);
    close(fd);
    if (map == MAP_FAILED) return elbo_fail_errno(err, "%s: cannot be mapped", path);
    *images = (elbo_images){.shape = shape, .count = c->rows[split], .bytes = map, .map = map, .map_size = size};
    return ELBO_OK;
}

/* ---- finding what is known already ---- */

static int order_name(const void *a, const void *b, void *entries) {
    const elbo_photo_entry *e = entries;
    return elbo_hash_order(e[*(const uint32_t *)a].name, e[*(const uint32_t *)b].name);
}
static int order_content(const void *a, const void *b, void *entries) {
    const elbo_photo_entry *e = entries;
    return elbo_hash_order(e[*(const uint32_t *)a].content, e[*(const uint32_t *)b].content);
}

elbo_status elbo_photo_cache_index(elbo_photo_cache *c, elbo_error *err) {
    if (!c->count) return ELBO_OK;
    c->by_name = elbo_alloc(c->count, sizeof *c->by_name);
    c->by_content = elbo_alloc(c->count, sizeof *c->by_content);
    if (!c->by_name || !c->by_content) return elbo_no_memory(err);
    for (uint32_t i = 0; i < c->count; i++)
        if (c->entry[i].state != ELBO_PHOTO_UNREADABLE) { // (those are tried again)
            c->by_name[c->known] = c->by_content[c->known] = i;
            c->known++;
        }
    qsort_r(c->by_name, c->known, sizeof *c->by_name, order_name, (void *)(uintptr_t)c->entry);
    qsort_r(c->by_content, c->known, sizeof *c->by_content, order_content, (void *)(uintptr_t)c->entry);
    return ELBO_OK;
}

/* The first place in the index whose hash is not less. */
static uint32_t find(const elbo_photo_cache *c, const uint32_t *index, bool content, elbo_hash h) {
    uint32_t low = 0, high = c->known;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const elbo_photo_entry *e = &c->entry[index[middle]];
        if (elbo_hash_order(content ? e->content : e->name, h) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const elbo_photo_entry *elbo_photo_cache_find_file(const elbo_photo_cache *c, const elbo_photo_entry *like) {
    uint32_t i = find(c, c->by_name, false, like->name);
    const elbo_photo_entry *e = i < c->known ? &c->entry[c->by_name[i]] : NULL;
    bool same =
        e && elbo_hash_order(e->name, like->name) == 0 && e->size == like->size && e->modified == like->modified;
    return same ? e : NULL;
}

const uint8_t *elbo_photo_cache_find_pixels(const elbo_photo_cache *c, elbo_hash content, elbo_image_shape shape,
                                            const elbo_photo_entry **entry) {
    for (uint32_t i = find(c, c->by_content, true, content); i < c->known; i++) {
        const elbo_photo_entry *e = &c->entry[c->by_content[i]];
        if (elbo_hash_order(e->content, content) != 0) return NULL;
        *entry = e;
        if (e->state == ELBO_PHOTO_TRAIN || e->state == ELBO_PHOTO_TEST)
            return c->pixels[e->state == ELBO_PHOTO_TEST] + (size_t)e->row * elbo_image_size(shape);
    }
    return NULL;
}

/* ---- writing ---- */

static bool pad_to(FILE *f, uint64_t *at, uint64_t to) {
    static const char zeros[4096];
    while (*at < to) {
        size_t n = to - *at < sizeof zeros ? (size_t)(to - *at) : sizeof zeros;
        if (fwrite(zeros, 1, n, f) != n) return false;
        *at += n;
    }
    return true;
}

static bool write_parts(FILE *f, const header *h, const elbo_photos *p, const uint8_t *pixels) {
    size_t image = elbo_image_size(p->shape);
    uint64_t at = sizeof *h + (uint64_t)p->count * sizeof *p->entry;
    if (fwrite(h, sizeof *h, 1, f) != 1 || fwrite(p->entry, sizeof *p->entry, p->count, f) != p->count) return false;
    for (int split = 0; split < 2; split++) {
        if (!pad_to(f, &at, h->pixels_at[split])) return false;
        for (uint32_t i = 0; i < p->count; i++) {
            if (p->entry[i].state != (split ? ELBO_PHOTO_TEST : ELBO_PHOTO_TRAIN)) continue;
            if (fwrite(pixels + i * image, 1, image, f) != image) return false;
            at += image;
        }
    }
    return true;
}

elbo_status elbo_photo_cache_write(const char *path, const elbo_photos *p, const uint8_t *pixels, elbo_error *err) {
    uint32_t rows[2] = {0}, sums[2] = {0};
    size_t image = elbo_image_size(p->shape);
    for (uint32_t i = 0; i < p->count; i++) {
        int split = p->entry[i].state == ELBO_PHOTO_TEST;
        if (!split && p->entry[i].state != ELBO_PHOTO_TRAIN) continue;
        rows[split]++;
        sums[split] = libdeflate_crc32(sums[split], pixels + i * image, image);
    }
    header h = lay_out(p->count, rows, p->shape);
    if (!atomic_load(&p->passing)) h.stamp = p->stamp; // else no folder's: what could not be read is tried again
    h.entries_sum = sum_of(p->entry, p->count * sizeof *p->entry);
    memcpy(h.pixels_sum, sums, sizeof sums);
    h.header_sum = sum_of(&h, offsetof(header, header_sum));
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    if (!write_parts(w.stream, &h, p, pixels)) {
        elbo_status status = elbo_fail_errno(err, "%s: cannot be written", path);
        elbo_writer_abandon(&w);
        return status;
    }
    return elbo_writer_commit(&w, err);
}
