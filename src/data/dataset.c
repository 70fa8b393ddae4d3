/* From the name in a recipe to images in memory: where the name's files are, and which reader takes them. */
#include <stdlib.h>
#include <string.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <pwd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "data/data.h"
#include "data/readers.h"
#include "data/sprites.h"
#include "data/table.h"

static const char *const digit_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
static const char *const fashion_names[] = {"T-shirt/top", "Trouser", "Pullover", "Dress",      "Coat", "Sandal",
                                            "Shirt",       "Sneaker", "Bag",      "Ankle boot", NULL};
static const char *const cifar_names[] = {"airplane", "automobile", "bird", "cat",   "deer", "dog",
                                          "frog",     "horse",      "ship", "truck", NULL};

static const char *const kuzushiji_names[] = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo", NULL};
static const char *const told_by_reader[] = {NULL}; // a folder of this name may hold others
static const char *const sprite_names[] = {"square", "ellipse", "heart", NULL};

static elbo_status make_digits(elbo_dataset *d, const elbo_dataset_info *info, const elbo_data_options *o,
                               elbo_error *err) {
    d->classes = 10;
    if (o->splits & ELBO_TRAIN_SPLIT) ELBO_TRY(elbo_digits_make(&d->train, false, info->train_count, o->threads, err));
    if (o->splits & ELBO_TEST_SPLIT) ELBO_TRY(elbo_digits_make(&d->test, true, info->test_count, o->threads, err));
    return ELBO_OK;
}

static elbo_status make_sprites(elbo_dataset *d, const elbo_dataset_info *info, const elbo_data_options *o,
                                elbo_error *err) {
    bool small = !strcmp(info->name, "dsprites-small");
    d->classes = elbo_sprite_factors[0].values;
    d->factor = elbo_sprite_factors;
    if (o->splits & ELBO_TRAIN_SPLIT) ELBO_TRY(elbo_sprites_make(&d->train, false, small, err));
    if (o->splits & ELBO_TEST_SPLIT) ELBO_TRY(elbo_sprites_make(&d->test, true, small, err));
    return ELBO_OK;
}

const elbo_dataset_info elbo_known_datasets[] = {
    {"mnist", "handwritten digits (LeCun, Cortes, Burges)", {1, 28, 28}, 60000, 10000, digit_names, NULL},
    {"fashion-mnist", "clothing articles (Zalando)", {1, 28, 28}, 60000, 10000, fashion_names, NULL},
    {"cifar10", "small photographs of ten classes (Krizhevsky)", {3, 32, 32}, 50000, 10000, cifar_names, NULL},
    {"digits", "synthetic handwritten digits, built in", {1, 28, 28}, 60000, 10000, digit_names, make_digits},
    {"dsprites",
     "shapes by five factors (after Matthey et al.), built in",
     {1, 64, 64},
     663552,
     73728,
     sprite_names,
     make_sprites},
    {"dsprites-small",
     "every second orientation and position of dsprites",
     {1, 64, 64},
     82944,
     9216,
     sprite_names,
     make_sprites},
    {"kmnist", "cursive hiragana (Clanuwat et al.)", {1, 28, 28}, 60000, 10000, kuzushiji_names, NULL},
    {"letters", "handwritten letters (EMNIST, Cohen et al.)", {1, 28, 28}, 124800, 20800, told_by_reader, NULL},
    {0},
};

enum { KNOWN = sizeof elbo_known_datasets / sizeof *elbo_known_datasets - 1 };

static const elbo_dataset_info *find_info(const char *name) {
    for (const elbo_dataset_info *i = elbo_known_datasets; i->name; i++)
        if (strcmp(i->name, name) == 0) return i;
    return NULL;
}

void elbo_images_free(elbo_images *images) {
    if (images->map)
        munmap(images->map, images->map_size);
    else
        free(images->bytes);
    free(images->floats);
    free(images->labels);
    free(images->factors);
    free(images->sprites);
    *images = (elbo_images){0};
}

void elbo_dataset_close(elbo_dataset *d) {
    elbo_images_free(&d->train);
    elbo_images_free(&d->test);
    for (int i = 0; d->class_names && i < d->classes; i++) free(d->class_names[i]);
    free(d->class_names);
    for (int i = 0; i < d->notes; i++) free(d->note[i]);
    free(d->note);
    free(d->name);
    free(d->source);
    *d = (elbo_dataset){0};
}

