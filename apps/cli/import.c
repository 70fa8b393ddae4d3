/* elbo import: weights that something else trained, as a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "run/run_folder.h"

typedef struct request {
    const char *run, *data;
    cli_texts sets;
    bool replace, json;
} request;

static elbo_status import(const request *o, const char *recipe, const char *weights, char **run, size_t *count,
                          elbo_error *err) {
    elbo_recipe r;
    elbo_network n = {0};
    elbo_image_shape image;
    ELBO_TRY(elbo_recipe_open(&r, recipe, o->sets.text, o->sets.count, err));
    *run = o->run ? strdup(o->run) : cli_default_run(&r);
    elbo_status status = *run ? elbo_run_folder_check(*run, false, o->replace, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = cli_image_shape(&image, &r, o->data, err);
    if (status == ELBO_OK) status = elbo_network_make(&n, &r, image, err);
    if (status == ELBO_OK) status = elbo_network_import(&n, weights, err);
    if (status == ELBO_OK) status = elbo_run_make(*run, &r, &n, o->data, o->replace, err);
    *count = n.graph.weights;
    elbo_network_free(&n);
    elbo_recipe_close(&r);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    request o = {0};
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &o.run, "RUN", "the run folder; default runs/NAME of the recipe", 0, 0},
        {"data", 'd', CLI_TEXT, &o.data, "PATH", "the data set that the model is for; default the recipe's", 0, 0},
        {"set", 0, CLI_TEXTS, &o.sets, "KEY=VALUE", "overrides a key of the recipe; repeatable", 0, 0},
        {"force", 0, CLI_FLAG, &o.replace, NULL, "replaces a run that is there", 0, 0},
        {"json", 0, CLI_FLAG, &o.json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 2, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    elbo_error err;
    char *folder = NULL, number[32];
    size_t count = 0;
    elbo_status status = import(&o, argv[0], argv[1], &folder, &count, &err);
    json_t *result = o.json && status == ELBO_OK ? json_pack("{s:s, s:s, s:I}", "run", folder, "weights", argv[1],
                                                             "parameters", (json_int_t)count)
                                                 : NULL;
    int code = cli_end(status, &err, o.json, result, "%s: %s parameters\n", folder ? folder : "",
                       elbo_thousands((double)count, number));
    free(folder);
    return code;
}

const cli_command cli_import = {
    .name = "import",
    .arguments = "RECIPE WEIGHTS.safetensors",
    .summary = "a run from weights that PyTorch trained",
    .details =
        "The file holds a state_dict whose names and shapes are those of the recipe's layers (encoder.1.weight,\n"
        "mu.weight, decoder.0.bias, ...; `elbo export RUN -o model.py` shows them); num_batches_tracked is passed over.\n"
        "In PyTorch:\n"
        "\n"
        "  from safetensors.torch import save_file\n"
        "  save_file(model.state_dict(), \"weights.safetensors\")\n"
        "\n"
        "The run has no log and no optimizer state, so `--resume` refuses it; every other command takes it.\n"
        "\n"
        "example:\n"
        "  elbo import mnist-vae weights.safetensors -o runs/from-pytorch\n",
    .run = run,
};
