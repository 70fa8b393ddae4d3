/* The cache of decoded photographs. An input is a byte of wishes, the file's header, its entries and some pixels; the
 * parts are put where the header's counts say, since the file itself is 128 KiB of holes. */
#include "fuzz.h"

#include <libdeflate.h>

#include "data/photos/photos.h"

enum { SUMS_RIGHT = 1, PLACES_RIGHT = 2, SHORTER = 4 };
enum { BOUNDARY = 65536, MOST = 8 }; // MOST: files and rows, so that no file is large

/* As photo_cache.c lays it out. */
typedef struct header {
    char magic[16];
    uint32_t version, entry_size, channels, height, width, count, rows[2];
    elbo_hash stamp;
    uint64_t entries_at, pixels_at[2], file_size;
    uint32_t entries_sum, pixels_sum[2], header_sum;
} header;

static const elbo_image_shape shape = {1, 2, 2};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static uint64_t round_up(uint64_t n) { return (n + BOUNDARY - 1) / BOUNDARY * BOUNDARY; }

/* Where the parts are expected; sums of what lies there. */
static void set_right(header *h, uint8_t *file, size_t size, int wishes) {
    if (wishes & PLACES_RIGHT) {
        h->entries_at = sizeof *h;
        h->pixels_at[0] = round_up(sizeof *h + h->count * sizeof(elbo_photo_entry));
        h->pixels_at[1] = round_up(h->pixels_at[0] + h->rows[0] * elbo_image_size(shape));
        h->file_size = size;
    }
    if (!(wishes & SUMS_RIGHT)) return;
    h->entries_sum =
        libdeflate_crc32(0, file + sizeof *h, least(h->count * sizeof(elbo_photo_entry), size - sizeof *h));
    for (int i = 0; i < 2; i++) {
        size_t at = least(h->pixels_at[i], size);
        h->pixels_sum[i] = libdeflate_crc32(0, file + at, least(h->rows[i] * elbo_image_size(shape), size - at));
    }
    h->header_sum = libdeflate_crc32(0, h, offsetof(header, header_sum));
}

static void look_up(elbo_photo_cache *c) {
    elbo_error err;
    if (!fuzz_succeeded(elbo_photo_cache_index(c, &err), &err)) return;
    for (uint32_t i = 0; i < c->count; i++) {
        const elbo_photo_entry *e = &c->entry[i], *found;
        fuzz_touch(e, sizeof *e);
        fuzz_touch(e->reason, strlen(e->reason));
        elbo_photo_cache_find_file(c, e);
        const uint8_t *pixels = elbo_photo_cache_find_pixels(c, e->content, shape, &found);
        if (pixels) fuzz_touch(pixels, elbo_image_size(shape));
    }
}

static void read_cache(const char *path) {
    elbo_photo_cache c;
    elbo_error err;
    elbo_photo_cache_open(&c, path, shape);
    if (!c.map) return;
    for (int split = 0; split < 2; split++) {
        fuzz_touch(c.pixels[split], c.rows[split] * elbo_image_size(shape));
        elbo_images images;
        if (!c.rows[split] || !fuzz_succeeded(elbo_photo_cache_map(&c, path, split, shape, &images, &err), &err))
            continue;
        fuzz_touch(images.bytes, images.count * elbo_image_size(shape));
        elbo_images_free(&images);
    }
    look_up(&c);
    elbo_photo_cache_close(&c);
}

static void run(const uint8_t *data, size_t size) {
    if (size < 1 + sizeof(header)) {
        read_cache(fuzz_file(0, data, size));
        return;
    }
    int wishes = *data++;
    size--;
    header h;
    memcpy(&h, data, sizeof h);
    size_t count = least(h.count, MOST), rows[2] = {least(h.rows[0], MOST), least(h.rows[1], MOST)};
    if (wishes & PLACES_RIGHT) h.count = (uint32_t)count, h.rows[0] = (uint32_t)rows[0], h.rows[1] = (uint32_t)rows[1];
    static uint8_t file[4 * BOUNDARY];
    memset(file, 0, sizeof file);
    size_t entries = count * sizeof(elbo_photo_entry), second = round_up(sizeof h + entries);
    size_t third = round_up(second + rows[0] * elbo_image_size(shape)), end = third + rows[1] * elbo_image_size(shape);
    const uint8_t *rest = data + sizeof h;
    size_t left = size - sizeof h, taken = least(left, entries);
    memcpy(file + sizeof h, rest, taken);
    memcpy(file + second, rest + taken, least(left - taken, elbo_image_size(shape)));
    if (wishes & SHORTER) end -= least(end - sizeof h, 1);
    set_right(&h, file, end, wishes);
    memcpy(file, &h, sizeof h);
    read_cache(fuzz_file(0, file, end));
}

const fuzz_target fuzz_photos = {"photos", 1 + sizeof(header) + 3 * sizeof(elbo_photo_entry) + 16, run};
