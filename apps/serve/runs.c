#include "runs.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "tsne_job.h"

/* ---- what is shared ---- */

serve_points *serve_points_hold(serve_points *p) {
    atomic_fetch_add(&p->holders, 1);
    return p;
}

serve_points *serve_points_new(const elbo_points *of) {
    serve_points *p = elbo_alloc(1, sizeof *p);
    if (!p) return NULL;
    atomic_init(&p->holders, 1);
    p->of = *of;
    return p;
}

void serve_points_release(serve_points *p) {
    if (!p || atomic_fetch_sub(&p->holders, 1) > 1) return;
    elbo_points_free(&p->of);
    free(p);
}

/* ---- finding ---- */

static bool is_run(const char *folder) {
    char *recipe = elbo_path_join(folder, "recipe.yaml");
    bool found = recipe && elbo_file_exists(recipe);
    free(recipe);
    return found;
}

static bool is_taken(const serve_runs *r, const char *id) {
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->run[i]->id, id)) return true;
    return false;
}

/* Letters, digits, "-", "_" and "." of the folder's name; a number behind where it is taken. */
static void make_id(const serve_runs *r, char id[SERVE_NAME], const char *name) {
    char plain[SERVE_NAME - 8];
    size_t n = 0;
    for (const char *c = name; *c && n + 1 < sizeof plain; c++) {
        bool kept =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-_", *c);
        plain[n] = kept || (*c == '.' && n) ? *c : '_';
        n++;
    }
    plain[n] = 0;
    snprintf(id, SERVE_NAME, "%s", n ? plain : "run");
    for (int k = 2; is_taken(r, id); k++) snprintf(id, SERVE_NAME, "%s-%d", n ? plain : "run", k);
}

/* "runs/mnist-vae/" -> "mnist-vae" */
static char *name_of(const char *folder) {
    char *real = realpath(folder, NULL);
    const char *path = real ? real : folder, *slash = strrchr(path, '/');
    char *name = strdup(slash && slash[1] ? slash + 1 : path);
    free(real);
    return name;
}

static elbo_status add(serve_runs *r, const char *folder, bool *changed, elbo_error *err) {
    for (int i = 0; i < r->count; i++) {
        if (strcmp(r->run[i]->folder, folder)) continue;
        *changed |= !r->run[i]->there;
        r->run[i]->there = true;
        return ELBO_OK;
    }
    if (r->count == SERVE_RUNS) return elbo_fail(err, ELBO_BAD_INPUT, "more than %d runs; name fewer", SERVE_RUNS);
    serve_run *run = calloc(1, sizeof *run);
    if (!run) return elbo_no_memory(err);
    *run = (serve_run){.there = true, .trust = {NAN, NAN, NAN}, .nearest_usual = NAN, .nearest_rare = NAN};
    run->folder = strdup(folder);
    run->name = name_of(folder);
    r->run[r->count] = run;
    if (!run->folder || !run->name) {
        free(run->folder);
        free(run->name);
        free(run);
        return elbo_no_memory(err);
    }
    make_id(r, run->id, run->name);
    r->count++;
    *changed = true;
    return ELBO_OK;
}

static int visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static elbo_status find_in(serve_runs *r, const char *folder, bool *changed, elbo_error *err) {
    struct dirent **entry;
    int n = scandir(folder, &entry, visible, alphasort);
    elbo_status status = ELBO_OK;
    for (int i = 0; i < n; i++) {
        char *path = elbo_path_join(folder, entry[i]->d_name);
        if (path && is_run(path) && status == ELBO_OK) status = add(r, path, changed, err);
        free(path);
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return status;
}

elbo_status serve_runs_find(serve_runs *r, bool *changed, elbo_error *err) {
    *changed = false;
    for (int i = 0; i < r->options->count; i++) {
        const char *word = r->options->words[i];
        if (is_run(word))
            ELBO_TRY(add(r, word, changed, err));
        else
            ELBO_TRY(find_in(r, word, changed, err));
    }
    for (int i = 0; i < r->count; i++) {
        bool there = is_run(r->run[i]->folder);
        *changed |= there != r->run[i]->there;
        r->run[i]->there = there;
    }
    return ELBO_OK;
}

serve_run *serve_runs_get(serve_runs *r, const char *id) {
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->run[i]->id, id)) return r->run[i];
    return NULL;
}

/* ---- closing ---- */

/* All that the weights made. */
static void forget_model(serve_run *run) {
    for (int m = 0; m < 3; m++) {
        elbo_latent_map_free(&run->map[m]);
        run->trust[m] = NAN;
    }
    for (int i = 0; i < SERVE_EPOCHS; i++) {
        elbo_model_close(run->epoch[i].model);
        run->epoch[i] = (serve_epoch){0};
    }
    elbo_latent_map_free(&run->epoch_map);
    elbo_latent_map_free(&run->growing);
    serve_tsne_release(run->tsne);
    run->tsne = NULL;
    json_decref(run->doctor);
    run->doctor = NULL;
    run->nearest_usual = run->nearest_rare = NAN;
    serve_points_release(run->points);
    elbo_model_close(run->one);
    elbo_model_close(run->model);
    elbo_log_free(&run->log);
    run->points = NULL;
    run->one = run->model = NULL;
    run->data = NULL; // (the list of data sets has it still)
}

