/* elbo recipes: what is built in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "nn/ops/op.h"

static int show_text(const char *name) {
    elbo_error err;
    elbo_recipe r;
    for (const elbo_builtin_recipe *b = elbo_builtin_recipes; b->name; b++)
        if (!strcmp(b->name, name)) {
            fputs(b->yaml, stdout);
            return CLI_OK;
        }
    if (elbo_recipe_open(&r, name, NULL, 0, &err) != ELBO_OK) return cli_fail(&err); // says what is near
    elbo_recipe_close(&r);
    return cli_fail_text("%s: not a built-in recipe; `elbo recipes` lists them", name);
}

static int show_keys(void) {
    char *text = elbo_recipe_keys();
    if (!text) return cli_fail_text("out of memory");
    fputs(text, stdout);
    free(text);
    return CLI_OK;
}

static int show_layers(void) {
    for (int i = 0; elbo_ops[i]; i++)
        if (!elbo_ops[i]->internal) puts(elbo_ops[i]->usage);
    return CLI_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    bool json = false, keys = false, layers = false;
    cli_option options[] = {
        {"keys", 0, CLI_FLAG, &keys, NULL, "prints every key a recipe may have, with its default", 0, 0},
        {"layers", 0, CLI_FLAG, &layers, NULL, "prints every layer and its arguments", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON array", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 0, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (keys) return show_keys();
    if (layers) return show_layers();
    if (words == 1) return show_text(argv[0]);
    json_t *list = json_array();
    for (const elbo_builtin_recipe *b = elbo_builtin_recipes; b->name; b++) {
        elbo_error err;
        elbo_recipe r;
        elbo_graph g;
        if (elbo_recipe_open(&r, b->name, NULL, 0, &err) != ELBO_OK) return cli_fail(&err);
        elbo_image_shape shape;
        if (cli_image_shape(&shape, &r, NULL, &err) != ELBO_OK) return cli_fail(&err);
        if (elbo_graph_build(&g, &r, shape, &err) != ELBO_OK) return cli_fail(&err);
        char count[32];
        if (json)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "name", r.name, "about", r.about,
                                                  "kind", elbo_kind_name(r.kind), "data", r.data, "latent", g.latent,
                                                  "parameters", (json_int_t)g.weights));
        else
            printf("%-18s %9s parameters  %s\n", r.name, elbo_thousands((double)g.weights, count), r.about);
        elbo_graph_free(&g);
        elbo_recipe_close(&r);
    }
    if (json)
        cli_print_json(list);
    else
        json_decref(list);
    return CLI_OK;
}

const cli_command cli_recipes = {
    .name = "recipes",
    .arguments = "[NAME]",
    .summary = "lists the built-in recipes, or prints one",
    .details =
        "A recipe printed to a file is a starting point for your own.\n"
        "Layers have PyTorch's names and arguments. One difference: a batch of one image under batch_norm1d, which\n"
        "has no variance, is trained on but left out of the running statistics, where PyTorch stops.\n"
        "\n"
        "example:\n"
        "  elbo recipes mnist-vae > mine.yaml\n"
        "  elbo train mine.yaml\n",
    .run = run,
};
