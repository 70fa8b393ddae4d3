#include "explore/vectors.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "explore/expression.h"
#include "formats/safetensors.h"

static const char ending[] = ".safetensors";

static elbo_status path_of(const elbo_model *m, const char *name, char **path, elbo_error *err) {
    *path = NULL;
    ELBO_TRY(elbo_expression_check_name(name, err));
    char *folder = elbo_path_join(m->run, "vectors");
    *path = folder ? elbo_format("%s/%s%s", folder, name, ending) : NULL;
    free(folder);
    return *path ? ELBO_OK : elbo_no_memory(err);
}

elbo_status elbo_vector_save(const elbo_model *m, const char *name, const char *expression, const float *code,
                             elbo_error *err) {
    char *path;
    ELBO_TRY(path_of(m, name, &path, err));
    elbo_st_tensor tensor = {
        .name = "code", .dtype = ELBO_ST_F32, .dims = 1, .shape = {(size_t)m->network.graph.latent}, .data = code};
    elbo_st_pair pairs[] = {
        {"format", "elbo-vector-1"}, {"expression", expression}, {"model", elbo_model_fingerprint(m)}};
    char *folder = elbo_path_join(m->run, "vectors");
    elbo_status status = folder ? elbo_make_folder(folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_safetensors_write(path, &tensor, 1, pairs, 3, err);
    free(folder);
    free(path);
    return status;
}

/* What is in the file; `s` is the caller's to close. */
static elbo_status open_vector(const elbo_model *m, const char *path, elbo_safetensors *s, const float **code,
                               bool *stale, elbo_error *err) {
    ELBO_TRY(elbo_safetensors_open(s, path, err));
    const elbo_st_tensor *t = elbo_safetensors_find(s, "code");
    const char *model = elbo_safetensors_metadata(s, "model"), *expression = elbo_safetensors_metadata(s, "expression");
    if (!t || t->dtype != ELBO_ST_F32 || t->dims != 1 || !model || !expression) {
        elbo_safetensors_close(s);
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a code that `elbo vector save` wrote", path);
    }
    *stale = strcmp(model, elbo_model_fingerprint(m)) || t->shape[0] != (size_t)m->network.graph.latent;
    *code = t->data;
    return ELBO_OK;
}

/* "smile, frown", or "none" */
static void list_names(const elbo_model *m, char *text, size_t size) {
    elbo_vector *v;
    int count;
    elbo_error ignored;
    snprintf(text, size, "none");
    if (elbo_vectors_list(m, &v, &count, &ignored) != ELBO_OK) return;
    for (int i = 0; i < count; i++) {
        size_t used = i ? strlen(text) : 0;
        snprintf(text + used, size - used, "%s%s", i ? ", " : "", v[i].name);
    }
    elbo_vectors_free(v, count);
}

static elbo_status not_there(const elbo_model *m, const char *name, elbo_error *err) {
    char names[200];
    list_names(m, names, sizeof names);
    return elbo_fail(err, ELBO_NOT_FOUND,
                     "%s: no code of this name is saved in %s (saved: %s); images are named as test:17, class:3 or "
                     "\"photo.png\"",
                     name, m->run, names);
}

elbo_status elbo_vector_load(const elbo_model *m, const char *name, float *code, elbo_error *err) {
    char *path;
    ELBO_TRY(path_of(m, name, &path, err));
    elbo_safetensors s;
    const float *kept;
    bool stale;
    elbo_status status =
        elbo_file_exists(path) ? open_vector(m, path, &s, &kept, &stale, err) : not_there(m, name, err);
    if (status == ELBO_OK) {
        if (stale)
            status = elbo_fail(err, ELBO_BAD_INPUT,
                               "%s: was saved before the model was trained again; `elbo vector save %s '%.200s' %s` "
                               "makes it anew",
                               name, name, elbo_safetensors_metadata(&s, "expression"), m->run);
        else
            memcpy(code, kept, (size_t)m->network.graph.latent * sizeof *code);
        elbo_safetensors_close(&s);
    }
    free(path);
    return status;
}

elbo_status elbo_vector_remove(const elbo_model *m, const char *name, elbo_error *err) {
    char *path;
    ELBO_TRY(path_of(m, name, &path, err));
    elbo_status status = !elbo_file_exists(path) ? not_there(m, name, err)
                         : unlink(path) != 0     ? elbo_fail_errno(err, "%s: cannot be removed", path)
                                                 : ELBO_OK;
    free(path);
    return status;
}

static int is_vector(const struct dirent *e) {
    size_t n = strlen(e->d_name), m = sizeof ending - 1;
    return n > m && e->d_name[0] != '.' && !strcmp(e->d_name + n - m, ending);
}

static elbo_status read_vector(const elbo_model *m, const char *path, elbo_vector *v, elbo_error *err) {
    elbo_safetensors s;
    const float *code;
    ELBO_TRY(open_vector(m, path, &s, &code, &v->stale, err));
    v->expression = strdup(elbo_safetensors_metadata(&s, "expression"));
    double sum = 0;
    size_t dims = elbo_safetensors_find(&s, "code")->shape[0];
    for (size_t i = 0; i < dims; i++) sum += (double)code[i] * code[i];
    v->length = sqrt(sum);
    elbo_safetensors_close(&s);
    return v->expression ? ELBO_OK : elbo_no_memory(err);
}

elbo_status elbo_vectors_list(const elbo_model *m, elbo_vector **vectors, int *count, elbo_error *err) {
    *vectors = NULL;
    *count = 0;
    char *folder = elbo_path_join(m->run, "vectors");
    struct dirent **entries = NULL;
    int n = folder ? scandir(folder, &entries, is_vector, alphasort) : 0;
    elbo_status status = !folder                    ? elbo_no_memory(err)
                         : n < 0 && errno != ENOENT ? elbo_fail_errno(err, "%s: cannot be read", folder)
                                                    : ELBO_OK;
    if (status == ELBO_OK && n > 0 && !(*vectors = calloc((size_t)n, sizeof **vectors))) status = elbo_no_memory(err);
    for (int i = 0; i < n; i++) {
        char *path = elbo_path_join(folder, entries[i]->d_name);
        if (status == ELBO_OK) {
            elbo_vector *v = &(*vectors)[(*count)++];
            v->name = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - (sizeof ending - 1));
            status = path && v->name ? read_vector(m, path, v, err) : elbo_no_memory(err);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    free(folder);
    if (status != ELBO_OK) {
        elbo_vectors_free(*vectors, *count);
        *vectors = NULL;
    }
    return status;
}

void elbo_vectors_free(elbo_vector *vectors, int count) {
    for (int i = 0; i < count; i++) {
        free(vectors[i].name);
        free(vectors[i].expression);
    }
    free(vectors);
}
