/* model.safetensors and checkpoint.safetensors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/run_folder.h"
#include "formats/safetensors.h"

static elbo_st_tensor tensor_of(const elbo_param *p, const char *name, const float *block) {
    elbo_st_tensor t = {.name = name, .dtype = ELBO_ST_F32, .dims = p->rank, .data = block + p->offset};
    for (int i = 0; i < p->rank; i++) t.shape[i] = (size_t)p->dim[i];
    return t;
}

/* The names of classes, a line each; "" where there are none. A new string. */
static char *join_names(const elbo_run_facts *f) {
    size_t size = 1;
    for (int i = 0; i < f->classes; i++) size += strlen(f->class_names[i]) + 1;
    char *text = malloc(size), *to = text;
    for (int i = 0; text && i < f->classes; i++) {
        if (i) *to++ = '\n';
        for (const char *c = f->class_names[i]; *c; c++)
            *to++ = *c == '\n' ? ' ' : *c; // (a folder's name may hold one)
    }
    if (text) *to = 0;
    return text;
}

elbo_status elbo_params_write(const char *path, const elbo_graph *g, int players, const float *weights,
                              const elbo_st_pair *pairs, int count, elbo_error *err) {
    elbo_st_tensor *tensors = calloc((size_t)g->params + 1, sizeof *tensors);
    if (!tensors) return elbo_no_memory(err);
    int written = 0;
    for (int i = 0; i < g->params; i++)
        if ((int)g->param[i].player < players) tensors[written++] = tensor_of(&g->param[i], g->param[i].name, weights);
    elbo_status status = elbo_safetensors_write(path, tensors, written, pairs, count, err);
    free(tensors);
    return status;
}

elbo_status elbo_model_save(const char *run, const elbo_network *n, const float *weights, const elbo_run_facts *facts,
                            elbo_error *err) {
    const elbo_graph *g = &n->graph;
    char *path = elbo_path_join(run, "model.safetensors"), *names = join_names(facts);
    elbo_status status = ELBO_NO_MEMORY;
    if (path && names) {
        char shape[64], run_version[16], epoch[16];
        snprintf(epoch, sizeof epoch, "%d", facts->epoch);
        snprintf(run_version, sizeof run_version, "%d", ELBO_RUN_VERSION);
        snprintf(shape, sizeof shape, "%d,%d,%d", g->image.channels, g->image.height, g->image.width);
        elbo_st_pair pairs[8] = {{"format", "pt"},
                                 {"elbo_version", run_version},
                                 {"elbo_image_shape", shape},
                                 {"elbo_recipe", facts->recipe}};
        int count = 4;
        if (facts->epoch >= 0) pairs[count++] = (elbo_st_pair){"elbo_epoch", epoch};
        if (facts->imported) pairs[count++] = (elbo_st_pair){"elbo_imported", "true"};
        if (facts->data) pairs[count++] = (elbo_st_pair){"elbo_data", facts->data};
        if (facts->classes) pairs[count++] = (elbo_st_pair){"elbo_classes", names};
        status = elbo_params_write(path, g, ELBO_PLAYERS, weights, pairs, count, err);
    } else {
        elbo_no_memory(err);
    }
    free(names);
    free(path);
    return status;
}

static const char *shape_text(const size_t *shape, int dims, char text[120]) {
    size_t used = (size_t)snprintf(text, 120, "[");
    for (int i = 0; i < dims && used < 90; i++)
        used += (size_t)snprintf(text + used, 120 - used, i ? ", %zu" : "%zu", shape[i]);
    snprintf(text + used, 120 - used, "]");
    return text;
}

elbo_status elbo_param_read(const elbo_safetensors *file, const char *path, const char *prefix, const elbo_param *p,
                            float *block, elbo_error *err) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    const elbo_st_tensor *t = elbo_safetensors_find(file, name);
    if (!t) return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no tensor `%s`, which the recipe needs", path, name);
    bool fits = t->dtype == ELBO_ST_F32 && t->dims == p->rank;
    for (int i = 0; fits && i < p->rank; i++) fits = t->shape[i] == (size_t)p->dim[i];
    if (!fits) {
        char has[120], wants[120];
        size_t dims[ELBO_ST_MAX_DIMS] = {0};
        for (int i = 0; i < p->rank; i++) dims[i] = (size_t)p->dim[i];
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: `%s` is %s %s; the recipe makes it F32 %s", path, name,
                         elbo_st_dtype_name(t->dtype), shape_text(t->shape, t->dims, has),
                         shape_text(dims, p->rank, wants));
    }
    memcpy(block + p->offset, t->data, p->count * sizeof(float));
    return ELBO_OK;
}

