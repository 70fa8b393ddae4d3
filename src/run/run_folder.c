/* Taking a run folder for training, and what stays in it. */
#include "run/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/history.h"

/* In the order of removal: without its recipe a folder is no run, so nothing is resumed from what is left if we are
 * killed in between. */
static const char *const files[] = {"recipe.yaml", "checkpoint.safetensors", "log.jsonl", "model.safetensors"};

static elbo_status clean(const char *run, bool resume, elbo_error *err) {
    elbo_status status = ELBO_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && status == ELBO_OK; i++) {
        char *path = elbo_path_join(run, files[i]);
        if (!path) return elbo_no_memory(err);
        elbo_writer_clean(path);
        if (!resume && unlink(path) != 0 && errno != ENOENT)
            status = elbo_fail_errno(err, "%s: cannot be replaced", path);
        free(path);
    }
    return status;
}

elbo_status elbo_run_recipe_open(elbo_recipe *r, const char *run, const elbo_run_facts *f, const char *const *sets,
                                 int set_count, elbo_error *err) {
    char *path = elbo_path_join(run, "recipe.yaml"), *name = strdup(f->recipe);
    elbo_status status = !path || !name            ? elbo_no_memory(err)
                         : !elbo_file_exists(path) ? elbo_fail(err, ELBO_NOT_FOUND,
                                                               "%s: is not a run folder (there is no "
                                                               "recipe.yaml in it)",
                                                               run)
                                                   : elbo_recipe_open(r, path, sets, set_count, err);
    free(path);
    if (status != ELBO_OK) {
        free(name);
        return status;
    }
    free(r->name);
    r->name = name;
    return ELBO_OK;
}

elbo_status elbo_run_recipe_save(const char *run, const elbo_recipe *r, elbo_error *err) {
    char *text = elbo_recipe_text(r), *path = elbo_path_join(run, "recipe.yaml");
    elbo_status status = text && path ? elbo_file_write(path, text, strlen(text), err) : elbo_no_memory(err);
    free(text);
    free(path);
    return status;
}

elbo_status elbo_run_folder_check(const char *run, bool resume, bool replace, elbo_error *err) {
    char *recipe = elbo_path_join(run, "recipe.yaml"), *model = elbo_path_join(run, "model.safetensors");
    bool begun = false;
    elbo_status status = model && recipe ? elbo_file_look(model, &begun, err) : elbo_no_memory(err);
    if (status == ELBO_OK && begun) status = elbo_file_look(recipe, &begun, err);
    free(recipe);
    free(model);
    ELBO_TRY(status);
    if (resume && !begun)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: is not a run to resume (there is no recipe.yaml and model.safetensors in it); leave "
                         "--resume out to start a new run",
                         run);
    if (!resume && begun && !replace)
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: already holds a trained run; --resume continues it, --force replaces it, -o names another folder",
            run);
    return ELBO_OK;
}

elbo_status elbo_run_folder_open(int *lock, const char *run, bool resume, bool replace, elbo_error *err) {
    *lock = -1;
    ELBO_TRY(elbo_make_folder(run, err));
    int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return elbo_fail_errno(err, "%s: cannot be opened", run);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 &&
        errno == EWOULDBLOCK) { // (a file system without locks is no reason to stop)
        close(fd);
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: another elbo process is training in it; wait for it to finish, or name another folder",
                         run);
    }
    // only now: a run may have begun, and even ended, since the caller looked
    elbo_status status = resume ? ELBO_OK : elbo_run_folder_check(run, false, replace, err);
    if (status == ELBO_OK) status = clean(run, resume, err);
    if (status == ELBO_OK && !resume) status = elbo_history_thin(run, 0, 0, err);
    if (status == ELBO_OK)
        *lock = fd;
    else
        close(fd);
    return status;
}

void elbo_run_folder_close(int *lock) {
    if (*lock >= 0) close(*lock);
    *lock = -1;
}

/* /proc/locks: "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". */
bool elbo_run_is_training(const char *run) {
    struct stat at;
    if (stat(run, &at) != 0) return false;
    FILE *locks = fopen("/proc/locks", "re");
    char line[200];
    bool found = false;
    while (locks && !found && fgets(line, sizeof line, locks)) {
        unsigned long long inode;
        char kind[16], mode[16];
        found = sscanf(line, "%*d: %15s %*s %15s %*d %*x:%*x:%llu", kind, mode, &inode) == 3 &&
                !strcmp(kind, "FLOCK") && !strcmp(mode, "WRITE") && inode == (unsigned long long)at.st_ino;
    }
    if (locks) fclose(locks);
    return found;
}