void elbo_dataset_note(elbo_dataset *d, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    elbo_make_utf8(text);
    char *copy = strdup(text), **more = copy ? reallocarray(d->note, (size_t)d->notes + 1, sizeof *more) : NULL;
    if (!more) {
        free(copy);
        return;
    }
    d->note = more;
    d->note[d->notes++] = copy;
}

/* ---- places ---- */

static const char *home_folder(void) {
    const char *home = getenv("HOME");
    if (home && *home) return home;
    const struct passwd *user = getpwuid(getuid());
    return user && user->pw_dir ? user->pw_dir : ".";
}

char *elbo_dataset_cache_folder(const char *name) {
    const char *cache = getenv("XDG_CACHE_HOME"); // (by its standard, a relative one does not count)
    if (cache && *cache == '/') return elbo_format("%s/elbo/%s", cache, name);
    return elbo_format("%s/.cache/elbo/%s", home_folder(), name);
}

static bool exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

/* Shells leave `--data=~/x` and recipes `data: ~/x` as they are. */
static char *expand_home(const char *path) {
    if (path[0] == '~' && (path[1] == '/' || path[1] == 0)) return elbo_format("%s%s", home_folder(), path + 1);
    return strdup(path);
}

/* The last part of a path, without .npy or .csv at its end: what to call data that has no other name. A new string. */
static char *base_name(const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    bool file = end - start > 4 && (!strncmp(path + end - 4, ".npy", 4) || !strncmp(path + end - 4, ".csv", 4));
    if (file) end -= 4;
    return strndup(path + start, end - start);
}

/* ---- from a name and a path to a place ---- */

typedef struct place {
    char *path;
    const elbo_reader *reader;     // NULL: made by elbo itself
    const elbo_dataset_info *info; // what is known about it, or NULL
    char *name;
    bool sure; // the place's name says that it is `info`; else the user says so, and may mean something like it
} place;

static void leave(place *p) {
    free(p->path);
    free(p->name);
    *p = (place){0};
}

/* Takes `path` over; true where a reader recognises it. Not `any`: the format must be sure of it, as one that takes
 * whatever folder holds images somewhere is not. */
static bool try_place_as(place *p, char *path, bool any) {
    for (const elbo_reader *const *r = elbo_readers; path && *r; r++) {
        if ((!any && (*r)->names_itself) || !(*r)->recognises(path)) continue;
        p->path = path;
        p->reader = *r;
        return true;
    }
    free(path);
    return false;
}

static bool try_place(place *p, char *path) { return try_place_as(p, path, true); }

static bool is_plain_name(const char *name) { return *name && *name != '.' && !strchr(name, '/'); }

/* The places that a plain name has: $ELBO_DATA/NAME, then the cache. */
static bool try_usual_places(place *p, const char *name) {
    const char *data = getenv("ELBO_DATA");
    if (data && *data && try_place(p, elbo_path_join(data, name))) return true;
    return try_place(p, elbo_dataset_cache_folder(name));
}

static elbo_status fail_unrecognised(const char *path, const char *name, elbo_error *err) {
    char formats[400] = "";
    for (const elbo_reader *const *r = elbo_readers; *r; r++) {
        size_t used = strlen(formats);
        snprintf(formats + used, sizeof formats - used, "%s%s", used ? ", or " : "", (*r)->looks_for);
    }
    if (name)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: neither it nor its %s/ is data that elbo reads; looked for %s", path,
                         name, formats);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not data that elbo reads; looked for %s", path, formats);
}

static elbo_status fail_not_found(const char *name, elbo_error *err) {
    const char *data = getenv("ELBO_DATA");
    char *cache = elbo_dataset_cache_folder(name);
    if (!cache) return elbo_no_memory(err);
    elbo_status status;
    if (data && *data)
        status = elbo_fail(
            err, ELBO_NOT_FOUND,
            "%s: not found in $ELBO_DATA/%s (ELBO_DATA=%s), %s; `elbo data fetch %s` downloads it, `--data digits` uses the built-in digits",
            name, name, data, cache, name);
    else
        status = elbo_fail(
            err, ELBO_NOT_FOUND,
            "%s: not found in %s (and ELBO_DATA is not set); `elbo data fetch %s` downloads it, `--data digits` uses the built-in digits",
            name, cache, name);
    free(cache);
    return status;
}

