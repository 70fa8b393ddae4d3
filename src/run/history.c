#include "run/history.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static int step_at(int epoch, int most) {
    int step = 1;
    while (epoch / step + 1 > most && step <= epoch) step *= 2;
    return step;
}

bool elbo_history_keeps(int epoch, int most) { return most > 0 && epoch % step_at(epoch, most) == 0; }

char *elbo_history_folder(const char *run, int epoch) { return elbo_format("%s/history/%05d", run, epoch); }

/* A folder of five digits or more. */
static int is_epoch(const struct dirent *e) {
    size_t n = strspn(e->d_name, "0123456789");
    return n >= 5 && n <= 8 && !e->d_name[n];
}

static int compare_epochs(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static elbo_status find(const char *run, bool whole, int **epochs, int *count, elbo_error *err) {
    struct dirent **entry = NULL;
    char *folder = elbo_path_join(run, "history");
    int n = folder ? scandir(folder, &entry, is_epoch, NULL) : 0;
    *count = 0;
    *epochs = NULL;
    elbo_status status = !folder                    ? elbo_no_memory(err)
                         : n < 0 && errno != ENOENT ? elbo_fail_errno(err, "%s: cannot be read", folder)
                                                    : ELBO_OK;
    if (status == ELBO_OK && n > 0 && !(*epochs = elbo_alloc((size_t)n, sizeof **epochs))) status = elbo_no_memory(err);
    for (int i = 0; i < n; i++) {
        char *recipe = elbo_format("%s/%s/recipe.yaml", folder, entry[i]->d_name);
        if (status == ELBO_OK && !recipe) status = elbo_no_memory(err);
        if (status == ELBO_OK && (!whole || elbo_file_exists(recipe))) (*epochs)[(*count)++] = atoi(entry[i]->d_name);
        free(recipe);
        free(entry[i]);
    }
    free(entry);
    free(folder);
    if (status == ELBO_OK && *count) qsort(*epochs, (size_t)*count, sizeof **epochs, compare_epochs);
    return status;
}

elbo_status elbo_history_list(const char *run, int **epochs, int *count, elbo_error *err) {
    return find(run, true, epochs, count, err);
}

static int remove_one(const char *path, const struct stat *at, int kind, struct FTW *where) {
    (void)at, (void)kind, (void)where;
    return remove(path);
}

/* All that lies in it, too: what was computed of these weights. Links are removed, not followed. */
static elbo_status remove_epoch(const char *run, int epoch, elbo_error *err) {
    enum { OPEN_AT_ONCE = 8 };
    char *folder = elbo_history_folder(run, epoch);
    if (!folder) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    if (nftw(folder, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        status = elbo_fail_errno(err, "%s: cannot be removed", folder);
    free(folder);
    return status;
}

elbo_status elbo_history_thin(const char *run, int epoch, int most, elbo_error *err) {
    int *epochs, count, step = step_at(epoch, most);
    elbo_status status = find(run, false, &epochs, &count, err);
    for (int i = 0; i < count && status == ELBO_OK; i++)
        if (most == 0 || epochs[i] > epoch || epochs[i] % step) status = remove_epoch(run, epochs[i], err);
    free(epochs);
    return status;
}
