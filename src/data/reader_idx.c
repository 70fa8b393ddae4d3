/* A folder with MNIST's four files, as every copy of MNIST and its many successors has them. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "data/readers.h"

#define LOOKS_FOR                                                                                                      \
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)"

enum { TRAIN, TEST, PARTS };

static const char *const prefixes[PARTS] = {"train", "t10k"};
static const char *const kinds[2] = {"images%cidx3-ubyte%s", "labels%cidx1-ubyte%s"};

/* The path of a file that is there, or NULL; `out_of_memory` tells the two NULLs apart. */
static char *find_file(const char *folder, int part, bool labels, bool *out_of_memory) {
    static const char *const endings[2] = {"", ".gz"};
    for (int way = 0; way < 4; way++) { // unpacking tools and archives make train-images.idx3-ubyte of it
        char kind[40];
        snprintf(kind, sizeof kind, kinds[labels], way < 2 ? '-' : '.', endings[way % 2]);
        char *name = elbo_format("%s-%s", prefixes[part], kind), *path = name ? elbo_path_join(folder, name) : NULL;
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
    bool wanted;
    int classes;
    elbo_status status;
    elbo_error err;
} part;

static int classes_of(const uint8_t *labels, uint32_t count) { // labels: (count)
    int most = 0;
    for (uint32_t i = 0; i < count; i++) most = labels[i] > most ? labels[i] : most;
    return most + 1;
}

static void read_part(void *context, int index) {
    part *p = (part *)context + index;
    if (p->wanted) {
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
    bool labelled = parts[TRAIN].labels_path || parts[TEST].labels_path;
    for (int i = 0; i < PARTS; i++) {
        if (!parts[i].wanted) continue;
        const char *missing = !parts[i].images_path               ? "images-idx3-ubyte"
                              : labelled && !parts[i].labels_path ? "labels-idx1-ubyte"
                                                                  : NULL;
        if (missing)
            return elbo_fail(err, ELBO_NOT_FOUND, "%s: lacks %s-%s; the folder needs " LOOKS_FOR, folder, prefixes[i],
                             missing);
    }
    return ELBO_OK;
}

static bool recognises(const char *path) {
    if (!elbo_folder_exists(path)) return false;
    bool ignored = false;
    for (int i = 0; i < 2 * PARTS; i++) {
        char *found = find_file(path, i / 2, i % 2, &ignored);
        free(found);
        if (found) return true;
    }
    return false;
}

static elbo_status read_folder(elbo_dataset *d, const char *path, const elbo_data_options *o, elbo_error *err) {
    part parts[PARTS] = {
        {.images = &d->train, .wanted = o->splits & ELBO_TRAIN_SPLIT},
        {.images = &d->test, .wanted = o->splits & ELBO_TEST_SPLIT},
    };
    bool out_of_memory = false;
    for (int i = 0; i < PARTS; i++) {
        parts[i].images_path = find_file(path, i, false, &out_of_memory);
        parts[i].labels_path = find_file(path, i, true, &out_of_memory);
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
    return status;
}

const elbo_reader elbo_reader_idx = {
    .name = "IDX files",
    .looks_for = "a folder with " LOOKS_FOR,
    .recognises = recognises,
    .read = read_folder,
};
