/* Which image files there are, and what their folders say: class and split. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "data/photos/image_program.h"
#include "data/photos/photos.h"

enum { DEEPEST = 12, MOST_LOOKS = 20000 };
#define MOST_FILES 10000000u

/* ---- walking ---- */

typedef struct walk {
    const char *root;
    elbo_photo_file *file;
    size_t count, capacity;
    char **empty; // folders without an image
    size_t empties, empty_capacity;
    dev_t device[DEEPEST + 1]; // of the folders above, so that a link to one of them ends
    ino_t inode[DEEPEST + 1];
    long looks_left; // names that may be looked at; negative: any number
    bool out_of_memory, too_many;
} walk;

static bool add_file(walk *w, const char *below) {
    if (w->count == MOST_FILES) return !(w->too_many = true);
    if (!elbo_grow(&w->file, w->count, &w->capacity, sizeof *w->file)) return false;
    char *path = strdup(below);
    if (!path) return false;
    w->file[w->count++] = (elbo_photo_file){.path = path, .class_index = -1};
    return true;
}

static bool add_empty(walk *w, const char *below) {
    if (!elbo_grow(&w->empty, w->empties, &w->empty_capacity, sizeof *w->empty)) return false;
    char *path = strdup(below);
    if (!path) return false;
    w->empty[w->empties++] = path;
    return true;
}

static bool is_system_folder(const char *name) { // that other programs leave, full of copies in miniature
    return !strcmp(name, "__MACOSX") || !strcmp(name, "@eaDir");
}

static bool is_folder(DIR *in, const struct dirent *e) {
    if (e->d_type == DT_DIR) return true;
    struct stat st;
    return (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN) && fstatat(dirfd(in), e->d_name, &st, 0) == 0 &&
           S_ISDIR(st.st_mode);
}

static bool seen_above(walk *w, const struct stat *st, int depth) {
    for (int i = 0; i < depth; i++)
        if (w->device[i] == st->st_dev && w->inode[i] == st->st_ino) return true;
    w->device[depth] = st->st_dev;
    w->inode[depth] = st->st_ino;
    return false;
}

/* Adds the images under `below` ("" for the root); false ends the walk. */
static bool walk_folder(walk *w, const char *below, int depth) {
    char *folder = *below ? elbo_path_join(w->root, below) : strdup(w->root);
    if (!folder) return !(w->out_of_memory = true);
    struct stat st;
    DIR *d = stat(folder, &st) == 0 && !seen_above(w, &st, depth) ? opendir(folder) : NULL;
    free(folder);
    if (!d) return true; // (a folder that may not be read is as an empty one)
    size_t before = w->count, empties = w->empties;
    bool go_on = true;
    for (struct dirent *e; go_on && (e = readdir(d));) {
        if (e->d_name[0] == '.' || is_system_folder(e->d_name)) continue;
        if (w->looks_left == 0) go_on = false;
        if (w->looks_left > 0) w->looks_left--;
        bool image = elbo_is_image_name(e->d_name), inner = is_folder(d, e);
        if (!go_on || (!inner && !image)) continue;
        char *path = *below ? elbo_path_join(below, e->d_name) : strdup(e->d_name);
        if (!path)
            go_on = !(w->out_of_memory = true);
        else if (!inner)
            w->out_of_memory |= !add_file(w, path) && !w->too_many, go_on = !w->out_of_memory && !w->too_many;
        else if (depth < DEEPEST)
            go_on = walk_folder(w, path, depth + 1);
        free(path);
        if (w->looks_left >= 0 && w->count) go_on = false; // one is enough
    }
    closedir(d);
    if (go_on && w->count == before && depth > 0) {
        while (w->empties > empties) free(w->empty[--w->empties]); // those inside are told of with it
        if (!add_empty(w, below)) go_on = !(w->out_of_memory = true);
    }
    return go_on;
}

static void free_walk(walk *w) {
    for (size_t i = 0; i < w->count; i++) free(w->file[i].path);
    for (size_t i = 0; i < w->empties; i++) free(w->empty[i]);
    free(w->file);
    free(w->empty);
}