/* *version: what the file says, one that this release reads. */
static elbo_status open_run_file(elbo_safetensors *file, const char *path, int *version, elbo_error *err) {
    ELBO_TRY(elbo_safetensors_open(file, path, err));
    const char *said = elbo_safetensors_metadata(file, "elbo_version");
    char *end = NULL;
    long number = said && *said >= '1' && *said <= '9' ? strtol(said, &end, 10) : 0;
    bool whole = number >= ELBO_RUN_OLDEST && !*end;
    *version = whole && number <= ELBO_RUN_VERSION ? (int)number : 0;
    if (*version) return ELBO_OK;
    elbo_status status;
    if (!said)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: was not written by elbo (its metadata has no elbo_version)", path);
    else if (whole)
        status = elbo_fail(err, ELBO_BAD_INPUT,
                           "%s: was written by a newer elbo (run format %s; this one reads %d %s %d)", path, said,
                           ELBO_RUN_OLDEST, ELBO_RUN_VERSION - ELBO_RUN_OLDEST > 1 ? "to" : "and", ELBO_RUN_VERSION);
    else
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: its elbo_version is `%s`, which is not a number", path, said);
    elbo_safetensors_close(file);
    return status;
}

elbo_status elbo_model_load(const char *run, elbo_network *n, elbo_error *err) {
    char *path = elbo_path_join(run, "model.safetensors");
    if (!path) return elbo_no_memory(err);
    elbo_safetensors file;
    int version;
    elbo_status status = open_run_file(&file, path, &version, err);
    if (status == ELBO_OK) {
        for (int i = 0; status == ELBO_OK && i < n->graph.params; i++)
            status = elbo_param_read(&file, path, "", &n->graph.param[i], n->params, err);
        elbo_safetensors_close(&file);
    }
    free(path);
    return status;
}

void elbo_run_facts_free(elbo_run_facts *f) {
    free(f->recipe);
    free(f->data);
    for (int i = 0; i < f->classes; i++) free(f->class_names[i]);
    free(f->class_names);
    *f = (elbo_run_facts){0};
}

