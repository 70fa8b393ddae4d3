/* A sweep's folder: whose it is, and whether the runs in it are this sweep's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/shown.h"
#include "explore/sweep.h"
#include "run/run_folder.h"

char *elbo_sweep_run_folder(const elbo_sweep *s, const elbo_sweep_run *run) {
    return elbo_path_join(s->folder, run->name);
}

static elbo_status look(const char *folder, const char *name, bool *there, elbo_error *err) {
    char *path = elbo_path_join(folder, name);
    elbo_status status = path ? elbo_file_look(path, there, err) : elbo_no_memory(err);
    free(path);
    return status;
}

/* ---- sweep.json: what is swept ---- */

static json_t *about(const elbo_sweep *s) {
    json_t *keys = json_array();
    for (int k = 0; k < s->keys; k++) json_array_append_new(keys, json_string(s->key[k].key));
    return json_pack("{s:i, s:s, s:o, s:s*}", "version", 1, "recipe", s->recipe, "keys", keys, "data", s->data);
}

static bool same(const json_t *a, const json_t *b, const char *key) {
    const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    return (!x && !y) || json_equal(x, y);
}

/* "latent and loss.kl" of a list of texts. */
static void join(const json_t *list, char out[200]) {
    size_t used = 0, n = json_array_size(list);
    out[0] = 0;
    for (size_t i = 0; i < n && used < 150; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        used += (size_t)snprintf(out + used, 200 - used, "%s%.40s",
                                 i == 0      ? ""
                                 : i + 1 < n ? ", "
                                             : " and ",
                                 text ? text : "?");
    }
}

static elbo_status compare_about(const elbo_sweep *s, const char *path, json_t *ours, elbo_error *err) {
    uint8_t *text;
    size_t size;
    ELBO_TRY(elbo_file_read(path, 1 << 20, &text, &size, err));
    json_t *theirs = elbo_json_read((const char *)text, size, 0, NULL);
    bool memory = theirs || errno != ENOMEM;
    free(text);
    if (!memory) return elbo_no_memory(err);
    char shown[ELBO_SHOWN], a[200], b[200];
    const char *recipe = json_string_value(json_object_get(theirs, "recipe")),
               *data = json_string_value(json_object_get(theirs, "data"));
    elbo_status status = ELBO_OK;
    join(json_object_get(theirs, "keys"), a);
    join(json_object_get(ours, "keys"), b);
    if (!recipe || json_integer_value(json_object_get(theirs, "version")) != 1)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: is not what `elbo sweep` of this release writes", path);
    else if (!same(theirs, ours, "recipe") || !same(theirs, ours, "keys"))
        status = elbo_fail(err, ELBO_BAD_INPUT,
                           "%s: holds another sweep, of %s over %s; this one is of %s over %s; -o puts it elsewhere",
                           s->folder, elbo_text_shown(recipe, shown), a, s->recipe, b);
    else if (!same(theirs, ours, "data"))
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: holds a sweep on other data (%.150s); -o puts this one elsewhere",
                           s->folder, data ? elbo_text_shown(data, shown) : "the recipe's");
    json_decref(theirs);
    return status;
}

/* ---- runs that are there ---- */

/* The first line in which two texts differ, of each. */
static void differing_lines(const char *a, const char *b, char line_a[80], char line_b[80]) {
    while (*a && *b) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (n != m || strncmp(a, b, n)) break;
        a += n + (a[n] != 0);
        b += m + (b[m] != 0);
    }
    const char *text[] = {a + strspn(a, " "), b + strspn(b, " ")};
    char *out[] = {line_a, line_b};
    for (int i = 0; i < 2; i++)
        snprintf(out[i], 80, "%.*s", (int)(strcspn(text[i], "\n") < 79 ? strcspn(text[i], "\n") : 79), text[i]);
}

/* A run is gone on with where its recipe is the one that this sweep has for it. */
static elbo_status check_run(const elbo_sweep *s, const elbo_sweep_run *run, elbo_error *err) {
    char *folder = elbo_sweep_run_folder(s, run);
    if (!folder) return elbo_no_memory(err);
    elbo_run_facts facts = {0};
    elbo_recipe theirs = {0};
    bool begun = false;
    elbo_status status = look(folder, "model.safetensors", &begun, err);
    if (status == ELBO_OK && begun) status = look(folder, "recipe.yaml", &begun, err);
    if (status == ELBO_OK && begun) {
        status = elbo_run_facts_load(folder, &facts, err);
        if (status == ELBO_OK) status = elbo_run_recipe_open(&theirs, folder, &facts, NULL, 0, err);
        char *a = status == ELBO_OK ? elbo_recipe_text(&theirs) : NULL, *b = elbo_recipe_text(&run->recipe);
        if (status == ELBO_OK && (!a || !b)) status = elbo_no_memory(err);
        if (status == ELBO_OK && strcmp(a, b)) {
            char was[80], is[80];
            differing_lines(a, b, was, is);
            status = elbo_fail(err, ELBO_BAD_INPUT,
                               "%s: is of another sweep: its recipe has `%s`, this sweep's `%s`; -o puts this one "
                               "elsewhere",
                               folder, was, is);
        }
        free(a);
        free(b);
    }
    elbo_recipe_close(&theirs);
    elbo_run_facts_free(&facts);
    free(folder);
    return status;
}

/* ---- taking it ---- */

static elbo_status lock(elbo_sweep *s, elbo_error *err) {
    ELBO_TRY(elbo_make_folder(s->folder, err));
    int fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return elbo_fail_errno(err, "%s: cannot be opened", s->folder);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: another elbo process is sweeping in it; wait for it to finish, or name another folder",
                         s->folder);
    }
    s->lock = fd;
    return ELBO_OK;
}

elbo_status elbo_sweep_claim(elbo_sweep *s, const char *folder, const char *data, elbo_error *err) {
    s->folder = strdup(folder);
    s->data = data ? strdup(data) : NULL;
    if (!s->folder || (data && !s->data)) return elbo_no_memory(err);
    bool is_run, there = false;
    ELBO_TRY(look(folder, "model.safetensors", &is_run, err));
    if (is_run) return elbo_fail(err, ELBO_BAD_INPUT, "%s: is a run, not a sweep; -o puts the sweep elsewhere", folder);
    ELBO_TRY(lock(s, err));
    char *path = elbo_path_join(folder, "sweep.json"), *text = NULL;
    json_t *ours = about(s);
    elbo_status status = path && ours ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_file_look(path, &there, err);
    if (status == ELBO_OK && there) status = compare_about(s, path, ours, err);
    for (int i = 0; i < s->runs && status == ELBO_OK; i++) status = check_run(s, &s->run[i], err);
    if (status == ELBO_OK && !there) {
        text = elbo_json_text(ours, JSON_INDENT(1));
        status = text ? elbo_file_write(path, text, strlen(text), err)
                 : errno == ENOMEM
                     ? elbo_no_memory(err)
                     : elbo_fail(err, ELBO_BAD_INPUT, "%s: its name is not UTF-8", data ? data : s->recipe);
    }
    free(text);
    json_decref(ours);
    free(path);
    return status;
}
