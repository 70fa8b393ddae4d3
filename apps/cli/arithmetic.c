/* elbo arithmetic: computing with codes. */
#include <stdio.h>
#include <string.h>

#include "explore/arithmetic.h"
#include "explore/image_files.h"
#include "formats/npy.h"
#include "job.h"
#include "recipe_for.h"
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

/* One expression of one run. */
static int compute(cli_look look, char **run, const elbo_expression *e, const char *npy, const char *class_word) {
    int code = cli_look_open(&look, run, 1, elbo_operands_splits(e) | ELBO_TRAIN_SPLIT);
    if (code != CLI_OK) return code;
    elbo_arithmetic_result result = {0};
    elbo_status status = make(&result, &look, e, npy, class_word);
    json_t *json = status == ELBO_OK && look.json ? elbo_arithmetic_json(&result) : NULL;
    if (status == ELBO_OK && !look.json) say(&result);
    code = cli_look_close(&look, status, json);
    elbo_arithmetic_free(&result);
    return code;
}

/* The words are runs, then expressions; each expression of each run has a figure: NAME, NAME-2, ... */
static int compute_all(const cli_look *look, char **words, int runs, const elbo_expression *e, int expressions,
                       const char *npy, const char *class_word) {
    int code = CLI_OK;
    for (int k = 0; k < runs * expressions && code == CLI_OK; k++) {
        cli_look one = *look;
        int number = 1 + (look->output ? k : k % expressions); // of those that go into one folder
        char name[40], output[4096];
        const char *dot = look->output ? strrchr(look->output, '.') : NULL;
        if (dot && strchr(dot, '/')) dot = NULL;
        if (number > 1) {
            snprintf(name, sizeof name, "%s-%d", look->name, number);
            one.name = name;
        }
        if (number > 1 && look->output) {
            snprintf(output, sizeof output, "%.*s-%d%s", dot ? (int)(dot - look->output) : 4000, look->output, number,
                     dot ? dot : "");
            one.output = output;
        }
        code = compute(one, words + k / expressions, &e[k % expressions], npy, class_word);
    }
    return code;
}

static int run(const cli_command *self, int argc, char **argv) {
    enum { MOST = 16 };
    cli_look look = {.name = "arithmetic"};
    const char *npy = NULL, *class_word = NULL;
    cli_option options[] = {
        {"npy", 0, CLI_OUTPUT, &npy, "Z.npy", "also the resulting code, (1, latent) float32: for `elbo decode`", 0, 0},
        CLI_CLASS_OPTION(class_word, "computed as the code is"),
        CLI_LOOK_OPTIONS(look, "default RUN/figures/arithmetic.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 2, CLI_MOST_RUNS + MOST), runs = 1;
    if (CLI_DONE(words)) return CLI_CODE(words);
    while (runs < words && cli_names_run(argv[runs])) runs++;
    int expressions = words - runs;
    if (expressions == 0)
        return cli_fail_text("arithmetic: expected an expression behind %s, as 'test:17 + mean(class:8)'",
                             argv[words - 1]),
               CLI_USAGE;
    if (runs > CLI_MOST_RUNS || expressions > MOST)
        return cli_fail_text("arithmetic: at most %d runs and %d expressions", CLI_MOST_RUNS, MOST), CLI_USAGE;
    if (npy && runs * expressions > 1)
        return cli_fail_text("--npy %s: holds one code; %d would be computed", npy, runs * expressions), CLI_USAGE;
    elbo_expression e[MOST] = {{0}};
    int code = CLI_OK;
    for (int i = 0; i < expressions && code == CLI_OK; i++)
        if (elbo_expression_parse(&e[i], argv[runs + i], &look.err) != ELBO_OK) code = cli_fail(&look.err);
    if (code == CLI_OK) code = compute_all(&look, argv, runs, e, expressions, npy, class_word);
    for (int i = 0; i < expressions; i++) elbo_expression_free(&e[i]);
    return code;
}

const cli_command cli_arithmetic = {
    .name = "arithmetic",
    .arguments = "RUN [RUN...] \"EXPR\" [\"EXPR\"...]",
    .summary = "latent arithmetic: mean(class:3) - mean(class:8) + test:17, decoded",
    .details =
        "Codes: test:17 and train:5 are images; class:3 and class:\"Ankle boot\" the most typical test image of a class;\n"
        "\"my photo.png\" a file; smile a code saved by `elbo vector save`. mean(a, b, ...) is the mean of codes, and\n"
        "mean(class:3) the mean of all training images of the class; lerp(a, b, t) and slerp(a, b, t) lie between a and b,\n"
        "t from 0 to 1. With them + - * / ( ), where * and / are by numbers: 2 * test:17.\n"
        "\n"
        "The figure shows the operands, the result and the training image whose code is nearest to it: above as pixels,\n"
        "where the result is the same arithmetic done with pixels, below decoded. Each expression of each run has its own:\n"
        "arithmetic.png, arithmetic-2.png, ...\n"
        "\n"
        "examples:\n"
        "  elbo arithmetic runs/mnist-vae 'test:17 + mean(class:8) - mean(class:3)'\n"
        "  elbo arithmetic runs/mnist-vae 'slerp(class:4, \"my digit.png\", 0.5)' --npy z.npy -o half.png\n",
    .run = run,
};
