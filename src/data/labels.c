/* Labels in a file of their own, for data that have none: of a .npy, or of a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/table.h"
#include "formats/npy.h"

enum { MOST_FILE = 1 << 28 };

/* Words as a list, one for each row, then classes made of them. */
typedef struct words {
    char **word; // (n)
    size_t n, capacity;
} words;

static elbo_status add(words *w, const char *text, size_t length, elbo_error *err) {
    char *copy = elbo_grow(&w->word, w->n, &w->capacity, sizeof *w->word) ? strndup(text, length) : NULL;
    if (!copy) return elbo_no_memory(err);
    w->word[w->n++] = copy;
    return ELBO_OK;
}

static elbo_status read_npy(words *w, const char *path, elbo_error *err) {
    elbo_array a;
    ELBO_TRY(elbo_npy_read(&a, path, err));
    elbo_status status = ELBO_OK;
    if (a.dims < 1 || a.count != a.shape[0])
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: labels are one number for each row; its shape has more", path);
    for (size_t i = 0; i < a.count && status == ELBO_OK; i++) {
        char text[40];
        double v = a.dtype == ELBO_U8    ? ((uint8_t *)a.data)[i]
                   : a.dtype == ELBO_I32 ? ((int32_t *)a.data)[i]
                   : a.dtype == ELBO_I64 ? (double)((int64_t *)a.data)[i]
                   : a.dtype == ELBO_F32 ? (double)((float *)a.data)[i]
                                         : ((double *)a.data)[i];
        status = add(w, text, (size_t)snprintf(text, sizeof text, "%.15g", v), err);
    }
    elbo_array_free(&a);
    return status;
}

/* A label on each line, spaces and quotes around it left out; empty lines are none. */
static elbo_status read_text(words *w, const char *path, elbo_error *err) {
    uint8_t *bytes;
    size_t size;
    ELBO_TRY(elbo_file_read(path, MOST_FILE, &bytes, &size, err));
    elbo_status status = ELBO_OK;
    for (const char *at = (char *)bytes, *end = at + size; at < end && status == ELBO_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *last = stop ? stop : end;
        const char *next = stop ? stop + 1 : end;
        while (at < last && strchr(" \t\"'\r", *at)) at++;
        while (last > at && strchr(" \t\"'\r", last[-1])) last--;
        if (last > at) status = add(w, at, (size_t)(last - at), err);
        at = next;
    }
    free(bytes);
    return status;
}

static bool is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return *text && !*end;
}

static int by_name(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    if (is_number(x) && is_number(y)) return (strtod(x, NULL) > strtod(y, NULL)) - (strtod(x, NULL) < strtod(y, NULL));
    return strcmp(x, y);
}

/* A word above numbers, or one that no row has. */
static bool has_heading(const words *w) {
    if (w->n < 3 || is_number(w->word[0])) return false;
    for (size_t i = 1; i < w->n; i++)
        if (!strcmp(w->word[i], w->word[0])) return false;
    return true;
}

/* The words once each, in their order: `*names` (returned number), each of w's. */
static elbo_status find_classes(const words *w, char ***names, int *classes, const char *path, elbo_error *err) {
    char **sorted = elbo_alloc(w->n, sizeof *sorted);
    if (!sorted) return elbo_no_memory(err);
    memcpy(sorted, w->word, w->n * sizeof *sorted);
    qsort(sorted, w->n, sizeof *sorted, by_name);
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (!n || by_name(&sorted[n - 1], &sorted[i]) != 0) sorted[n++] = sorted[i];
    *names = sorted;
    *classes = (int)n;
    if (n <= ELBO_MAX_CLASSES) return ELBO_OK;
    free(sorted);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: has %zu different labels; %d classes at most", path, n,
                     ELBO_MAX_CLASSES);
}

static elbo_status give(elbo_images *images, const words *w, size_t first, char **names, int classes, elbo_error *err) {
    if (!images->count) return ELBO_OK;
    free(images->labels);
    images->labels = elbo_alloc(images->count, 1);
    if (!images->labels) return elbo_no_memory(err);
    for (uint32_t i = 0; i < images->count; i++) {
        char **found = bsearch(&w->word[first + i], names, (size_t)classes, sizeof *names, by_name);
        images->labels[i] = (uint8_t)(found - names);
    }
    return ELBO_OK;
}

static elbo_status take(elbo_dataset *d, words *w, const char *path, elbo_error *err) {
    size_t n = w->n, held = 0, all = (size_t)d->train.count + d->test.count;
    if (has_heading(w)) {
        free(w->word[0]);
        memmove(w->word, w->word + 1, --w->n * sizeof *w->word);
        n = w->n;
    }
    held = n ? elbo_rows_held_out(n) : 0;
    bool fits = n >= 2 && (!d->train.count || d->train.count == n - held) && (!d->test.count || d->test.count == held);
    if (!fits)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has %zu labels; %s has %s%zu rows", path, n, d->source,
                         d->train.count && d->test.count ? "" : "another number of rows: in this split ", all);
    char **names = NULL;
    int classes = 0;
    ELBO_TRY(find_classes(w, &names, &classes, path, err));
    for (int k = 0; d->class_names && k < d->classes; k++) free(d->class_names[k]);
    free(d->class_names);
    d->classes = classes;
    d->class_names = elbo_alloc((size_t)classes, sizeof *d->class_names);
    elbo_status status = d->class_names ? ELBO_OK : elbo_no_memory(err);
    for (int k = 0; k < classes && status == ELBO_OK; k++)
        if (!(d->class_names[k] = strdup(names[k]))) status = elbo_no_memory(err);
    if (status == ELBO_OK) status = give(&d->train, w, 0, names, classes, err);
    if (status == ELBO_OK) status = give(&d->test, w, n - held, names, classes, err);
    free(names);
    return status;
}

elbo_status elbo_labels_read(elbo_dataset *d, const char *path, elbo_error *err) {
    words w = {0};
    size_t length = strlen(path);
    bool npy = length > 4 && !strcmp(path + length - 4, ".npy");
    elbo_status status = npy ? read_npy(&w, path, err) : read_text(&w, path, err);
    if (status == ELBO_OK) status = take(d, &w, path, err);
    for (size_t i = 0; i < w.n; i++) free(w.word[i]);
    free(w.word);
    return status;
}
