/* elbo sample: new images from the prior. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "image_files.h"
#include "runs.h"

enum { MOST_SHOWN = 10000 };

static int run(const cli_command *self, int argc, char **argv) {
    const char *output = NULL;
    int n = 64, threads = 0;
    uint64_t seed = 0;
    bool json = false, svg = false;
    cli_option options[] = {
        {"count", 'n', CLI_INT, &n, "N", "how many; default 64", 1, 1000000},
        {"seed", 's', CLI_U64, &seed, "N", "the same seed gives the same images; default 0", 0, 0},
        {"output", 'o', CLI_TEXT, &output, "OUT", "FILE.png, X.npy or FOLDER/; default RUN/figures/samples.png", 0, 0},
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores", 1, 1024},
        {"svg", 0, CLI_FLAG, &svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    cli_runs r;
    int code = cli_runs_open(&r, argv, 1, NULL, 0, threads);
    if (code != CLI_OK) return code;
    elbo_model *m = r.run[0].model;
    elbo_model_info info = elbo_model_get_info(m);
    elbo_error err;
    cli_figure_place place;
    bool to_figure = !output || cli_ends_with(output, ".png") || cli_ends_with(output, ".svg");
    elbo_figure f = cli_figure(&place, argv[0], "samples", "New images from the prior", to_figure ? output : NULL, svg);
    elbo_status status = ELBO_OK;
    float *images = NULL;
    if (m->recipe.kind != ELBO_VAE)
        status = elbo_fail(&err, ELBO_BAD_INPUT, "%s: is an autoencoder, which has no prior to draw codes from; train a vae "
                                                 "(`elbo train mnist-vae`)", argv[0]);
    else if (to_figure && n > MOST_SHOWN)
        status = elbo_fail(&err, ELBO_BAD_INPUT, "--count %d: a picture shows at most %d; -o X.npy and -o FOLDER take more", n,
                           MOST_SHOWN);
    else if (!(images = elbo_alloc((size_t)n * elbo_image_size(m->network.graph.image), sizeof *images)))
        status = elbo_no_memory(&err);
    if (status == ELBO_OK) status = elbo_sample_prior(m, n, seed, images, &err);
    if (status == ELBO_OK)
        status = to_figure ? elbo_story_grid(f, m, images, n, &err)
                           : cli_images_write(output, &info, images, (size_t)n, &err);
    if (status != ELBO_OK) {
        code = cli_fail(&err);
    } else {
        json_t *o = json ? json_pack("{s:i, s:I}", "count", n, "seed", (json_int_t)seed) : NULL;
        if (to_figure)
            cli_say_figure(&f, o);
        else if (json)
            json_object_set_new(o, "images", json_string(output));
        else
            printf("%s: %d image%s\n", output, n, n == 1 ? "" : "s");
        if (json) cli_print_json(o);
    }
    free(images);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_sample = {
    .name = "sample",
    .arguments = "RUN",
    .summary = "new images, decoded from codes drawn from the prior",
    .details = "Codes are standard normal; image i depends on the seed and on i alone.\n"
               "\n"
               "examples:\n"
               "  elbo sample runs/mnist-vae -n 64 --seed 1\n"
               "  elbo sample runs/mnist-vae -n 10000 -o samples.npy\n",
    .run = run,
};
