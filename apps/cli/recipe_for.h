/* Data where a recipe is asked for: `elbo train my/photos`. */
#ifndef ELBO_CLI_RECIPE_FOR_H
#define ELBO_CLI_RECIPE_FOR_H

#include "cli.h"

/* Whether `word` is data: a folder that is no run, a .npy, or a data set's name that is found (`elbo data list`, a folder in
 * $ELBO_DATA). A built-in recipe of that name comes first. */
bool cli_names_data(const char *word);

bool cli_names_run(const char *word);

/* What suits data that come without a recipe. */
typedef struct cli_suited {
    const char *recipe; // a built-in one
    int epochs;         // so many that few images are seen often enough to learn from them; not fewer than the recipe's
    uint32_t images;    // to train on
    int columns;        // of a table; 0: images
} cli_suited;

/* What makes table-vae as wide as a table: 4 numbers a column, 32 to 512; a code of half the columns, at most 16. */
enum { CLI_TABLE_SETS = 4 };
typedef struct cli_table_sets {
    char storage[CLI_TABLE_SETS][120];
    const char *text[CLI_TABLE_SETS];
} cli_table_sets;
void cli_table_sets_make(cli_table_sets *s, int columns);

/* By the size and number of the images. Photographs are decoded for it, once: they are kept. */
elbo_status cli_recipe_for(cli_suited *s, const char *data, int threads, elbo_error *err);

#endif