static elbo_status fail_unknown(const char *name, elbo_error *err) {
    const char *names[KNOWN + 1] = {0};
    char list[200] = "";
    for (int i = 0; i < KNOWN; i++) {
        names[i] = elbo_known_datasets[i].name;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = elbo_nearest_word(name, names);
    const char *data = getenv("ELBO_DATA");
    bool looked = is_plain_name(name) && data && *data;
    return elbo_fail(err, ELBO_NOT_FOUND, "%s: is neither a known data set (%s) nor a folder or file%s%s%s%s", name,
                     list, looked ? ", here or in $ELBO_DATA" : "", near ? "; did you mean " : "", near ? near : "",
                     near ? "?" : "");
}

/* `path` as the user gave it with --data; it is there. */
static elbo_status locate_path(place *p, const char *name, char *path, elbo_error *err) {
    bool named = is_plain_name(name);
    char *inside =
        named ? elbo_path_join(path, name) : NULL; // (images may lie anywhere below: the name goes before them)
    bool photos = !try_place_as(p, strdup(path), false) && !(inside && exists(inside)) && try_place(p, strdup(path));
    free(inside);
    if (p->reader) {
        p->name = base_name(path);
        if (!p->name) return elbo_no_memory(err);
        bool file = elbo_file_exists(path);
        p->info = file || photos ? NULL : find_info(p->name);
        p->sure = p->info != NULL;
        if (!p->info && !file && !photos && find_info(name) &&
            !find_info(name)->make) { // some folder that takes the name's place
            p->info = find_info(name);
            free(p->name);
            p->name = strdup(name);
        }
        return p->name ? ELBO_OK : elbo_no_memory(err);
    }
    if (named && try_place(p, elbo_path_join(path, name))) {
        p->info = find_info(name);
        p->sure = p->info != NULL;
        p->name = strdup(name);
        return p->name ? ELBO_OK : elbo_no_memory(err);
    }
    return fail_unrecognised(path, named ? name : NULL, err);
}

static elbo_status locate(place *p, const char *name, const char *given, elbo_error *err) {
    *p = (place){0};
    if (given) {
        char *path = expand_home(given);
        if (!path) return elbo_no_memory(err);
        // (--data digits: another known data set, unless a folder of that name has data)
        bool another = find_info(given) && !try_place(p, strdup(path));
        leave(p);
        // (--data dogs: a folder of that name in $ELBO_DATA, as a recipe's `data: dogs` finds it)
        another = another || (!exists(path) && is_plain_name(given) && try_usual_places(p, given));
        leave(p);
        elbo_status status = another        ? locate(p, given, NULL, err)
                             : exists(path) ? locate_path(p, name, path, err)
                                            : fail_unknown(given, err);
        free(path);
        return status;
    }
    p->info = find_info(name);
    p->sure = true;
    p->name = strdup(name);
    if (!p->name) return elbo_no_memory(err);
    if (p->info) {
        if (p->info->make || try_usual_places(p, name)) return ELBO_OK;
        return fail_not_found(name, err);
    }
    char *path = expand_home(name);
    if (!path) return elbo_no_memory(err);
    bool there = exists(path);
    elbo_status status = ELBO_OK;
    if (there && try_place(p, strdup(path))) {
        free(p->name);
        p->name = base_name(path);
        if (!p->name)
            status = elbo_no_memory(err);
        else if (elbo_folder_exists(path) && !p->reader->names_itself)
            p->info = find_info(p->name); // data: /data/mnist
    } else if (!is_plain_name(name) || !try_usual_places(p, name)) {
        const char *data = getenv("ELBO_DATA"); // a folder of that name may lie there and hold something else
        char *inside = data && *data && is_plain_name(name) ? elbo_path_join(data, name) : NULL;
        status = there                      ? fail_unrecognised(path, NULL, err)
                 : inside && exists(inside) ? fail_unrecognised(inside, NULL, err)
                                            : fail_unknown(name, err);
        free(inside);
    }
    free(path);
    return status;
}

bool elbo_dataset_present(const char *name) {
    place p;
    elbo_error ignored;
    bool present = locate(&p, name, NULL, &ignored) == ELBO_OK;
    leave(&p);
    return present;
}

/* ---- from a place to images ---- */

static elbo_status name_classes(elbo_dataset *d, const place *p, elbo_error *err) {
    if (d->classes == 0 || d->class_names) return ELBO_OK;
    int known = 0;
    while (p->info && p->info->class_names[known]) known++;
    if (d->classes > known && known && p->sure)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: a label is %d; the classes of %s are 0 to %d", p->path,
                         d->classes - 1, p->info->name, known - 1);
    bool use_known = known >= d->classes;
    if (use_known) d->classes = known; // (a part of the data set may lack some)
    d->class_names = elbo_alloc((size_t)d->classes, sizeof *d->class_names);
    if (!d->class_names) return elbo_no_memory(err);
    for (int i = 0; i < d->classes; i++) {
        d->class_names[i] = use_known ? strdup(p->info->class_names[i]) : elbo_format("%d", i);
        if (!d->class_names[i]) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

static elbo_status check_shapes(const elbo_dataset *d, elbo_error *err) {
    elbo_image_shape a = d->train.shape, b = d->test.shape;
    if (!d->train.count || !d->test.count || (a.channels == b.channels && a.height == b.height && a.width == b.width))
        return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "%s: training images are %d x %d x %d, test images %d x %d x %d; expected one shape", d->source,
                     a.channels, a.height, a.width, b.channels, b.height, b.width);
}

/* Photographs come in the shape that is asked for; all else has its own. */
static elbo_status check_wish(const elbo_dataset *d, const elbo_data_options *o, elbo_error *err) {
    elbo_image_shape s = d->train.count ? d->train.shape : d->test.shape;
    bool fits = (!o->channels || s.channels == o->channels) && (!o->height || s.height == o->height) &&
                (!o->width || s.width == o->width);
    if (fits) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "%s: its images are %d x %d with %d channel%s, not what image.size and image.channels say; "
                     "--set image.size=none --set image.channels=none uses them unchanged",
                     d->source, s.height, s.width, s.channels, s.channels == 1 ? "" : "s");
}

