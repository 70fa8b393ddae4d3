#include "recipe_for.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

bool cli_names_run(const char *word) {
    char *recipe = elbo_path_join(word, "recipe.yaml");
    bool run = recipe && elbo_file_exists(recipe);
    free(recipe);
    return run;
}

static bool names_recipe_file(const char *word) { return cli_ends_with(word, ".yaml") || cli_ends_with(word, ".yml"); }

bool cli_names_data(const char *word) {
    struct stat at;
    for (const elbo_builtin_recipe *b = elbo_builtin_recipes; b->name; b++)
        if (!strcmp(b->name, word)) return false;
    if (stat(word, &at) != 0) return !strchr(word, '/') && !names_recipe_file(word) && elbo_dataset_present(word);
    return S_ISDIR(at.st_mode) ? !cli_names_run(word) : cli_ends_with(word, ".npy");
}

/* A network learns by steps, not by epochs: 500 photos pass in 32 steps, and 30 epochs of them leave it a blur. */
static int epochs_for(const elbo_recipe *r, uint32_t images) {
    enum { STEPS = 5000, MOST = 300 }; // more epochs of very few images would only learn these by heart
    int steps = (int)((images + (uint32_t)r->train.batch - 1) / (uint32_t)r->train.batch);
    int epochs = (STEPS + steps - 1) / (steps > 0 ? steps : 1);
    epochs = epochs > MOST ? MOST : epochs;
    return epochs > r->train.epochs ? epochs : r->train.epochs;
}

elbo_status cli_recipe_for(cli_suited *s, const char *data, int threads, elbo_error *err) {
    enum { SMALL = 48 }; // pixels: nearer to 32 than to 64
    elbo_dataset d;
    elbo_recipe r;
    ELBO_TRY(cli_open_dataset(&d, data, data, NULL, ELBO_BOTH_SPLITS, threads, err));
    elbo_image_shape shape = d.train.count ? d.train.shape : d.test.shape;
    int height = d.largest[0] ? d.largest[0] : shape.height, width = d.largest[1] ? d.largest[1] : shape.width;
    s->images = d.train.count;
    elbo_dataset_close(&d);
    if (shape.channels == 1 && height == 28 && width == 28)
        s->recipe = "mnist-vae";
    else
        s->recipe = height <= SMALL && width <= SMALL ? "cifar-vae" : "photo-vae";
    ELBO_TRY(elbo_recipe_open(&r, s->recipe, NULL, 0, err));
    s->epochs = epochs_for(&r, s->images);
    elbo_recipe_close(&r);
    return ELBO_OK;
}
