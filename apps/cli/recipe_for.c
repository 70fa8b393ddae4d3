#include "recipe_for.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/table.h"

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
    return S_ISDIR(at.st_mode) ? !cli_names_run(word) : cli_ends_with(word, ".npy") || cli_ends_with(word, ".csv");
}

/* A network learns by steps, not by epochs: 500 photos pass in 32 steps, and 30 epochs of them leave it a blur. */
static int epochs_for(const elbo_recipe *r, uint32_t images) {
    enum { STEPS = 5000, MOST = 300 }; // more epochs of very few images would only learn these by heart
    int steps = (int)((images + (uint32_t)r->train.batch - 1) / (uint32_t)r->train.batch);
    int epochs = (STEPS + steps - 1) / (steps > 0 ? steps : 1);
    epochs = epochs > MOST ? MOST : epochs;
    return epochs > r->train.epochs ? epochs : r->train.epochs;
}

void cli_table_sets_make(cli_table_sets *s, int columns) {
    int width = columns < 8 ? 32 : columns > 128 ? 512 : 4 * columns, latent = columns < 4 ? 1 : columns / 2;
    if (latent > 16) latent = 16;
    snprintf(s->storage[0], sizeof s->storage[0], "latent=%d", latent);
    snprintf(s->storage[1], sizeof s->storage[1], "encoder=[flatten, linear %d, relu, linear %d, relu]", width, width);
    snprintf(s->storage[2], sizeof s->storage[2], "decoder=[linear %d, relu, linear %d, relu, linear %d]", width, width,
             columns);
    snprintf(s->storage[3], sizeof s->storage[3], "image.size=[1, %d]", columns);
    for (int i = 0; i < CLI_TABLE_SETS; i++) s->text[i] = s->storage[i];
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
    s->columns = elbo_shape_is_row(shape) ? shape.width : 0;
    if (s->columns)
        s->recipe = "table-vae";
    else if (shape.channels == 1 && height == 28 && width == 28)
        s->recipe = "mnist-vae";
    else
        s->recipe = height <= SMALL && width <= SMALL ? "cifar-vae" : "photo-vae";
    ELBO_TRY(elbo_recipe_open(&r, s->recipe, NULL, 0, err));
    s->epochs = epochs_for(&r, s->images);
    elbo_recipe_close(&r);
    return ELBO_OK;
}
