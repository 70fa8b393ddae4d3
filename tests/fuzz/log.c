/* log.jsonl of a run. */
#include "run_folder.h"

static void run(const uint8_t *data, size_t size) {
    static char *folder;
    static elbo_recipe recipe;
    if (!folder) {
        const char *path = fuzz_path("log/recipe.yaml");
        fuzz_run_write_recipe(path);
        FUZZ_OK(elbo_recipe_open(&recipe, path, NULL, 0, &fuzz_err_));
        folder = fuzz_folder_of(path);
        fuzz_link(0, "log/log.jsonl");
    }
    fuzz_file(0, data, size);
    elbo_error err;
    elbo_log log;
    if (!fuzz_succeeded(elbo_log_load(folder, &recipe, fuzz_run_image, &log, &err), &err)) return;
    int lines = 0; // each line that holds something is an epoch, or the file is refused
    for (size_t i = 0; i < size; i++) lines += data[i] != '\n' && (i + 1 == size || data[i + 1] == '\n');
    FUZZ_ASSERT(log.count == lines, "%d epochs of %d lines", log.count, lines);
    for (int i = 0; i < log.count; i++) fuzz_touch(&log.epoch[i], sizeof log.epoch[i]);
    elbo_log_kl_weight(&log, &recipe);
    elbo_log_free(&log);
}

const fuzz_target fuzz_log = {"log", 4096, run};
