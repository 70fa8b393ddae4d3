/* Data sets: images with optional labels, in a train and a test split, kept as they are stored (a byte per value where
 * the file has bytes) and made floats only when a batch is read. */
#ifndef ELBO_DATA_H
#define ELBO_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/words.h"

/* What one image is. Values are stored channel by channel, row by row, as PyTorch's (C, H, W). */
typedef struct elbo_image_shape {
    int channels, height, width;
} elbo_image_shape;

static inline size_t elbo_image_size(elbo_image_shape s) {
    return (size_t)s.channels * (size_t)s.height * (size_t)s.width;
}

/* What an image was made by, where that is known: a property that takes `values` values, 0 to values - 1. */
typedef struct elbo_factor {
    const char *name; // "orientation"
    int values;       // at most 256
    bool ordered;     // a larger number is more of it, as a scale is; a shape is not
} elbo_factor;

/* Global contrast normalisation of each image when it is read (contrast.h), of which the values that become the range's ends are
 * known; none where they are equal. */
typedef struct elbo_contrast {
    float least, most;
} elbo_contrast;

/* A set of images. Exactly one of `bytes`, `floats` and `sprites` is there. */
typedef struct elbo_images {
    elbo_image_shape shape;
    uint32_t count;
    uint8_t *bytes;   // (count, C, H, W), 0..255; or NULL
    float *floats;    // (count, C, H, W), already in the recipe's range; or NULL
    uint8_t *labels;  // (count), each below `classes`; or NULL
    uint8_t *factors; // (count, factor_count): the value of each of the data set's factors; or NULL
    int factor_count;
    uint32_t *sprites; // images are drawn of their factors when they are read (sprites.h); or NULL
    elbo_contrast contrast;
    void *map; // `bytes` lie in a mapped file of so many bytes; else NULL
    size_t map_size;
} elbo_images;

enum { ELBO_MAX_CLASSES = 256 };

typedef struct elbo_dataset {
    char *name;   // "mnist", as a recipe names it
    char *source; // where it came from: a folder, a file, or "built in"
    elbo_images train, test;
    int classes;               // 0: no labels
    char **class_names;        // (classes), e.g. "Trouser"; for digits "0".."9"
    const elbo_factor *factor; // (the images' factor_count), or NULL

    /* Of a folder of photographs; zero for all else. */
    bool prepared_now;            // decoded in this call, not read from the cache
    uint32_t skipped, duplicates; // files that could not be read; copies of other files
    int smallest[2], largest[2];  // height and width of the files' images, each by itself
    char **note;                  // (notes): lines for people, about what was left out and why
    int notes;
} elbo_dataset;

/* Adds a note. A want of memory loses it: notes are a courtesy. */
void elbo_dataset_note(elbo_dataset *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Which of the splits a command needs; reading only one makes a start faster. */
typedef enum elbo_splits { ELBO_TRAIN_SPLIT = 1, ELBO_TEST_SPLIT = 2, ELBO_BOTH_SPLITS = 3 } elbo_splits;

/* Opens a data set.
 *   name  what the recipe says: a built-in name (`elbo data list`), a folder of IDX files, or a .npy file
 *   path  what the user says (--data), or NULL: a folder or file that takes the place of the name's default one
 * A name is looked up at `path`, in $ELBO_DATA/NAME, in the user's cache ($XDG_CACHE_HOME or ~/.cache)/elbo/NAME;
 * `digits` and `dsprites` are made, not read. Not found: one line with the places looked at and the command that fetches it.
 * A folder with the binary version of CIFAR-10, and a folder with photographs anywhere below it, are read too.
 * `path` may hold the files itself or be the parent of a folder NAME that does; it may also be the name of another
 * data set, looked up as `name` is. A .npy file has no splits of its own: its last tenth (at least one image) is always the test split,
 * the rest the training split. It holds uint8 or float (kept as float32) of shape (N, H, W), (N, C, H, W) or
 * (N, H, W, C), with C 1 or 3 (where both could be, channels come first); (N, 784) is read as 28 x 28 and any other
 * (N, D) as one row of D values. */
elbo_status elbo_dataset_open(elbo_dataset *d, const char *name, const char *path, elbo_splits splits, int threads,
                              elbo_error *err);

/* The same with all that a caller may wish. */
typedef struct elbo_data_options {
    elbo_splits splits;
    int threads; // 0: all cores
    /* What photographs are brought to: the recipe's image.size and image.channels. 0: elbo_photo_default. Data that
     * have a size of their own must have this one. */
    int channels, height, width;
    /* Classes, by name or number, of which training images are taken, and of which they are not; empty or NULL: all, and
     * none. The test split keeps all. */
    const elbo_words *classes, *exclude;
    /* Of data without splits of their own, a .npy or a table: a file with a label for each image; NULL or "": none. */
    const char *labels;
    /* Columns less their mean, divided by their deviation, over the training rows; of those of `standard` where it is not
     * NULL: another table, that a model learned from. */
    bool standardise;
    const char *standard;
    /* Called about ten times a second while photographs are decoded, on the calling thread; false stops. May be
     * NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
} elbo_data_options;
extern const elbo_image_shape elbo_photo_default; // 3 x 64 x 64
elbo_status elbo_dataset_open_with(elbo_dataset *d, const char *name, const char *path,
                                   const elbo_data_options *options, elbo_error *err);
void elbo_dataset_close(elbo_dataset *d);
void elbo_images_free(elbo_images *images);

/* True where elbo_dataset_open would find the data set's files. */
bool elbo_dataset_present(const char *name);

/* "~/.cache/elbo/NAME", a new string: where `elbo data fetch` puts a data set. */
char *elbo_dataset_cache_folder(const char *name);

/* The data sets elbo knows by name. */
typedef struct elbo_dataset_info {
    const char *name, *about;
    elbo_image_shape shape;
    uint32_t train_count, test_count;
    const char *const *class_names; // ended by NULL
    /* By elbo itself, not from files: fills the splits that are asked for. NULL: from files. */
    elbo_status (*make)(elbo_dataset *d, const struct elbo_dataset_info *info, const elbo_data_options *options,
                        elbo_error *err);
} elbo_dataset_info;
extern const elbo_dataset_info elbo_known_datasets[]; // ended by a row whose name is NULL

/* ---- formats: one file each; readers.h has the table through which elbo_dataset_open finds them ---- */

/* MNIST's IDX format, plain or gzipped (https://yann.lecun.com/exdb/mnist): the images and, where `labels_path` is not
 * NULL, their labels. Every size is checked against the file before memory is taken by its word. */
elbo_status elbo_idx_read(elbo_images *images, const char *images_path, const char *labels_path, elbo_error *err);
/* The labels alone: `*labels` (count), freed by free(). */
elbo_status elbo_idx_read_labels(uint8_t **labels, uint32_t *count, const char *path, elbo_error *err);

/* Built-in digits: image `index` of the training (or test) split is the same bits on every machine. */
elbo_status elbo_digits_make(elbo_images *images, bool test, uint32_t count, int threads, elbo_error *err);

#endif
