#include "runs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/table.h"
#include "recipe_for.h"

static bool add_folder(cli_folders *f, char *path) {
    if (path && f->count < CLI_MOST_RUNS) {
        f->path[f->count++] = path;
        return true;
    }
    free(path);
    return false;
}

static int visible(const struct dirent *e) { return e->d_name[0] != '.'; }

/* Adds the runs that lie in a folder; false: too many, or no memory. */
static bool add_runs_in(cli_folders *f, const char *folder) {
    struct dirent **entry;
    int n = scandir(folder, &entry, visible, alphasort);
    bool all = true;
    for (int i = 0; i < n; i++) {
        char *path = elbo_path_join(folder, entry[i]->d_name);
        if (path && !cli_names_run(path))
            free(path);
        else
            all = add_folder(f, path) && all;
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return all;
}

int cli_find_runs(cli_folders *f, char **words, int count) {
    *f = (cli_folders){0};
    bool all = true;
    for (int i = 0; i < count && all; i++) {
        int before = f->count;
        if (elbo_folder_exists(words[i]) && !cli_names_run(words[i])) all = add_runs_in(f, words[i]);
        if (all && f->count == before) all = add_folder(f, strdup(words[i]));
    }
    if (all) return CLI_OK;
    cli_folders_free(f);
    return cli_fail_text("more than %d runs; name fewer", CLI_MOST_RUNS);
}

void cli_folders_free(cli_folders *f) {
    for (int i = 0; i < f->count; i++) free(f->path[i]);
    *f = (cli_folders){0};
}

int cli_runs_open(cli_runs *r, char **folders, int count, const char *data, int splits, const char *device,
                  int threads) {
    *r = (cli_runs){0};
    elbo_error err;
    const char *paths[CLI_MOST_RUNS];
    for (int i = 0; i < count; i++) paths[i] = folders[i];
    if (elbo_runs_open(r->run, paths, count, device, threads, &err) != ELBO_OK) return cli_fail(&err);
    r->count = count;
    elbo_status status = ELBO_OK;
    if (splits) status = cli_open_model_data(&r->data, r->run[0].model, data, (elbo_splits)splits, threads, &err);
    for (int i = 1; i < count && splits && status == ELBO_OK; i++)
        status = elbo_model_check_labels(r->run[i].model, &r->data, &err);
    if (status == ELBO_OK) return CLI_OK;
    cli_runs_close(r);
    return cli_fail(&err);
}

void cli_runs_close(cli_runs *r) {
    elbo_runs_close(r->run, r->count);
    elbo_dataset_close(&r->data);
}

elbo_figure cli_figure(cli_figure_place *place, const char *run, const char *name, const char *title,
                       const char *output, bool svg) {
    if (!output) {
        size_t n = strlen(run);
        while (n > 1 && run[n - 1] == '/') n--;
        snprintf(place->folder, sizeof place->folder, "%.*s/figures", (int)n, run);
        snprintf(place->name, sizeof place->name, "%s", name);
    } else {
        const char *slash = strrchr(output, '/'), *last = slash ? slash + 1 : output;
        if (slash)
            snprintf(place->folder, sizeof place->folder, "%.*s", slash == output ? 1 : (int)(slash - output), output);
        else
            snprintf(place->folder, sizeof place->folder, ".");
        snprintf(place->name, sizeof place->name, "%s", last);
        size_t n = strlen(place->name);
        if (n > 4 && (!strcmp(place->name + n - 4, ".png") || !strcmp(place->name + n - 4, ".svg"))) {
            svg = svg || place->name[n - 3] == 's';
            place->name[n - 4] = 0;
        }
    }
    return (elbo_figure){.folder = place->folder, .name = place->name, .title = title, .svg = svg};
}

void cli_say_figure(const elbo_figure *f, json_t *json) {
    char path[4400];
    bool beside = !strcmp(f->folder, "."); // said as it was named: loss.png, not ./loss.png
    snprintf(path, sizeof path, "%s%s%s.%s", beside ? "" : f->folder, beside ? "" : "/", f->name,
             f->svg ? "svg" : "png");
    if (json)
        json_object_set_new(json, "figure", json_string(path));
    else
        printf("%s\n", path);
}

int cli_look_open(cli_look *look, char **folders, int count, int splits) {
    int code = cli_runs_open(&look->runs, folders, count, look->data, splits, look->device, look->threads);
    if (code == CLI_OK)
        look->figure = cli_figure(&look->place, folders[0], look->name, look->title, look->output, look->svg);
    if (code == CLI_OK && !look->no_figure && !look->takes_tables &&
        elbo_shape_is_row(look->runs.run[0].model->network.graph.image)) {
        code = cli_fail_text(
            "%s: is a model of tables of %d columns, and this draws images; encode, decode, project, eval, "
            "doctor, compare, outliers, cluster, report and sample -o X.npy take it",
            folders[0], look->runs.run[0].model->network.graph.image.width);
        cli_runs_close(&look->runs);
    }
    if (code == CLI_OK && count == 1) look->figure.model = look->runs.run[0].label;
    return code;
}

elbo_status cli_look_open_data(cli_look *look, elbo_splits splits, elbo_error *err) {
    elbo_dataset_close(&look->runs.data);
    look->runs.data = (elbo_dataset){0};
    return cli_open_model_data(&look->runs.data, look->runs.run[0].model, look->data, splits, look->threads, err);
}

int cli_look_close(cli_look *look, elbo_status status, json_t *json) {
    if (status == ELBO_OK && !look->no_figure) cli_say_figure(&look->figure, json);
    int code = cli_end(status, &look->err, look->json, json, "%s", "");
    cli_runs_close(&look->runs);
    return code;
}
