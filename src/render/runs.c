/* Opening run folders for figures. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "render/figures.h"

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "runs/mnist-vae/" -> "mnist-vae"; the whole path where two runs would have the same name. */
static char *label_of(const char *const *folders, int count, int which) {
    char *path = strdup(folders[which]);
    if (!path) return NULL;
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
    if (!strcmp(last_part(path), ".") || !strcmp(last_part(path), "..")) { // the name of the folder we are in
        char *real = realpath(path, NULL);
        if (real) {
            free(path);
            path = real;
        }
    }
    bool unique = true;
    for (int i = 0; i < count; i++) {
        size_t n = strlen(folders[i]), m = strlen(last_part(path));
        while (n > 1 && folders[i][n - 1] == '/') n--;
        bool same =
            n >= m && !strncmp(folders[i] + n - m, last_part(path), m) && (n == m || folders[i][n - m - 1] == '/');
        if (i != which && same) unique = false;
    }
    char *label = strdup(unique ? last_part(path) : path);
    free(path);
    return label;
}

elbo_status elbo_runs_open(elbo_run *runs, const char *const *folders, int count, int threads, elbo_error *err) {
    memset(runs, 0, (size_t)count * sizeof *runs);
    elbo_status status = ELBO_OK;
    for (int i = 0; i < count && status == ELBO_OK; i++) {
        status = elbo_model_open(&runs[i].model, folders[i], threads, err);
        if (status == ELBO_OK)
            status = elbo_log_load(folders[i], &runs[i].model->recipe, runs[i].model->network.graph.image, &runs[i].log,
                                   err);
        if (status == ELBO_OK && !(runs[i].label = label_of(folders, count, i))) status = elbo_no_memory(err);
        if (status == ELBO_OK && i > 0) {
            elbo_image_shape a = runs[0].model->network.graph.image, b = runs[i].model->network.graph.image;
            if (a.channels != b.channels || a.height != b.height || a.width != b.width)
                status =
                    elbo_fail(err, ELBO_BAD_INPUT,
                              "%s: its images are %dx%dx%d, those of %s are %dx%dx%d; compare "
                              "runs on images of one shape",
                              folders[i], b.channels, b.height, b.width, folders[0], a.channels, a.height, a.width);
        }
    }
    if (status != ELBO_OK) elbo_runs_close(runs, count);
    return status;
}

void elbo_runs_close(elbo_run *runs, int count) {
    for (int i = 0; i < count; i++) {
        elbo_run_forget(&runs[i]);
        elbo_model_close(runs[i].model);
        elbo_log_free(&runs[i].log);
        free(runs[i].label);
        runs[i] = (elbo_run){0};
    }
}

elbo_run *elbo_runs_chooser(elbo_run *runs, int count) {
    for (int i = 0; i < count; i++)
        if (runs[i].model->recipe.kind == ELBO_VAE) return &runs[i];
    return runs;
}
