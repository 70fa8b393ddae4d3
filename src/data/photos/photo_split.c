/* Which images are held out. A folder without splits of its own is dealt by content: a file's bytes decide, so the same
 * image is in the same split under every name, in every class, on every machine, and adding files moves none of those
 * that were there. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "data/photos/photos.h"

enum { TEST_SHARE = 10 }; // one in so many

/* Where in [0, 2^32) the content falls; the lowest part is held out. */
static uint32_t lot(elbo_hash content) {
    elbo_stream s = {.seed = content.high,
                     .purpose = ELBO_FOR_SPLIT,
                     .epoch = (uint32_t)(content.low >> 32),
                     .sample = (uint32_t)content.low};
    uint32_t words[4];
    elbo_random_words(s, 0, words);
    return words[0];
}

static int by_content(const void *a, const void *b) {
    return elbo_hash_order((*(elbo_photo_entry *const *)a)->content, (*(elbo_photo_entry *const *)b)->content);
}

/* entry: (count), sorted by content; a run of equal ones gets one state. */
static void deal_by_content(elbo_photo_entry **entry, uint32_t count) {
    elbo_hash least = entry[0]->content, most = least;
    for (uint32_t i = 0; i < count; i++) {
        if (lot(entry[i]->content) < lot(least)) least = entry[i]->content;
        if (lot(entry[i]->content) > lot(most)) most = entry[i]->content;
    }
    for (uint32_t i = 0; i < count; i++) {
        elbo_hash h = entry[i]->content;
        bool test = lot(h) < UINT32_MAX / TEST_SHARE;
        if (elbo_hash_order(h, least) == 0) test = true; // at least one, however few there are
        if (elbo_hash_order(h, most) == 0) test = false;
        entry[i]->state = test ? ELBO_PHOTO_TEST : ELBO_PHOTO_TRAIN;
    }
}

static void deal_by_folder(const elbo_photos *p, elbo_photo_entry **entry, uint32_t count) {
    for (uint32_t start = 0, end; start < count; start = end) {
        bool tested = false;
        for (end = start; end < count && elbo_hash_order(entry[start]->content, entry[end]->content) == 0; end++)
            tested |= p->file[entry[end] - p->entry].folder == ELBO_PHOTO_TEST_FOLDER;
        for (uint32_t i = start; i < end; i++) {
            bool test = p->file[entry[i] - p->entry].folder == ELBO_PHOTO_TEST_FOLDER;
            entry[i]->state = test ? ELBO_PHOTO_TEST : tested ? ELBO_PHOTO_LEFT_OUT : ELBO_PHOTO_TRAIN;
        }
    }
}

elbo_status elbo_photos_split(elbo_photos *p, elbo_error *err) {
    elbo_photo_entry **entry = elbo_alloc(p->count, sizeof *entry);
    if (!entry) return elbo_no_memory(err);
    uint32_t count = 0, rows[2] = {0};
    for (uint32_t i = 0; i < p->count; i++)
        if (p->entry[i].state == ELBO_PHOTO_READ) entry[count++] = &p->entry[i];
    if (count) qsort(entry, count, sizeof *entry, by_content);
    if (count && p->split_by_folders)
        deal_by_folder(p, entry, count);
    else if (count)
        deal_by_content(entry, count);
    free(entry);
    for (uint32_t i = 0; i < p->count; i++) { // rows in the order of the paths
        elbo_photo_entry *e = &p->entry[i];
        if (e->state == ELBO_PHOTO_TRAIN || e->state == ELBO_PHOTO_TEST) e->row = rows[e->state == ELBO_PHOTO_TEST]++;
    }
    if (!count)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: none of its %u images can be read; %s: %s", p->folder, p->count,
                         p->file[0].path, p->entry[0].reason);
    if (!rows[0] || !rows[1])
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: %u image%s can be read, and none is left to %s with; expected two different "
                         "images or more",
                         p->folder, count, count == 1 ? "" : "s", rows[0] ? "test" : "train");
    return ELBO_OK;
}