/* The lines of elbo_classes. */
static elbo_status split_names(elbo_run_facts *f, const char *text, const char *path, elbo_error *err) {
    int count = 1;
    for (const char *c = text; *c; c++) count += *c == '\n';
    if (count > ELBO_MAX_CLASSES)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: its elbo_classes are %d names; at most %d are known", path, count,
                         ELBO_MAX_CLASSES);
    f->class_names = elbo_alloc((size_t)count, sizeof *f->class_names);
    if (!f->class_names) return elbo_no_memory(err);
    for (size_t n; f->classes < count; text += n + 1) {
        n = strcspn(text, "\n");
        if (!(f->class_names[f->classes++] = strndup(text, n))) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

/* A recipe's name where its run stands in runs/, the folder that `elbo train` writes to by itself. */
static bool is_run_name(const char *run) {
    char path[300];
    int n = snprintf(path, sizeof path, "runs/%s/model.safetensors", run);
    return n > 0 && (size_t)n < sizeof path && elbo_file_exists(path);
}

elbo_status elbo_run_facts_load(const char *run, elbo_run_facts *f, elbo_error *err) {
    *f = (elbo_run_facts){0};
    elbo_image_shape *image = &f->image;
    char *path = elbo_path_join(run, "model.safetensors");
    if (!path) return elbo_no_memory(err);
    elbo_safetensors file;
    int version;
    bool there = false;
    elbo_status status = elbo_file_look(path, &there, err);
    if (status == ELBO_OK && !there && is_run_name(run))
        status = elbo_fail(err, ELBO_NOT_FOUND, "%s: is not a run folder; did you mean runs/%s?", run, run);
    else if (status == ELBO_OK && !there)
        status = elbo_fail(err, ELBO_NOT_FOUND,
                           "%s: is not a run folder (there is no model.safetensors in it); "
                           "`elbo train RECIPE -o RUN` makes one",
                           run);
    else if (status == ELBO_OK)
        status = open_run_file(&file, path, &version, err);
    if (status == ELBO_OK) {
        const char *shape = elbo_safetensors_metadata(&file, "elbo_image_shape");
        int end = 0;
        bool read = shape && sscanf(shape, "%d,%d,%d%n", &image->channels, &image->height, &image->width, &end) == 3 &&
                    shape[end] == 0;
        if (!read || image->channels < 1 || image->height < 1 || image->width < 1 || image->channels > 4096 ||
            image->height > 65536 || image->width > 65536)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: its elbo_image_shape is `%s`, not channels,height,width", path,
                               shape ? shape : "");
        const char *from = elbo_safetensors_metadata(&file, "elbo_data");
        const char *recipe = elbo_safetensors_metadata(&file, "elbo_recipe");
        if (status == ELBO_OK && !recipe)
            status =
                elbo_fail(err, ELBO_BAD_INPUT, "%s: its metadata has no elbo_recipe, the name of its recipe", path);
        if (status == ELBO_OK && !(f->recipe = strdup(recipe))) status = elbo_no_memory(err);
        if (status == ELBO_OK && from && !(f->data = strdup(from))) status = elbo_no_memory(err);
        const char *classes = elbo_safetensors_metadata(&file, "elbo_classes");
        if (status == ELBO_OK && classes) status = split_names(f, classes, path, err);
        const char *epoch = elbo_safetensors_metadata(&file, "elbo_epoch");
        f->epoch = epoch ? atoi(epoch) : -1;
        f->imported = elbo_safetensors_metadata(&file, "elbo_imported") != NULL;
        elbo_safetensors_close(&file);
    }
    if (status != ELBO_OK) elbo_run_facts_free(f);
    free(path);
    return status;
}

/* ---- checkpoint ---- */

/* The position as one row of doubles: every count below 2^53 is exact. Format 1 has three sums before the seconds. */
enum { EPOCH, IMAGES_DONE, IMAGES, FINGERPRINT_1, STEP, COUNTS };
enum { SECONDS = COUNTS, EPOCH_SECONDS, POSITION_FIELDS, SUMS_OF_1 = 3 };
/* Before the images' fingerprint: how it is made. One that is made otherwise is not compared; that of format 1 is. */
#define FINGERPRINT_VERSION "2:"
static const struct {
    const char *what;
    double most;
} counts[] = {[EPOCH] = {"finished epochs", INT32_MAX - 1},
              [IMAGES_DONE] = {"images done", UINT32_MAX},
              [IMAGES] = {"training images", UINT32_MAX},
              [FINGERPRINT_1] = {"as the data's fingerprint", 0x1p53},
              [STEP] = {"steps", 0x1p53}};

/* What a checkpoint holds besides the weights. */
enum { MOST_NUMBERS = 6 + ELBO_MAX_METRICS };

/* A block of every weight, or of what goes with them, and what stands before their names. */
typedef struct block {
    char prefix[64];
    float *floats;
} block;
enum { MOST_BLOCKS = 1 + ELBO_MAX_OPTIMIZER_ARRAYS + 2 };

/* "" before the weights' names, "optimizer.m." before those of what the optimiser keeps.  out: (MOST_BLOCKS) */
static int blocks_of(const elbo_state *s, const elbo_kept *kept, block *out) {
    int count = 0;
    out[count++] = (block){.floats = s->params};
    for (int i = 0; i < s->optimizer->arrays; i++) {
        snprintf(out[count].prefix, sizeof out[count].prefix, "optimizer.%s.", s->optimizer->array[i].name);
        out[count++].floats = s->array[i];
    }
    if (kept && kept->average) out[count++] = (block){"average.", kept->average};
    if (kept && kept->best && kept->best_epoch) out[count++] = (block){"best.", kept->best};
    return count;
}

/* Adds a row of doubles to the tensors; `name` is a new string, or NULL where memory is out. */
static bool add_numbers(elbo_st_tensor *tensors, char **names, int *count, char *name, const double *v, size_t n) {
    if (!name) return false;
    names[*count] = name;
    tensors[(*count)++] = (elbo_st_tensor){.name = name, .dtype = ELBO_ST_F64, .dims = 1, .shape = {n}, .data = v};
    return true;
}

