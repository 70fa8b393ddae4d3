/* elbo arithmetic: computing with codes. */
#include <math.h>
#include <stdio.h>

#include "formats/npy.h"
#include "render/latent_figures.h"
#include "job.h"
#include "words.h"

static json_t *as_json(const elbo_expression *e, const elbo_sum *sum, const cli_runs *r) {
    json_t *operands = json_array(), *code = json_array();
    for (int i = 0; i < e->operands; i++) json_array_append_new(operands, json_string(e->operand[i].label));
    for (int i = 0; i < r->run[0].model->network.graph.latent; i++)
        json_array_append_new(code, json_real(sum->code[i]));
    json_t *nearest = json_pack("{s:I, s:f}", "train", (json_int_t)sum->nearest, "distance", sum->distance);
    if (sum->class >= 0) json_object_set_new(nearest, "class", json_string(r->data.class_names[sum->class]));
    return json_pack("{s:s, s:o, s:o, s:o}", "expression", e->text, "operands", operands, "nearest", nearest, "code",
                     code);
}

static void say(const elbo_sum *sum, const elbo_dataset *d) {
    printf("nearest training image: train:%u", sum->nearest);
    if (sum->class >= 0) printf(", class %s", d->class_names[sum->class]);
    printf(", %.3g away\n", sum->distance);
}

static int run(const cli_command *self, int argc, char **argv) {
    cli_look look = {.name = "arithmetic"};
    const char *npy = NULL;
    cli_option options[] = {
        {"npy", 0, CLI_TEXT, &npy, "Z.npy", "also the resulting code, (1, latent) float32: for `elbo decode`", 0, 0},
        CLI_LOOK_OPTIONS(look, "default RUN/figures/arithmetic.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 2, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    elbo_expression e;
    if (elbo_expression_parse(&e, argv[1], &look.err) != ELBO_OK) return cli_fail(&look.err);
    int code = cli_look_open(&look, argv, 1, elbo_operands_splits(&e) | ELBO_TRAIN_SPLIT);
    if (code == CLI_OK) {
        look.figure.title = e.text;
        elbo_sum sum = {0};
        elbo_job work = cli_work(look.threads);
        elbo_status status = elbo_figure_arithmetic(look.figure, &sum, &e, cli_operands(&look.runs), &work, &look.err);
        cli_work_end();
        cli_release_interrupts();
        size_t shape[] = {1, (size_t)look.runs.run[0].model->network.graph.latent};
        if (status == ELBO_OK && npy) status = elbo_npy_write_f32(npy, sum.code, 2, shape, &look.err);
        json_t *json = status == ELBO_OK && look.json ? as_json(&e, &sum, &look.runs) : NULL;
        if (status == ELBO_OK && !look.json) say(&sum, &look.runs.data);
        code = cli_look_close(&look, status, json);
        elbo_sum_free(&sum);
    }
    elbo_expression_free(&e);
    return code;
}

const cli_command cli_arithmetic = {
    .name = "arithmetic",
    .arguments = "RUN \"EXPR\"",
    .summary = "computes with codes: mean(class:3) - mean(class:8) + test:17, decoded",
    .details =
        "Codes: test:17 and train:5 are images; class:3 and class:\"Ankle boot\" the most typical test image of a class;\n"
        "\"my photo.png\" a file; smile a code that `elbo vector save` kept. mean(a, b, ...) is the mean of codes, and\n"
        "mean(class:3) that of all the class's training images; lerp(a, b, t) and slerp(a, b, t) lie between a and b,\n"
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
