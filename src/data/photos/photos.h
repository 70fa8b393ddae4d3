/* A folder of photographs, on its way to a data set: photo_scan.c finds the files, photo_read.c decodes them,
 * photo_split.c deals them to the splits, photo_cache.c keeps the result, reader_photos.c does these in order. */
#ifndef ELBO_PHOTOS_H
#define ELBO_PHOTOS_H

#include <stdatomic.h>

#include <stdarg.h>

#include "data/photos/content_hash.h"
#include "data/data.h"
#include "data/readers.h"

/* What becomes of a file. */
typedef enum elbo_photo_state {
    ELBO_PHOTO_NEW,        // not looked at yet
    ELBO_PHOTO_READ,       // decoded, not dealt yet
    ELBO_PHOTO_TRAIN,      // a row of the training split
    ELBO_PHOTO_TEST,       // a row of the test split
    ELBO_PHOTO_UNREADABLE, // `reason` says why
    ELBO_PHOTO_LEFT_OUT,   // a training image whose copy lies among the test images
} elbo_photo_state;

/* All that is known of a file; the cache keeps these as they are. */
typedef struct elbo_photo_entry {
    elbo_hash name, content; // of the path below the folder; of the bytes
    uint64_t size;
    int64_t modified;      // nanoseconds
    uint32_t state;        // elbo_photo_state
    uint32_t row;          // in its split
    int32_t height, width; // as it is seen upright, before scaling
    char reason[96];
} elbo_photo_entry;

enum { ELBO_PHOTO_NO_SPLIT, ELBO_PHOTO_TRAIN_FOLDER, ELBO_PHOTO_TEST_FOLDER };

typedef struct elbo_photo_file {
    char *path;      // below the folder
    int class_index; // or -1
    int folder;      // which split its folder says
} elbo_photo_file;

typedef struct elbo_photos {
    const char *folder;
    elbo_image_shape shape;  // that they are brought to
    elbo_photo_file *file;   // (count), sorted by path
    elbo_photo_entry *entry; // (count), of the same files
    uint32_t count;
    bool split_by_folders;
    char **class_names;
    int classes;         // 0: no labels
    atomic_bool passing; // a file could not be read for a reason that may pass: the next start tries it again
    elbo_hash stamp;     // of all names, sizes and times: the same stamp, nothing has changed
} elbo_photos;

/* Finds the image files under `folder`, by their names' endings, hidden ones apart; says in the data set's notes what
 * it left aside. */
elbo_status elbo_photos_scan(elbo_photos *p, const char *folder, elbo_dataset *notes, elbo_error *err);
void elbo_photos_free(elbo_photos *p);
/* True where there is at least one, not deeper than a scan goes. Looks at a bounded number of names. */
bool elbo_photos_there(const char *folder);

/* A folder's cache, open: `entry` and the pixels lie in the mapped file. All zero: none. */
typedef struct elbo_photo_cache {
    void *map;
    size_t size;
    const elbo_photo_entry *entry; // (count), in the order of the scan that made it
    uint32_t count, rows[2];       // of the training and the test split
    elbo_hash stamp;
    const uint8_t *pixels[2];       // (rows, C, H, W)
    uint32_t *by_name, *by_content; // (known), the readable entries in these orders; made by elbo_photo_cache_index
    uint32_t known;
} elbo_photo_cache;

/* The cache's file for this folder and shape, a new string. */
char *elbo_photo_cache_path(const char *folder, elbo_image_shape shape);
/* Opens it where it is there and whole; else leaves `c` all zero. */
void elbo_photo_cache_open(elbo_photo_cache *c, const char *path, elbo_image_shape shape);
void elbo_photo_cache_close(elbo_photo_cache *c);
/* Prepares elbo_photo_cache_find_*. */
elbo_status elbo_photo_cache_index(elbo_photo_cache *c, elbo_error *err);
/* The entry of the same name, size and time; NULL: there is none. */
const elbo_photo_entry *elbo_photo_cache_find_file(const elbo_photo_cache *c, const elbo_photo_entry *like);
/* The pixels of that content, or NULL. */
const uint8_t *elbo_photo_cache_find_pixels(const elbo_photo_cache *c, elbo_hash content, elbo_image_shape shape,
                                            const elbo_photo_entry **entry);
/* Writes all entries, and of `pixels`, (count, C, H, W) by entry, the rows that were dealt. */
elbo_status elbo_photo_cache_write(const char *path, const elbo_photos *p, const uint8_t *pixels, elbo_error *err);
/* Hands a split's pixels to `images` as a mapping of the file. */
elbo_status elbo_photo_cache_map(const elbo_photo_cache *c, const char *path, int split, elbo_image_shape shape,
                                 elbo_images *images, elbo_error *err);

/* Reads every file that `old` does not know: entries become READ or UNREADABLE.  pixels: (count, C, H, W) */
elbo_status elbo_photos_read(elbo_photos *p, const elbo_photo_cache *old, uint8_t *pixels, const elbo_data_options *o,
                             elbo_error *err);

/* Deals entries that are READ to the splits: by their folders, else by their content. The same content is never in
 * both. */
elbo_status elbo_photos_split(elbo_photos *p, elbo_error *err);

#endif