elbo_status elbo_dataset_open(elbo_dataset *d, const char *name, const char *path, elbo_splits splits, int threads,
                              elbo_error *err) {
    elbo_data_options o = {.splits = splits, .threads = threads};
    return elbo_dataset_open_with(d, name, path, &o, err);
}

/* By its own training rows, which are read for it where they are not open, or by those of another table. */
static elbo_status standardise(elbo_dataset *d, const char *name, const char *path, const elbo_data_options *o,
                               elbo_error *err) {
    if (d->train.count && !o->standard) return elbo_table_standardise(d, &d->train, err);
    elbo_dataset by;
    elbo_data_options plain = {.splits = ELBO_TRAIN_SPLIT, .threads = o->threads};
    ELBO_TRY(elbo_dataset_open_with(&by, name, o->standard ? o->standard : path, &plain, err));
    elbo_status status = elbo_table_standardise(d, &by.train, err);
    elbo_dataset_close(&by);
    return status;
}

elbo_status elbo_dataset_open_with(elbo_dataset *d, const char *name, const char *path, const elbo_data_options *o,
                                   elbo_error *err) {
    *d = (elbo_dataset){0};
    place p;
    elbo_status status;
    ELBO_TRY_GOTO(status, locate(&p, name, path, err), done);
    d->name = strdup(p.name);
    d->source = strdup(p.reader ? p.path : "built in");
    if (!d->name || !d->source) {
        status = elbo_no_memory(err);
        goto done;
    }
    if (p.reader)
        ELBO_TRY_GOTO(status, p.reader->read(d, p.path, o, err), done);
    else
        ELBO_TRY_GOTO(status, p.info->make(d, p.info, o, err), done);
    ELBO_TRY_GOTO(status, check_shapes(d, err), done);
    ELBO_TRY_GOTO(status, check_wish(d, o, err), done);
    ELBO_TRY_GOTO(status, name_classes(d, &p, err), done);
    if (o->labels && *o->labels) ELBO_TRY_GOTO(status, elbo_labels_read(d, o->labels, err), done);
    if (o->standardise) ELBO_TRY_GOTO(status, standardise(d, name, path, o, err), done);
    status = elbo_dataset_select(d, o, err);
done:
    leave(&p);
    if (status != ELBO_OK) elbo_dataset_close(d);
    return status;
}
