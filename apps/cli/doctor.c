/* elbo doctor: what is wrong with a run. */
#include "explore/diagnostics/diagnosis.h"

#include <stdio.h>
#include <string.h>

#include "runs.h"
#include "job.h"

enum { WIDTH = 96, INDENT = 8 };

/* Words in lines of at most WIDTH letters, those behind the first indented. */
static void print_words(const char *label, const char *text) {
    int column = printf("%*s%s", INDENT, "", label);
    bool first = true;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (!first && column + 1 + n > WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
            first = true;
        }
        column += printf("%s%.*s", first ? "" : " ", n, text);
        first = false;
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void print_checks(const char *label, const elbo_diagnosis *d) {
    int problems = elbo_diagnosis_count(d, ELBO_CHECK_PROBLEM), notes = elbo_diagnosis_count(d, ELBO_CHECK_NOTE);
    printf("%s: ", label);
    if (problems) printf("%d problem%s", problems, problems == 1 ? "" : "s");
    if (notes) printf("%s%d note%s", problems ? ", " : "", notes, notes == 1 ? "" : "s");
    printf("%s\n", problems || notes ? "" : "all checks ok");
    for (int i = 0; i < d->count; i++) {
        const elbo_check *v = &d->check[i];
        if (v->health == ELBO_CHECK_NOT_ASKED) continue;
        printf("\n%-*s%s\n", INDENT, elbo_health_name(v->health), v->title);
        print_words("", v->evidence);
        if (v->advice[0]) print_words("try: ", v->advice);
    }
}

static void print_json(const char *run, const elbo_diagnosis *d) {
    json_t *o = json_pack("{s:s}", "run", run);
    json_object_update_new(o, elbo_diagnosis_json(d));
    cli_print_json(o);
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *data = NULL, *device = NULL;
    int threads = 0;
    bool json = false;
    cli_option options[] = {
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        CLI_DEVICE_OPTION(device),
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    cli_runs r;
    int code = cli_runs_open(&r, argv, 1, data, ELBO_BOTH_SPLITS, device, threads);
    if (code != CLI_OK) return code;
    elbo_error err;
    elbo_diagnosis d;
    elbo_job job = cli_work(threads);
    elbo_status status = elbo_diagnose(&d, &r.run[0], &r.data, &job, &err);
    cli_work_end();
    if (status != ELBO_OK)
        code = cli_fail(&err);
    else if (json)
        print_json(argv[0], &d);
    else
        print_checks(r.run[0].label, &d);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_doctor = {
    .name = "doctor",
    .arguments = "RUN",
    .summary = "diagnoses a run: problems, the numbers behind them, what to try",
    .details =
        "Checks the log, the weights, and the model's outputs on its data set:\n"
        "\n"
        "  finished, diverged         did training end, did the loss fall steadily\n"
        "  range                      can the output layer produce the data's values (sigmoid: 0 to 1, tanh: -1 to 1)\n"
        "  underfitting, overfitting  is the loss still falling, is the test loss above the training loss\n"
        "  dead                       relu units that are 0 for every image\n"
        "  collapsed                  latent dimensions without information on the image (posterior collapse)\n"
        "  ignored                    does the loss grow when codes are swapped between images\n"
        "  prior                      does the aggregate posterior match the prior (VAE)\n"
        "  memorised                  are samples and reconstructions copies of training images\n"
        "  samples                    do samples from the prior look like the data: precision and recall (VAE)\n"
        "\n"
        "Each is `ok`, a `note` (may be intended) or a `problem`. The exit status is 0 either way; in the\n"
        "JSON, `problems` counts the problems.\n"
        "\n"
        "example:\n"
        "  elbo doctor runs/mnist-vae\n",
    .run = run,
};