static bool add_sums(elbo_st_tensor *tensors, char **names, int *count, const elbo_metrics *m,
                     const elbo_metric_sums *s) {
    bool added = add_numbers(tensors, names, count, strdup("sum.reconstruction"), &s->reconstruction, 1) &&
                 add_numbers(tensors, names, count, strdup("sum.kl"), &s->kl, 1) &&
                 add_numbers(tensors, names, count, strdup("sum.squared_error"), &s->squared_error, 1);
    for (int i = 0; added && i < m->count; i++)
        if (!isnan(s->metric[i]))
            added = add_numbers(tensors, names, count, elbo_format("metric.%s", m->metric[i].name), &s->metric[i], 1);
    return added;
}

elbo_status elbo_checkpoint_save(const char *run, const elbo_state *s, const elbo_position *at, const elbo_kept *kept,
                                 elbo_error *err) {
    const elbo_graph *g = s->graph;
    const double position[POSITION_FIELDS] = {
        [EPOCH] = at->epoch,
        [IMAGES_DONE] = at->images_done,
        [IMAGES] = at->images,
        [FINGERPRINT_1] = (double)at->fingerprint_1,
        [STEP] = (double)at->step,
        [SECONDS] = at->seconds,
        [EPOCH_SECONDS] = at->epoch_seconds,
    };
    block row[MOST_BLOCKS];
    int blocks = blocks_of(s, kept, row);
    const double best_epoch = kept ? kept->best_epoch : 0;
    size_t most = (size_t)blocks * (size_t)g->params + MOST_NUMBERS;
    elbo_st_tensor *tensors = calloc(most, sizeof *tensors);
    char **names = calloc(most, sizeof *names);
    char *path = elbo_path_join(run, "checkpoint.safetensors");
    bool made = tensors && names && path;
    int count = 0;
    for (int b = 0; b < blocks; b++)
        for (int i = 0; made && i < g->params; i++) {
            names[count] = elbo_format("%s%s", row[b].prefix, g->param[i].name);
            made = names[count] != NULL;
            if (made) tensors[count] = tensor_of(&g->param[i], names[count], row[b].floats);
            count += made;
        }
    made = made && add_numbers(tensors, names, &count, strdup("position"), position, POSITION_FIELDS) &&
           add_sums(tensors, names, &count, &g->metrics, &at->sums);
    if (best_epoch > 0)
        made = made && add_numbers(tensors, names, &count, strdup("validation.best_epoch"), &best_epoch, 1) &&
               add_numbers(tensors, names, &count, strdup("validation.best_objective"), &kept->best_objective, 1);
    char run_version[16], fingerprint[24];
    snprintf(run_version, sizeof run_version, "%d", ELBO_RUN_VERSION);
    snprintf(fingerprint, sizeof fingerprint, FINGERPRINT_VERSION "%016llx", (unsigned long long)at->fingerprint);
    elbo_st_pair pairs[] = {{"elbo_version", run_version}, {"elbo_images_fingerprint", fingerprint}};
    elbo_status status = made ? elbo_safetensors_write(path, tensors, count, pairs, 2, err) : elbo_no_memory(err);
    for (int k = 0; names && k < count; k++) free(names[k]);
    free(names);
    free(tensors);
    free(path);
    return status;
}

static const double *find_number(const elbo_safetensors *file, const char *name) {
    const elbo_st_tensor *t = elbo_safetensors_find(file, name);
    return t && t->dtype == ELBO_ST_F64 && t->dims == 1 && t->shape[0] == 1 ? t->data : NULL;
}

/* Format 2: sums by name. */
static elbo_status load_sums(const elbo_safetensors *file, const char *path, const elbo_metrics *m, elbo_metric_sums *s,
                             elbo_error *err) {
    const struct {
        const char *name;
        double *to;
    } sums[] = {
        {"sum.reconstruction", &s->reconstruction}, {"sum.kl", &s->kl}, {"sum.squared_error", &s->squared_error}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        const double *v = find_number(file, sums[i].name);
        if (!v) return elbo_fail(err, ELBO_BAD_INPUT, "%s: its `%s` is missing or not a number", path, sums[i].name);
        *sums[i].to = *v;
    }
    for (int i = 0; i < m->count; i++) {
        char name[256];
        snprintf(name, sizeof name, "metric.%s", m->metric[i].name);
        const double *v = find_number(file, name);
        if (v) s->metric[i] = *v;
    }
    return ELBO_OK;
}

