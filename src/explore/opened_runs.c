#include "explore/opened_runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "explore/result.h"

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
    const char *name = unique ? last_part(path) : path;
    size_t room = 4 * strlen(name) + 1; // (a folder's name may hold a newline, which a table may not)
    char *label = malloc(room);
    if (label) elbo_text_escape(name, label, room);
    free(path);
    return label;
}

elbo_status elbo_runs_open(elbo_run *runs, const char *const *folders, int count, const char *device, int threads,
                           elbo_error *err) {
    elbo_model_options o = {.size = sizeof o, .threads = threads, .device = device};
    memset(runs, 0, (size_t)count * sizeof *runs);
    elbo_status status = ELBO_OK;
    for (int i = 0; i < count && status == ELBO_OK; i++) {
        status = elbo_model_open_with(&runs[i].model, folders[i], &o, err);
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

elbo_status elbo_runs_take_data(const elbo_run *runs, int count, elbo_dataset *d, elbo_error *err) {
    ELBO_TRY(elbo_model_take_data(runs[0].model, d, err));
    for (int i = 1; i < count; i++) ELBO_TRY(elbo_model_check_labels(runs[i].model, d, err));
    return ELBO_OK;
}

elbo_status elbo_runs_labels(char ***labels, const elbo_run *runs, int count, elbo_error *err) {
    char **copy = elbo_alloc((size_t)count, sizeof *copy);
    bool whole = copy != NULL;
    for (int i = 0; copy && i < count; i++) whole = (copy[i] = strdup(runs[i].label)) && whole;
    if (!whole) {
        elbo_texts_free(copy, count);
        return elbo_no_memory(err);
    }
    *labels = copy;
    return ELBO_OK;
}

elbo_run *elbo_runs_chooser(elbo_run *runs, int count) {
    for (int i = 0; i < count; i++)
        if (runs[i].model->recipe.kind == ELBO_VAE) return &runs[i];
    return runs;
}

/* ---- scores ---- */

elbo_status elbo_run_recall(elbo_run *r, const elbo_dataset *d, elbo_error *err) {
    if (r->quality) return ELBO_OK;
    elbo_quality *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    elbo_status status = elbo_quality_load(q, r->model, d, err);
    if (status == ELBO_OK) {
        elbo_quality_set_objective(q, r->model, &r->log);
        r->quality = q;
    } else {
        free(q);
    }
    return status;
}

elbo_status elbo_run_measure(elbo_run *r, const elbo_eval_context *e, bool keep, elbo_error *err) {
    elbo_status status = elbo_run_recall(r, e->data, err);
    if (status != ELBO_NOT_FOUND) return status;
    elbo_quality *q = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    status = elbo_quality_measure(q, e, (elbo_quality_options){.classes = true}, err);
    if (status != ELBO_OK) {
        free(q);
        return status;
    }
    r->quality = q;
    if (!keep) return ELBO_OK;
    status = elbo_quality_save(q, r->model, e->data, err);
    return status == ELBO_IO ? ELBO_OK : status; // a run that may only be read is measured anew each time
}

void elbo_run_forget(elbo_run *r) {
    if (r->quality) elbo_quality_free(r->quality);
    free(r->quality);
    r->quality = NULL;
}

/* ---- which is better ---- */

bool elbo_runs_same_data(const elbo_run *r, const elbo_run *s) {
    const elbo_model *a = r->model, *b = s->model;
    const char *x = a->facts.data ? a->facts.data : "", *y = b->facts.data ? b->facts.data : "";
    return !strcmp(a->recipe.data, b->recipe.data) && !strcmp(x, y);
}

/* Losses of two kinds, or scores on two data sets, cannot be told apart by size; nor an AE's loss from a VAE's, which
 * pays for its code; nor a squared error in one range from that in another. */
static bool comparable(const elbo_quality_row *row, const elbo_run *a, const elbo_run *b) {
    const elbo_recipe *r = &a->model->recipe, *s = &b->model->recipe;
    bool range = r->image.low == s->image.low && r->image.high == s->image.high;
    if (!strcmp(row->key, "mse")) return range;
    if (strcmp(row->key, "loss") && strcmp(row->key, "reconstruction") && strcmp(row->key, "log_likelihood"))
        return true;
    bool kind = r->kind == s->kind || !strcmp(row->key, "reconstruction");
    char mine[ELBO_TERMS_TEXT], theirs[ELBO_TERMS_TEXT];
    return range && kind &&
           !strcmp(elbo_terms_text(&r->loss.reconstruction, mine), elbo_terms_text(&s->loss.reconstruction, theirs));
}

bool elbo_run_best(const elbo_run *runs, int count, int which, const elbo_quality_row *row) {
    if (!row->better || !runs[which].quality) return false;
    double mine = row->value(runs[which].quality);
    if (!isfinite(mine)) return false;
    int others = 0;
    for (int i = 0; i < count; i++) {
        if (i == which || !runs[i].quality || !isfinite(row->value(runs[i].quality))) continue;
        if (!elbo_runs_same_data(&runs[which], &runs[i]) || !comparable(row, &runs[which], &runs[i])) return false;
        if (!strcmp(row->key, "log_likelihood") &&
            runs[i].quality->likelihood.samples != runs[which].quality->likelihood.samples)
            return false;
        if (row->better * (row->value(runs[i].quality) - mine) >= 0) return false;
        others++;
    }
    return others > 0;
}