bool elbo_photos_there(const char *folder) {
    walk w = {.root = folder, .looks_left = MOST_LOOKS};
    if (elbo_folder_exists(folder)) walk_folder(&w, "", 0);
    bool there = w.count > 0;
    free_walk(&w);
    return there;
}

/* ---- what folders say ---- */

static int by_path(const void *a, const void *b) {
    return strcmp(((const elbo_photo_file *)a)->path, ((const elbo_photo_file *)b)->path);
}

static size_t first_part(const char *path) { return strcspn(path, "/"); }

static bool part_is(const char *path, const char *const *names) {
    size_t n = first_part(path);
    for (; path[n] == '/' && *names; names++)
        if (strlen(*names) == n && strncasecmp(path, *names, n) == 0) return true;
    return false;
}

static const char *const train_names[] = {"train", "training", NULL};
static const char *const test_names[] = {"test", "testing", NULL};
static const char *const valid_names[] = {"val", "valid", "validation", NULL};

/* Of all paths, what lies above the classes: a folder that holds everything (Images/n02085620-Chihuahua/...) says
 * nothing. */
static size_t common_prefix(const elbo_photos *p) {
    size_t skip = 0;
    for (;;) {
        const char *first = p->file[0].path + skip;
        size_t n = first_part(first);
        bool shared = first[n] == '/', deeper = false;
        for (uint32_t i = 0; shared && i < p->count; i++) {
            const char *path = p->file[i].path + skip;
            shared = strncmp(path, first, n + 1) == 0;
            deeper |= shared && strchr(path + n + 1, '/') != NULL;
        }
        if (!shared || !deeper) return skip;
        skip += n + 1;
    }
}

/* "n02085936-Maltese_dog" -> "Maltese dog", as ImageNet names its classes; any other name stays. A new string of valid
 * UTF-8. */
