/* elbo manifold: a plane of the latent space, decoded. */
#include <stdio.h>

#include "explore/manifold.h"
#include "formats/npy.h"
#include "lists.h"
#include "render/image_figures.h"
#include "runs.h"

typedef struct request {
    cli_look look;
    const char *dims, *npy, *class_word;
    int steps;
} request;

static elbo_status write_npy(const elbo_manifold_result *r, const char *path, elbo_error *err) {
    elbo_image_shape s = r->format.shape;
    size_t shape[] = {(size_t)r->rows, (size_t)r->steps, (size_t)s.channels, (size_t)s.height, (size_t)s.width};
    return elbo_npy_write_f32(path, r->images, 5, shape, err);
}

static elbo_status make(request *q, elbo_manifold_result *r, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_model *m = look->runs.run[0].model;
    elbo_manifold_options o = {.steps = q->steps, .threads = look->threads, .class_word = q->class_word};
    int count = 0;
    if (q->dims) ELBO_TRY(cli_read_dims(q->dims, elbo_model_get_info(m).latent, o.dims, 2, &count, err));
    if (q->dims && count != 2) return elbo_fail(err, ELBO_BAD_INPUT, "--dims %s: expected two, such as 3,7", q->dims);
    ELBO_TRY(elbo_manifold(r, m, &look->runs.data, &o, err));
    ELBO_TRY(elbo_figure_manifold(look->figure, r, err));
    return q->npy ? write_npy(r, q->npy, err) : ELBO_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {.look = {.name = "manifold"}, .steps = ELBO_MANIFOLD_STEPS};
    cli_option options[] = {
        {"steps", 'n', CLI_INT, &q.steps, "N", "images along a side; default 20", 2, 60},
        {"dims", 0, CLI_TEXT, &q.dims, "A,B",
         "two latent dimensions, across and up; default two principal axes of the codes", 0, 0},
        {"npy", 0, CLI_OUTPUT, &q.npy, "X.npy", "also the images, (rows, steps, C, H, W) float32", 0, 0},
        CLI_CLASS_OPTION(q.class_word, "the first"),
        CLI_LOOK_OPTIONS(q.look, "default RUN/figures/manifold.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    int code = cli_look_open(&q.look, argv, 1, ELBO_TRAIN_SPLIT);
    if (code != CLI_OK) return code;
    elbo_manifold_result result = {0};
    elbo_status status = make(&q, &result, &q.look.err);
    json_t *json = status == ELBO_OK && q.look.json ? elbo_manifold_json(&result) : NULL;
    elbo_manifold_free(&result);
    return cli_look_close(&q.look, status, json);
}

const cli_command cli_manifold = {
    .name = "manifold",
    .arguments = "RUN",
    .summary = "a plane of the latent space, decoded as a grid",
    .details =
        "2-D code: the whole space, at quantiles of the prior (of an autoencoder: of its training codes).\n"
        "Otherwise: the plane of the first two principal axes of the codes, or of two dimensions, the others at 0 (of an\n"
        "autoencoder, at their mean).\n"
        "\n"
        "examples:\n"
        "  elbo manifold runs/mnist-vae-2d\n"
        "  elbo manifold runs/mnist-vae --dims 3,7 -n 12\n",
    .run = run,
};
