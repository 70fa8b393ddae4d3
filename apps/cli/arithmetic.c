/* elbo arithmetic: computing with codes. */
#include <stdio.h>

#include "explore/arithmetic.h"
#include "explore/image_files.h"
#include "formats/npy.h"
#include "job.h"
#include "render/image_figures.h"
#include "words.h"

static void say(const elbo_arithmetic_result *r) {
    printf("nearest training image: train:%u", r->nearest);
    if (r->class_name) printf(", class %s", r->class_name);
    printf(", distance %.3g\n", r->distance);
}

static elbo_status make(elbo_arithmetic_result *r, cli_look *look, const elbo_expression *e, const char *npy,
                        const char *class_word) {
    elbo_arithmetic_options o = {.expression = e, .class_word = class_word, .read_image = elbo_image_file_one};
    elbo_job work = cli_work(look->threads);
    elbo_status status = elbo_arithmetic(r, look->runs.run[0].model, &look->runs.data, &o, &work, &look->err);
    cli_work_end();
    cli_release_interrupts();
    if (status == ELBO_OK) status = elbo_figure_arithmetic(look->figure, r, &look->err);
    size_t shape[] = {1, (size_t)r->latent};
    return status == ELBO_OK && npy ? elbo_npy_write_f32(npy, r->code, 2, shape, &look->err) : status;
}

static int run(const cli_command *self, int argc, char **argv) {
    cli_look look = {.name = "arithmetic"};
    const char *npy = NULL, *class_word = NULL;
    cli_option options[] = {
        {"npy", 0, CLI_TEXT, &npy, "Z.npy", "also the resulting code, (1, latent) float32: for `elbo decode`", 0, 0},
        CLI_CLASS_OPTION(class_word, "what the expression makes of those of its images"),
        CLI_LOOK_OPTIONS(look, "default RUN/figures/arithmetic.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 2, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    elbo_expression e;
    if (elbo_expression_parse(&e, argv[1], &look.err) != ELBO_OK) return cli_fail(&look.err);
    int code = cli_look_open(&look, argv, 1, elbo_operands_splits(&e) | ELBO_TRAIN_SPLIT);
    if (code == CLI_OK) {
        elbo_arithmetic_result result = {0};
        elbo_status status = make(&result, &look, &e, npy, class_word);
        json_t *json = status == ELBO_OK && look.json ? elbo_arithmetic_json(&result) : NULL;
        if (status == ELBO_OK && !look.json) say(&result);
        code = cli_look_close(&look, status, json);
        elbo_arithmetic_free(&result);
    }
    elbo_expression_free(&e);
    return code;
}

const cli_command cli_arithmetic = {
    .name = "arithmetic",
    .arguments = "RUN \"EXPR\"",
    .summary = "latent arithmetic: mean(class:3) - mean(class:8) + test:17, decoded",
    .details =
        "Codes: test:17 and train:5 are images; class:3 and class:\"Ankle boot\" the most typical test image of a class;\n"
        "\"my photo.png\" a file; smile a code saved by `elbo vector save`. mean(a, b, ...) is the mean of codes, and\n"
        "mean(class:3) the mean of all training images of the class; lerp(a, b, t) and slerp(a, b, t) lie between a and b,\n"
        "t from 0 to 1. With them + - * / ( ), where * and / are by numbers: 2 * test:17.\n"
        "\n"
        "The figure shows the operands, the result and the training image whose code is nearest to it: above as pixels,\n"
        "where the result is the same arithmetic done with pixels, below decoded.\n"
        "\n"
        "examples:\n"
        "  elbo arithmetic runs/mnist-vae 'test:17 + mean(class:8) - mean(class:3)'\n"
        "  elbo arithmetic runs/mnist-vae 'slerp(class:4, \"my digit.png\", 0.5)' --npy z.npy -o half.png\n",
    .run = run,
};
