/* elbo compare: the loss curves of some runs in one chart, and a table of their scores. */
#include <stdio.h>

#include "runs.h"
#include "table.h"

static int run(const cli_command *self, int argc, char **argv) {
    const char *output = NULL;
    bool json = false, svg = false;
    cli_option options[] = {
        {"output", 'o', CLI_TEXT, &output, "FILE.png", "default RUN/figures/loss.png of the first run", 0, 0},
        {"svg", 0, CLI_FLAG, &svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    cli_runs r;
    int code = cli_runs_open(&r, argv, words, NULL, 0, 1);
    if (code != CLI_OK) return code;
    elbo_error err;
    cli_figure_place place;
    elbo_figure f = cli_figure(&place, argv[0], "loss", "Loss over the epochs", output, svg);
    if (elbo_story_curves(f, r.run, r.count, &err) != ELBO_OK) {
        code = cli_fail(&err);
    } else {
        json_t *o = json ? json_pack("{s:o}", "runs", cli_runs_json(r.run, r.count)) : NULL;
        if (!json) cli_print_runs(r.run, r.count);
        cli_say_figure(&f, o);
        if (json) cli_print_json(o);
    }
    cli_runs_close(&r);
    return code;
}

const cli_command cli_compare = {
    .name = "compare",
    .arguments = "RUN [RUN...]",
    .summary = "loss curves in one chart, and a table of every score",
    .details = "Losses are in nats per image for every model, so the curves share one axis. Scores are those of the last\n"
               "finished epoch, from the runs' own logs.\n"
               "\n"
               "example:\n"
               "  elbo compare runs/mnist-ae runs/mnist-vae\n",
    .run = run,
};