void serve_runs_close(serve_runs *r) {
    for (int i = 0; i < r->count; i++) {
        forget_model(r->run[i]);
        for (serve_call *c = r->run[i]->waiting, *next; c; c = next) {
            next = c->next;
            serve_call_free(c);
        }
        free(r->run[i]->folder);
        free(r->run[i]->name);
        free(r->run[i]);
    }
    for (serve_data *d = r->data, *next; d; d = next) {
        next = d->next;
        elbo_image_index *index = atomic_load(&d->index);
        if (index) elbo_image_index_free(index);
        free(index);
        elbo_dataset_close(&d->set);
        free(d->key);
        free(d);
    }
    *r = (serve_runs){0};
}

/* ---- opening ---- */

static serve_stamp stamp_of(const char *folder, const char *file) {
    struct stat at;
    char *path = elbo_path_join(folder, file);
    bool there = path && stat(path, &at) == 0;
    free(path);
    return there ? (serve_stamp){at.st_mtim, at.st_size, at.st_ino} : (serve_stamp){0};
}

static bool is_same(serve_stamp a, serve_stamp b) {
    return a.time.tv_sec == b.time.tv_sec && a.time.tv_nsec == b.time.tv_nsec && a.size == b.size && a.inode == b.inode;
}

elbo_status serve_run_open(serve_run *run, const serve_options *o, elbo_error *err) {
    if (run->model) return ELBO_OK;
    elbo_model_options many = {.size = sizeof many, .threads = o->threads},
                       one = {.size = sizeof one, .threads = 1, .rows = 1};
    run->model_stamp = stamp_of(run->folder, "model.safetensors"); // before it is read: a later one is seen
    run->log_stamp = stamp_of(run->folder, "log.jsonl");
    elbo_status status = elbo_model_open_with(&run->model, run->folder, &many, err);
    if (status == ELBO_OK) status = elbo_model_session(&run->one, run->model, &one, err);
    if (status == ELBO_OK)
        status = elbo_log_load(run->folder, &run->model->recipe, run->model->network.graph.image, &run->log, err);
    run->training = elbo_run_is_training(run->folder);
    if (status != ELBO_OK) forget_model(run);
    return status;
}

/* All that elbo_dataset_open_with and elbo_model_take_data look at. */
static char *key_of(const elbo_model *m, const char *path) {
    const elbo_recipe *r = &m->recipe;
    elbo_image_shape s = m->network.graph.image;
    char *key = elbo_format("%s\n%s\n%dx%dx%d\n%d %d %llu %g %g", r->data, path ? path : "", s.channels, s.height,
                            s.width, elbo_model_is_conditional(m), (int)r->image.binary,
                            (unsigned long long)(r->image.binary != ELBO_BINARY_NONE ? r->train.seed : 0),
                            (double)r->image.low, (double)r->image.high);
    const elbo_words *lists[] = {&r->classes, &r->exclude};
    for (int l = 0; l < 2 && key; l++)
        for (int i = 0; i < lists[l]->count && key; i++) {
            char *longer = elbo_format("%s\n%c%s", key, l ? '-' : '+', lists[l]->word[i]);
            free(key);
            key = longer;
        }
    return key;
}

static elbo_status read_data(serve_data *d, const elbo_model *m, const char *path, int threads, elbo_error *err) {
    const elbo_recipe *r = &m->recipe;
    elbo_data_options o = {.splits = ELBO_BOTH_SPLITS,
                           .threads = threads,
                           .channels = r->image.channels,
                           .height = r->image.height,
                           .width = r->image.width,
                           .classes = &r->classes,
                           .exclude = &r->exclude};
    ELBO_TRY(elbo_dataset_open_with(&d->set, r->data, path, &o, err));
    elbo_status status = elbo_model_take_data(m, &d->set, err);
    if (status != ELBO_OK) elbo_dataset_close(&d->set);
    return status;
}

elbo_status serve_run_open_data(serve_runs *r, serve_run *run, elbo_error *err) {
    ELBO_TRY(serve_run_open(run, r->options, err));
    if (run->data) return ELBO_OK;
    const char *path = r->options->data ? r->options->data : run->model->facts.data;
    serve_data *d = elbo_alloc(1, sizeof *d), *known = r->data;
    if (!d || !(d->key = key_of(run->model, path))) {
        free(d);
        return elbo_no_memory(err);
    }
    while (known && strcmp(known->key, d->key)) known = known->next;
    elbo_status status = known ? ELBO_OK : read_data(d, run->model, path, r->options->threads, err);
    if (known || status != ELBO_OK) {
        free(d->key);
        free(d);
    } else {
        d->next = r->data;
        d->fingerprint = elbo_images_fingerprint(&d->set.train) * 31 + elbo_images_fingerprint(&d->set.test);
        r->data = known = d;
    }
    run->data = known;
    return status;
}

elbo_status serve_run_find_points(serve_runs *r, serve_run *run, elbo_error *err) {
    ELBO_TRY(serve_run_open_data(r, run, err));
    if (run->points) return ELBO_OK;
    elbo_points p;
    if (!elbo_points_load(&p, run->model, &run->data->set)) return elbo_fail(err, ELBO_NOT_FOUND, "not encoded yet");
    if ((run->points = serve_points_new(&p))) return ELBO_OK;
    elbo_points_free(&p);
    return elbo_no_memory(err);
}

bool serve_run_refresh(serve_run *run, const serve_options *o, int *epochs) {
    *epochs = run->log.count;
    if (!run->model) return false;
    bool training = elbo_run_is_training(run->folder), other = training != run->training;
    run->training = training;
    if (is_same(stamp_of(run->folder, "model.safetensors"), run->model_stamp) &&
        is_same(stamp_of(run->folder, "log.jsonl"), run->log_stamp))
        return other;
    elbo_error ignored; // the next one who asks for the run is told
    forget_model(run);
    serve_run_open(run, o, &ignored);
    return true;
}
