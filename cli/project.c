/* elbo project: the latent space as a map. */
#include <stdio.h>
#include <string.h>

#include "data/npy.h"
#include "runs.h"

static int run(const cli_command *self, int argc, char **argv) {
    const char *method = "pca", *split = "test", *output = NULL, *npy = NULL, *data = NULL;
    int threads = 0;
    bool json = false, svg = false;
    cli_option options[] = {
        {"method", 'm', CLI_TEXT, &method, "METHOD", "pca (default)", 0, 0},
        {"split", 0, CLI_TEXT, &split, "SPLIT", "test (default) or train", 0, 0},
        {"output", 'o', CLI_TEXT, &output, "FILE.png", "default RUN/figures/pca.png", 0, 0},
        {"npy", 0, CLI_TEXT, &npy, "Y.npy", "also the points, (N, 2) float32", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"svg", 0, CLI_FLAG, &svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    bool train = !strcmp(split, "train");
    if (strcmp(method, "pca")) return cli_fail_text("--method %s: it is pca", method), CLI_USAGE;
    if (!train && strcmp(split, "test")) return cli_fail_text("--split %s: it is train or test", split), CLI_USAGE;
    cli_runs r;
    int code = cli_runs_open(&r, argv, 1, data, train ? ELBO_TRAIN_SPLIT : ELBO_TEST_SPLIT, threads);
    if (code != CLI_OK) return code;
    const elbo_images *images = train ? &r.data.train : &r.data.test;
    elbo_error err;
    elbo_map map = {0};
    elbo_status status = elbo_map_make(&map, r.run[0].model, images, threads, &err);
    char title[200];
    snprintf(title, sizeof title, "Latent space of %.150s", r.run[0].label);
    cli_figure_place place;
    elbo_figure f = cli_figure(&place, argv[0], method, title, output, svg);
    if (status == ELBO_OK) status = elbo_story_map(f, &map, &r.data, images, &err);
    if (status == ELBO_OK && npy) status = elbo_npy_write_f32(npy, map.xy, 2, (size_t[]){map.n, 2}, &err);
    if (status != ELBO_OK) {
        code = cli_fail(&err);
    } else {
        json_t *o = json ? json_pack("{s:s, s:s, s:I, s:b}", "method", method, "split", split, "points", (json_int_t)map.n,
                                     "raw_plane", map.raw) : NULL;
        if (!map.raw && json)
            json_object_set_new(o, "explained_variance_ratio", json_pack("[f, f]", map.explained[0], map.explained[1]));
        cli_say_figure(&f, o);
        if (json)
            cli_print_json(o);
        else if (map.raw)
            printf("the code has two dimensions: the map is the plane itself\n");
        else
            printf("the two axes hold %.1f%% and %.1f%% of the variance\n", 100 * map.explained[0], 100 * map.explained[1]);
    }
    elbo_map_free(&map);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_project = {
    .name = "project",
    .arguments = "RUN",
    .summary = "a map of the latent space, coloured by class",
    .details = "Mean codes on their first two principal axes; a code of two dimensions is shown as it is.\n"
               "\n"
               "example:\n"
               "  elbo project runs/mnist-vae --method pca --npy map.npy\n",
    .run = run,
};
