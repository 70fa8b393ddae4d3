/* elbo interpolate: a walk from one image to another through the latent space. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/npy.h"
#include "image_files.h"
#include "latent/pick.h"
#include "runs.h"

/* An end of the walk: a word that names an image of the data set, or an image file.  image: (C, H, W) */
static elbo_status read_end(const char *word, cli_runs *r, float *image, elbo_error *err) {
    elbo_model *m = r->run[0].model;
    const elbo_recipe *recipe = &m->recipe;
    elbo_choice c;
    elbo_images own = {0};
    if (cli_ends_with(word, ".png") || cli_ends_with(word, ".npy")) {
        elbo_model_info info = elbo_model_get_info(m);
        ELBO_TRY(cli_images_read(&own, &info, word, err));
        c = (elbo_choice){&own, 0};
    } else {
        ELBO_TRY(elbo_pick(&c, elbo_runs_chooser(r->run, r->count)->model, &r->data, word, err));
    }
    elbo_images_to_floats(c.images, &c.index, 1, recipe->image.low, recipe->image.high, image);
    elbo_images_free(&own);
    return ELBO_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *from = NULL, *to = NULL, *output = NULL, *npy = NULL, *data = NULL;
    int steps = 10, threads = 0;
    bool json = false, svg = false;
    cli_option options[] = {
        {"from", 'a', CLI_TEXT, &from, "A", "17, test:17, train:5, class:3 or an image file; default class:3 (0 without labels)", 0, 0},
        {"to", 'b', CLI_TEXT, &to, "B", "the other end; default class:8 (1 without labels)", 0, 0},
        {"steps", 'n', CLI_INT, &steps, "N", "images in the strip, both ends among them; default 10", 2, 100},
        {"output", 'o', CLI_TEXT, &output, "FILE.png", "default RUN/figures/interpolation.png of the first run", 0, 0},
        {"npy", 0, CLI_TEXT, &npy, "X.npy", "also the images, (runs, steps, C, H, W) float32", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores", 1, 1024},
        {"svg", 0, CLI_FLAG, &svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    bool train = (from && !strncmp(from, "train:", 6)) || (to && !strncmp(to, "train:", 6));
    cli_runs r;
    int code = cli_runs_open(&r, argv, words, data, train ? ELBO_BOTH_SPLITS : ELBO_TEST_SPLIT, threads);
    if (code != CLI_OK) return code;
    bool classes = r.data.classes > 8 && r.data.test.labels;
    if (!from) from = classes ? "class:3" : "0";
    if (!to) to = classes ? "class:8" : "1";
    elbo_error err;
    elbo_image_shape s = r.run[0].model->network.graph.image;
    size_t size = elbo_image_size(s);
    float *ends = elbo_alloc(2 * size, sizeof *ends), *images = elbo_alloc((size_t)(words * steps) * size, sizeof *images);
    elbo_status status = ends && images ? ELBO_OK : elbo_no_memory(&err);
    if (status == ELBO_OK) status = read_end(from, &r, ends, &err);
    if (status == ELBO_OK) status = read_end(to, &r, ends + size, &err);
    char title[200];
    snprintf(title, sizeof title, "From %.80s to %.80s", from, to);
    cli_figure_place place;
    elbo_figure f = cli_figure(&place, argv[0], "interpolation", title, output, svg);
    if (status == ELBO_OK) status = elbo_story_interpolation(f, r.run, r.count, ends, ends + size, steps, images, &err);
    if (status == ELBO_OK && npy) {
        size_t shape[] = {(size_t)words, (size_t)steps, (size_t)s.channels, (size_t)s.height, (size_t)s.width};
        status = elbo_npy_write_f32(npy, images, 5, shape, &err);
    }
    if (status != ELBO_OK) {
        code = cli_fail(&err);
    } else {
        json_t *o = json ? json_pack("{s:s, s:s, s:i}", "from", from, "to", to, "steps", steps) : NULL;
        cli_say_figure(&f, o);
        if (json) cli_print_json(o);
    }
    free(ends);
    free(images);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_interpolate = {
    .name = "interpolate",
    .arguments = "RUN [RUN...]",
    .summary = "a strip from one image to another, through the latent space",
    .details = "A number is a test image; class:3 is the test image whose code lies nearest to its class's mean code.\n"
               "\n"
               "examples:\n"
               "  elbo interpolate runs/mnist-ae runs/mnist-vae --from class:3 --to class:8 --steps 10\n"
               "  elbo interpolate runs/mnist-vae --from 17 --to my-digit.png\n",
    .run = run,
};
