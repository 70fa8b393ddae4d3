/* elbo reconstruct: originals above each model's reconstructions. */
#include <stdlib.h>
#include <string.h>

#include "explore/pick.h"
#include "runs.h"

enum { MOST = 40 };

/* "3,17,42", each as `elbo interpolate` names images; all of one split. */
static elbo_status pick_listed(const char *list, cli_runs *r, const elbo_images **images, uint32_t *index, int *n,
                               elbo_error *err) {
    char *copy = strdup(list), *rest = copy, *word;
    if (!copy) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    *n = 0;
    while (status == ELBO_OK && (word = strsep(&rest, ","))) {
        elbo_choice c;
        status = elbo_pick(&c, r->run[0].model, &r->data, word, err);
        if (status == ELBO_OK && *n == MOST) status = elbo_fail(err, ELBO_BAD_INPUT, "--images: at most %d", MOST);
        if (status == ELBO_OK && *n && c.images != *images)
            status = elbo_fail(err, ELBO_BAD_INPUT, "--images: take them from one split, train or test");
        if (status == ELBO_OK) {
            *images = c.images;
            index[(*n)++] = c.index;
        }
    }
    free(copy);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    cli_look look = {.name = "reconstructions", .title = "Reconstructions"};
    const char *list = NULL;
    int n = 10;
    cli_option options[] = {
        {"count", 'n', CLI_INT, &n, "N", "how many images; default 10, one of each class", 1, MOST},
        {"images", 'i', CLI_TEXT, &list, "LIST", "which: 3,17 of the test images, train:5, class:8", 0, 0},
        CLI_LOOK_OPTIONS(look, "default RUN/figures/reconstructions.png of the first run"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    int code = cli_look_open(&look, argv, words, list && strstr(list, "train:") ? ELBO_BOTH_SPLITS : ELBO_TEST_SPLIT);
    if (code != CLI_OK) return code;
    cli_runs *r = &look.runs;
    uint32_t index[MOST];
    const elbo_images *images = &r->data.test;
    elbo_status status = ELBO_OK;
    if (list)
        status = pick_listed(list, r, &images, index, &n, &look.err);
    else
        n = elbo_pick_variety(images, r->data.classes, n, index);
    if (status == ELBO_OK)
        status = elbo_figure_reconstructions(look.figure, r->run, r->count, images, index, n, &look.err);
    json_t *o = NULL;
    if (status == ELBO_OK && look.json) {
        json_t *shown = json_array();
        for (int i = 0; i < n; i++) json_array_append_new(shown, json_integer(index[i]));
        o = json_pack("{s:o}", "images", shown);
    }
    return cli_look_close(&look, status, o);
}

const cli_command cli_reconstruct = {
    .name = "reconstruct",
    .arguments = "RUN [RUN...]",
    .summary = "originals above each model's reconstructions, in one figure",
    .details = "Images are encoded to their mean code and decoded again.\n"
               "\n"
               "examples:\n"
               "  elbo reconstruct runs/mnist-ae runs/mnist-vae\n"
               "  elbo reconstruct runs/mnist-vae --images 3,17,class:8 -o three.png\n",
    .run = run,
};
