/* A folder with MNIST's four files, as every copy of MNIST and its many successors has them; or EMNIST's letters, whose images
 * are transposed and whose labels are 1 to 26. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/readers.h"

#define LOOKS_FOR                                                                                                      \
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)"

enum { TRAIN, TEST, PARTS };

enum { DIGITS, LETTERS, KINDS };
static const char *const prefixes[KINDS][PARTS] = {{"train", "t10k"}, {"emnist-letters-train", "emnist-letters-test"}};
static const char *const kinds[2] = {"images%cidx3-ubyte%s", "labels%cidx1-ubyte%s"};

/* The path of a file that is there, or NULL; `out_of_memory` tells the two NULLs apart. */
static char *find_file(const char *folder, int kind, int part, bool labels, bool *out_of_memory) {
    static const char *const endings[2] = {"", ".gz"};
    for (int way = 0; way < 4; way++) { // unpacking tools and archives make train-images.idx3-ubyte of it
        char ending[40];
        snprintf(ending, sizeof ending, kinds[labels], way < 2 ? '-' : '.', endings[way % 2]);
        char *name = elbo_format("%s-%s", prefixes[kind][part], ending),
             *path = name ? elbo_path_join(folder, name) : NULL;
        free(name);
        if (path && elbo_file_exists(path)) return path;
        *out_of_memory |= !path;
        free(path);
    }
    return NULL;
}

typedef struct part {
    elbo_images *images;
    char *images_path, *labels_path; // NULL: not there
    bool wanted, letters;
    int classes;
    elbo_status status;
    elbo_error err;
} part;

static int classes_of(const uint8_t *labels, uint32_t count) { // labels: (count)
    int most = 0;
    for (uint32_t i = 0; i < count; i++) most = labels[i] > most ? labels[i] : most;
    return most + 1;
}

enum { ALPHABET = 26 };

/* Upright, and A is 0. */
static elbo_status mend_letters(part *p, elbo_error *err) {
    elbo_images *images = p->images;
    size_t side = (size_t)images->shape.height;
    if (images->shape.width != images->shape.height)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: images of %d x %d; EMNIST's letters are square", p->images_path,
                         images->shape.height, images->shape.width);
    for (uint32_t i = 0; i < images->count; i++) {
        uint8_t *x = images->bytes + i * side * side;
        for (size_t r = 0; r < side; r++)
            for (size_t c = 0; c < r; c++) {
                uint8_t v = x[r * side + c];
                x[r * side + c] = x[c * side + r];
                x[c * side + r] = v;
            }
        if (images->labels[i] < 1 || images->labels[i] > ALPHABET)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: label %d of image %u; EMNIST's letters are 1 to %d",
                             p->labels_path, images->labels[i], i, ALPHABET);
        images->labels[i]--;
    }
    return ELBO_OK;
}

static elbo_status name_letters(elbo_dataset *d, elbo_error *err) {
    d->class_names = elbo_alloc(ALPHABET, sizeof *d->class_names);
    if (!d->class_names) return elbo_no_memory(err);
    d->classes = ALPHABET;
    for (int i = 0; i < ALPHABET; i++)
        if (!(d->class_names[i] = elbo_format("%c", 'A' + i))) return elbo_no_memory(err);
    return ELBO_OK;
}

static void read_part(void *context, int index) {
    part *p = (part *)context + index;
    if (p->wanted && p->letters) {
        p->status = elbo_idx_read(p->images, p->images_path, p->labels_path, &p->err);
        if (p->status == ELBO_OK) p->status = mend_letters(p, &p->err);
    } else if (p->letters) { // (their number is known)
        p->status = ELBO_OK;
    } else if (p->wanted) {
        p->status = elbo_idx_read(p->images, p->images_path, p->labels_path, &p->err);
        if (p->status == ELBO_OK && p->labels_path) p->classes = classes_of(p->images->labels, p->images->count);
    } else if (p->labels_path) { // so that the number of classes is the same whichever split is read
        uint8_t *labels;
        uint32_t count;
        p->status = elbo_idx_read_labels(&labels, &count, p->labels_path, &p->err);
        if (p->status == ELBO_OK) p->classes = classes_of(labels, count);
        free(labels);
    }
}

/* What is wanted must be there; labels may be missing only where both splits lack them. */
static elbo_status check_parts(const part *parts, const char *folder, elbo_error *err) {
    bool labelled = parts[TRAIN].labels_path || parts[TEST].labels_path || parts[TRAIN].letters;
    for (int i = 0; i < PARTS; i++) {
        if (!parts[i].wanted) continue;
        const char *missing = !parts[i].images_path               ? "images-idx3-ubyte"
                              : labelled && !parts[i].labels_path ? "labels-idx1-ubyte"
                                                                  : NULL;
        if (missing && parts[i].letters)
            return elbo_fail(err, ELBO_NOT_FOUND, "%s: lacks %s-%s (plain or .gz)", folder, prefixes[LETTERS][i],
                             missing);
        if (missing)
            return elbo_fail(err, ELBO_NOT_FOUND, "%s: lacks %s-%s; the folder needs " LOOKS_FOR, folder,
                             prefixes[DIGITS][i], missing);
    }
    return ELBO_OK;
}

static bool has_kind(const char *path, int kind, bool *out_of_memory) {
    for (int i = 0; i < 2 * PARTS; i++) {
        char *found = find_file(path, kind, i / 2, i % 2, out_of_memory);
        free(found);
        if (found) return true;
    }
    return false;
}

static bool recognises(const char *path) {
    bool ignored = false;
    return elbo_folder_exists(path) && (has_kind(path, DIGITS, &ignored) || has_kind(path, LETTERS, &ignored));
}

static elbo_status read_folder(elbo_dataset *d, const char *path, const elbo_data_options *o, elbo_error *err) {
    part parts[PARTS] = {
        {.images = &d->train, .wanted = o->splits & ELBO_TRAIN_SPLIT},
        {.images = &d->test, .wanted = o->splits & ELBO_TEST_SPLIT},
    };
    bool out_of_memory = false;
    int kind = has_kind(path, DIGITS, &out_of_memory) ? DIGITS : LETTERS;
    for (int i = 0; i < PARTS; i++) {
        parts[i].letters = kind == LETTERS;
        parts[i].images_path = find_file(path, kind, i, false, &out_of_memory);
        parts[i].labels_path = find_file(path, kind, i, true, &out_of_memory);
    }
    elbo_status status = out_of_memory ? elbo_no_memory(err) : check_parts(parts, path, err);
    if (status == ELBO_OK) elbo_parallel_for(o->threads, PARTS, read_part, parts);
    for (int i = 0; i < PARTS; i++) {
        if (status == ELBO_OK && parts[i].status != ELBO_OK)
            status = elbo_fail(err, parts[i].status, "%s", parts[i].err.message);
        d->classes = parts[i].classes > d->classes ? parts[i].classes : d->classes;
        free(parts[i].images_path);
        free(parts[i].labels_path);
    }
    if (status == ELBO_OK && kind == LETTERS) status = name_letters(d, err);
    return status;
}

const elbo_reader elbo_reader_idx = {
    .name = "IDX files",
    .looks_for = "a folder with " LOOKS_FOR,
    .recognises = recognises,
    .read = read_folder,
};