static elbo_status load_position(const elbo_safetensors *file, const char *path, int version, const elbo_metrics *m,
                                 elbo_position *at, elbo_error *err) {
    const elbo_st_tensor *t = elbo_safetensors_find(file, "position");
    size_t sums = version == 1 ? SUMS_OF_1 : 0;
    if (!t || t->dtype != ELBO_ST_F64 || t->dims != 1 || t->shape[0] != POSITION_FIELDS + sums)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: its `position` is missing or of another shape", path);
    double p[POSITION_FIELDS + SUMS_OF_1];
    memcpy(p, t->data, t->shape[0] * sizeof *p);
    for (int i = 0; i < COUNTS; i++)
        if (!(p[i] >= 0 && p[i] <= counts[i].most && p[i] == floor(p[i])))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: its `position` says %g %s; the file is damaged", path, p[i],
                             counts[i].what);
    *at = (elbo_position){.epoch = (int)p[EPOCH],
                          .images_done = (uint32_t)p[IMAGES_DONE],
                          .images = (uint32_t)p[IMAGES],
                          .fingerprint_1 = (uint64_t)p[FINGERPRINT_1],
                          .step = (uint64_t)p[STEP],
                          .seconds = p[SECONDS + sums],
                          .epoch_seconds = p[EPOCH_SECONDS + sums]};
    for (int i = 0; at->images_done && i < m->count; i++) at->sums.metric[i] = NAN; // until it is found
    if (version == 1) {
        at->sums.reconstruction = p[COUNTS];
        at->sums.kl = p[COUNTS + 1];
        at->sums.squared_error = p[COUNTS + 2];
    } else {
        ELBO_TRY(load_sums(file, path, m, &at->sums, err));
    }
    elbo_metric_sums_fill(&at->sums, m);
    const char *text = elbo_safetensors_metadata(file, "elbo_images_fingerprint");
    at->has_fingerprint = text && !strncmp(text, FINGERPRINT_VERSION, strlen(FINGERPRINT_VERSION));
    if (at->has_fingerprint) at->fingerprint = strtoull(text + strlen(FINGERPRINT_VERSION), NULL, 16);
    return ELBO_OK;
}

/* Before the blocks, because it says which of them there are. */
static elbo_status load_best(const elbo_safetensors *file, const char *path, elbo_kept *kept, elbo_error *err) {
    const double *epoch = find_number(file, "validation.best_epoch"),
                 *objective = find_number(file, "validation.best_objective");
    kept->best_epoch = 0;
    if (!epoch) return ELBO_OK;
    if (!objective || !(*epoch >= 1 && *epoch <= INT32_MAX - 1 && *epoch == floor(*epoch)))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: its `validation.best_epoch` is %g; the file is damaged", path,
                         *epoch);
    kept->best_epoch = (int)*epoch;
    kept->best_objective = *objective;
    return ELBO_OK;
}

elbo_status elbo_checkpoint_load(const char *run, elbo_state *s, elbo_position *at, elbo_kept *kept, elbo_error *err) {
    char *path = elbo_path_join(run, "checkpoint.safetensors");
    if (!path) return elbo_no_memory(err);
    elbo_safetensors file;
    int version;
    elbo_status status = open_run_file(&file, path, &version, err);
    if (status == ELBO_OK) {
        if (kept) status = load_best(&file, path, kept, err);
        block row[MOST_BLOCKS];
        int blocks = blocks_of(s, kept, row);
        for (int b = 0; b < blocks; b++)
            for (int i = 0; status == ELBO_OK && i < s->graph->params; i++)
                status = elbo_param_read(&file, path, row[b].prefix, &s->graph->param[i], row[b].floats, err);
        if (status == ELBO_OK) status = load_position(&file, path, version, &s->graph->metrics, at, err);
        elbo_safetensors_close(&file);
    }
    free(path);
    return status;
}
