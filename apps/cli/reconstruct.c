/* elbo reconstruct: originals above each model's reconstructions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/pick.h"
#include "explore/reconstruct.h"
#include "render/image_figures.h"
#include "runs.h"

enum { MOST = 144 };

/* In a list of images a number is an image's, not a class's as it is at the end of an interpolation: said once. */
static void say_of_numbers(const char *list, const elbo_dataset *d) {
    char *copy = strdup(list), *rest = copy, *word;
    while (copy && (word = strsep(&rest, ",")))
        if (*word && strspn(word, "0123456789") == strlen(word) && elbo_pick_is_class_name(d, word)) {
            fprintf(stderr, "%s: taken as test image %s; the class of that name: class:%s\n", word, word, word);
            break;
        }
    free(copy);
}

static int run(const cli_command *self, int argc, char **argv) {
    cli_look look = {.name = "reconstructions"};
    const char *list = NULL, *class_word = NULL;
    int n = 0, rows = 0, columns = 0;
    const char *shape = NULL;
    cli_option options[] = {
        {"count", 'n', CLI_INT, &n, "N", "how many images; default 10, one of each class", 1, MOST},
        {"grid", 'g', CLI_TEXT, &shape, "RxC", "R rows of C images, as 4x8; each above its reconstructions", 0, 0},
        {"images", 'i', CLI_TEXT, &list, "LIST", "which: 3,17 of the test images, train:5, class:8", 0, 0},
        CLI_CLASS_OPTION(class_word, "each image's own"),
        CLI_LOOK_OPTIONS(look, "default RUN/figures/reconstructions.png of the first run"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    char end;
    if (shape && (sscanf(shape, "%dx%d%c", &rows, &columns, &end) != 2 || rows < 1 || columns < 1 || rows > MOST ||
                  columns > MOST || rows * columns > MOST))
        return cli_fail_text("--grid %s: expected ROWSxCOLUMNS, as 4x8, of at most %d images", shape, MOST), CLI_USAGE;
    if (shape && (n || list))
        return cli_fail_text("--grid says how many images: leave out %s", n ? "--count" : "--images"), CLI_USAGE;
    n = shape ? rows * columns : n ? n : ELBO_RECONSTRUCT_COUNT;
    int code = cli_look_open(&look, argv, words, list && strstr(list, "train:") ? ELBO_BOTH_SPLITS : ELBO_TEST_SPLIT);
    if (code != CLI_OK) return code;
    cli_runs *r = &look.runs;
    uint32_t index[MOST];
    elbo_picked picked = {.index = index, .most = MOST};
    elbo_reconstruct_options o = {.count = n};
    if (list && !look.json) say_of_numbers(list, &r->data);
    elbo_reconstruct_result result = {0};
    elbo_status status = ELBO_OK;
    if (list) {
        status = elbo_pick_list(&picked, r->run[0].model, &r->data, list, "--images", &look.err);
        o = (elbo_reconstruct_options){.count = picked.n, .index = index, .train = picked.images == &r->data.train};
    }
    o.class_word = class_word;
    if (status == ELBO_OK) status = elbo_reconstruct(&result, r->run, r->count, &r->data, &o, &look.err);
    if (status == ELBO_OK) status = elbo_figure_reconstruct(look.figure, &result, columns, &look.err);
    json_t *json = status == ELBO_OK && look.json ? elbo_reconstruct_json(&result) : NULL;
    elbo_reconstruct_free(&result);
    return cli_look_close(&look, status, json);
}

const cli_command cli_reconstruct = {
    .name = "reconstruct",
    .arguments = "RUN [RUN...]",
    .summary = "originals above each model's reconstructions, in one figure",
    .details = "Images are encoded to their mean code and decoded again.\n"
               "\n"
               "examples:\n"
               "  elbo reconstruct runs/mnist-ae runs/mnist-vae\n"
               "  elbo reconstruct runs/mnist-vae --grid 4x8\n"
               "  elbo reconstruct runs/mnist-vae --images 3,17,class:8 -o three.png\n",
    .run = run,
};
