/* elbo traverse: what each latent dimension does. */
#include <stdio.h>

#include "explore/traverse.h"
#include "explore/image_files.h"
#include "formats/npy.h"
#include "lists.h"
#include "render/image_figures.h"
#include "words.h"

enum { MOST_ROWS = 64 };

typedef struct request {
    cli_look look;
    const char *dims, *range, *at, *npy;
    elbo_traverse_options traverse;
    elbo_expression centre; // of --at
} request;

static elbo_status write_npy(const elbo_traverse_result *r, const char *path, elbo_error *err) {
    elbo_image_shape s = r->format.shape;
    size_t shape[] = {(size_t)r->rows, (size_t)r->steps, (size_t)s.channels, (size_t)s.height, (size_t)s.width};
    return elbo_npy_write_f32(path, r->images, 5, shape, err);
}

static elbo_status make(request *q, elbo_traverse_result *r, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_model *m = look->runs.run[0].model;
    int dims[MOST_ROWS];
    if (q->dims) {
        q->traverse.dims = dims;
        ELBO_TRY(cli_read_dims(q->dims, elbo_model_get_info(m).latent, dims, MOST_ROWS, &q->traverse.dim_count, err));
    }
    if (q->at) ELBO_TRY(cli_take_classes(&q->centre, 1, &look->runs.data, look->json, err));
    ELBO_TRY(elbo_traverse(r, m, &look->runs.data, &q->traverse, err));
    ELBO_TRY(elbo_figure_traverse(look->figure, r, err));
    return q->npy ? write_npy(r, q->npy, err) : ELBO_OK;
}

static int look_and_draw(request *q, char **argv) {
    cli_look *look = &q->look;
    int splits = ELBO_TEST_SPLIT | (q->at ? elbo_operands_splits(&q->centre) : 0);
    int code = cli_look_open(look, argv, 1, splits);
    if (code != CLI_OK) return code;
    elbo_traverse_result result = {0};
    elbo_status status = make(q, &result, &look->err);
    json_t *json = status == ELBO_OK && look->json ? elbo_traverse_json(&result) : NULL;
    elbo_traverse_free(&result);
    return cli_look_close(look, status, json);
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {
        .look = {.name = "traversal"},
        .range = "-3..3",
        .traverse = {.rows = ELBO_TRAVERSE_ROWS, .steps = ELBO_TRAVERSE_STEPS, .read_image = elbo_image_file_one}};
    cli_option options[] = {
        {"count", 'n', CLI_INT, &q.traverse.rows, "N", "how many dimensions at most; default 20", 1, MOST_ROWS},
        {"dims", 0, CLI_TEXT, &q.dims, "LIST", "these dimensions: 3,7,12; default the most informative ones", 0, 0},
        {"steps", 0, CLI_INT, &q.traverse.steps, "N", "images in a row; default 11", 2, 100},
        {"range", 'r', CLI_TEXT, &q.range, "A..B",
         "default -3..3; of an autoencoder in standard deviations of its codes", 0, 0},
        {"at", 'a', CLI_TEXT, &q.at, "CODE",
         "around test:17, 'mean(class:3)', ...; default the origin, an autoencoder's mean code", 0, 0},
        {"npy", 0, CLI_OUTPUT, &q.npy, "X.npy", "also the images, (dims, steps, C, H, W) float32", 0, 0},
        CLI_CLASS_OPTION(q.traverse.class_word, "that of --at, or the first"),
        CLI_LOOK_OPTIONS(q.look, "default RUN/figures/traversal.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    elbo_traverse_options *o = &q.traverse;
    if (cli_read_range(q.range, &o->from, &o->to, &q.look.err) != ELBO_OK) return cli_fail(&q.look.err), CLI_USAGE;
    elbo_error why;
    if (q.at && elbo_expression_parse_end(&q.centre, q.at, &why) != ELBO_OK)
        return cli_fail_text("--at: %s", why.message);
    if (q.at) o->at = &q.centre;
    int code = look_and_draw(&q, argv);
    elbo_expression_free(&q.centre);
    return code;
}

const cli_command cli_traverse = {
    .name = "traverse",
    .arguments = "RUN",
    .summary = "latent traversal: one row per latent dimension, others fixed",
    .details =
        "The most informative dimensions first: by their KL to the prior in nats, a mean over the test images; of an\n"
        "autoencoder, by the standard deviation (sd) of its codes. A dimension of 0 nats is collapsed: its row does\n"
        "not change.\n"
        "\n"
        "examples:\n"
        "  elbo traverse runs/mnist-vae\n"
        "  elbo traverse runs/mnist-vae --at test:17 -n 8 --range -2..2\n",
    .run = run,
};