static char *shown_class(const char *folder, size_t n) {
    char *name = strndup(folder, n);
    if (!name) return NULL;
    size_t digits = name[0] == 'n' ? strspn(name + 1, "0123456789") : 0;
    if (digits == 8 && name[9] == '-' && name[10]) {
        memmove(name, name + 10, strlen(name + 10) + 1);
        for (char *c = name; *c; c++)
            if (*c == '_') *c = ' ';
    }
    elbo_make_utf8(name);
    return name;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names of all folders that files lie in, sorted, each once. Paths are sorted, and folders within a split too, but
 * two splits interleave. A new array of new strings, also where memory ran out. */
static elbo_status gather_folders(char ***folders, size_t *unique, const elbo_photos *p, const size_t *part,
                                  elbo_error *err) {
    char **folder = NULL;
    size_t count = 0, capacity = 0;
    elbo_status status = ELBO_OK;
    for (uint32_t i = 0; i < p->count && status == ELBO_OK; i++) {
        const char *path = p->file[i].path + part[i];
        size_t n = first_part(path);
        if (!path[n] || (count && strlen(folder[count - 1]) == n && !strncmp(folder[count - 1], path, n))) continue;
        char *copy = elbo_grow(&folder, count, &capacity, sizeof *folder) ? strndup(path, n) : NULL;
        if (copy)
            folder[count++] = copy;
        else
            status = elbo_no_memory(err);
    }
    *unique = 0;
    if (count) qsort(folder, count, sizeof *folder, by_text);
    for (size_t i = 0; i < count; i++) {
        if (*unique && !strcmp(folder[*unique - 1], folder[i]))
            free(folder[i]);
        else
            folder[(*unique)++] = folder[i];
    }
    *folders = folder;
    return status;
}

/* The place of a path's first folder among those; -1: it lies in none. */
static int class_of(const char *path, char *const *folder, size_t unique) {
    size_t n = first_part(path), low = 0, high = unique;
    while (path[n] && low < high) {
        size_t middle = (low + high) / 2;
        int order = strncmp(folder[middle], path, n);
        if (order == 0 && folder[middle][n]) order = 1;
        if (order == 0) return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* Classes by the names that are shown; two folders of one such name keep their own. */
static elbo_status name_classes(elbo_photos *p, char *const *folder, size_t unique, elbo_error *err) {
    p->class_names = elbo_alloc(unique, sizeof *p->class_names);
    if (!p->class_names) return elbo_no_memory(err);
    p->classes = (int)unique;
    for (size_t k = 0; k < unique; k++) {
        p->class_names[k] = shown_class(folder[k], strlen(folder[k]));
        if (!p->class_names[k]) return elbo_no_memory(err);
    }
    for (size_t k = 0; k < unique; k++)
        for (size_t j = 0; j < k; j++)
            if (!strcmp(p->class_names[j], p->class_names[k])) {
                char *a = strdup(folder[j]), *b = strdup(folder[k]);
                if (a) elbo_make_utf8(a), free(p->class_names[j]), p->class_names[j] = a;
                if (b) elbo_make_utf8(b), free(p->class_names[k]), p->class_names[k] = b;
                if (!a || !b) return elbo_no_memory(err);
            }
    return ELBO_OK;
}

/* Gives each file its class, the first folder of its path from `part[i]` on. */
static elbo_status find_classes(elbo_photos *p, const size_t *part, elbo_dataset *notes, elbo_error *err) {
    char **folder;
    size_t unique;
    elbo_status status = gather_folders(&folder, &unique, p, part, err);
    if (unique > ELBO_MAX_CLASSES) {
        elbo_dataset_note(notes, "%zu class folders; more than %d, so these images have no labels", unique,
                          ELBO_MAX_CLASSES);
    } else if (unique && status == ELBO_OK) {
        status = name_classes(p, folder, unique, err);
        for (uint32_t i = 0; i < p->count && status == ELBO_OK; i++) {
            int class = class_of(p->file[i].path + part[i], folder, unique);
            if (class >= 0) p->file[i].class_index = class;
        }
    }
    for (size_t i = 0; i < unique; i++) free(folder[i]);
    free(folder);
    return status;
}

/* Takes files out of the list, and says why. */
static void leave_out(elbo_photos *p, size_t *part, const bool *out, const char *why, elbo_dataset *notes) {
    uint32_t kept = 0, gone = 0;
    char first[ELBO_SHOWN] = "";
    for (uint32_t i = 0; i < p->count; i++) {
        if (out[i]) {
            if (!gone++) elbo_text_shown(p->file[i].path, first);
            free(p->file[i].path);
        } else {
            part[kept] = part[i];
            p->file[kept++] = p->file[i];
        }
    }
    p->count = kept;
    if (gone)
        elbo_dataset_note(notes, "%u image%s %s: %s%s", gone, gone == 1 ? "" : "s", why, first,
                          gone > 1 ? ", ..." : "");
}

static elbo_status read_folders(elbo_photos *p, elbo_dataset *notes, elbo_error *err) {
    size_t *part = elbo_alloc(p->count, sizeof *part), skip = common_prefix(p);
    bool *out = elbo_alloc(p->count, sizeof *out), train = false, test = false, valid = false, folders = false;
    elbo_status status = part && out ? ELBO_OK : elbo_no_memory(err);
    if (status != ELBO_OK) goto done;
    for (uint32_t i = 0; i < p->count; i++) {
        const char *path = p->file[i].path + (part[i] = skip);
        train |= part_is(path, train_names);
        test |= part_is(path, test_names);
        valid |= part_is(path, valid_names);
    }
    p->split_by_folders = train && (test || valid);
    for (uint32_t i = 0; p->split_by_folders && i < p->count; i++) {
        const char *path = p->file[i].path + skip;
        bool is_test = part_is(path, test ? test_names : valid_names), is_train = part_is(path, train_names);
        p->file[i].folder = is_train ? ELBO_PHOTO_TRAIN_FOLDER : is_test ? ELBO_PHOTO_TEST_FOLDER : ELBO_PHOTO_NO_SPLIT;
        out[i] = !is_train && !is_test;
        part[i] += first_part(path) + 1;
    }
    leave_out(p, part, out,
              test && valid ? "in neither train/ nor test/ (where there is a test/, validation images are left out)"
                            : "in neither of the splits' folders",
              notes);
    for (uint32_t i = 0; i < p->count; i++) folders |= strchr(p->file[i].path + part[i], '/') != NULL;
    for (uint32_t i = 0; i < p->count; i++) out[i] = folders && !strchr(p->file[i].path + part[i], '/');
    leave_out(p, part, out, "beside the class folders, so without a class", notes);
    status = find_classes(p, part, notes, err);
done:
    free(part);
    free(out);
    return status;
}

/* ---- the scan ---- */

static void note_empty(const walk *w, elbo_dataset *notes) {
    enum { NAMED = 3 };
    char shown[ELBO_SHOWN], list[NAMED * (ELBO_SHOWN + 2) + 8] = "";
    size_t used = 0;
    for (size_t i = 0; i < w->empties && i < NAMED; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 elbo_text_shown(w->empty[i], shown));
    if (w->empties == 1)
        elbo_dataset_note(notes, "%s: a folder without images", list);
    else if (w->empties)
        elbo_dataset_note(notes, "%zu folders without images: %s%s", w->empties, list,
                          w->empties > NAMED ? ", ..." : "");
}

static elbo_status stamp_files(elbo_photos *p, elbo_error *err) {
    p->entry = elbo_alloc(p->count, sizeof *p->entry);
    if (!p->entry) return elbo_no_memory(err);
    p->stamp = ELBO_HASH_START;
    for (uint32_t i = 0; i < p->count; i++) {
        elbo_photo_entry *e = &p->entry[i];
        char *path = elbo_path_join(p->folder, p->file[i].path);
        struct stat st;
        if (!path) return elbo_no_memory(err);
        if (stat(path, &st) == 0) { // (a broken link has neither)
            e->size = (uint64_t)st.st_size;
            e->modified = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        }
        free(path);
        e->name = elbo_hash_add(ELBO_HASH_START, p->file[i].path, strlen(p->file[i].path));
        p->stamp = elbo_hash_add(p->stamp, &e->name, sizeof e->name);
        p->stamp = elbo_hash_add(p->stamp, &e->size, sizeof e->size);
        p->stamp = elbo_hash_add(p->stamp, &e->modified, sizeof e->modified);
    }
    return ELBO_OK;
}

elbo_status elbo_photos_scan(elbo_photos *p, const char *folder, elbo_dataset *notes, elbo_error *err) {
    *p = (elbo_photos){.folder = folder};
    walk w = {.root = folder, .looks_left = -1};
    walk_folder(&w, "", 0);
    elbo_status status = ELBO_OK;
    if (w.out_of_memory)
        status = elbo_no_memory(err);
    else if (w.too_many)
        status =
            elbo_fail(err, ELBO_BAD_INPUT, "%s: more than %u images, the most that elbo reads", folder, MOST_FILES);
    else if (!w.count)
        status = elbo_fail(err, ELBO_BAD_INPUT,
                           "%s: has no images in it; looked for files that end in .jpg, .png, .webp, .tif, "
                           ".gif or .bmp",
                           folder);
    if (status == ELBO_OK) {
        note_empty(&w, notes);
        p->file = w.file;
        p->count = (uint32_t)w.count;
        w.file = NULL;
        w.count = 0;
        qsort(p->file, p->count, sizeof *p->file, by_path);
        status = read_folders(p, notes, err);
    }
    free_walk(&w);
    if (status == ELBO_OK) status = stamp_files(p, err);
    if (status != ELBO_OK) elbo_photos_free(p);
    return status;
}

void elbo_photos_free(elbo_photos *p) {
    for (uint32_t i = 0; i < p->count; i++) free(p->file[i].path);
    for (int i = 0; i < p->classes; i++) free(p->class_names[i]);
    free(p->file);
    free(p->entry);
    free(p->class_names);
    *p = (elbo_photos){0};
}
