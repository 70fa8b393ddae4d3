/* A tiny VAE in a run folder, for readers that need a model to read for. */
#ifndef ELBO_TESTS_FUZZ_RUN_FOLDER_H
#define ELBO_TESTS_FUZZ_RUN_FOLDER_H

#include "fuzz.h"

#include "base/file.h"
#include "run/model.h"

#define FUZZ_RUN_RECIPE                                                                                                \
    "kind: vae\ndata: digits\nlatent: 2\nencoder: [flatten, linear 3, relu]\ndecoder: [linear 4, sigmoid]\n"           \
    "loss: {reconstruction: [mse, 0.5 l1], kl: {weight: 2, warmup: 3}}\ntrain: {optimizer: adam, epochs: 4}\n"

static const elbo_image_shape fuzz_run_image = {1, 2, 2};

static inline void fuzz_run_write_recipe(const char *path) {
    FUZZ_OK(elbo_file_write(path, FUZZ_RUN_RECIPE, strlen(FUZZ_RUN_RECIPE), &fuzz_err_));
}

/* The folder of a path that fuzz_path gave, a new string. */
static inline char *fuzz_folder_of(const char *path) { return strndup(path, (size_t)(strrchr(path, '/') - path)); }

/* The model, opened from FOLDER below this process's own, where it is written first. */
static inline elbo_model *fuzz_run_open(const char *recipe_name, const char *model_name) {
    const char *recipe = fuzz_path(recipe_name);
    char *run = fuzz_folder_of(fuzz_path(model_name));
    elbo_recipe r;
    elbo_network n;
    elbo_model *m;
    fuzz_run_write_recipe(recipe);
    FUZZ_OK(elbo_recipe_open(&r, recipe, NULL, 0, &fuzz_err_));
    FUZZ_OK(elbo_network_make(&n, &r, fuzz_run_image, &fuzz_err_));
    FUZZ_OK(elbo_model_save(run, &n, "tiny", NULL, &fuzz_err_));
    elbo_model_options o = {.size = sizeof o, .threads = 1, .device = "ref"};
    FUZZ_OK(elbo_model_open_with(&m, run, &o, &fuzz_err_));
    elbo_network_free(&n);
    elbo_recipe_close(&r);
    free(run);
    return m;
}

#endif
