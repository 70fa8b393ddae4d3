/* elbo doctor: what is wrong with a run. */
#include "explore/diagnostics/doctor.h"

#include <math.h>
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

static void print_verdicts(const char *label, const elbo_check *v, int count) {
    int ill = 0, notes = 0;
    for (int i = 0; i < count; i++) {
        ill += v[i].health == ELBO_ILL;
        notes += v[i].health == ELBO_NOTE;
    }
    printf("%s: ", label);
    if (ill) printf("%d thing%s to mend", ill, ill == 1 ? "" : "s");
    if (notes) printf("%s%d worth knowing", ill ? ", " : "", notes);
    printf("%s\n", ill || notes ? "" : "all is well");
    for (int i = 0; i < count; i++) {
        if (v[i].health == ELBO_NOT_ASKED) continue;
        static const char *const mark[] = {"", "ok", "note", "ill"};
        printf("\n%-*s%s\n", INDENT, mark[v[i].health], v[i].title);
        print_words("", v[i].evidence);
        if (v[i].advice[0]) print_words("try: ", v[i].advice);
    }
}

static void print_json(const char *run, const elbo_check *v, int count) {
    json_t *list = json_array();
    int ill = 0;
    for (int i = 0; i < count; i++) {
        json_t *numbers = json_object();
        for (int k = 0; k < ELBO_VERDICT_NUMBERS && v[i].number[k].name; k++)
            if (isfinite(v[i].number[k].value))
                json_object_set_new(numbers, v[i].number[k].name, json_real(v[i].number[k].value));
        ill += v[i].health == ELBO_ILL;
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", v[i].name, "title", v[i].title,
                                              "health", elbo_health_name(v[i].health), "evidence", v[i].evidence,
                                              "advice", v[i].advice, "numbers", numbers));
    }
    cli_print_json(json_pack("{s:s, s:i, s:o}", "run", run, "ill", ill, "verdicts", list));
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *data = NULL;
    int threads = 0;
    bool json = false;
    cli_option options[] = {
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    cli_runs r;
    int code = cli_runs_open(&r, argv, 1, data, ELBO_BOTH_SPLITS, threads);
    if (code != CLI_OK) return code;
    elbo_error err;
    elbo_eval_context e = {0};
    elbo_check verdict[ELBO_MOST_VERDICTS];
    int count = 0;
    elbo_job work = cli_work(threads);
    elbo_splits judged = r.data.test.count ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT;
    elbo_status status = elbo_eval_context_open(&e, r.run[0].model, &r.run[0].log, &r.data, judged, &work, &err);
    if (status == ELBO_OK) status = elbo_doctor(verdict, &count, &e, &err);
    cli_work_end();
    if (status != ELBO_OK)
        code = cli_fail(&err);
    else if (json)
        print_json(argv[0], verdict, count);
    else
        print_verdicts(r.run[0].label, verdict, count);
    elbo_eval_context_close(&e);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_doctor = {
    .name = "doctor",
    .arguments = "RUN",
    .summary = "what is wrong with a run, the numbers behind it, and what to try",
    .details =
        "Looks at the log, the weights, and what the model does with the images of its data set:\n"
        "\n"
        "  finished, diverged         did training end, did the loss fall steadily\n"
        "  range                      can the output layer make the data's values (sigmoid: 0 to 1, tanh: -1 to 1)\n"
        "  underfitting, overfitting  is the loss still falling, do test images do worse than training images\n"
        "  dead                       relu units that are 0 for every image\n"
        "  collapsed                  latent dimensions that say nothing of the image\n"
        "  ignored                    does the loss grow when images swap their codes\n"
        "  prior                      do the codes fill the prior that samples are drawn from (VAE)\n"
        "  memorised                  are samples and reconstructions just the training images\n"
        "\n"
        "Each is `ok`, a `note` (worth knowing, may be meant) or `ill`. The exit status is 0 however the run is; in the JSON,\n"
        "`ill` counts what is ill.\n"
        "\n"
        "example:\n"
        "  elbo doctor runs/mnist-vae\n",
    .run = run,
};
